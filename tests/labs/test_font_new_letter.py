"""What the lab on an unseen letter measures, and its verdict."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cuello.study.summary import spread
from cuello_labs._font import characters
from cuello_labs.font_new_letter import around, baselines, between, verdict


def test_points_between_and_around():
    embeddings = np.array([[0.0, 0.0], [0.2, 0.0], [1.0, 1.0]])
    assert between(embeddings)[0].tolist() == [0.1, 0.0]
    points = around(embeddings)
    assert points.shape == (24, 2)
    assert np.allclose(np.linalg.norm(points[:8], axis=1), 0.1)
    assert points.max() == 1.0


def test_nearest_character_by_hand():
    rows, _ = characters()
    three, _ = characters("3", charset="digits")
    fewest = min(int(np.sum(row != three[0])) for row in rows)
    assert baselines()["the nearest of the 32 characters"] == pytest.approx(4 * fewest / 35)


@pytest.mark.parametrize(
    ("unseen", "holds", "words"),
    [
        (0.7, True, "is reconstructed worse than"),
        (0.1, False, "is not reconstructed worse than"),
        (0.31, None, "cannot be told from"),
    ],
)
def test_verdict(unseen, holds, words):
    seen, digit = [0.30, 0.32, 0.31], [unseen, unseen - 0.02, unseen + 0.02]
    gap = spread(b - a for a, b in zip(seen, digit, strict=True))
    found, text = verdict(spread(seen), spread(digit), gap, Counter({"S": 2, "B": 1}))
    assert found is holds
    assert words in text
    assert "S (2)" in text
    assert "2 of 3" in text
