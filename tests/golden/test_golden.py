"""What models come to on fixed samples is what it was: by kind, few-label method, anomaly score.

See ``golden_cases.py`` for how to write the expected numbers anew.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_cases import CASES, GOLDEN, TOLERANCE, TOLERANCES, compute

EXPECTED = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_what_they_were(name):
    assert name in EXPECTED, f"add its numbers: python tests/golden/golden_cases.py {name!r}"
    expected, found = EXPECTED[name], compute(name)
    assert (found is None) == (expected is None), "refused" if found is None else "not refused"
    if expected is None:
        return
    assert found.keys() == expected.keys()
    tolerance = TOLERANCES.get(name, TOLERANCE)
    for what in expected:
        wanted = np.array(expected[what], dtype=np.float64)
        np.testing.assert_allclose(
            np.array(found[what], dtype=np.float64),
            wanted,
            rtol=tolerance,
            atol=tolerance * np.abs(wanted).max(initial=0.0),
            err_msg=f"{name}: {what}",
        )


def test_no_numbers_are_kept_of_what_is_gone():
    assert set(EXPECTED) == set(CASES)
