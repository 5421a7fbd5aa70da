"""Gain of 50 suggested labels over 50 random ones, from 0, 30, 100 and 300 labels on.

A logistic regression learns from embeddings of the training split, and is scored on the test
split.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.data.splits import draw_by_class
from cuello.few_label.suggest import suggest_samples, uncertainty
from cuello.metrics import mean_sd

__all__ = ["run"]

Array = npt.NDArray[Any]

DATA = ("mnist", "fashion-mnist")
LABELS = (0, 30, 100, 300)
SUGGESTED = 50
SEEDS = 10
EPOCHS = 4


def run(settings: Settings) -> Result:
    """Measure."""
    rows: list[tuple[Any, ...]] = []
    bars = []
    for name in DATA:
        try:
            data = cuello.load(name, offline=True)
        except cuello.DataError:
            return Result(name="suggest", columns=(), rows=[], notes=[f"needs {name}."])
        assert data.y is not None
        assert data.X_test is not None
        assert data.y_test is not None
        X, y = data.X[: settings.rows], data.y[: settings.rows]
        model = cuello.Autoencoder(epochs=EPOCHS, batch_size=256).fit(X)
        embeddings = [
            (model.transform(part) - model.embedding_mean_) / model.embedding_scale_
            for part in (X, data.X_test)
        ]
        for labels in LABELS:
            found = [
                _one(embeddings[0], y, embeddings[1], data.y_test, labels, seed)
                for seed in range(2 if settings.quick else SEEDS)
            ]
            *scores, seconds = np.array(found).T
            gains = [mean_sd(values - scores[0]) for values in scores[1:]]
            errors = [sd / len(found) ** 0.5 for _, sd in gains]
            rows.append(
                (
                    f"{name}, {labels} labels",
                    f"{scores[0].mean():.2f}",
                    *(f"{g:+.2f} ± {e:.2f}" for (g, _), e in zip(gains, errors, strict=True)),
                    f"{seconds.min():.2f}",
                )
            )
            bars.append(
                Bar(
                    what=f"gain of suggested labels, {name}, {labels} labels",
                    value=gains[1][0],
                    target="not below 0 by more than two standard errors",
                    met=gains[1][0] > -2 * errors[1],
                )
            )
    return Result(
        name="suggest",
        columns=("from", f"{SUGGESTED} random, %", "smallest margins", "suggested", "seconds"),
        rows=rows,
        bars=bars,
        notes=[f"gain in points against random samples, with its standard error, {SEEDS} draws"],
    )


def _one(
    Z: Array, y: Array, Z_test: Array, y_test: Array, labels: int, seed: int
) -> tuple[float, ...]:
    """Return the accuracy in % with random, least certain and suggested samples; and seconds."""
    rng = np.random.default_rng(seed)
    labelled = (
        draw_by_class(y, labels, rng, list("0123456789")) if labels else np.empty(0, dtype=int)
    )
    mask = np.isin(np.arange(len(Z)), labelled)
    free = np.flatnonzero(~mask)
    random = rng.choice(free, SUGGESTED, replace=False)
    p, uncertain = None, random  # without a classifier no row is more uncertain than another
    if labels:
        p = LogisticRegression(max_iter=1000).fit(Z[labelled], y[labelled]).predict_proba(Z)
        uncertain = free[np.argsort(-uncertainty(p)[free])[:SUGGESTED]]
    started = time.perf_counter()
    suggested = suggest_samples(p, Z, SUGGESTED, labelled=mask, seed=seed)
    seconds = time.perf_counter() - started
    scores = []
    for rows in (random, uncertain, suggested):
        learned = np.concatenate([labelled, rows])
        model = LogisticRegression(max_iter=1000).fit(Z[learned], y[learned])
        scores.append(100 * float(model.score(Z_test, y_test)))
    return (*scores, seconds)
