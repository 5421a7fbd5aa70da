"""Samplers against the laws that they draw from, the judge on copies, and the verdict."""

from __future__ import annotations

import numpy as np
import pytest

from cuello_labs import generation as lab
from cuello_labs._images import Images
from cuello_labs._packed import pack

RNG = np.random.default_rng(0)


def test_samplers_draw_from_their_laws():
    embeddings = RNG.normal(size=(3000, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]]) + np.array(
        [3.0, -1.0]
    )
    drawn = lab.draw_embeddings(embeddings, 20_000, 0)
    assert drawn["prior"].mean(0) == pytest.approx([0, 0], abs=0.05)
    assert np.cov(drawn["prior"].T) == pytest.approx(np.eye(2), abs=0.05)
    for name in ("Gaussian", "mixture"):
        assert drawn[name].mean(0) == pytest.approx(embeddings.mean(0), abs=0.1)
        assert np.cov(drawn[name].T) == pytest.approx(np.cov(embeddings.T), abs=0.2)


def test_copies_are_at_distance_0_of_images_and_of_features():
    X = RNG.random((60, 8, 8), dtype=np.float32)
    y = np.zeros(60, dtype=np.int64)
    judge = lab.Judge(Images(X=X, y=y, X_test=X[:5], y_test=y[:5], classes=("a",)), epochs=1)
    copied = judge.judge(X, keep=False)
    assert copied["nearest"] == pytest.approx(0.0, abs=1e-3)
    assert copied["frechet"] == pytest.approx(0.0, abs=1e-6)
    assert judge.judge(1.0 - X, keep=False)["nearest"] > 0.5


def record(model, seed, frechet, closest):
    samplers = ("real",) if model == lab.REAL else lab.SAMPLERS
    images = {name: pack(np.zeros((10, 8, 8))) for name in ("images", "neighbours")}
    by = {
        name: {"frechet": frechet + 0.01 * seed, "nearest": 2.0, "closest": closest, **images}
        for name in samplers
    }
    return {"options": {"data": "digits", "model": model}, "seed": seed, "samplers": by, "side": 8}


@pytest.mark.parametrize(
    ("ours", "closest", "holds", "told"),
    [
        (1.0, 1.0, True, "no copies"),
        (1.0, 0.01, False, "are copies"),
        (5.0, 1.0, False, "a larger one in 1"),
        (2.995, 1.0, None, "in 0 of 1 sets, a larger one in 0"),
    ],
)
def test_verdict(ours, closest, holds, told):
    distances = {lab.REAL: 0.1, lab.PCA_NAME: 3.0, "plain": 5.5, "variational": ours}
    findings = lab.show(
        [
            record(m, s, d, closest if m == "variational" else 1.0)
            for m, d in distances.items()
            for s in (0, 1)
        ]
    )
    assert findings.holds is holds
    assert told in findings.verdict
