import numpy as np
import pytest

from cuello_labs import augmentation
from cuello_labs.augmentation import (
    METHODS,
    PAIRS,
    augmented_copies,
    gains,
    judge,
    show,
    trials,
)


def records(before, after, quick=True):
    """Every seed has a level of its own, the same without and with augmentation."""
    augmented = [method for _, method in PAIRS]
    return [
        {
            "options": dict(t.options),
            "seed": t.seed,
            "accuracy": 0.1 * t.seed
            + (after + 0.001 * t.seed if t.options["method"] in augmented else before),
        }
        for t in trials(quick)
    ]


def test_verdict_both_ways():
    found = show(records(0.5, 0.6, quick=False))
    assert found.holds is True
    assert "helps: accuracy rises beyond the noise in 6 of 6 comparisons" in found.verdict
    found = show(records(0.6, 0.5))
    assert found.holds is False
    assert "does not help" in found.verdict
    found = show(records(0.5, 0.5))
    assert found.holds is None


def test_gains_are_of_the_same_seed():
    gained = gains(records(0.5, 0.6))
    assert gained["knn-copies", 10].mean == pytest.approx(0.101)
    assert gained["knn-copies", 10].sd == pytest.approx(0.001)


def test_mixed_gains_decide_nothing():
    mixed = records(0.5, 0.6)
    for record in mixed:
        if record["options"]["method"] == "from_scratch-labelled":
            record["accuracy"] = 0.1 * record["seed"]
    accuracy = {(m, 10): gain for pair in PAIRS for m, gain in zip(pair, [None] * 2, strict=True)}
    holds, text = judge(accuracy, gains(mixed))
    assert holds is None
    assert "falls in 1" in text


def test_copies_are_changed_images_of_the_same_seed():
    X = np.random.default_rng(0).random((4, 8, 8), dtype=np.float32)
    copies = augmented_copies(X, "shift=0.1", 1)
    assert copies.shape == X.shape
    assert not np.array_equal(copies, X)
    assert np.array_equal(copies, augmented_copies(X, "shift=0.1", 1))
    assert not np.array_equal(copies, augmented_copies(X, "shift=0.1", 2))


def test_only_methods_without_pre_training_are_baselines(monkeypatch):
    pre_trained = []
    monkeypatch.setattr(augmentation, "images", lambda *options: None)
    monkeypatch.setattr(augmentation, "_pretrain", lambda data, trial, augmented: augmented)
    monkeypatch.setattr(augmentation, "_baseline", lambda data, trial: "baseline")

    def classify(data, trial, augmented):
        pre_trained.append((trial.options["method"], augmented))
        return "network"

    monkeypatch.setattr(augmentation, "_classify", classify)
    once = [t for t in trials(True) if t.seed == 1]
    ran = {t.options["method"]: result["accuracy"] for t, result in augmentation.run(once)}
    assert [name for name in METHODS if ran[name] == "baseline"] == ["knn", "knn-copies", "pca"]
    on_copies = [name for name, augmented in pre_trained if augmented]
    assert on_copies == ["fine_tune-unlabelled", "fine_tune-both"]
