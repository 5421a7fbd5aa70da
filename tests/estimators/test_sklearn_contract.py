"""scikit-learn's own checks, over both estimators."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from cuello import Autoencoder, FewLabelClassifier

# Checks that are not met, each with its reason. Empty: all are.
EXCEPTIONS: dict[str, str] = {}

SMALL = Autoencoder(
    kind="plain", hidden=(16,), latent_dim=4, allow_overcomplete=True, epochs=20, batch_size="auto"
)


@parametrize_with_checks(
    [
        SMALL,
        Autoencoder(kind="denoising", hidden=(8,), latent_dim=1, epochs=3),
        FewLabelClassifier(SMALL, mode="frozen"),
        FewLabelClassifier(SMALL, mode="full", epochs=60, learning_rates=(0.01,)),
    ],
    expected_failed_checks=lambda estimator: EXCEPTIONS,
)
@pytest.mark.filterwarnings("ignore::cuello.CuelloWarning", "ignore::sklearn.exceptions.SkipTestWarning")
def test_check(estimator, check):
    check(estimator)
