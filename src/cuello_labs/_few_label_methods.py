"""Ways to classify with few labels, each measured alike: what the lab ``few-labels`` compares."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator

from cuello import few_label
from cuello.data.dataset import UNLABELLED
from cuello.data.drawing import draw_by_class
from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_knn_pixels, fit_pca_logistic, flat
from cuello.few_label import FewLabelClassifier
from cuello.few_label.suggest import suggest
from cuello.study.trials import Trial
from cuello_labs._images import Images

__all__ = ["METHODS", "Method", "buy_labels", "draw_told", "measure", "mistakes"]

CV = 3
KEPT_MISTAKES = 12

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Method:
    """A way to classify.

    Parameters
    ----------
    label : str
        On the page.
    mode : str
        Of :class:`~cuello.few_label.FewLabelClassifier`; empty for a baseline.
    options : mapping
        The mode's own.
    dense : bool
        Whether it does without convolutions.
    """

    label: str
    method: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    dense: bool = True


METHODS: Mapping[str, Method] = {
    "knn": Method("5-NN on pixels"),
    "pca_logistic": Method("PCA + logistic regression"),
    "from_scratch": Method("from scratch", "from_scratch"),
    "linear_probe": Method("linear_probe", "linear_probe"),
    "fine_tune_slow": Method("fine_tune_slow", "fine_tune_slow"),
    "fine_tune": Method("fine_tune", "fine_tune"),
    "label_spreading": Method("label_spreading", "label_spreading"),
    "mean_teacher": Method("mean_teacher", "mean_teacher", {"network": "dense"}),
    "auto": Method("auto", "auto", {"network": "dense"}),
    "auto_conv": Method("auto, convolutional", "auto", dense=False),
    "ladder": Method("ladder network", "ladder"),
}


def draw_told(data: Images, labels: int, seed: int) -> Labels:
    """Return the places of so many training rows, as evenly over the classes as there are rows."""
    classes = [str(code) for code in np.unique(data.y)]
    return draw_by_class(data.y, labels, np.random.default_rng(seed), classes)


def measure(trial: Trial, data: Images, encoder: Autoencoder, pca: PCA) -> dict[str, Any]:
    """Fit one method to the labels of one draw; return its accuracy on test rows, and more.

    Returns
    -------
    dict
        ``accuracy`` on the test rows; ``estimate``, what the labelled rows alone say of it (None
        without folds); ``right`` of ``held_out`` labelled rows by models that were not trained on
        them; ``seconds`` to fit; and ``given``, ``sureness``: each test row's class and the
        probability of it, for :func:`mistakes`.
    """
    method = METHODS[trial.options["method"]]
    told = draw_told(data, trial.options["labels"], trial.seed)
    started = time.perf_counter()
    found: dict[str, Any]
    if method.method:
        model = _fit_method(method, trial, data, told, encoder)
        seconds = time.perf_counter() - started
        probabilities = model.predict_proba(data.X_test)
        held_out = ~np.isnan(model.held_out_scores_).any(axis=1)
        right = model.held_out_scores_[held_out].argmax(axis=1) == data.y[told[held_out]]
        found = {"estimate": model.cv_score_, "right": int(right.sum()), "by": model.method_}
        found["held_out"] = int(held_out.sum())
    else:
        X, y = data.X[told], data.y[told]
        cv = trial.options["training"].get("cv", CV)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CuelloWarning)
            if trial.options["method"] == "knn":
                baseline, estimate = fit_knn_pixels(X, y, cv=cv, seed=trial.seed)
            else:
                baseline, estimate = fit_pca_logistic(pca, X, y, cv=cv, seed=trial.seed)
        seconds = time.perf_counter() - started
        probabilities = baseline.predict_proba(flat(data.X_test))
        count = 0 if np.isnan(estimate) else len(y)
        # Folds are equally large, up to a row: their mean accuracy is the share of all rows.
        found = {"estimate": estimate, "held_out": count}
        found["right"] = round(estimate * count) if count else 0
    if np.isnan(found["estimate"]):
        found["estimate"] = None
    given = probabilities.argmax(axis=1)
    return found | {
        "accuracy": float((given == data.y_test).mean()),
        "seconds": round(seconds, 2),
        "given": given,
        "sureness": probabilities.max(axis=1),
    }


def _fit_method(
    method: Method, trial: Trial, data: Images, told: Labels, encoder: Autoencoder
) -> FewLabelClassifier:
    model = FewLabelClassifier(
        FrozenEstimator(encoder),
        method=method.method,
        **trial.options["training"],
        method_options={**method.options, **trial.options.get("method_options", {})} or None,
        random_state=trial.seed,
    )
    if few_label.METHODS[method.method].uses_unlabelled:
        X, y = data.X, np.full_like(data.y, UNLABELLED)
        y[told] = data.y[told]
    else:
        X, y = data.X[told], data.y[told]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        return model.fit(X, y)


def mistakes(data: Images, given: Labels, sureness: Array) -> list[dict[str, Any]]:
    """Return the test rows with a wrong class that a method was surest of, the surest first."""
    wrong = np.flatnonzero(given != data.y_test)
    surest = wrong[np.argsort(-sureness[wrong], kind="stable")[:KEPT_MISTAKES]]
    name = dict(enumerate(data.classes))
    return [
        {
            "image": np.round(255 * data.X_test[row]).astype(int).tolist(),
            "true": name.get(int(data.y_test[row]), str(data.y_test[row])),
            "given": name.get(int(given[row]), str(given[row])),
            "sureness": float(sureness[row]),
        }
        for row in surest
    ]


def buy_labels(trial: Trial, data: Images, encoder: Autoencoder) -> dict[str, float]:
    """Return the accuracy of a regression on codes with a draw's labels, and with some more.

    Those are as many random rows (``random``), or suggested ones (``suggested``).
    """
    told, count = draw_told(data, trial.options["labels"], trial.seed), trial.options["more"]

    def fit(rows: Labels) -> FewLabelClassifier:
        return _fit_method(METHODS["linear_probe"], trial, data, rows, encoder)

    model = fit(told)
    known = np.isin(np.arange(len(data.y)), told)
    probabilities, codes = model.predict_proba(data.X), encoder.transform(data.X)
    rng = np.random.default_rng(trial.seed)
    chosen = {
        "random": rng.choice(np.flatnonzero(~known), count, replace=False),
        "suggested": suggest(probabilities, codes, count, labelled=known, seed=trial.seed),
    }
    found = {"start": float(model.score(data.X_test, data.y_test))}
    for name, rows in chosen.items():
        more = fit(np.concatenate([told, rows]))
        found[name] = float(more.score(data.X_test, data.y_test))
    return found
