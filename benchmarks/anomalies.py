"""Area under the ROC curve of anomalies: tables of ODDS, and one class of images against the rest.

One default for all, and no labels while training. Beside it, on the same samples: PCA (all axes,
weighted, as PyOD has it), isolation forest and the 5th nearest neighbour, and each score alone, of
which no autoencoder takes part in ``samples``, ``nearest`` and, for images, ``edges``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello_labs._anomaly_data import TABLES, read_images_of, read_table
from cuello_labs.anomalies import by_covariance, by_forest, by_neighbours

__all__ = ["COLUMNS", "areas", "run"]

Array = npt.NDArray[np.float32]
Rows = tuple[Array, Array, npt.NDArray[np.int64]]
REPEATS = 10
PYOD = ("PCA", "isolation forest", "k-NN")
COLUMNS = (
    "combined",
    "reconstruction",
    "neighbours",
    "mahalanobis",
    "samples",
    "nearest",
    "edges",
    *PYOD,
)
AIM, TARGET = 0.88, {"mnist": 0.975, "fashion-mnist": 0.93}


def run(settings: Settings) -> Result:
    """Measure: about an hour on two cores."""
    repeats = 1 if settings.quick else REPEATS
    classes = range(1) if settings.quick else range(10)
    try:
        for name in TARGET:
            cuello.load(name, offline=True)
        read_table(TABLES[0])
    except cuello.DataError as error:
        return Result(name="anomalies", columns=(), rows=[], notes=[f"not run: {error}"])
    table_rows, tables = _group(
        (name, [(table(name, seed), seed) for seed in range(repeats)]) for name in TABLES
    )
    rows = [*table_rows, _line("mean of the tables", tables)]
    best = max(float(tables[c].mean()) for c in PYOD)
    mean = float(tables["combined"].mean())
    bars = [
        Bar(
            what="tables",
            value=mean,
            target=f"above {best:.3f}, the best of {PYOD}",
            met=mean > best,
        ),
        Bar(what="tables, aim", value=mean, target=f"at least {AIM}", met=mean >= AIM),
    ]
    for name, target in TARGET.items():
        class_rows, own = _group((f"{name} {c}", [(read_images_of(name, c), 0)]) for c in classes)
        rows += [*class_rows, _line(f"mean of {name}", own)]
        mean = float(own["combined"].mean())
        bars.append(Bar(what=name, value=mean, target=f"at least {target}", met=mean >= target))
    return Result(
        name="anomalies",
        columns=("data", *COLUMNS),
        rows=rows,
        bars=bars,
        notes=[
            f"tables: {repeats} random splits, 60 % for training, anomalies among them; mean ± sd",
            "images: trained on one class of the training part, tested on the whole test part",
        ],
    )


def table(name: str, seed: int) -> Rows:
    """Return training samples, test samples, and which of these are anomalies; standardised."""
    X, anomalous = read_table(name)
    train, test, _, truth = train_test_split(
        X, anomalous, train_size=0.6, random_state=seed, stratify=anomalous
    )
    scaler = StandardScaler().fit(train)
    return (
        scaler.transform(train).astype(np.float32),
        scaler.transform(test).astype(np.float32),
        truth,
    )


def areas(train: Array, test: Array, truth: npt.NDArray[np.int64], seed: int) -> dict[str, float]:
    """Return the area under the curve of each method."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cuello.CuelloWarning)
        detector = cuello.AnomalyDetector(random_state=seed).fit(train)
    flat, others = train.reshape(len(train), -1), test.reshape(len(test), -1)
    scores = {
        **detector.single_scores(test),
        "PCA": by_covariance(flat, others),
        "isolation forest": by_forest(flat, others, seed),
        "k-NN": by_neighbours(flat, others),
    }
    return {name: float(roc_auc_score(truth, score)) for name, score in scores.items()}


def _group(
    groups: Iterator[tuple[str, list[tuple[Rows, int]]]],
) -> tuple[list[tuple[object, ...]], dict[str, npt.NDArray[np.float64]]]:
    """Return a line for each group, and the mean of each group by method."""
    lines, means = [], []
    for name, cases in groups:
        found = [areas(*rows, seed) for rows, seed in cases]
        own = {c: np.array([one.get(c, np.nan) for one in found]) for c in COLUMNS}
        lines.append(_line(name, own))
        means.append({c: own[c].mean() for c in COLUMNS})
        print(lines[-1], flush=True)
    return lines, {c: np.array([mean[c] for mean in means]) for c in COLUMNS}


def _line(name: str, values: dict[str, npt.NDArray[np.float64]]) -> tuple[object, ...]:
    def shown(own: npt.NDArray[np.float64]) -> str:
        if np.isnan(own).all():  # tables have no edges
            return ""
        spread = f" ± {own.std(ddof=1):.3f}" if len(own) > 1 and "mean" not in name else ""
        return f"{own.mean():.3f}{spread}"

    return (name, *(shown(values[c]) for c in COLUMNS))
