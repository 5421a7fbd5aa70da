"""What a mode of learning from few labels is given, what it returns, and the registry of modes.

A mode is one file in ``modes``: a final class below :class:`Mode`, entered by :func:`register`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cuello.data.augment import Augment
from cuello.errors import InputError
from cuello.estimators import Autoencoder
from cuello.few_label.task import SingleLabel, Task
from cuello.train import Callbacks, Rows, TrainingConfig

__all__ = ["METHODS", "Method", "Options", "Problem", "Solution", "register"]

Array = npt.NDArray[Any]

_STEPS = 150
WEIGHT_DECAY = 0.01


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the estimators that every mode can read; see :class:`FewLabelClassifier`.

    Raises
    ------
    InputError
        If a value is outside its range.
    """

    encoder_lr_factor: float = 0.1
    learning_rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03)
    cv: int = 3
    epochs: int | str = "auto"
    batch_size: int = 64
    weight_decay: float | str = "auto"
    layer_decay: float = 1.0
    head_hidden: int | None = None
    batch_norm: bool = False
    dropout: float = 0.0
    augment: str | None = "auto"
    device: str = "auto"
    precision: str = "auto"
    method_options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.encoder_lr_factor <= 1.0:
            raise InputError(
                f"encoder_lr_factor={self.encoder_lr_factor} must be above 0 and at most 1; "
                "method='linear_probe' keeps the encoder as it is."
            )
        if not len(self.learning_rates):
            raise InputError("learning_rates is empty; give one rate or more, such as (0.01,).")
        if self.cv < 2 and self.cv != 0:
            raise InputError(f"cv={self.cv} must be at least 2 folds, or 0 to hold nothing out.")
        if not 0.0 < self.layer_decay <= 1.0:
            raise InputError(
                f"layer_decay={self.layer_decay} must be above 0 and at most 1; 1 lets all blocks "
                "of the encoder learn alike."
            )
        if self.head_hidden is not None and self.head_hidden < 1:
            raise InputError(
                f"head_hidden={self.head_hidden} must be at least 1 unit; None is no hidden layer."
            )
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"dropout={self.dropout} must be a rate in [0, 1).")
        if self.batch_norm and self.batch_size == 1:
            raise InputError(
                "batch_norm=True needs batch_size=2 or more: a single row has no variance."
            )
        self.training(self.learning_rates[0], 1, 0)

    @property
    def plain_head(self) -> bool:
        """Whether the head is one linear layer, for which there are exact solvers."""
        return self.head_hidden is None and not self.batch_norm and self.dropout == 0.0

    @property
    def decay(self) -> float:
        """Weight decay: what is given, or the usual one.

        Raises
        ------
        InputError
            If it is another word than "auto".
        """
        decay = self.weight_decay
        if decay == "auto":
            return WEIGHT_DECAY
        if isinstance(decay, str):
            raise InputError(f"weight_decay={decay!r} must be a number from 0 on, or 'auto'.")
        return decay

    def training(self, rate: float, rows: int, seed: int) -> TrainingConfig:
        """Return how to fine-tune on so many labelled rows.

        Examples
        --------
        >>> Options(epochs="auto", batch_size=64).training(0.01, 100, seed=0).epochs
        75
        """
        batch_size = min(self.batch_size, rows) if self.batch_size > 0 else self.batch_size
        epochs = self.epochs
        if epochs == "auto":
            epochs = max(math.ceil(_STEPS / math.ceil(rows / max(batch_size, 1))), 20)
        if not isinstance(epochs, int | np.integer):
            raise InputError(f"epochs={epochs!r} must be a whole number from 1 on, or 'auto'.")
        return TrainingConfig(
            optimizer="adamw",
            learning_rate=rate,
            weight_decay=self.decay,
            epochs=int(epochs),
            batch_size=batch_size,
            device=self.device,
            precision=self.precision,
            seed=seed,
        )

    def augmentation(self) -> Augment | None:
        """Return what is done to images while fine-tuning, as far as that is given."""
        given = self.augment
        return None if given is None or given == "auto" else Augment.parse(given)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Rows, the labels of some of them, and how to learn.

    Parameters
    ----------
    x : Tensor
        (n, ...), scaled. All rows, or the labelled ones alone for a mode that looks at no others.
    y : ndarray
        What the task wants of each row, ``y[i]`` of row i; not to be read where unlabelled.
    labelled : ndarray of bool, shape (n,)
        Which rows have a label.
    task : Task
        What labels say.
    autoencoder : Autoencoder or None
        Fitted; None for a mode that needs none.
    options : Options
        Those of the estimator.
    seed : int
        New weights, folds, order of the rows and noise follow from it.
    callbacks : Callbacks or None
        Called while training.
    """

    x: Tensor
    y: Array
    labelled: npt.NDArray[np.bool_]
    task: Task
    autoencoder: Autoencoder | None
    options: Options = field(default_factory=Options)
    seed: int = 0
    callbacks: Callbacks | None = None

    def rows(self) -> Rows:
        """Return the labelled rows."""
        known = torch.from_numpy(np.flatnonzero(self.labelled))
        return Rows(self.x[known], torch.from_numpy(self.y)[known])

    def knowing(self, rows: npt.NDArray[np.int64]) -> Problem:
        """Return the same problem with the labels of these rows alone, the others unlabelled."""
        labelled = np.zeros_like(self.labelled)
        labelled[rows] = True
        return replace(self, labelled=labelled)

    def among(self, rows: npt.NDArray[np.int64]) -> Problem:
        """Return the same problem with these rows alone."""
        return replace(self, x=self.x[rows], y=self.y[rows], labelled=self.labelled[rows])

    @property
    def single_label(self) -> SingleLabel:
        """Return the task of a mode with ``single_label_only``."""
        assert isinstance(self.task, SingleLabel)
        return self.task

    def option(self, name: str, default: Any) -> Any:
        """Return one of the mode's own options."""
        return (self.options.method_options or {}).get(name, default)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """What a mode found.

    Parameters
    ----------
    module : nn.Module
        Gives scores (B, outputs) of scaled rows, before the link; on the CPU, in evaluation mode.
    held_out : ndarray of shape (labelled rows, outputs)
        Scores of each labelled row by a model that was not trained on it; NaN where there is none.
    cv_scores : dict
        How good each candidate, a number or a name, was on held-out folds; empty where nothing
        could be compared.
    chosen : float or str
        The chosen candidate.
    said : list of str
        What was chosen and why, in plain sentences.
    mode : str
        The mode that made the module, if it is another one than was asked for.
    """

    module: nn.Module
    held_out: npt.NDArray[np.float32]
    cv_scores: Mapping[Any, float]
    chosen: Any
    said: Sequence[str] = ()
    method: str = ""


