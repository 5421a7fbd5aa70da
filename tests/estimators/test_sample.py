"""New rows: draws follow the law they are said to follow, and seeds decide them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from cuello import Autoencoder, InputError, kinds
from cuello.estimators.sample import draw_embeddings, fit_mixture
from cuello.run.models import autoencoder_of, record_autoencoder
from cuello_labs.metrics import frechet_distance

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)
KINDS = sorted(kinds.KINDS)
NORMAL = [name for name in KINDS if kinds.KINDS[name].normal_prior]

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")


@pytest.fixture(scope="module")
def models():
    """Every kind, trained for a moment."""
    return {
        kind: Autoencoder(kind, hidden=(16,), latent_dim=4, epochs=2, batch_size=64).fit(
            X[:500], y[:500] if kinds.KINDS[kind].needs_labels else None
        )
        for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_and_shapes_are_those_of_rows(models, kind):
    model = models[kind]
    first, again, other = (model.sample(7, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (7, 64)
    assert first.dtype == np.float32


def test_kinds_with_a_prior_are_those_that_follow_one():
    assert NORMAL == ["adversarial", "conditional", "variational", "wasserstein"]


@pytest.mark.parametrize("kind", NORMAL)
def test_the_prior_is_normal(models, kind):
    import torch

    z = models[kind].module_.prior(20_000, torch.Generator().manual_seed(0)).numpy()
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), np.eye(4), atol=0.05)


@pytest.mark.parametrize("kind", ["plain", "variational"])
def test_what_is_not_asked_for_is_the_mixture(models, kind):
    auto, mixture = (
        models[kind].sample(3, sampler, random_state=0) for sampler in ("auto", "mixture")
    )
    np.testing.assert_array_equal(auto, mixture)


def test_without_any_embedding_it_is_the_prior_or_none(models):
    with pytest.raises(
        InputError, match="sampler='prior' is not for kind='plain', whose embeddings follow no"
    ):
        models["plain"].sample(3, "prior")
    reloaded = {}
    for kind in ("plain", "variational"):
        model = models[kind]
        reloaded[kind] = autoencoder_of(record_autoencoder(model), model.module_.state_dict())
    auto, prior = (
        reloaded["variational"].sample(3, sampler, random_state=0) for sampler in ("auto", "prior")
    )
    np.testing.assert_array_equal(auto, prior)
    with pytest.raises(InputError, match="give X"):
        reloaded["plain"].sample(3)


def test_quantised_embeddings_stay_in_the_codebook_and_groups_follow_their_use(models):
    import torch

    module = models["vector-quantised"].module_
    z = module.prior(5000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(module.nearest_embedding(z), z)
    parts = z.reshape(5000, module.groups, -1)
    for group in range(module.groups):
        same = (parts[:, group, None] == module.codebook[group]).all(-1)
        shares = same.double().mean(0)
        expected = module._smoothed()[group] / module._smoothed()[group].sum()
        torch.testing.assert_close(shares, expected.double(), atol=0.03, rtol=0.0)
    drawn = module.nearest_embedding(torch.randn(50, 4))
    torch.testing.assert_close(module.nearest_embedding(drawn), drawn)


def test_embeddings_are_drawn_from_the_law_of_those_that_are_given(models):
    codes = models["plain"].transform(X[y == 0])
    drawn = draw_embeddings(
        models["plain"].trained_, 4000, "mixture", codes, np.random.RandomState(0)
    )
    everywhere = frechet_distance(models["plain"].transform(X), codes)
    assert frechet_distance(drawn, codes) < 0.05 * everywhere


def test_the_number_of_components_is_that_of_the_groups():
    rng = np.random.default_rng(0)
    for groups in (1, 4):
        codes = rng.normal(size=(800, 3)) + 30.0 * (np.arange(800) % groups)[:, None]
        assert fit_mixture(codes, seed=0).n_components == groups


@pytest.mark.parametrize("rows", [2, 3, 9])
def test_a_mixture_of_a_few_rows_is_one_gaussian(rows):
    codes = np.random.default_rng(0).normal(size=(rows, 4))
    mixture = fit_mixture(codes, seed=0)
    assert mixture.n_components == 1
    np.testing.assert_allclose(mixture.means_[0], codes.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", ["plain", "conditional"])
def test_rows_of_a_class_are_of_that_class(kind):
    labels = y if kind == "conditional" else None
    model = Autoencoder(kind, hidden=(64,), latent_dim=8, epochs=25, learning_rate=0.005).fit(
        X, labels
    )
    given = {} if kind == "conditional" else {"sampler": "mixture", "X": X, "y": y}
    new = model.sample(60, classes=[3, 0, 6], random_state=0, **given)
    judge = KNeighborsClassifier(5).fit(X, y)
    assert (judge.predict(new) == np.resize([3, 0, 6], 60)).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        ({"n": 0}, "n=0 must be"),
        ({"n": 2.5}, "n=2.5 must be"),
        ({"n": 3, "sampler": "priro"}, "sampler='priro' is not known; did you mean 'prior'"),
        ({"n": 3, "classes": [1]}, "needs X and y"),
        ({"n": 3, "classes": [11], "X": X, "y": y}, "has 11, which is no class of the data"),
        ({"n": 3, "classes": [], "X": X, "y": y}, "names no class"),
    ],
)
def test_what_is_not_allowed_is_refused(models, arguments, saying):
    with pytest.raises(InputError, match=saying):
        models["plain"].sample(**arguments)


def test_the_prior_knows_no_classes(models):
    with pytest.raises(InputError, match="prior of kind='variational', which knows no classes"):
        models["variational"].sample(3, "prior", classes=[1], X=X, y=y)
    with pytest.raises(InputError, match="has 'a', which is no class"):
        models["conditional"].sample(3, classes=["a"])
