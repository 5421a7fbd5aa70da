"""Verdict of the lab on epochs, from made-up curves."""

from __future__ import annotations

import pytest

from cuello_labs.font_epochs import show


def records(errors):
    return [
        {
            "options": {"hidden": hidden},
            "seed": seed,
            "diverged": False,
            "epochs": [1.0, 100.0, 500.0, 800.0, 1000.0],
            "errors": [value + 0.001 * seed for value in errors],
        }
        for hidden in ([], [20], [20, 10])
        for seed in range(3)
    ]


@pytest.mark.parametrize(
    ("errors", "holds", "words"),
    [
        ((1.5, 0.6, 0.4, 0.31, 0.30), True, ("error falls", "is flat")),
        ((1.5, 1.2, 0.9, 0.6, 0.30), False, ("error falls", "is not flat")),
        ((1.5, 1.5, 1.5, 1.5, 1.6), False, ("does not fall",)),
    ],
)
def test_verdict(errors, holds, words):
    findings = show(records(errors))
    assert findings.holds is holds
    for each in words:
        assert each in findings.verdict


def test_trainings_that_diverged_are_left_out():
    diverged = [{"options": {"hidden": []}, "seed": 0, "diverged": True}]
    assert show(diverged).holds is None
