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
    kind="plain", hidden=(16,), latent_dim=4, allow_overcomplete=True, epochs=20, batch_size="auto"
)

WIDE = Autoencoder(**SMALL.get_params() | {"latent_dim": 16})


@parametrize_with_checks(
    [
        SMALL,
        Autoencoder(kind="denoising", hidden=(8,), latent_dim=1, epochs=3),
        FewLabelClassifier(SMALL, method="linear_probe"),
        FewLabelClassifier(
            SMALL, method="fine_tune", epochs=60, learning_rates=(0.01,), weight_decay=0.01
        ),
        FewLabelClassifier(SMALL, method="label_spreading"),
        FewLabelClassifier(SMALL, epochs=20, learning_rates=(0.01,), method_options={"steps": 30}),
        FewLabelRegressor(WIDE, method="linear_probe"),
        FewLabelRegressor(
            WIDE, method="fine_tune", epochs=60, learning_rates=(0.01,), weight_decay=0.01
        ),
        AnomalyDetector(SMALL),
        AnomalyDetector(SMALL, method="neighbours", contamination=0.1),
    ],
    expected_failed_checks=lambda estimator: EXCEPTIONS.get(type(estimator).__name__, {}),
)
@pytest.mark.filterwarnings(
    "ignore::cuello.CuelloWarning", "ignore::sklearn.exceptions.SkipTestWarning"
)
def test_check(estimator, check):
    check(estimator)
