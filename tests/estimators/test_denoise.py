"""Denoising: nearer to the clean row than the noisy one was, in the data's own units."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from cuello import Autoencoder, CuelloWarning, InputError
from cuello.data.noise import Noise
from cuello_labs.metrics import psnr

DIGITS = load_digits().images.astype(np.float32)  # 0..16
NOISES = {
    "gaussian": ("gaussian", 0.3),
    "masking": ("masking", 0.4),
    "salt_and_pepper": ("salt_and_pepper", 0.3),
    "mixed": ("mixed", 0.6),
}


def noisy(name, level, X=DIGITS[1500:]):
    """Noise on the data's own scale; masked elements are 0 and the others stay as they are."""
    options = {"rescale": False} if name == "masking" else {}
    draw = torch.Generator().manual_seed(0)
    return 16 * Noise(name, level, options=options)(torch.from_numpy(X / 16), draw).numpy()


def fitted(name, level, **options):
    own = {"noise": name, "noise_level": level, "noise_share": 1.0, "noise_until": 1.0}
    defaults = {"hidden": (256,), "latent_dim": 32, "epochs": 40}
    return Autoencoder(kind_options=own, **(defaults | options)).fit(DIGITS[:1500])


@pytest.fixture(scope="module")
def models():
    return {name: fitted(*own) for name, own in NOISES.items()}


def decibels(X):
    return psnr(DIGITS[1500:].reshape(1, -1), X.reshape(1, -1), data_range=16)[0]


@pytest.mark.parametrize("name", NOISES)
def test_noise_it_was_trained_with_is_reduced(models, name):
    X = noisy(*NOISES[name])
    masked = NOISES[name][1] if name == "masking" else 0.0
    assert decibels(models[name].denoise(X, masked=masked)) > decibels(X) + 3.0


@pytest.mark.parametrize("name", ["gaussian", "masking", "salt_and_pepper"])
@pytest.mark.parametrize("level", [0.4, 0.5])
def test_a_model_of_mixed_noise_reduces_each(models, name, level):
    X = noisy(name, level)
    assert decibels(models["mixed"].denoise(X)) > decibels(X) + 2.0


def test_what_masking_left_is_raised_as_in_training(models):
    X = noisy(*NOISES["masking"])
    model = models["masking"]
    assert decibels(model.denoise(X, masked=0.4)) > decibels(model.denoise(X)) + 0.3
    np.testing.assert_array_equal(model.denoise(X), model.reconstruct(X))
    raised = model.reconstruct(X / np.float32(0.6))
    np.testing.assert_allclose(model.denoise(X, masked=0.4), raised, atol=1e-3)


@pytest.mark.parametrize("masked", [-0.1, 1.0, float("nan")])
def test_impossible_shares_are_refused(models, masked):
    with pytest.raises(InputError, match=r"masked=.* must be 0 or more and below 1"):
        models["mixed"].denoise(DIGITS, masked=masked)


def test_kinds_that_never_saw_noise_say_so():
    model = Autoencoder("plain", hidden=(8,), latent_dim=2, epochs=1).fit(DIGITS[:100])
    with pytest.warns(CuelloWarning, match="kind='plain' never saw a damaged sample.*'denoising'"):
        model.denoise(DIGITS[:3])


def test_short_sequences_stay_short():
    rng = np.random.default_rng(0)
    rows = [np.sin(np.linspace(0, 6, n))[:, None] + 0.1 * rng.normal(size=(n, 1))
            for n in (20, 25, 30) * 4]  # fmt: skip
    model = Autoencoder(network="sequence", latent_dim=2, epochs=1).fit(rows)
    assert (~np.isnan(model.denoise(rows))).sum(axis=(1, 2)).tolist() == [20, 25, 30] * 4
