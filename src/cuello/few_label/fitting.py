"""The base of few-label estimators."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from cuello import kinds, networks
from cuello.arrays import Array, Float32s
from cuello.errors import Argument, CuelloWarning, InputError
from cuello.estimators.autoencoder import Autoencoder
from cuello.estimators.inputs import check_rows, check_shape, parse_augment
from cuello.estimators.network import in_batches
from cuello.estimators.options import RecordOptions
from cuello.few_label.base import METHODS, LearningProblem
from cuello.few_label.cross_validation import assess
from cuello.few_label.options import FewLabelOptions
from cuello.few_label.targets import Targets
from cuello.few_label.tasks import SingleLabel, Task

__all__ = ["FewLabelEstimator"]


_FEW_LABEL_OPTIONS = RecordOptions(FewLabelOptions)


@_FEW_LABEL_OPTIONS
class FewLabelEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What the classifier and the regressor share: options, training, and scores of samples."""

    def __init__(
        self,
        autoencoder: Autoencoder | None = None,
        *,
        method: str = "auto",
        task: str = "auto",
        head_loss: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
        **options: Any,
    ) -> None:
        self.autoencoder = autoencoder
        self.method = method
        self.task = task
        self.head_loss = head_loss
        self.random_state = random_state
        self.__dict__.update(_FEW_LABEL_OPTIONS.complete(options))

    def fit(self, X: Array, y: npt.ArrayLike, *, callbacks: object = None) -> Self:
        """Train the autoencoder on all samples, then the head on the labelled ones.

        Parameters
        ----------
        X : ndarray of shape (n, features), (n, height, width) or (n, channels, height, width)
            All samples.
        y : array-like of shape (n,) or (n, outputs)
            Labels. A sample without one: -1 for classes, NaN for numbers and several columns.
        callbacks : Callback, sequence of Callback, or None
            Called while training on labels; see :class:`cuello.train.Callback`.

        Raises
        ------
        InputError
            If an option is outside its range, or labels cannot be used; before training starts.
        """
        template = Autoencoder() if self.autoencoder is None else self.autoencoder
        X = check_rows(self, X, reset=True, **_reading_options(template))
        targets = self._read(X, y)
        method, options = METHODS[self.method], FewLabelOptions.read(self.get_params(deep=False))
        for name in options.method_options or {}:
            if name not in method.options:
                raise InputError(
                    ["is not an option of ", Argument("method", self.method)],
                    argument="method_options",
                    value=name,
                    allowed=", ".join(sorted(method.options)) or "none",
                )
        if options.augment != "auto":
            sequences = networks.NETWORKS[template.network_].is_sequence
            parse_augment(options.augment, X.shape[1:], sequences=sequences)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.task_: Task = targets.task
        self.autoencoder_ = clone(template)
        method.check_data(X, self.task_.name, classes=isinstance(self.task_, SingleLabel))
        method.check(self._problem(torch.empty(0, *X.shape[1:])))
        try:
            check_is_fitted(self.autoencoder_)
        except NotFittedError:
            has_classes = targets.y.dtype.kind == "i"
            if not has_classes and kinds.KINDS[template.kind_].needs_labels:
                raise InputError(
                    "learns from classes, and y holds none",
                    argument="kind",
                    value=template.kind,
                    remedy="choose another kind of autoencoder",
                ) from None
            start = self.autoencoder_.fit if method.pretrained else self.autoencoder_.initialize
            start(X, y if has_classes else None)
        used = slice(None) if method.uses_unlabelled else targets.labelled
        problem = self._problem(
            torch.from_numpy(self.autoencoder_.scaling_.apply(X[used])),
            y=targets.y[used],
            labelled=targets.labelled[used],
            seed=seed,
            callbacks=callbacks,
        )
        solution = method.fit(problem)
        self.method_ = solution.method or method.name
        self.module_ = solution.module
        self.held_out_scores_ = solution.held_out
        self.held_out_labels_ = problem.y[problem.labelled]
        self.cv_scores_ = dict(solution.cv_scores)
        self.chosen_ = solution.chosen
        self.cv_score_: float = solution.cv_score
        self.temperature_, self.accuracy_estimate_, summary = assess(
            self.task_,
            self.held_out_scores_,
            self.held_out_labels_,
            find_temperature=METHODS[self.method_].overconfident,
        )
        self.summary_ = [targets.summary, *solution.summary, *summary]
        for finding in self._findings(X):
            warnings.warn(finding, CuelloWarning, stacklevel=2)
        return self

    @abstractmethod
    def _read(self, X: Array, y: npt.ArrayLike | None) -> Targets:
        """Return the task and targets of labels."""

    def _findings(self, X: Array) -> list[str]:
        """Return problems of the trained network on samples, each in a sentence with the remedy."""
        return []

    def scores(self, X: Array) -> Float32s:
        """Return the network's scores of samples before activation (n, outputs).

        ``task_.link`` makes probabilities of them, or numbers in the labels' units.
        """
        check_is_fitted(self, "module_")
        X = check_rows(self, X, reset=False, **_reading_options(self.autoencoder_))
        check_shape(X, self.autoencoder_.shape_)
        scaling = self.autoencoder_.scaling_
        return in_batches(
            len(X),
            lambda a, b: self.module_(torch.from_numpy(scaling.apply(X[a:b]))),
            (self.task_.outputs,),
        )

    def build_module(self, seed: int = 0) -> nn.Module:
        """Return an untrained network like ``module_``, for stored weights."""
        problem = self._problem(torch.empty(0, *self.autoencoder_.shape_), seed=seed)
        return METHODS[self.method_].build(problem)

    def _problem(self, x: Tensor, **fields: Any) -> LearningProblem:
        options = FewLabelOptions.read(self.get_params(deep=False))
        return LearningProblem(
            x=x, task=self.task_, autoencoder=self.autoencoder_, options=options, **fields
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _reading_options(autoencoder: Autoencoder) -> dict[str, Any]:
    """Return how samples for this autoencoder are read: as long as the longest of its training."""
    if not networks.NETWORKS[autoencoder.network_].is_sequence:
        return {}
    shape = getattr(autoencoder, "shape_", None)
    return {"sequences": True, "steps": shape and shape[0]}
