"""What a method of learning from few labels is given, what it returns, and the registry of methods.

A method is one file in ``methods``: a final class below :class:`Method`, entered in ``METHODS``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cuello.arrays import Array, Bools, Float32s, Indices
from cuello.errors import Argument, InputError, Use
from cuello.estimators import Autoencoder
from cuello.few_label.options import FewLabelOptions, MethodOptions
from cuello.few_label.task import SingleLabel, Task
from cuello.options import Option, read_options
from cuello.registry import Registry
from cuello.train import Callbacks, Rows

__all__ = ["METHODS", "LearningProblem", "Method", "Solution"]

OwnOptions = TypeVar("OwnOptions", bound=MethodOptions)


@dataclass(frozen=True, kw_only=True)
class LearningProblem:
    """Samples, the labels of some of them, and the options of learning.

    Parameters
    ----------
    x : Tensor
        (n, ...), scaled. All samples, or the labelled ones alone for a method that uses no others.
    y : ndarray
        Targets as the task wants them, ``y[i]`` of sample i; undefined where it has no label.
    labelled : ndarray of bool, shape (n,)
        Which samples have a label.
    task : Task
        The type of the labels.
    autoencoder : Autoencoder or None
        Fitted; None for a method that needs none.
    options : FewLabelOptions
        Those of the estimator.
    seed : int
        New weights, folds, order of the samples and noise follow from it.
    callbacks : Callbacks or None
        Called while training.
    """

    x: Tensor
    y: Array
    labelled: Bools
    task: Task
    autoencoder: Autoencoder | None
    options: FewLabelOptions = field(default_factory=FewLabelOptions)
    seed: int = 0
    callbacks: Callbacks | None = None

    def labelled_samples(self) -> Rows:
        """Return the samples that have a label, with it."""
        index = torch.from_numpy(np.flatnonzero(self.labelled))
        return Rows(self.x[index], torch.from_numpy(self.y)[index])

    def with_labels_of(self, index: Indices) -> LearningProblem:
        """Return the same problem with the labels of these samples alone, the others unlabelled."""
        labelled = np.zeros_like(self.labelled)
        labelled[index] = True
        return replace(self, labelled=labelled)

    def subset(self, index: Indices) -> LearningProblem:
        """Return the same problem with these samples alone."""
        return replace(self, x=self.x[index], y=self.y[index], labelled=self.labelled[index])

    @property
    def single_label(self) -> SingleLabel:
        """Return the task of a method with ``single_label_only``."""
        assert isinstance(self.task, SingleLabel)
        return self.task

    def method_options(self, declared: type[OwnOptions]) -> OwnOptions:
        """Return the options that one method declares."""
        return declared.read(self.options.method_options)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A trained module, and its cross-validation.

    Parameters
    ----------
    module : nn.Module
        Gives scores (B, outputs) of scaled samples, before activation; on the CPU, in evaluation
        mode.
    held_out : ndarray of shape (labelled samples, outputs)
        Scores of each labelled sample by a model that was not trained on it; NaN where there is
        none.
    cv_scores : dict
        Score of each candidate, a number or a name, on held-out folds; empty where nothing could be
        compared.
    chosen : float or str
        The chosen candidate.
    summary : list of str
        What was chosen and why, in plain sentences.
    method : str
        The method that made the module, if it is another one than was asked for.
    """

    module: nn.Module
    held_out: Float32s
    cv_scores: Mapping[Any, float]
    chosen: Any
    summary: Sequence[str] = ()
    method: str = ""

    @property
    def cv_score(self) -> float:
        """Score of the chosen candidate on held-out folds; NaN without folds."""
        return self.cv_scores.get(self.chosen, float("nan"))


