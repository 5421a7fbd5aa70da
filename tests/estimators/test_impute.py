"""Missing elements: known ones stay to the bit, missing ones come nearer to the truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from cuello import Autoencoder, InputError, kinds

DIGITS = load_digits().images.astype(np.float32)
KINDS = sorted(kinds.KINDS)
HAVE_POSTERIOR = ["conditional", "variational"]

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")


def holed(X, share=0.5, seed=0):
    missing = np.random.default_rng(seed).random(X.shape) < share
    return np.where(missing, np.nan, X).astype(np.float32), missing


@pytest.fixture(scope="module")
def models():
    y = load_digits().target
    # Of a short training a variational code tells little more than the mean.
    quick, long = {"epochs": 30, "learning_rate": 0.003}, {"epochs": 100}
    return {
        kind: Autoencoder(
            kind, hidden=(64,), latent_dim=8, **(long if kind == "variational" else quick)
        ).fit(DIGITS[:1200], y[:1200] if kinds.KINDS[kind].needs_labels else None)
        for kind in ("plain", "denoising", "masked", *HAVE_POSTERIOR)
    }


@pytest.mark.parametrize("kind", ["plain", "denoising", "masked", *HAVE_POSTERIOR])
def test_known_elements_stay_and_missing_ones_are_nearer_than_means(models, kind):
    truth = DIGITS[1200:]
    X, missing = holed(truth)
    filled = models[kind].impute(X)
    np.testing.assert_array_equal(filled[~missing], X[~missing])
    mean = np.broadcast_to(DIGITS[:1200].mean(axis=0), X.shape)
    errors = [np.mean((Y - truth)[missing] ** 2) for Y in (filled, mean)]
    assert errors[0] < 0.8 * errors[1]


def test_a_filled_row_is_a_fixed_point(models):
    X, missing = holed(DIGITS[1200:1260], 0.3)
    filled = models["plain"].impute(X)
    again = models["plain"].reconstruct(filled)
    started = models["plain"].reconstruct(np.where(missing, DIGITS.mean(axis=0), X))
    steps = [np.abs((again - rows)[missing]).mean() for rows in (filled, started)]
    assert steps[0] < 0.1 * steps[1]


def test_whole_rows_come_back_as_they_are(models):
    np.testing.assert_array_equal(models["plain"].impute(DIGITS), DIGITS)
    as_bytes = DIGITS.astype(np.uint8)
    np.testing.assert_array_equal(models["plain"].impute(as_bytes), as_bytes)


def test_rows_with_nothing_known_are_typical(models):
    filled = models["plain"].impute(np.full((2, 8, 8), np.nan))
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[0], filled[1])


@pytest.mark.parametrize("kind", HAVE_POSTERIOR)
def test_draws_differ_where_elements_are_missing_and_nowhere_else(models, kind):
    X, missing = holed(DIGITS[1200:1300])
    draws = models[kind].impute(X, draws=4, random_state=0)
    assert draws.shape == (4, *X.shape)
    np.testing.assert_array_equal(draws, models[kind].impute(X, draws=4, random_state=0))
    assert not np.array_equal(draws, models[kind].impute(X, draws=4, random_state=1))
    for one in draws:
        np.testing.assert_array_equal(one[~missing], X[~missing])
    spread = draws.std(axis=0)
    assert (spread[~missing] == 0.0).all()
    assert (spread[missing] > 0.0).mean() > 0.9


def test_the_more_is_known_the_less_draws_differ(models):
    spreads = [
        models["variational"].impute(holed(DIGITS[1200:1260], share)[0], 8, random_state=0)
        .std(axis=0)[holed(DIGITS[1200:1260], 0.1)[1]].mean()
        for share in (0.1, 0.9)
    ]  # fmt: skip
    assert spreads[0] < spreads[1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in HAVE_POSTERIOR])
def test_kinds_with_one_answer_refuse_draws(kind):
    labels = load_digits().target[:200] if kinds.KINDS[kind].needs_labels else None
    model = Autoencoder(kind, hidden=(8,), latent_dim=4, epochs=1, batch_size=50)
    model.fit(DIGITS[:200], labels)
    with pytest.raises(InputError, match=r"draws=2.*one answer.*kind='variational'"):
        model.impute(DIGITS[:3], draws=2)


def test_tables_in_their_own_units():
    truth = load_breast_cancer().data.astype(np.float32)
    options = {"latent_dim": 8, "epochs": 60, "learning_rate": 0.005}
    model = Autoencoder("plain", hidden=(32,), **options).fit(truth[:400])
    X, missing = holed(truth[400:], 0.2)
    filled = model.impute(X)
    scale = truth[:400].std(axis=0)
    errors = [
        np.mean(((Y - truth[400:]) / scale)[missing] ** 2)
        for Y in (filled, np.broadcast_to(truth[:400].mean(axis=0), X.shape))
    ]
    assert errors[0] < 0.5 * errors[1]


def test_what_is_not_allowed_is_refused(models):
    for draws in (0, 1.5):
        with pytest.raises(InputError, match=r"draws=.* must be"):
            models["plain"].impute(DIGITS, draws=draws)
    with pytest.raises(InputError, match="samples of shape"):
        models["plain"].impute(DIGITS[:, :, None])
    with pytest.raises(ValueError, match="infinity"):
        models["plain"].impute(np.full((2, 8, 8), np.inf))
    with pytest.raises(ValueError, match="NaN"):
        models["plain"].transform(np.full((2, 8, 8), np.nan))
    sequence = Autoencoder("plain", network="sequence", latent_dim=2, epochs=1)
    sequence.fit(np.random.default_rng(0).normal(size=(20, 6, 1)))
    with pytest.raises(InputError, match="network='sequence' takes NaN for the end"):
        sequence.impute(np.zeros((2, 6, 1)))
