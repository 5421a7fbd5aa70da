"""What every few-label estimator does: options, training, and scores of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from cuello import kinds, networks
from cuello.errors import InputError, unknown
from cuello.estimators.autoencoder import Autoencoder
from cuello.estimators.batches import in_batches
from cuello.estimators.inputs import check_rows, check_shape, parse_augment
from cuello.few_label.base import METHODS, Method, Options, Problem
from cuello.few_label.confidence import judge
from cuello.few_label.targets import Targets
from cuello.few_label.task import SingleLabel, Task
from cuello.train import Callbacks

__all__ = ["FewLabelEstimator"]

Array = npt.NDArray[Any]


class FewLabelEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What the classifier and the regressor share: options, training, and scores of rows."""

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        method: str = "auto",
        task: str = "auto",
        head_loss: str = "auto",
        head_hidden: int | None = None,
        batch_norm: bool = False,
        dropout: float = 0.0,
        encoder_lr_factor: float = 0.1,
        layer_decay: float = 1.0,
        learning_rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03),
        cv: int = 3,
        epochs: int | str = "auto",
        batch_size: int = 64,
        weight_decay: float | str = "auto",
        augment: str | None = "auto",
        device: str = "auto",
        precision: str = "auto",
        method_options: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self.method = method
        self.task = task
        self.head_loss = head_loss
        self.head_hidden = head_hidden
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.encoder_lr_factor = encoder_lr_factor
        self.layer_decay = layer_decay
        self.learning_rates = learning_rates
        self.cv = cv
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.augment = augment
        self.device = device
        self.precision = precision
        self.method_options = method_options
        self.random_state = random_state

    def fit(self, X: Array, y: npt.ArrayLike, *, callbacks: Callbacks | None = None) -> Self:
        """Train the autoencoder on all rows, then the head on the labelled ones.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            All rows.
        y : array-like of shape (n,) or (n, outputs)
            Labels. A row without one: -1 for classes, NaN for numbers and several columns.
        callbacks : Callbacks or None
            Called while training on labels.

        Raises
        ------
        InputError
            If an option is outside its range, or labels cannot be used; before training starts.
        """
        wanted = Autoencoder() if self.autoencoder is None else self.autoencoder
        X = check_rows(self, X, reset=True, **_reading(wanted))
        found = self._read(X, y)
        method = self._method()
        if self.augment != "auto":
            sequences = networks.NETWORKS[wanted.network].is_sequence
            parse_augment(self.augment, X.shape[1:], sequences=sequences)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.task_: Task = found.task
        self.autoencoder_ = clone(wanted)
        self._check_method(method, X)
        try:
            check_is_fitted(self.autoencoder_)
        except NotFittedError:
            has_classes = found.y.dtype.kind == "i"
            if not has_classes and kinds.KINDS[wanted.kind].needs_labels:
                raise InputError(
                    f"kind={wanted.kind!r} learns from classes, and y holds none; choose another "
                    "kind of autoencoder."
                ) from None
            start = self.autoencoder_.fit if method.pretrained else self.autoencoder_.initialize
            start(X, y if has_classes else None)
        rows = slice(None) if method.uses_unlabelled else found.labelled
        problem = self.problem(
            X[rows], found.y[rows], found.labelled[rows], seed=seed, callbacks=callbacks
        )
        self._solve(method, problem, found.said)
        return self

    @abstractmethod
    def _read(self, X: Array, y: npt.ArrayLike | None) -> Targets:
        """Return what the labels come to."""

    def scores(self, X: Array) -> npt.NDArray[np.float32]:
        """Return the network's scores of rows before the link (n, outputs).

        ``task_.link`` makes probabilities of them, or numbers in their own units.
        """
        check_is_fitted(self, "module_")
        X = check_rows(self, X, reset=False, **_reading(self.autoencoder_))
        check_shape(X, self.autoencoder_.shape_)
        scaling = self.autoencoder_.scaling_
        return in_batches(
            len(X),
            lambda a, b: self.module_(torch.from_numpy(scaling.apply(X[a:b]))),
            (self.task_.outputs,),
        )

    def problem(
        self,
        X: Array | None = None,
        y: Array | None = None,
        labelled: npt.NDArray[np.bool_] | None = None,
        *,
        seed: int,
        callbacks: Callbacks | None = None,
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
            callbacks=callbacks,
        )

    def _solve(self, method: Method, problem: Problem, said: str) -> None:
        solution = method.fit(problem)
        self.method_ = solution.method or method.name
        self.module_ = solution.module
        self.held_out_scores_ = solution.held_out
        self.cv_scores_ = dict(solution.cv_scores)
        self.chosen_ = solution.chosen
        self.cv_score_: float = self.cv_scores_.get(self.chosen_, float("nan"))
        self.held_out_labels_ = problem.y[problem.labelled]
        found = judge(
            self.task_,
            solution.held_out,
            self.held_out_labels_,
            temper=METHODS[self.method_].temper,
        )
        self.temperature_ = found.temperature
        self.accuracy_estimate_ = found.estimate
        self.summary_ = [said, *solution.said, *found.said]

    def _method(self) -> Method:
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        method = METHODS[self.method]
        for name in self._options().method_options or {}:
            if name not in method.options:
                known = ", ".join(sorted(method.options)) or "none"
                raise InputError(
                    f"method_options={name!r} is not an option of method={self.method!r}; its "
                    f"options: {known}."
                )
        return method

    def _check_method(self, method: Method, X: Array) -> None:
        method.check_task(self.task_.name, classes=isinstance(self.task_, SingleLabel))
        method.check_rows(X)
        method.check(
            Problem(
                x=torch.empty(0, *X.shape[1:]),
                y=np.empty(0, dtype=np.int64),
                labelled=np.empty(0, dtype=np.bool_),
                task=self.task_,
                autoencoder=self.autoencoder_,
                options=self._options(),
            )
        )

    def _options(self) -> Options:
        return Options(**{field.name: getattr(self, field.name) for field in fields(Options)})

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _reading(autoencoder: Autoencoder) -> dict[str, Any]:
    """Return how rows for this autoencoder are read: as long as the longest it was trained on."""
    if not networks.NETWORKS[autoencoder.network].is_sequence:
        return {}
    shape = getattr(autoencoder, "shape_", None)
    return {"sequences": True, "steps": shape and shape[0]}
