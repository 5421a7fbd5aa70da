"""A fitted few-label estimator as plain JSON values, and back: no pickle."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from cuello.estimators import Autoencoder
from cuello.estimators.records import Record, Weights
from cuello.few_label.base import MODES
from cuello.few_label.estimator import FewLabelClassifier
from cuello.few_label.task import Classes

__all__ = ["classifier_of", "record_classifier"]


def record_classifier(model: FewLabelClassifier) -> Record:
    """Return everything but the weights and the autoencoder."""
    check_is_fitted(model, "module_")
    params = model.get_params(deep=False)
    del params["autoencoder"]
    return {
        "params": params | {"learning_rates": list(params["learning_rates"])},
        "mode": model.mode_,
        "classes": model.classes_.tolist(),
        "chosen": model.chosen_,
        "cv_scores": list(model.cv_scores_.items()),
        "said": list(model.said_),
    }


def classifier_of(record: Record, weights: Weights, autoencoder: Autoencoder) -> FewLabelClassifier:
    """Rebuild what :func:`record_classifier` and the module's ``state_dict`` describe."""
    model = FewLabelClassifier(**record["params"])
    model.autoencoder_ = autoencoder
    model.n_features_in_ = autoencoder.n_features_in_
    model.classes_ = np.asarray(record["classes"])
    model.task_ = Classes(len(model.classes_))
    model.mode_ = record.get("mode", model.mode)
    model.chosen_ = record["chosen"]
    model.cv_scores_ = dict(record["cv_scores"])
    model.cv_accuracy_ = model.cv_scores_.get(model.chosen_, float("nan"))
    model.said_ = record.get("said", [])
    module = MODES[model.mode_].build(model.problem(seed=0))
    module.load_state_dict(dict(weights))
    model.module_ = module.eval()
    return model
