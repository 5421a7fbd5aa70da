"""What theory says of linear autoencoders, at any minimum of the loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from cuello import Autoencoder

ROWS, COLUMNS, LATENTS = 200, 8, 3


def centered(seed=0):
    """Rows with mean 0 and well separated singular values."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))[0]
    X = rng.normal(size=(ROWS, COLUMNS)) * 0.8 ** np.arange(COLUMNS) @ turn
    return (X - X.mean(axis=0)).astype(np.float32)


def linear(X, **options):
    """Train to convergence, on all rows at once."""
    defaults = {
        "hidden": (),
        "latent_dim": LATENTS,
        "loss": "mse",
        "output_activation": "identity",
        "scaling": "none",
        "batch_size": len(X),
        "epochs": 800,
        "learning_rate": 0.05,
        "validation_fraction": 0.0,
    }
    return Autoencoder(kind="plain", **(defaults | options)).fit(X)


def weights(model):
    """(K, D) of the encoder and (D, K) of the decoder."""
    return (
        next(half.parameters()).detach().double().numpy()
        for half in (model.module_.encoder, model.module_.decoder)
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_linear_reaches_the_discarded_eigenvalues_in_the_principal_subspace(seed):
    X = centered(seed)
    model = linear(X, random_state=seed)
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))  # ascending
    error = -model.score(X) * COLUMNS
    assert error == pytest.approx(values[:-LATENTS].sum(), rel=1e-3)
    _, decoder = weights(model)
    assert np.degrees(subspace_angles(decoder, vectors[:, -LATENTS:])[0]) < 1.0


def test_tied_weights_find_the_same_subspace():
    X = centered()
    model = linear(X, network_options={"tied": True})
    values, vectors = np.linalg.eigh(np.cov(X.T, bias=True))
    assert -model.score(X) * COLUMNS == pytest.approx(values[:-LATENTS].sum(), rel=1e-3)
    encoder, _ = weights(model)
    assert np.degrees(subspace_angles(encoder.T, vectors[:, -LATENTS:])[0]) < 1.0


@pytest.mark.parametrize("penalty", [10.0, 100.0])
def test_penalty_on_both_weights_shrinks_the_principal_directions(penalty):
    """|X - W2 W1 X|^2 + p (|W1|^2 + |W2|^2): Kunin et al. 2019, arXiv:1901.08168."""
    X = centered()
    # The loop's loss is a mean over rows and columns, and weight decay p stands for p / 2 |W|^2.
    model = linear(X, weight_decay=2 * penalty / X.size, epochs=1500)
    encoder, decoder = weights(model)
    _, singular, directions = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    shrunk = np.clip(1.0 - penalty / singular[:LATENTS] ** 2, 0.0, None)
    expected = directions[:LATENTS].T * shrunk @ directions[:LATENTS]
    np.testing.assert_allclose(decoder @ encoder, expected, atol=2e-3)
    np.testing.assert_allclose(encoder, decoder.T, atol=2e-3)
    assert penalty < 50.0 or shrunk[-1] == 0.0  # the second penalty is one that removes a direction
