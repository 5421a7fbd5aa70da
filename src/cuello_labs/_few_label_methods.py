"""The methods that the lab ``few-labels`` compares, each measured alike."""

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
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from cuello import few_label
from cuello.data.dataset import UNLABELLED
from cuello.data.splits import draw_by_class, stratified_folds
from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import INVERSE_PENALTIES, flat
from cuello.few_label import FewLabelClassifier
from cuello.few_label.suggest import suggest_samples
from cuello.study.trials import Trial
from cuello_labs._images import Images

__all__ = [
    "METHODS",
    "Method",
    "buy_labels",
    "draw_labelled",
    "fit_knn_pixels",
    "fit_pca_logistic",
    "measure",
    "mistakes",
]

CV = 3
KEPT_MISTAKES = 12

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Method:
    """A method of classification.

    Parameters
    ----------
    label : str
        On the page.
    method : str
        Of :class:`~cuello.few_label.FewLabelClassifier`; empty for a baseline.
    options : mapping
        Of that method.
    dense : bool
        Whether it has no convolutions.
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


def draw_labelled(data: Images, labels: int, seed: int) -> Labels:
    """Return indices of so many training samples, as evenly over the classes as possible."""
    classes = [str(label) for label in np.unique(data.y)]
    return draw_by_class(data.y, labels, np.random.default_rng(seed), classes)


def measure(trial: Trial, data: Images, encoder: Autoencoder, pca: PCA) -> dict[str, Any]:
    """Fit one method to the labels of one draw; return its accuracy on test samples, and more.

    Returns
    -------
    dict
        ``accuracy`` on test samples; ``estimate``, its estimate from labelled samples (None
        without folds); ``right`` of ``held_out`` labelled samples by models not trained on
        them; ``seconds`` to fit; and ``predicted``, ``confidence``: each test sample's class and
        the probability of it, for :func:`mistakes`.
    """
    method = METHODS[trial.options["method"]]
    labelled = draw_labelled(data, trial.options["labels"], trial.seed)
    started = time.perf_counter()
    measured: dict[str, Any]
    if method.method:
        model = _fit_method(method, trial, data, labelled, encoder)
        seconds = time.perf_counter() - started
        probabilities = model.predict_proba(data.X_test)
        held_out = ~np.isnan(model.held_out_scores_).any(axis=1)
        right = model.held_out_scores_[held_out].argmax(axis=1) == data.y[labelled[held_out]]
        measured = {"estimate": model.cv_score_, "right": int(right.sum()), "by": model.method_}
        measured["held_out"] = int(held_out.sum())
    else:
        X, y = data.X[labelled], data.y[labelled]
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
        # Folds are equally large, up to a row: their mean accuracy is the share of all samples.
        measured = {"estimate": estimate, "held_out": count}
        measured["right"] = round(estimate * count) if count else 0
    if np.isnan(measured["estimate"]):
        measured["estimate"] = None
    predicted = probabilities.argmax(axis=1)
    return measured | {
        "accuracy": float((predicted == data.y_test).mean()),
        "seconds": round(seconds, 2),
        "predicted": predicted,
        "confidence": probabilities.max(axis=1),
    }


def _fit_method(
    method: Method, trial: Trial, data: Images, labelled: Labels, encoder: Autoencoder
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
        y[labelled] = data.y[labelled]
    else:
        X, y = data.X[labelled], data.y[labelled]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        return model.fit(X, y)


def mistakes(data: Images, predicted: Labels, confidence: Array) -> list[dict[str, Any]]:
    """Return the test samples with a wrong class, the most confident predictions first."""
    wrong = np.flatnonzero(predicted != data.y_test)
    first = wrong[np.argsort(-confidence[wrong], kind="stable")[:KEPT_MISTAKES]]
    name = dict(enumerate(data.classes))
    return [
        {
            "image": np.round(255 * data.X_test[index]).astype(int).tolist(),
            "true": name.get(int(data.y_test[index]), str(data.y_test[index])),
            "predicted": name.get(int(predicted[index]), str(predicted[index])),
            "confidence": float(confidence[index]),
        }
        for index in first
    ]


def buy_labels(trial: Trial, data: Images, encoder: Autoencoder) -> dict[str, float]:
    """Return the accuracy of a regression on embeddings with a draw's labels, and with some more.

    Those are as many random samples (``random``), or suggested ones (``suggested``).
    """
    labelled = draw_labelled(data, trial.options["labels"], trial.seed)
    count = trial.options["more"]

    def fit(indices: Labels) -> FewLabelClassifier:
        return _fit_method(METHODS["linear_probe"], trial, data, indices, encoder)

    model = fit(labelled)
    has_label = np.isin(np.arange(len(data.y)), labelled)
    probabilities, z = model.predict_proba(data.X), encoder.transform(data.X)
    rng = np.random.default_rng(trial.seed)
    chosen = {
        "random": rng.choice(np.flatnonzero(~has_label), count, replace=False),
        "suggested": suggest_samples(probabilities, z, count, labelled=has_label, seed=trial.seed),
    }
    measured = {"start": float(model.score(data.X_test, data.y_test))}
    for name, indices in chosen.items():
        more = fit(np.concatenate([labelled, indices]))
        measured[name] = float(more.score(data.X_test, data.y_test))
    return measured


def fit_pca_logistic(
    pca: PCA, samples: Array, y: Labels, *, cv: int, seed: int
) -> tuple[Pipeline, float]:
    """Fit a logistic regression on PCA components; its penalty is chosen by cross-validation.

    Return it, for samples as :func:`flat` returns them, and its accuracy on held-out folds: NaN
    where a class has a single label.
    """
    table = flat(samples)
    regression = LogisticRegression(max_iter=2000)
    folds = stratified_folds(y, cv, seed)
    if not folds:
        model = make_pipeline(FrozenEstimator(pca), StandardScaler(), regression)
        return model.fit(table, y), float("nan")
    search = GridSearchCV(regression, {"C": INVERSE_PENALTIES}, cv=folds)
    model = make_pipeline(FrozenEstimator(pca), StandardScaler(), search).fit(table, y)
    return model, float(search.best_score_)


def fit_knn_pixels(
    samples: Array, y: Labels, *, cv: int, seed: int
) -> tuple[KNeighborsClassifier, float]:
    """Fit a 5-nearest-neighbour classifier on samples as they are (fewer than 5: all)."""
    table = flat(samples)
    folds = stratified_folds(y, cv, seed)
    neighbours = min(5, *(len(train) for train, _ in folds), len(table))
    model = KNeighborsClassifier(neighbours)
    accuracy = float(cross_val_score(model, table, y, cv=folds).mean()) if folds else float("nan")
    return model.fit(table, y), accuracy
