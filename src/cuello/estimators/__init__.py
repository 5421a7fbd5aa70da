"""The scikit-learn face: estimators that fit, transform and predict."""

from __future__ import annotations

from cuello.estimators.autoencoder import Autoencoder
from cuello.estimators.few_label import MODES, FewLabelClassifier

__all__ = ["MODES", "Autoencoder", "FewLabelClassifier"]
