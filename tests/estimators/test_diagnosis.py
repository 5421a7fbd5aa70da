"""A model that learned nothing says so, whatever its kind."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from cuello import Autoencoder, CuelloWarning
from cuello.kinds import KINDS


def rows(n=200):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(n, 8))


def classes(kind, n=200):
    return np.arange(n) % 3 if KINDS[kind].needs_labels else None


def fitted(kind, monkeypatch, change, **options):
    """Fit a kind whose network is changed when the training is over."""
    from cuello.estimators import autoencoder

    def examine(module, *arguments):
        with torch.no_grad():
            change(module)
        return examine_module(module, *arguments)

    examine_module = autoencoder.examine_module
    monkeypatch.setattr(autoencoder, "examine_module", examine)
    return Autoencoder(kind, hidden=(16,), latent_dim=4, epochs=1, **options).fit(
        rows(), classes(kind)
    )


def far_off(module):
    for parameter in module.parameters():
        parameter.mul_(30.0)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.filterwarnings("default::cuello.CuelloWarning")
def test_reconstructions_worse_than_the_mean_are_named(kind, monkeypatch):
    with pytest.warns(CuelloWarning, match="no better than the mean .* learning_rate=0.0001"):
        model = fitted(kind, monkeypatch, far_off)
    assert model.diagnosis_.statistics["explained_variance"] < 0.0


def test_a_constant_embedding_is_named_once(monkeypatch):
    def dead(module):
        for parameter in module.encoder.parameters():
            parameter.zero_()

    with pytest.warns(CuelloWarning, match="every sample has the same embedding.*0.003") as told:
        fitted("plain", monkeypatch, dead, learning_rate=0.03)
    assert len(told) == 1


def test_a_model_that_learned_has_no_finding():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Autoencoder("plain", hidden=(16,), latent_dim=4, epochs=200, learning_rate=0.01)
        model.fit(rows())
    X = model.scaling_.apply(rows())
    back = model.scaling_.apply(model.reconstruct(rows()))
    explained = 1 - ((X - back) ** 2).mean() / ((X - X.mean(axis=0)) ** 2).mean()
    statistics = model.diagnosis_.statistics
    assert statistics["explained_variance"] == pytest.approx(explained, abs=0.02)
    assert explained > 0.8
