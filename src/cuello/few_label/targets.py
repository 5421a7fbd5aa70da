"""Labels as they come from a user: the task that follows from them, and its targets."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import assert_all_finite

from cuello.arrays import Array, Bools, Codes, Floats
from cuello.data.dataset import UNLABELLED
from cuello.data.spelling import near_misses
from cuello.errors import CuelloWarning, InputError, Use, unknown
from cuello.estimators.inputs import class_codes
from cuello.few_label.tasks import (
    HEAD_LOSSES,
    TASKS,
    Binary,
    Multiclass,
    Multilabel,
    Regression,
    Task,
)

__all__ = ["CONSTANT_PROPERTY", "Targets", "read_classes", "read_numbers"]

CONSTANT_PROPERTY = "property [0-9, ]+ is the same in every labelled sample"
"""Beginning of the warning of such a property, for whoever filters it."""


class Targets(NamedTuple):
    """Labels that were read: the task that follows from them, and its targets."""

    task: Task
    y: Array  # one entry a sample
    labelled: Bools  # which samples have a label
    classes: Array  # the labels by class code; empty for numbers
    summary: str  # why this task


def read_classes(X: Array, y: npt.ArrayLike | None, task: str) -> Targets:
    """Read classes, -1 where a sample has none, or from two columns or more properties.

    Properties are 0 and 1, rows of NaN where there is no label. Refuses labels that are all alike
    or do not fit the task, ``auto`` or one of a classifier; samples are needed for their number.
    """
    _check_task(task)
    if task == Regression.name:
        raise _misfit(task, "is no task of a classifier", "use FewLabelRegressor")
    shape = np.asarray(y).shape
    if len(shape) > 1 and shape[1] > 1:
        return _read_properties(X, y, task)
    if task == Multilabel.name:
        raise _misfit(
            task,
            "needs y with a column for each property, 0 or 1 (a row of NaN where there is no "
            "label), and this y has one column",
            Use("task", "auto"),
        )
    classes, codes = class_codes(X, y)
    if len(classes) < 2:
        problem = f"holds one class only ({classes[0]!s})"
        raise _unusable(problem, "learning to tell classes apart needs labels of two or more")
    if task == Binary.name and len(classes) > 2:
        problem = f"is for two classes, and y holds {len(classes)}"
        raise _misfit(task, problem, Use("task", Multiclass.name))
    labelled = codes != UNLABELLED
    _warn_of_typing_errors(classes, codes[labelled])
    two = len(classes) == 2
    why = f"the labels are {'two' if two else len(classes)} classes"
    chosen: Task = Binary() if two and task != Multiclass.name else Multiclass(len(classes))
    return Targets(chosen, codes, labelled, classes, _sentence_of_task(chosen, task, why))


def read_numbers(X: Array, y: npt.ArrayLike | None, task: str, loss: str) -> Targets:
    """Read numbers, NaN where a sample has no label, and standardise them.

    Refuses fewer than two labels, labels that are all alike, and options that do not fit them.
    """
    _check_task(task)
    if task not in ("auto", Regression.name):
        raise _misfit(task, "is no task of a regressor", "use FewLabelClassifier")
    loss = "mse" if loss == "auto" else loss
    if loss not in HEAD_LOSSES:
        raise unknown("head_loss", loss, ("auto", *HEAD_LOSSES))
    if y is None:
        # The middle of this sentence is what scikit-learn's own checks look for.
        raise InputError(
            "learning numbers requires y to be passed, but the target y is None; give fit a number "
            "for every sample, NaN where it has none"
        )
    values = column_or_1d(_as_floats(y), warn=True)
    assert_all_finite(values, allow_nan=True, input_name="y")
    check_consistent_length(X, values)
    labelled = ~np.isnan(values)
    labels = values[labelled]
    if len(labels) < 2:
        plural = "" if len(labels) == 1 else "s"
        problem = f"holds {len(labels)} label{plural} (NaN is unlabelled)"
        raise _unusable(problem, "learning numbers needs two or more")
    mean, scale = float(labels.mean()), float(labels.std())
    if not scale > 0.0:
        raise _unusable(f"holds the number {labels[0]:g} only", "there is nothing to learn")
    if loss == "mape" and (labels == 0).any():
        raise InputError(
            "divides by the labels, and one of them is 0",
            argument="head_loss",
            value=loss,
            remedy="use 'mae' or 'huber'",
        )
    standard = np.where(labelled, (values - mean) / scale, 0.0).astype(np.float32)
    chosen = Regression(mean=mean, scale=scale, loss=loss)
    summary = f"Task 'regression': the labels are numbers, {mean:.4g} ± {scale:.4g}; loss {loss}."
    return Targets(chosen, standard, labelled, np.empty(0), summary)


def _read_properties(X: Array, y: Any, task: str) -> Targets:
    values = _as_floats(y)
    if values.ndim != 2:
        raise _unusable(f"has shape {values.shape}", "give (n,) or (n, outputs)")
    if task not in ("auto", Multilabel.name):
        problem = f"is for one label a sample, and y has {values.shape[1]} columns"
        raise _misfit(task, problem, Use("task", Multilabel.name))
    check_consistent_length(X, values)
    empty = np.isnan(values)
    labelled = np.asarray(~empty.any(axis=1))
    partly = np.flatnonzero(~labelled & ~empty.all(axis=1))
    if len(partly):
        raise _unusable(
            f"of row {partly[0]} is NaN in some columns ({len(partly)} such rows)",
            "give 0 or 1 for every property, or NaN for all of them: an unlabelled sample",
        )
    labels = values[labelled]
    if not np.isin(labels, (0.0, 1.0)).all():
        raise _unusable(
            "with several columns must hold 0 and 1 alone: whether a sample has each property",
            "one class of many goes into one column",
        )
    if len(labels) < 2:
        problem = f"holds {len(labels)} labelled samples (NaN is unlabelled)"
        raise _unusable(problem, "label two or more")
    alike = np.flatnonzero(labels.min(axis=0) == labels.max(axis=0))
    if len(alike):
        warnings.warn(
            f"property {', '.join(map(str, alike))} is the same in every labelled sample, so "
            "nothing is learned of it; label samples with it and without.",
            CuelloWarning,
            stacklevel=4,
        )
    chosen, y = Multilabel(values.shape[1]), np.nan_to_num(values).astype(np.float32)
    why = f"the labels have {values.shape[1]} columns of 0 and 1"
    summary = _sentence_of_task(chosen, task, why)
    return Targets(chosen, y, labelled, np.arange(values.shape[1]), summary)


def _as_floats(y: Any) -> Floats:
    try:
        return np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        remedy = "classes go into one column, to FewLabelClassifier"
        raise _unusable(f"must hold numbers ({error})", remedy) from None


def _check_task(task: str) -> None:
    if task != "auto" and task not in TASKS:
        raise unknown("task", task, ("auto", *TASKS))


def _unusable(problem: str, remedy: str) -> InputError:
    return InputError(problem, argument="y", remedy=remedy)


def _misfit(task: str, problem: str, remedy: str | Use) -> InputError:
    return InputError(problem, argument="task", value=task, remedy=remedy)


def _sentence_of_task(chosen: Task, task: str, why: str) -> str:
    return f"Task {chosen.name!r}: {'as asked for; ' if task != 'auto' else ''}{why}."


def _warn_of_typing_errors(classes: Array, codes: Codes) -> None:
    texts = [label for label in classes.tolist() if isinstance(label, str)]
    if len(texts) < len(classes):
        return
    sizes = np.bincount(codes, minlength=len(texts)).tolist()
    counts = dict(zip(texts, sizes, strict=True))
    for rare, common in near_misses(counts):
        warnings.warn(
            f"the label {rare!r} ({counts[rare]} samples) looks like a typing error of {common!r} "
            f"({counts[common]} samples); it is learned as a class of its own: correct it if it is "
            "none.",
            CuelloWarning,
            stacklevel=4,
        )
