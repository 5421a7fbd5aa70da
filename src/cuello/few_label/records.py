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
from cuello.few_label.task import TASKS, Multiclass, Regression
from cuello.metrics import Interval

__all__ = ["classifier_of", "record_classifier"]


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
        "chosen": model.chosen_,
        "cv_scores": list(model.cv_scores_.items()),
        "said": list(model.summary_),
        "temperature": model.temperature_,
        "accuracy_estimate": model.accuracy_estimate_ and list(model.accuracy_estimate_),
    }


def classifier_of(
    record: Record,
    weights: Weights,
    autoencoder: Autoencoder,
    held_out: Tensor | None = None,
    held_out_labels: Tensor | None = None,
) -> FewLabelClassifier | FewLabelRegressor:
    """Rebuild what :func:`record_classifier` says, with weights, and scores of held-out rows.

    A record of before there were temperatures and labels of held-out rows has none.
    """
    # A folder of before there were tasks holds a softmax.
    task = dict(record.get("task", {"name": Multiclass.name, "outputs": len(record["classes"])}))
    kind = FewLabelRegressor if task["name"] == Regression.name else FewLabelClassifier
    model: FewLabelClassifier | FewLabelRegressor = kind(**record["params"])
    if isinstance(model, FewLabelClassifier):
        model.classes_ = np.asarray(record["classes"])
    model.autoencoder_ = autoencoder
    model.n_features_in_ = autoencoder.n_features_in_
    model.task_ = TASKS[task.pop("name")](**task)
    model.method_ = record.get("method", model.method)
    model.chosen_ = record["chosen"]
    model.cv_scores_ = dict(record["cv_scores"])
    model.cv_score_ = model.cv_scores_.get(model.chosen_, float("nan"))
    model.summary_ = record.get("said", [])
    model.temperature_ = float(record.get("temperature", 1.0))
    estimate = record.get("accuracy_estimate")
    model.accuracy_estimate_ = None if estimate is None else Interval(*estimate)
    no_scores = torch.empty((0, model.task_.outputs))
    model.held_out_scores_ = (no_scores if held_out is None else held_out).numpy()
    no_labels = torch.empty(0, dtype=torch.int64)
    model.held_out_labels_ = (no_labels if held_out_labels is None else held_out_labels).numpy()
    module = METHODS[model.method_].build(model.problem(seed=0))
    module.load_state_dict(dict(weights))
    model.module_ = module.eval()
    return model
