"""scikit-learn's own checks, over every estimator."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from cuello import AnomalyDetector, Autoencoder, FewLabelClassifier, FewLabelRegressor

# Checks that are not met, each with its reason.
EXCEPTIONS = {
    "FewLabelClassifier": {
        "check_classifiers_classes": (
            "takes -1 for a class; here it marks a row without a label. scikit-learn exempts its "
            "own semi-supervised classifiers from this by their names."
        )
    },
}

SMALL = Autoencoder(
    kind="plain",
    hidden=(16,),
    latent_dim=4,
    allow_overcomplete=True,
    epochs=3,
    batch_size="auto",
)

# As a PCA with as many latents as columns it would copy every sample, normal or not.
NOT_LINEAR = Autoencoder(**SMALL.get_params() | {"linear_skip": False, "epochs": 8})

# Where few epochs leave so little that rounding is seen in it.
LONGER = Autoencoder(**SMALL.get_params() | {"epochs": 10})
WIDE = Autoencoder(**LONGER.get_params() | {"latent_dim": 16})
LONGEST = Autoencoder(**SMALL.get_params() | {"epochs": 20})
WIDEST = Autoencoder(**LONGEST.get_params() | {"latent_dim": 16})


ONE_RATE = {"epochs": 60, "learning_rates": (0.01,)}

ESTIMATORS = [
    SMALL,
    Autoencoder(kind="denoising", hidden=(8,), latent_dim=1, epochs=3),
    FewLabelClassifier(LONGER, method="linear_probe", cv=2, **ONE_RATE | {"epochs": 30}),
    FewLabelClassifier(SMALL, method="label_spreading"),
    FewLabelRegressor(WIDE, method="linear_probe", cv=2, **ONE_RATE),
    AnomalyDetector(NOT_LINEAR),
    AnomalyDetector(NOT_LINEAR, method="neighbours", contamination=0.1),
]

# The same estimators once more, by methods that train a whole network at each of the fits.
TRAINED_FOR_LONGER = [
    FewLabelClassifier(LONGEST, method="fine_tune", weight_decay=0.01, **ONE_RATE),
    FewLabelClassifier(LONGEST, epochs=20, learning_rates=(0.01,), method_options={"steps": 30}),
    FewLabelRegressor(WIDEST, method="fine_tune", weight_decay=0.01, **ONE_RATE),
]


def not_met(estimator):
    return EXCEPTIONS.get(type(estimator).__name__, {})


quietly = pytest.mark.filterwarnings(
    "ignore::cuello.CuelloWarning", "ignore::sklearn.exceptions.SkipTestWarning"
)


@quietly
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=not_met)
def test_check(estimator, check):
    check(estimator)


@pytest.mark.long
@quietly
@parametrize_with_checks(TRAINED_FOR_LONGER, expected_failed_checks=not_met)
def test_check_of_what_trains_for_longer(estimator, check):
    check(estimator)
