"""The contract of methods of learning from few labels: problem, solution, method, and registry.

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
from cuello.few_label.tasks import SingleLabel, Task
from cuello.networks import NETWORKS
from cuello.options import Option, read_options
from cuello.registry import Registry

__all__ = ["METHODS", "LearningProblem", "Method", "Solution", "StoredSizes"]

Declared = TypeVar("Declared", bound=MethodOptions)


@dataclass(frozen=True, kw_only=True)
class LearningProblem:
    """Samples, the labels of some of them, and the options of learning."""

    x: Tensor
    """(n, ...), scaled. All samples, or the labelled ones alone for a method that uses no others;
    (0, ...) where options are checked or a stored module is rebuilt."""
    task: Task
    autoencoder: Autoencoder | None
    """Fitted; None for a method that needs none."""
    y: Array = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Targets as the task wants them, of each sample; undefined where it has no label."""
    labelled: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    """Which samples have a label, (n,)."""
    options: FewLabelOptions = field(default_factory=FewLabelOptions)
    seed: int = 0
    """New weights, folds, order of the samples and noise follow from it."""
    callbacks: object = None

    def labelled_samples(self) -> tuple[Tensor, Tensor]:
        """Return the samples that have a label, and their targets."""
        index = torch.from_numpy(np.flatnonzero(self.labelled))
        return self.x[index], torch.from_numpy(self.y)[index]

    def subset(self, index: Indices) -> LearningProblem:
        """Return the same problem with these samples alone."""
        return replace(self, x=self.x[index], y=self.y[index], labelled=self.labelled[index])

    @property
    def single_label(self) -> SingleLabel:
        """Return the task of a method with ``single_label_only``."""
        assert isinstance(self.task, SingleLabel)
        return self.task

    @property
    def is_image(self) -> bool:
        """Return whether samples are images: they have height and width, and are no sequences."""
        source = self.autoencoder
        sequences = source is not None and NETWORKS[source.network_].is_sequence
        return self.x.ndim in (3, 4) and not sequences

    def method_options(self, declared: type[Declared]) -> Declared:
        """Return the options that one method declares."""
        return declared.read(self.options.method_options)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A trained module, and its cross-validation."""

    module: nn.Module
    """Scores (B, outputs) of scaled samples, before activation; on the CPU, in evaluation mode."""
    held_out: Float32s
    """Scores (labelled samples, outputs) by models that were not trained on them; NaN for none."""
    cv_scores: Mapping[Any, float]
    """Score of each candidate, a number or a name, on held-out folds; empty without folds."""
    chosen: Any
    """The chosen candidate."""
    summary: Sequence[str] = ()
    """What was chosen and why, in plain sentences."""
    method: str = ""
    """The method that made the module, if it is another one than was asked for."""

    @property
    def cv_score(self) -> float:
        """Score of the chosen candidate on held-out folds; NaN without folds."""
        return self.cv_scores.get(self.chosen, float("nan"))


class Method(ABC):
    """A method of learning from few labels.

    Tables, reports, pages, command line and server read these attributes; nothing else names
    methods.

    Examples
    --------
    One that always gives the most frequent class:

    >>> from cuello.few_label import FewLabelClassifier
    >>> class Majority(Method):
    ...     name, display_name, pretrained = "majority", "Majority", False
    ...     summary = "Gives every sample the most frequent class."
    ...     def build(self, problem):
    ...         return nn.Linear(problem.x.shape[1], problem.task.outputs)
    ...     def fit(self, problem):
    ...         module = self.build(problem).requires_grad_(False)
    ...         counts = np.bincount(problem.y[problem.labelled], minlength=problem.task.outputs)
    ...         module.weight.zero_()
    ...         module.bias.copy_(torch.from_numpy(counts / counts.sum()).log())
    ...         none = np.full((problem.labelled.sum(), problem.task.outputs), np.nan)
    ...         return Solution(module=module, held_out=none, cv_scores={}, chosen=0.0)
    >>> METHODS.add("majority", Majority())
    >>> model = FewLabelClassifier(Autoencoder(latent_dim=2), method="majority", task="multiclass")
    >>> model.fit(np.eye(9, 6), [2, 1, 2, -1, -1, -1, 2, 1, 2]).predict(np.zeros((2, 6)))
    array([2, 2])
    >>> METHODS.remove("majority")
    """

    name: str
    """As users type it."""
    display_name: str
    """As tables and reports show it."""
    summary: str
    """What it does, in a plain sentence."""
    options_class: ClassVar[type[MethodOptions]] = MethodOptions
    """A dataclass of its options (``method_options``): name, type, default, help, range."""
    pretrained: bool = True
    """Whether it starts from a trained autoencoder."""
    uses_unlabelled: bool = False
    """Whether it reads samples without a label, beside the training of the autoencoder."""
    single_label_only: bool = False
    """Whether it can learn nothing but one class a sample."""
    tables_only: bool = False
    """Whether it is for rows of tables alone."""
    fixed_length: bool = False
    """Whether it cannot read sequences of different lengths, which hold NaN after their end."""
    overconfident: bool = True
    """Whether its probabilities tend to be too high, so that they are given a temperature."""
    is_baseline: bool = False
    """Whether every run compares it, as a baseline."""
    compared_on_request: bool = False
    """Whether a run compares it when a full comparison is asked for."""
    tried_by_auto: bool = False
    """Whether the method ``auto`` may choose it."""
    is_quick: bool = False
    """Whether it takes seconds, and so comes before those that take longer."""
    refittable: bool = False
    """Whether it is quick enough to be fitted again while somebody waits, as the server does."""

    @property
    def options(self) -> Mapping[str, Option]:
        """Its options by name."""
        return read_options(self.options_class)

    def check_data(self, X: Array, task: str, *, classes: bool) -> None:
        """Refuse samples and a task that it cannot learn, before anything is trained.

        ``classes`` is whether the task gives each sample one class.
        """
        if self.single_label_only and not classes:
            raise InputError(
                ["learns one class for each sample, and ", Argument("task", task), " has none"],
                argument="method",
                value=self.name,
                remedy=Use("method", "fine_tune_slow"),
            )
        if self.tables_only and X.ndim != 2:
            raise InputError(
                f"is for the columns of a table, and samples have shape {X.shape[1:]}",
                argument="method",
                value=self.name,
                remedy=Use("method", "auto"),
            )
        if self.fixed_length and X.dtype.kind == "f" and np.isnan(X).any():
            raise InputError(
                "reads sequences of one length, and some of these end earlier (NaN after their "
                "end)",
                argument="method",
                value=self.name,
                remedy=[Use("method", "auto"), ", or cut or fill them"],
            )

    def check(self, problem: LearningProblem) -> None:
        """Refuse options that are not allowed, before training, by a problem without samples."""
        problem.method_options(self.options_class)

    @abstractmethod
    def fit(self, problem: LearningProblem) -> Solution:
        """Learn from the labelled samples."""

    @abstractmethod
    def build(self, problem: LearningProblem) -> nn.Module:
        """Return an untrained module like that of :meth:`fit`, for stored arrays.

        The problem has no samples.
        """


class StoredSizes(nn.Module):
    """A module whose buffers take the sizes of stored ones: only they tell how much was learned."""

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **options: Any) -> Any:
        """Load buffers of any size."""
        buffers = dict(self.named_buffers())
        for name in self.state_dict():
            buffers[name].resize_(state_dict[name].shape)
        return super().load_state_dict(state_dict, *args, **options)


METHODS: Registry[Method] = Registry("method")