class Method(ABC):
    """A method of learning from few labels, and all that others must know of it.

    Tables, reports, pages, command line and server read these attributes; nothing else names
    methods. Its learned arrays are those of its module: :meth:`arrays`, :meth:`restore`.

    Attributes
    ----------
    name : str
        As users type it.
    display_name : str
        As tables and reports show it.
    summary : str
        What it does, in a plain sentence.
    own_options : type of MethodOptions
        A dataclass of its options (``method_options``): name, type, default, help, range.
    pretrained : bool
        Whether it starts from a trained autoencoder.
    uses_unlabelled : bool
        Whether it reads samples without a label, beside the autoencoder's own training.
    single_label_only : bool
        Whether it can learn nothing but one class a sample.
    fixed_length : bool
        Whether it cannot read sequences of different lengths, which hold NaN after their end.
    overconfident : bool
        Whether its probabilities tend to be too high, so that they are given a temperature.
    compared_by_default : bool
        Whether a run compares it unasked: those that are quick.
    refittable : bool
        Whether it is quick enough to be fitted again while somebody waits, as the server does.

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
    ...     name, display_name, pretrained = "majority", "Majority", False
    ...     summary = "Gives every sample the most frequent class."
    ...     def build(self, problem):
    ...         return Constant(problem.task.outputs)
    ...     def fit(self, problem):
    ...         module = self.build(problem)
    ...         counts = np.bincount(problem.y[problem.labelled], minlength=problem.task.outputs)
    ...         module.scores.data = torch.from_numpy(counts / counts.sum()).float().log()
    ...         none = np.full((problem.labelled.sum(), problem.task.outputs), np.nan)
    ...         return Solution(module=module, held_out=none, cv_scores={}, chosen=0.0)
    >>> METHODS.add("majority", Majority())
    >>> model = FewLabelClassifier(Autoencoder(latent_dim=2), method="majority", task="multiclass")
    >>> model.fit(np.eye(9, 6), [2, 1, 2, -1, -1, -1, 2, 1, 2]).predict(np.zeros((2, 6)))
    array([2, 2])
    >>> METHODS.remove("majority")
    """

    name: str
    display_name: str
    summary: str
    own_options: ClassVar[type[MethodOptions]] = MethodOptions
    pretrained: bool = True
    uses_unlabelled: bool = False
    single_label_only: bool = False
    fixed_length: bool = False
    overconfident: bool = True
    compared_by_default: bool = False
    refittable: bool = False

    @property
    def options(self) -> Mapping[str, Option]:
        """Its options by name."""
        return read_options(self.own_options)

    def check_rows(self, X: Array) -> None:
        """Refuse samples that it cannot read, before anything is trained.

        Raises
        ------
        InputError
            If they are sequences of different lengths, and it reads none.
        """
        if self.fixed_length and X.dtype.kind == "f" and np.isnan(X).any():
            raise InputError(
                "reads sequences of one length, and some of these end earlier (NaN after their "
                "end)",
                argument="method",
                value=self.name,
                remedy=[Use("method", "auto"), ", or cut or fill them"],
            )

    def check_task(self, task: str, *, classes: bool) -> None:
        """Refuse a task that it cannot learn, before anything is trained.

        Parameters
        ----------
        task : str
            Its name.
        classes : bool
            Whether it gives each sample one class.

        Raises
        ------
        InputError
            If it does not, and the method learns nothing else.
        """
        if self.single_label_only and not classes:
            raise InputError(
                ["learns one class for each sample, and ", Argument("task", task), " has none"],
                argument="method",
                value=self.name,
                remedy=Use("method", "fine_tune_slow"),
            )

    def check(self, problem: LearningProblem) -> None:
        """Refuse values of its options that are not allowed, before anything is trained.

        The problem has no samples: ``x`` has shape (0, ...).
        """
        problem.method_options(self.own_options)

    @abstractmethod
    def fit(self, problem: LearningProblem) -> Solution:
        """Learn from the labelled samples."""

    @abstractmethod
    def build(self, problem: LearningProblem) -> nn.Module:
        """Return an untrained module like that of :meth:`fit`, for stored arrays.

        The problem has no samples: ``x`` has shape (0, ...).
        """

    def arrays(self, module: nn.Module) -> dict[str, Tensor]:
        """Return the learned arrays of a module that it made."""
        return dict(module.state_dict())

    def restore(self, problem: LearningProblem, arrays: Mapping[str, Tensor]) -> nn.Module:
        """Return the module that :meth:`arrays` came from."""
        module = self.build(problem)
        module.load_state_dict(dict(arrays))
        return module.eval()


METHODS: Registry[Method] = Registry("method")
