"""Estimators for many samples and few labels, and their records as plain JSON: no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello.arrays import Array, Record
from cuello.errors import InputError, Use
from cuello.estimators import Autoencoder
from cuello.few_label.base import METHODS
from cuello.few_label.fitting import FewLabelEstimator
from cuello.few_label.targets import Targets, read_classes, read_numbers
from cuello.few_label.tasks import TASKS, Multilabel, Regression
from cuello.few_label.unpredicted import find_unpredicted
from cuello.metrics import Interval

__all__ = [
    "FewLabelClassifier",
    "FewLabelRegressor",
    "classifier_of",
    "record_classifier",
    "tensors_of_classifier",
]


@final
class FewLabelClassifier(ClassifierMixin, FewLabelEstimator):  # type: ignore[misc]
    """Classify with the encoder of an autoencoder and a newly initialised head.

    Parameters
    ----------
    autoencoder : Autoencoder or None
        Cloned and trained on all samples, labelled or not; None takes the defaults. Wrap a fitted
        one in :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    method : str
        One of :data:`cuello.few_label.METHODS`. ``auto``: a mean teacher, or what held-out labels
        show to be better; ``summary_`` has the reason. ``label_spreading``, ``mean_teacher`` and
        ``ladder`` use samples without a label, and learn classes alone. ``linear_probe``: the
        encoder stays as it is and a logistic regression is fitted to its embeddings (a head with a
        hidden layer, batch normalisation or dropout is trained on them); ``fine_tune_slow``: the
        encoder learns at a share of the head's rate; ``fine_tune``: at the same rate;
        ``from_scratch``: the same network, newly initialised, and the autoencoder is not trained.
    task : str
        ``multiclass``: one class of many, softmax; ``binary``: one of two, a sigmoid;
        ``multilabel``: any number of properties, a column of 0 and 1 each, and a sigmoid each;
        ``auto``: by ``y``.
    head_loss : str
        For numbers alone: see :class:`FewLabelRegressor`.
    head_hidden : int or None
        Units of a hidden layer of the head; None: it is linear.
    batch_norm : bool
        Batch normalisation of the head's hidden layer, or without one of the embeddings.
    dropout : float
        Rate in [0, 1) of the inputs of the head's last layer.
    encoder_lr_factor : float
        That share for ``fine_tune_slow``, in (0, 1].
    layer_decay : float
        Each block of the encoder learns at this share of the rate of the next one, in (0, 1]; the
        last block learns at the encoder's rate itself.
    learning_rates : sequence of float
        Rates of the head to choose from, by cross-validation among the labelled samples. For a
        logistic regression its penalty is chosen instead. At the best rate, whichever of
        ``augment``, ``epochs`` and ``weight_decay`` are ``auto`` are tried one after the other, and
        kept where held-out labels show a gain.
    cv : int
        Folds of that cross-validation, at least 2; fewer where a class has fewer labels. 0 holds
        nothing out: faster, with the middle one of candidates and no estimate of accuracy.
    epochs : int or "auto"
        Passes over the labelled samples; ``auto`` is 150 steps, in 20 passes or more, or three
        times as many.
    batch_size : int
        Samples a step, or all labelled samples if there are fewer.
    weight_decay : float or "auto"
        Decoupled weight decay (AdamW); ``auto`` is 0.01, or 1.
    augment : str or None
        Augmentation of images while training; see :class:`cuello.data.augment.Augment`. ``auto``
        is mild if held-out labels show a gain; None leaves images as they are.
    device, precision : str
        See :class:`cuello.train.TrainingConfig`.
    method_options : dict or None
        Options of the method, ``METHODS[method].options``.
    max_time : float or None
        Seconds, above 0, that ``auto`` may take: it leaves methods out, or shortens them.
    random_state : int, RandomState or None
        New weights, folds and order of the samples follow from it.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        The fitted autoencoder; untrained with a method that does not start from it.
    classes_ : ndarray
        Class labels, sorted; numbers of the columns of ``y`` for ``multilabel``.
    task_ : Task
        The type of the labels, and so how many scores the network gives.
    method_ : str
        The method that made it.
    module_ : nn.Module
        The trained network: scores of scaled samples, before activation.
    held_out_scores_ : ndarray of shape (labelled samples, outputs)
        Scores of each labelled sample by a network that was not trained on it; NaN without folds.
    held_out_labels_ : ndarray of shape (labelled samples,), or (labelled samples, outputs)
        Targets of those samples: for classes their positions in ``classes_``.
    temperature_ : float
        Divisor of the scores before they become probabilities, 1 or more, by held-out labels.
        It changes no prediction. 1 where there were no folds, and for ``linear_probe`` and
        ``label_spreading``, whose probabilities are rather too low than too high.
    accuracy_estimate_ : Interval or None
        Accuracy by held-out labels, ``(estimate, low, high)`` with 95 % confidence; cautious, as
        networks of folds learn from fewer labels. None without folds, and for ``multilabel``.
    cv_scores_ : dict of float or str to float
        Accuracy on held-out folds for each candidate; empty where nothing could be compared.
    chosen_, cv_score_ : float or str, float
        The chosen candidate, a learning rate or for ``linear_probe`` an inverse penalty, and its
        score; NaN without folds.
    summary_ : list of str
        The choices and their reasons, in plain sentences.

    Notes
    -----
    Samples labelled -1 have no label, as in scikit-learn; for ``multilabel``, rows of NaN. There
    ``cv_scores_`` hold the mean accuracy over columns, and ``score`` counts the samples that are
    right in all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from cuello import Autoencoder
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> y = np.full(1797, -1)
    >>> y[::18] = digits.target[::18]
    >>> autoencoder = Autoencoder(latent_dim=8, epochs=20, random_state=0)
    >>> options = {"learning_rates": (0.01,), "epochs": 30, "random_state": 0}
    >>> model = FewLabelClassifier(autoencoder, method="fine_tune", **options)
    >>> accuracy = model.fit(digits.images, y).score(digits.images, digits.target)
    >>> accuracy > 0.7
    True
    """

    def predict_proba(self, X: Array) -> Array:
        """Return the probability of each class, shape (n, classes), summing to 1.

        For ``multilabel``: of each property, (n, outputs).
        """
        scores = self.scores(X)  # refuses where nothing is fitted
        return self.task_.link(scores, self.temperature_)

    def predict(self, X: Array) -> Array:
        """Return the most probable class (n,); for ``multilabel`` 0 or 1 (n, outputs)."""
        scores = self.scores(X)  # refuses where nothing is fitted
        probabilities = self.task_.link(scores)
        if isinstance(self.task_, Multilabel):
            return (probabilities > 0.5).astype(np.int64)
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def _read(self, X: Array, y: npt.ArrayLike | None) -> Targets:
        if self.head_loss != "auto":
            raise InputError(
                "is for numbers; classes are learned by cross-entropy",
                argument="head_loss",
                value=self.head_loss,
                remedy=[Use("head_loss", "auto"), ", or FewLabelRegressor"],
            )
        targets = read_classes(X, y, self.task)
        self.classes_ = targets.classes
        return targets

    def _findings(self, X: Array) -> list[str]:
        return find_unpredicted(self, X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        method = METHODS.get(self.method)
        tags.classifier_tags.multi_label = method is None or not method.single_label_only
        return tags


@final
class FewLabelRegressor(RegressorMixin, FewLabelEstimator):  # type: ignore[misc]
    """Estimate a number with the encoder of an autoencoder and a newly initialised head.

    Parameters
    ----------
    method : str
        As in :class:`FewLabelClassifier`; ``linear_probe`` is a ridge regression on embeddings.
    task : str
        ``auto`` or ``regression``.
    head_loss : str
        ``mse`` (``auto``), ``mae``, ``huber`` (quadratic up to one standard deviation of the
        labels) or ``mape`` (relative to the label; none may be 0). ``linear_probe`` has an exact
        solver for ``mse`` alone; for the others the head is trained.
    autoencoder, head_hidden, batch_norm, dropout, encoder_lr_factor, layer_decay, learning_rates, \
