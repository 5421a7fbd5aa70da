"""A classifier for many rows and few labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from cuello import networks
from cuello.data.dataset import UNLABELLED
from cuello.errors import InputError, unknown
from cuello.estimators.autoencoder import Autoencoder, in_batches
from cuello.estimators.inputs import check_rows, check_shape, class_codes, parse_augment
from cuello.few_label.base import MODES, Mode, Options, Problem
from cuello.few_label.task import Classes, Task
from cuello.train import Watcher

__all__ = ["FewLabelClassifier"]

Array = npt.NDArray[Any]


class FewLabelClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classify with the encoder of an autoencoder and a newly initialised head.

    Parameters
    ----------
    autoencoder : Autoencoder or None
        Cloned and trained on all rows, labelled or not; None takes the defaults. Wrap a fitted one
        in :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    mode : str
        ``frozen``: the encoder stays as it is and a logistic regression is fitted to its codes;
        ``slow``: the encoder learns at a share of the head's rate; ``full``: at the same rate;
        ``scratch``: the same network, newly initialised (what pre-training is compared with).
    encoder_lr_factor : float
        That share for ``slow``, in (0, 1].
    learning_rates : sequence of float
        Rates of the head to choose from, by cross-validation inside the labelled rows. For
        ``frozen`` the penalty of the logistic regression is chosen instead.
    cv : int
        Folds of that cross-validation, at least 2; fewer where a class has fewer labels.
    epochs : int or "auto"
        Passes over the labelled rows; ``auto`` is 150 steps, in 20 passes or more.
    batch_size : int
        Rows a step, or all labelled rows if there are fewer.
    weight_decay : float
        Decoupled weight decay (AdamW).
    augment : str or None
        Image augmentation while fine-tuning; see :class:`cuello.data.augment.Augment`.
    device, precision : str
        See :class:`cuello.train.Training`.
    mode_options : dict or None
        The mode's own options.
    random_state : int, RandomState or None
        New weights, folds and order of the rows follow from it.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        The fitted autoencoder.
    classes_ : ndarray
        Class labels, sorted.
    task_ : Task
        What the labels say, and so how many scores the network gives.
    mode_ : str
        The mode that made it.
    module_ : nn.Module
        The trained network: scores of scaled rows, before the link.
    held_out_scores_ : ndarray of shape (labelled rows, outputs)
        Scores of each labelled row by a network that was not trained on it, in the order of the
        rows; NaN where there were no folds.
    cv_scores_ : dict of float to float
        Accuracy on held-out folds for each candidate; empty where nothing could be compared.
    cv_accuracy_ : float
        Accuracy on held-out folds of the chosen candidate; NaN where there were no folds.
    chosen_ : float
        The chosen learning rate, or inverse penalty for ``frozen``.
    said_ : list of str
        What was chosen and why, in plain sentences.

    Notes
    -----
    Rows labelled -1 have no label (scikit-learn's convention for semi-supervised estimators).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> y = np.full(1797, -1)
    >>> y[:100] = digits.target[:100]
    >>> model = FewLabelClassifier(Autoencoder(latent_dim=8, epochs=50), mode="slow")
    >>> accuracy = model.fit(digits.images, y).score(digits.images[100:], digits.target[100:])
    >>> accuracy > 0.7
    True
    """

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        mode: str = "slow",
        encoder_lr_factor: float = 0.1,
        learning_rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03),
        cv: int = 3,
        epochs: int | str = "auto",
        batch_size: int = 64,
        weight_decay: float = 0.01,
        augment: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        mode_options: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self.mode = mode
        self.encoder_lr_factor = encoder_lr_factor
        self.learning_rates = learning_rates
        self.cv = cv
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.augment = augment
        self.device = device
        self.precision = precision
        self.mode_options = mode_options
        self.random_state = random_state

    def fit(self, X: Array, y: npt.ArrayLike, *, watcher: Watcher | None = None) -> Self:
        """Train the autoencoder on all rows, then the classifier on the labelled ones.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            All rows.
        y : array-like of shape (n,)
            Labels; -1 where a row has none.
        watcher : Watcher or None
            Called while training the classifier.

        Raises
        ------
        InputError
            If an option is outside its range, or no row is labelled; before training starts.
        """
        wanted = Autoencoder() if self.autoencoder is None else self.autoencoder
        X = check_rows(self, X, reset=True, **_reading(wanted))
        self.classes_, codes = class_codes(X, y)
        mode = self._mode()
        parse_augment(self.augment, X.shape[1:], sequences=wanted.network in networks.SEQUENCES)
        labelled = codes != UNLABELLED
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.task_: Task = Classes(len(self.classes_))
        self.autoencoder_ = clone(wanted)
        try:
            check_is_fitted(self.autoencoder_)
        except NotFittedError:
            self.autoencoder_.fit(X, y)
        if not mode.uses_unlabelled:
            X, codes, labelled = X[labelled], codes[labelled], labelled[labelled]
        self._solve(mode, self.problem(X, codes, labelled, seed=seed, watcher=watcher))
        return self

    def predict_proba(self, X: Array) -> Array:
        """Return the probability of each class, shape (n, classes), rows summing to 1."""
        check_is_fitted(self, "module_")
        X = check_rows(self, X, reset=False, **_reading(self.autoencoder_))
        check_shape(X, self.autoencoder_.shape_)
        scaling = self.autoencoder_.scaling_
        scores = in_batches(
            len(X),
            lambda a, b: self.module_(torch.from_numpy(scaling.apply(X[a:b]))),
            (self.task_.outputs,),
        )
        return self.task_.link(scores)

    def predict(self, X: Array) -> Array:
        """Return the most probable class of each row, shape (n,)."""
        probabilities = self.predict_proba(X)
        labels: Array = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def problem(
        self,
        X: Array | None = None,
        y: Array | None = None,
        labelled: npt.NDArray[np.bool_] | None = None,
        *,
        seed: int,
        watcher: Watcher | None = None,
    ) -> Problem:
        """Return what a mode is given: these rows, or none, for a model that is stored."""
        source = self.autoencoder_
        rows = np.empty((0, *source.shape_), dtype=np.float32) if X is None else X
        return Problem(
            x=torch.from_numpy(source.scaling_.apply(rows)),
            y=np.empty(0, dtype=np.int64) if y is None else y,
            labelled=np.empty(0, dtype=np.bool_) if labelled is None else labelled,
            task=self.task_,
            autoencoder=source,
            options=self._options(),
            seed=seed,
            watcher=watcher,
        )

    def _solve(self, mode: Mode, problem: Problem) -> None:
        solution = mode.fit(problem)
        self.mode_ = solution.mode or mode.name
        self.module_ = solution.module
        self.held_out_scores_ = solution.held_out
        self.cv_scores_ = dict(solution.cv_scores)
        self.chosen_ = solution.chosen
        self.cv_accuracy_ = self.cv_scores_.get(self.chosen_, float("nan"))
        self.said_ = list(solution.said)

    def _mode(self) -> Mode:
        if self.mode not in MODES:
            raise unknown("mode", self.mode, MODES)
        mode = MODES[self.mode]
        for name in self._options().mode_options or {}:
            if name not in mode.options:
                known = ", ".join(sorted(mode.options)) or "none"
                raise InputError(
                    f"mode_options={name!r} is not an option of mode={self.mode!r}; its options: "
                    f"{known}."
                )
        return mode

    def _options(self) -> Options:
        return Options(**{field.name: getattr(self, field.name) for field in fields(Options)})

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _reading(autoencoder: Autoencoder) -> dict[str, Any]:
    """Return how rows for this autoencoder are read: as long as the longest it was trained on."""
    if autoencoder.network not in networks.SEQUENCES:
        return {}
    shape = getattr(autoencoder, "shape_", None)
    return {"sequences": True, "steps": shape and shape[0]}
