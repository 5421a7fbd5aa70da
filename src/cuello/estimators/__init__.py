"""The scikit-learn face: estimators that fit, transform and predict."""

from __future__ import annotations

from cuello.estimators.autoencoder import Autoencoder

__all__ = ["Autoencoder"]
