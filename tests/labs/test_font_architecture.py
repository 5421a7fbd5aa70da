"""Verdict and better rows of the lab, from made-up records."""

from __future__ import annotations

import pytest

from cuello_labs.font_architecture import BETTER, show


def record(options, seed, error, worst=3):
    return {
        "options": options,
        "seed": seed,
        "error": error,
        "wrong_mean": 1.0,
        "wrong_max": worst,
    }


def records(errors):
    online = [
        record({"hidden": hidden}, seed, error + 0.01 * seed)
        for hidden, error in zip(([], [20], [20, 10]), errors, strict=True)
        for seed in (0, 1)
    ]
    return online + [
        record({"protocol": "adam", **own}, seed, 0.1, worst=seed)
        for own in BETTER
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("errors", "holds"), [((0.54, 0.43, 0.31), True), ((0.31, 0.43, 0.54), False)]
)
def test_verdict_follows_the_errors(errors, holds):
    findings = show(records(errors))
    assert findings.holds is holds
    assert ("do not fall" in findings.verdict) is not holds


def test_share_of_seeds_without_a_wrong_pixel():
    better = show(records((0.5, 0.4, 0.3))).tables[1]
    assert [row[1] for row in better.rows] == ["50%"] * len(BETTER)


def test_agreement_with_the_authors_program():
    rows = show(records((0.54, 0.30, 0.31))).tables[0].rows
    assert [row[5] for row in rows] == ["yes", "no", "yes"]
