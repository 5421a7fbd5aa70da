"""A model that learned nothing says so, whatever its kind."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch

from cuello import Autoencoder, CuelloWarning
from cuello.estimators import autoencoder, network
from cuello.kinds import KINDS


def rows(n=200):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(n, 8))


def classes(kind, n=200):
    return np.arange(n) % 3 if KINDS[kind].needs_labels else None


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.filterwarnings("default::cuello.CuelloWarning")
@pytest.mark.filterwarnings("ignore:overflow|invalid value:RuntimeWarning")
@pytest.mark.parametrize("batch_size", [20, 200])  # the last step is the first: nobody saw its loss
def test_a_learning_rate_that_ruins_a_model_is_named(kind, batch_size):
    rate, epochs = {20: (10.0, 5), 200: (1e6, 1)}[batch_size]
    model = Autoencoder(kind, hidden=(16,), latent_dim=4, learning_rate=rate, linear_skip=False)
    model.set_params(epochs=epochs, batch_size=batch_size, validation_fraction=0.0)
    with pytest.warns(
        CuelloWarning, match=f"(no better than|same emb).* learning_rate={rate / 10:g}"
    ):
        model.fit(rows(), classes(kind))
    assert math.isfinite(model.diagnosis_.statistics["explained_variance"])


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.filterwarnings("default::cuello.CuelloWarning")
def test_a_kind_that_learned_is_not_called_useless(kind):
    model = Autoencoder(kind, hidden=(16,), latent_dim=4, epochs=60, learning_rate=0.01)
    findings = " ".join(model.fit(rows(), classes(kind)).diagnosis_.findings)
    assert "no better than" not in findings
    assert "same embedding" not in findings


def test_a_constant_embedding_is_named_once(monkeypatch):
    def examine(module, *arguments):
        with torch.no_grad():
            for parameter in module.encoder.parameters():
                parameter.zero_()
        return network.examine_module(module, *arguments)

    monkeypatch.setattr(autoencoder, "examine_module", examine)
    model = Autoencoder("plain", hidden=(16,), latent_dim=4, epochs=1, learning_rate=0.03)
    with pytest.warns(CuelloWarning, match="every sample has the same embedding.*0.003") as told:
        model.fit(rows())
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
