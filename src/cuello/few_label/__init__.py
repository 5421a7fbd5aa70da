"""Many rows, few labels: tasks, modes, and the estimators on top of them."""

from __future__ import annotations

from cuello.few_label import modes as modes
from cuello.few_label.base import MODES, Mode, Options, Problem, Solution, register
from cuello.few_label.estimator import FewLabelClassifier
from cuello.few_label.task import Classes, Task

__all__ = [
    "MODES",
    "Classes",
    "FewLabelClassifier",
    "Mode",
    "Options",
    "Problem",
    "Solution",
    "Task",
    "register",
]