cv, epochs, batch_size, weight_decay, augment, device, precision, method_options, max_time, \
random_state
        As in :class:`FewLabelClassifier`.

    Attributes
    ----------
    cv_scores_, cv_score_ : dict of float to float, float
        R² over held-out folds for each candidate, and that of the chosen one.
    autoencoder_, task_, method_, module_, held_out_scores_, held_out_labels_, chosen_, summary_
        As in :class:`FewLabelClassifier`. Scores are standardised: ``task_.link`` brings them to
        the labels' units.

    Notes
    -----
    Samples labelled NaN have no label. Labels are standardised for training.

    Examples
    --------
    >>> import numpy as np
    >>> from cuello import Autoencoder
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> few = np.where(np.arange(442) % 3 == 0, y, np.nan)
    >>> encoder = Autoencoder("plain", latent_dim=8, epochs=30)
    >>> model = FewLabelRegressor(encoder, method="linear_probe").fit(X, few)
    >>> model.score(X[1::3], y[1::3]) > 0.25
    True
    """

    def predict(self, X: Array) -> Array:
        """Return a number for each sample, in the labels' units, shape (n,)."""
        scores = self.scores(X)  # refuses where nothing is fitted
        return self.task_.link(scores)

    def _read(self, X: Array, y: npt.ArrayLike | None) -> Targets:
        return read_numbers(X, y, self.task, self.head_loss)


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
    """Return the weights, and under ``held_out/`` the scores and labels of held-out samples."""
    return model.module_.state_dict() | {
        "held_out/scores": torch.from_numpy(model.held_out_scores_),
        "held_out/labels": torch.from_numpy(model.held_out_labels_),
    }


def classifier_of(
    record: Record, tensors: Mapping[str, Tensor], autoencoder: Autoencoder
) -> FewLabelClassifier | FewLabelRegressor:
    """Rebuild an estimator from its record and tensors, on top of its autoencoder.

    Raises KeyError, TypeError, ValueError or RuntimeError if they do not belong together.
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
    module = model.build_module()
    module.load_state_dict(weights)
    model.module_ = module.eval()
    return model
