import pytest

from cuello_labs.dropout import LAB, equal_width, show


def records(share):
    """Errors fall as 1 / width; with dropout a layer is worth this share of its width."""
    return [
        {
            "options": {"hidden": [width], "dropout": rate},
            "seed": seed,
            "train_end": error,
            "held_out_end": error,
        }
        for width in (8, 16, 32, 64)
        for rate in (0.0, 0.5)
        for seed in range(3)
        for error in [(100 + seed) / (width * (share if rate else 1.0))]
    ]


@pytest.mark.parametrize(
    ("share", "holds", "said"),
    [
        (0.5, True, "about half of its width"),
        (0.25, False, "less than half of its width"),
        (1.0, False, "another share than half of its width"),
        (0.01, False, "less than half of its width"),
    ],
)
def test_verdict_follows_the_records(share, holds, said):
    findings = show(records(share))
    assert findings.holds is holds
    assert said in findings.verdict


def test_held_out_error_is_told_as_it_is():
    assert "error is higher with dropout" in show(records(0.5)).verdict
    assert "error is lower with dropout" in show(records(1.5)).verdict


def test_equal_width_lies_on_a_straight_line_in_logarithms():
    errors = [100 / width**1.5 for width in (8, 32)]
    assert equal_width([8, 32], errors, 100 / 16**1.5) == pytest.approx(16)
    assert equal_width([8, 16, 32], [4.0, 5.0, 1.0], 4.0) <= 16


def test_trials_are_all_different():
    for quick in (True, False):
        made = LAB.trials(quick)
        assert len(set(made)) == len(made)
