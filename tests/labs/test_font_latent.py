"""What the lab on the latent plane measures, and its verdict."""

from __future__ import annotations

import numpy as np
import pytest

from cuello.study.summary import spread
from cuello.study.trials import Trial
from cuello_labs._font import characters
from cuello_labs.font_latent import agreement, legible, sides, verdict


def test_embeddings_that_are_the_pixels_agree_with_them_and_others_do_not():
    rows, _ = characters()
    assert agreement(rows, rows) == 1.0
    assert abs(agreement(rows, np.random.default_rng(0).normal(size=(32, 2)))) < 0.2


def test_legible_counts_images_and_characters():
    rows, _ = characters()
    damaged = rows[[0, 0, 5, 9]].copy()
    damaged[1, 0] *= -1
    damaged[3, :4] *= -1
    count, distinct = legible(rows, damaged)
    assert (count, distinct) == (3, 2)


def test_grids_lie_where_embeddings_can():
    embeddings = np.array([[0.0, 5.0], [2.0, -5.0]])
    x, y = sides(Trial({"hidden": []}), embeddings)
    assert (x.min(), x.max()) == (-1.0, 1.0)
    x, y = sides(Trial({"protocol": "adam", "kind": "plain"}), embeddings)
    assert (x.max(), y.min()) == (2.0, -5.0)
    x, y = sides(Trial({"protocol": "adam", "kind": "variational"}), embeddings)
    assert np.allclose(x, -x[::-1])
    assert 1.9 < x.max() < 2.0


@pytest.mark.parametrize(
    ("shallow", "deep", "holds", "words"),
    [
        (0.6, 0.3, True, "goes with"),
        (0.3, 0.6, False, "does not go with"),
        (0.45, 0.46, None, "cannot be told"),
    ],
)
def test_verdict(shallow, deep, holds, words):
    errors = {"35-2-35": spread([0.5, 0.52]), "deep": spread([0.3, 0.31])}
    agreements = {
        "35-2-35": spread([shallow, shallow + 0.02]),
        "deep": spread([deep, deep + 0.02]),
    }
    found, text = verdict(errors, agreements)
    assert found is holds
    assert words in text
