"""Short seeded trainings and what comes of them: numbers that a change of the code must not move.

Write the expected numbers anew, where a change is meant, and read the difference in the commit::

    python tests/golden/golden_cases.py                     # all of them
    python tests/golden/golden_cases.py kind/plain/dense    # some, by the beginning of their names

A case for each kind, few-label method and anomaly score comes from the registries: a new entry only
needs its numbers written. A case that is refused (a kind that needs dense layers, for example) has
the expected value null. Trainings take a few steps, so that what processors round differently has
no time to grow.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

from cuello import AnomalyDetector, Autoencoder, FewLabelClassifier, FewLabelRegressor, InputError
from cuello.anomalies import SCORES
from cuello.few_label import METHODS
from cuello.kinds import KINDS

GOLDEN = Path(__file__).with_name("golden.json")

Numbers = dict[str, Any]
"""Lists of numbers by name."""

HIDDEN = {"dense": (16,), "conv": (6, 8), "sequence": (8,)}
METHOD_OPTIONS: dict[str, dict[str, Any]] = {
    "auto": {"steps": 10, "neighbours": 5, "perturbation": 0.0, "trees": 5},
    "label_spreading": {"neighbours": 5},
    "ladder": {"epochs": 3, "hidden": [16, 8]},
    "mean_teacher": {"steps": 10, "perturbation": 0.0},
    "random_forest": {"trees": 5},
}
"""Own options that make a method fast; one that is not listed takes its defaults."""

TOLERANCE = 1e-4
"""Relative to the largest number of a list: processors round differently."""
TOLERANCES = {"few_labels/auto/multiclass": 1e-2, "few_labels/mean_teacher/multiclass": 1e-2}
"""Where it is another one.

Biases before batch normalisation have a gradient of zero, but for rounding; Adam makes a step as
large as any of it. That changes nothing but the running means, which the teacher is applied with.
"""


@cache
def table(samples: int = 96, features: int = 12) -> np.ndarray:
    """Return samples near a plane of three dimensions."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(samples, 3)) @ rng.normal(size=(3, features))
    return (plane + 0.1 * rng.normal(size=(samples, features))).astype(np.float32)


@cache
def images(samples: int = 96) -> np.ndarray:
    """Return handwritten digits of 8x8 pixels."""
    return load_digits().images[:samples]


@cache
def sequences(samples: int = 96) -> np.ndarray:
    """Return waves of seven steps and two features, every fourth of five steps."""
    rng = np.random.default_rng(1)
    frequency = rng.uniform(0.3, 1.5, (samples, 1, 2))
    X = np.sin(frequency * np.arange(7)[None, :, None] + rng.uniform(0, 3, (samples, 1, 1)))
    X[::4, 5:] = np.nan
    return X.astype(np.float32)


@cache
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Return samples of three classes that overlap a little, and the classes."""
    rng = np.random.default_rng(3)
    y = rng.permutation(np.arange(120) % 3)
    X = 1.5 * rng.normal(size=(3, 8))[y] + rng.normal(size=(120, 8))
    return X.astype(np.float32), y


SAMPLES = {"dense": table, "conv": images, "sequence": sequences}


def autoencoder(kind: str, network: str = "dense") -> Autoencoder:
    """Return a small autoencoder that is trained for a few steps."""
    return Autoencoder(
        kind,
        network=network,
        hidden=HIDDEN[network],
        latent_dim=3,
        epochs=3,
        batch_size=32,
        validation_fraction=0.2,
    )


def train_kind(kind: str, network: str) -> Numbers:
    """Return the losses of every epoch, and the first embeddings."""
    X = SAMPLES[network]()
    model = autoencoder(kind, network).fit(X, np.arange(len(X)) % 3)
    return {
        "training loss": [list(epoch.train.values()) for epoch in model.history_],
        "validation loss": [list((epoch.validation or {}).values()) for epoch in model.history_],
        "embeddings": model.transform(X[:3]).tolist(),
    }


def learn_from_few_labels(method: str, task: str) -> Numbers:
    """Return what the method predicts of the first samples, and how candidates compare."""
    X, y = clouds()
    labelled = np.arange(len(y)) % 10 < 3
    options: dict[str, Any] = {
        "method": method,
        "method_options": METHOD_OPTIONS.get(method),
        "learning_rates": (0.003, 0.01),
        "epochs": 4,
    }
    trained = FrozenEstimator(_fitted())
    if task == "regression":
        target = np.where(labelled, X.std(axis=1) + y, np.nan)
        regressor = FewLabelRegressor(trained, **options).fit(X, target)
        return {
            "cross-validated scores": list(regressor.cv_scores_.values()),
            "predictions": regressor.predict(X[:4]).tolist(),
        }
    classifier = FewLabelClassifier(trained, **options).fit(X, np.where(labelled, y, -1))
    return {
        "cross-validated scores": list(classifier.cv_scores_.values()),
        "held-out scores": classifier.held_out_scores_[:4].tolist(),
        "temperature": classifier.temperature_,
        "probabilities": classifier.predict_proba(X[:4]).tolist(),
    }


@cache
def _fitted() -> Autoencoder:
    return autoencoder("plain").fit(clouds()[0])


def score_anomalies(score: str, what: str) -> Numbers:
    """Return the anomaly scores of samples that were not learned from, and the threshold."""
    X, kind, network = {
        "table": (table(200, 8), "variational", "dense"),
        "images": (images(200), "plain", "conv"),
        "sequences": (sequences(200), "plain", "sequence"),
    }[what]
    detector = AnomalyDetector(FrozenEstimator(_judge(kind, network)), method=score).fit(X[:150])
    return {
        "anomaly scores": detector.anomaly_scores(X[150:156]).tolist(),
        "threshold": detector.threshold_,
    }


@cache
def _judge(kind: str, network: str) -> Autoencoder:
    X = {"dense": table(200, 8), "conv": images(200), "sequence": sequences(200)}[network]
    return autoencoder(kind, network).fit(X[:150])


def _cases() -> dict[str, Callable[[], Numbers]]:
    cases: dict[str, Callable[[], Numbers]] = {}
    for kind in KINDS:
        for network in SAMPLES:
            cases[f"kind/{kind}/{network}"] = partial(train_kind, kind, network)
    for method in METHODS:
        for task in ("multiclass", "regression"):
            name = f"few_labels/{method}/{task}"
            cases[name] = partial(learn_from_few_labels, method, task)
    for score in ("combined", *SCORES):
        for what in ("table", "images", "sequences"):
            cases[f"anomaly_score/{score}/{what}"] = partial(score_anomalies, score, what)
    return dict(sorted(cases.items()))


CASES = _cases()
"""All cases by name; each returns its numbers, or raises InputError."""


def compute(name: str) -> Numbers | None:
    """Return the numbers of a case, on one thread; None if it is refused."""
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few steps leave a model with something to warn of
        try:
            return CASES[name]()
        except InputError:
            return None


def rounded(value: Any) -> Any:
    """Return numbers with eight significant digits."""
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return None if value is None else float(f"{value:.8g}")


def write(beginnings: list[str]) -> None:
    """Compute the cases whose names begin so, or all, and keep their numbers."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    chosen = [name for name in CASES if name.startswith(tuple(beginnings) or "")]
    golden |= {name: rounded(compute(name)) for name in chosen}
    lines = [f"{json.dumps(name)}: {json.dumps(golden[name])}" for name in CASES if name in golden]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1:])
