"""A fitted few-label estimator as plain JSON values, and back: no pickle."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello.estimators import Autoencoder
from cuello.estimators.records import Record, Weights
from cuello.few_label.base import METHODS
from cuello.few_label.estimator import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.task import TASKS
from cuello.few_label.tasks import Regression
from cuello.metrics import Interval

__all__ = ["classifier_of", "record_classifier", "tensors_of_classifier"]


def record_classifier(model: FewLabelClassifier | FewLabelRegressor) -> Record:
    """Return everything but the weights and the autoencoder."""
    check_is_fitted(model, "module_")
    params = model.get_params(deep=False)
    del params["autoencoder"]
    return {
        "params": params | {"learning_rates": list(params["learning_rates"])},
        "method": model.method_,
        "task": {"name": model.task_.name} | asdict(model.task_),
        "classes": model.classes_.tolist() if isinstance(model, FewLabelClassifier) else [],
        "resolved": model.chosen_,
        "cv_scores": list(model.cv_scores_.items()),
        "summary": list(model.summary_),
        "temperature": model.temperature_,
        "accuracy_estimate": model.accuracy_estimate_ and list(model.accuracy_estimate_),
    }


def tensors_of_classifier(model: FewLabelClassifier | FewLabelRegressor) -> dict[str, Tensor]:
    """Return the weights, and under ``held_out/`` the scores and labels of held-out rows."""
    return model.module_.state_dict() | {
        "held_out/scores": torch.from_numpy(model.held_out_scores_),
        "held_out/labels": torch.from_numpy(model.held_out_labels_),
    }


def classifier_of(
    record: Record, tensors: Weights, autoencoder: Autoencoder
) -> FewLabelClassifier | FewLabelRegressor:
    """Rebuild what :func:`record_classifier` and :func:`tensors_of_classifier` describe.

    Raises
    ------
    KeyError, TypeError, ValueError, RuntimeError
        If they do not belong together, or to the autoencoder.
    """
    task = dict(record["task"])
    kind = FewLabelRegressor if task["name"] == Regression.name else FewLabelClassifier
    model: FewLabelClassifier | FewLabelRegressor = kind(**record["params"])
    if isinstance(model, FewLabelClassifier):
        model.classes_ = np.asarray(record["classes"])
    model.autoencoder_ = autoencoder
    model.n_features_in_ = autoencoder.n_features_in_
    model.task_ = TASKS[task.pop("name")](**task)
    model.method_ = record["method"]
    model.chosen_ = record["resolved"]
    model.cv_scores_ = dict(record["cv_scores"])
    model.cv_score_ = model.cv_scores_.get(model.chosen_, float("nan"))
    model.summary_ = record["summary"]
    model.temperature_ = float(record["temperature"])
    estimate = record["accuracy_estimate"]
    model.accuracy_estimate_ = None if estimate is None else Interval(*estimate)
    weights = dict(tensors)
    model.held_out_scores_ = weights.pop("held_out/scores").numpy()
    model.held_out_labels_ = weights.pop("held_out/labels").numpy()
    module = METHODS[model.method_].build(model.problem(seed=0))
    module.load_state_dict(weights)
    model.module_ = module.eval()
    return model