class Method(ABC):
    """A way to learn from few labels.

    Examples
    --------
    One that always gives the most frequent class:

    >>> from cuello.few_label import FewLabelClassifier
    >>> class Constant(nn.Module):
    ...     def __init__(self, outputs):
    ...         super().__init__()
    ...         self.scores = nn.Parameter(torch.zeros(outputs))
    ...     def forward(self, x):
    ...         return self.scores.expand(len(x), -1)
    >>> class Majority(Method):
    ...     name, summary, pretrained = "majority", "the most frequent class", False
    ...     def build(self, problem):
    ...         return Constant(problem.task.outputs)
    ...     def fit(self, problem):
    ...         module = self.build(problem)
    ...         counts = np.bincount(problem.y[problem.labelled], minlength=problem.task.outputs)
    ...         module.scores.data = torch.from_numpy(counts / counts.sum()).float().log()
    ...         none = np.full((problem.labelled.sum(), problem.task.outputs), np.nan)
    ...         return Solution(module=module, held_out=none, cv_scores={}, chosen=0.0)
    >>> _ = register(Majority())
    >>> model = FewLabelClassifier(Autoencoder(latent_dim=2), method="majority", task="multiclass")
    >>> model.fit(np.eye(9, 6), [2, 1, 2, -1, -1, -1, 2, 1, 2]).predict(np.zeros((2, 6)))
    array([2, 2])
    >>> del METHODS["majority"]
    """

    name: str
    summary: str
    pretrained: bool = True
    """Whether it needs a trained autoencoder."""
    uses_unlabelled: bool = False
    """Whether it looks at rows without a label beside the autoencoder."""
    options: ClassVar[Mapping[str, str]] = {}
    """Its own options (``method_options``), each with what it is."""
    single_label_only: bool = False
    """Whether it can learn nothing but one class a row."""
    one_length: bool = False
    """Whether it cannot read sequences of different lengths, which hold NaN after their end."""
    temper: bool = True
    """Whether its probabilities may be too sure, and are given a temperature."""

    def check_rows(self, rows: Array) -> None:
        """Refuse rows that it cannot read, before anything is trained.

        Raises
        ------
        InputError
            If they are sequences of different lengths, and it reads none.
        """
        if self.one_length and rows.dtype.kind == "f" and np.isnan(rows).any():
            raise InputError(
                f"mode={self.name!r} reads sequences of one length, and some of these end earlier "
                "(NaN after their end); use method='auto', or cut or fill them."
            )

    def check_task(self, task: str, *, classes: bool) -> None:
        """Refuse a task that it cannot learn, before anything is trained.

        Parameters
        ----------
        task : str
            Its name.
        classes : bool
            Whether it gives each row one class.

        Raises
        ------
        InputError
            If it does not, and the mode learns nothing else.
        """
        if self.single_label_only and not classes:
            raise InputError(
                f"mode={self.name!r} passes classes on from row to row, and task={task!r} has "
                "none; use method='fine_tune_slow'."
            )

    def check(self, problem: Problem) -> None:  # noqa: B027
        """Refuse a value of its own options that is not allowed, before anything is trained.

        The problem has no rows: ``x`` has shape (0, ...).
        """

    @abstractmethod
    def fit(self, problem: Problem) -> Solution:
        """Learn from the labelled rows."""

    @abstractmethod
    def build(self, problem: Problem) -> nn.Module:
        """Return an untrained module like that of :meth:`fit`, for the weights of a stored one.

        The problem has no rows: ``x`` has shape (0, ...).
        """


METHODS: dict[str, Method] = {}


def register(method: Method) -> Method:
    """Enter a mode into ``METHODS`` under its name."""
    METHODS[method.name] = method
    return method
