import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA

from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many
from cuello_labs._linear import (
    Principal,
    axis_angles,
    gaussian_log_likelihood,
    subspace_angle,
)
from cuello_labs.linear_is_pca import KINDS, LAB, show


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    made = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5))
    return made - made.mean(0)


def records(excess, angle):
    return [
        {
            "options": {"set": "wine", "model": model},
            "seed": seed,
            "diverged": False,
            "loss": 1.0,
            "best_loss": 1.0,
            "excess": excess + 0.001 * seed,
            "angle": angle,
            "axes": 40.0,
            "columns": 40.0,
            "curve": [50.0, 5.0],
            "cosines": [[1.0, 0.0], [0.0, 1.0]],
            "shrunk": 0.1,
            "transposed": 0.1,
            "gap": 0.1,
            "bound_gap": 0.1,
            "noise": 1.0,
        }
        for model in KINDS
        for seed in range(3)
    ]


@pytest.mark.parametrize(
    ("excess", "angle", "holds", "said"),
    [
        (0.1, 1.0, True, "autoencoder is PCA"),
        (9.0, 1.0, False, "is not PCA in all sets"),
        (0.1, 60.0, False, "is not PCA in all sets"),
    ],
)
def test_verdict_follows_the_records(excess, angle, holds, said):
    findings = show(records(excess, angle))
    assert findings.holds is holds
    assert said in findings.verdict


def test_discarded_eigenvalues_are_the_error_of_pca(rows):
    principal = Principal.of(rows, 2)
    pca = PCA(2).fit(rows)
    back = pca.inverse_transform(pca.transform(rows))
    assert principal.discarded == pytest.approx(np.mean(np.sum((rows - back) ** 2, 1)))
    assert subspace_angle(pca.components_.T, principal.axes) < 1e-4
    assert axis_angles(pca.components_[::-1].T, principal.axes) < 1e-4


def test_closed_form_of_probabilistic_pca_is_its_likelihood(rows):
    principal = Principal.of(rows, 2)
    kept = principal.eigenvalues[:2]
    weight = principal.axes * np.sqrt(kept - principal.noise)
    found = gaussian_log_likelihood(rows, weight, np.zeros(5), principal.noise)
    covariance = weight @ weight.T + principal.noise * np.eye(5)
    assert found == pytest.approx(multivariate_normal(np.zeros(5), covariance).logpdf(rows).mean())
    assert principal.log_likelihood == pytest.approx(found)
    worse = gaussian_log_likelihood(rows, 0.9 * weight, np.zeros(5), principal.noise)
    assert worse < found


def test_penalised_optimum_is_a_minimum(rows):
    principal = Principal.of(rows, 2)
    penalty = 0.3 * principal.eigenvalues[1]

    def objective(encoder, decoder):
        error = np.mean(np.sum((rows - rows @ encoder.T @ decoder.T) ** 2, 1))
        return error + penalty * (np.sum(encoder**2) + np.sum(decoder**2))

    best = principal.axes * principal.shrunk(penalty)
    assert objective(best.T, best) == pytest.approx(principal.penalised(penalty))
    rng = np.random.default_rng(1)
    for _ in range(20):
        moved = best + 0.01 * rng.normal(size=best.shape)
        assert objective(moved.T, moved) > principal.penalised(penalty)


def test_angle_of_a_turned_plane():
    axes = np.eye(3)[:, :2]
    turned = axes.copy()
    turned[:, 1] = [0.0, np.cos(0.3), np.sin(0.3)]
    assert subspace_angle(turned, axes) == pytest.approx(np.degrees(0.3))
    assert axis_angles(turned, axes) == pytest.approx(np.degrees(0.3) / 2)


def test_learnt_noise_is_trained_in_a_stack(rows):
    options = {"kind": "variational", "hidden": (), "latent_dim": 2, "loss": "mse", "epochs": 3}
    options |= {"scaling": "none", "validation_fraction": 0.0}
    models = [Autoencoder(**options, random_state=seed) for seed in range(2)]
    told = []
    assert all(error is None for _, error in fit_many(models, rows, say=told.append))
    assert not told
    before = models[0].build_module(0).likelihood.decades
    assert all(model.module_.likelihood.decades != before for model in models)


def test_trials_are_all_different():
    for quick in (True, False):
        made = LAB.trials(quick)
        assert len(set(made)) == len(made)
