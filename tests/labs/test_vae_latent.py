"""The measures of the latent plane against closed forms, and its verdict both ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from cuello_labs import vae_latent as lab
from cuello_labs._packed import pack


def test_networks_have_the_published_layers():
    encoder, decoder = lab.encoder(), lab.decoder()
    assert encoder(torch.zeros(2, 28, 28)).shape == (2, 4)
    assert decoder(torch.zeros(2, 2)).shape == (2, 28, 28)
    count = sum(p.numel() for m in (encoder, decoder) for p in m.parameters())
    into = (9 + 1) * 10 + (90 + 1) * 20 + (980 + 1) * 16 + (16 + 1) * 4
    out = (2 + 1) * 3136 + (9 * 64 + 1) * 20 + (9 * 20 + 1) * 10 + (9 * 10 + 1)
    assert count == into + out


def test_posteriors_that_are_the_prior_say_nothing():
    own = lab.aggregate(np.zeros((50, 2)), np.zeros((50, 2)))
    assert own["kl_aggregate"] == pytest.approx(0.0, abs=1e-9)
    assert own["information"] == pytest.approx(0.0, abs=1e-9)
    assert own["embedding_sd"] == [1.0, 1.0]


def test_one_shifted_posterior_is_apart_and_says_nothing():
    own = lab.aggregate(np.full((50, 2), 1.5), np.zeros((50, 2)), draws=20_000)
    assert own["kl_aggregate"] == pytest.approx(1.5**2, abs=0.05)
    assert own["information"] == pytest.approx(0.0, abs=0.05)


def test_posteriors_far_apart_tell_which_of_them():
    corners = 10.0 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    own = lab.aggregate(corners, np.zeros((4, 2)), draws=20_000)
    assert own["information"] == pytest.approx(np.log(4), abs=0.3)


def test_a_digit_needs_neighbours_that_agree():
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    mixed = np.vstack([X, [[5.0], [5.0], [5.0], [5.1], [5.1]]])
    y = [3] * 5 + [8] * 5 + [3, 3, 8, 8, 1]
    judge = KNeighborsClassifier(5).fit(mixed, y)
    assert lab.digits_shown(judge, np.array([[0.1], [0.9], [5.0]])) == [3, 8, -1]


def test_grids():
    axes = lab.grids()
    assert axes["even"][[0, -1]].tolist() == [-1.0, 1.0]
    assert axes["quantile"] == pytest.approx(-axes["quantile"][::-1])
    assert lab.points(np.array([0.0, 1.0])).tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]


def record(seed, shown, last):
    looks = {}
    for epoch, count in ((1, 1), (3, shown)):
        looks[str(epoch)] = {
            **{"embedding_mean": [0.0, 0.1], "embedding_sd": [1.0, 0.9]},
            **{"kl_aggregate": 0.1, "information": 2.0},
            **{"even_shown": count, "quantile_shown": count},
            **{f"{name}_images": pack(np.zeros((100, 8, 8))) for name in lab.grids()},
            "embeddings": [[0.0, 0.0], [1.0, 1.0]],
        }
    own = {"looks": looks, "reconstruction": [9.0, 8.0, last], "kl": [1.0] * 3, "seconds": [1.0]}
    drawn = {"side": 8, "labels": [0, 1]} if seed == 0 else {}
    return {"options": {}, "seed": seed, **own, **drawn}


@pytest.mark.parametrize(("shown", "last", "holds"), [(9, 5, True), (3, 5, False), (9, 12, False)])
def test_verdict(shown, last, holds):
    findings = lab.show([record(seed, shown, float(last)) for seed in (0, 1)])
    assert findings.holds is holds
    assert f"shows {shown} of 10 digits" in findings.verdict
    assert ("does not become" in findings.verdict) is not holds
