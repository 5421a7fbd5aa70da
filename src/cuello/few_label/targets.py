"""Labels as they come from a user: which task they mean, and as the task wants them."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import assert_all_finite

from cuello.data.dataset import UNLABELLED
from cuello.data.spelling import near_misses
from cuello.errors import CuelloWarning, InputError, unknown
from cuello.estimators.inputs import class_codes
from cuello.few_label.task import (
    HEAD_LOSSES,
    TASKS,
    Binary,
    Multiclass,
    Multilabel,
    Regression,
    Task,
)

__all__ = ["CONSTANT", "Targets", "read_classes", "read_numbers"]

Array = npt.NDArray[Any]

CONSTANT = "property [0-9, ]+ is the same in every labelled row"
"""How the warning of such a property begins, for whoever says it by name."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What labels came to.

    Parameters
    ----------
    task : Task
        What they say.
    y : ndarray
        As the task wants them, one entry a row.
    labelled : ndarray of bool, shape (n,)
        Which rows have a label.
    classes : ndarray
        The labels that codes stand for; empty for numbers.
    said : str
        Why this task.
    """

    task: Task
    y: Array
    labelled: npt.NDArray[np.bool_]
    classes: Array
    said: str


def read_classes(X: Array, y: npt.ArrayLike | None, task: str) -> Targets:
    """Read classes, or with two columns or more which properties a row has.

    Parameters
    ----------
    X : ndarray
        The rows, for their number.
    y : array-like of shape (n,) or (n, outputs)
        Classes, -1 where a row has none; or 0 and 1, with rows of NaN where there is no label.
    task : str
        ``auto``, ``multiclass``, ``binary`` or ``multilabel``.

    Raises
    ------
    InputError
        If no row is labelled, all are labelled alike, or the task does not fit.

    Examples
    --------
    >>> found = read_classes(np.zeros((4, 2)), ["cat", "dog", -1, "dog"], "auto")
    >>> found.y, found.said
    (array([ 0,  1, -1,  1]), "Task 'binary': the labels are two classes.")
    """
    _check_task(task)
    if task == "regression":
        raise InputError("task='regression' is no task of a classifier; use FewLabelRegressor.")
    shape = np.asarray(y).shape
    if len(shape) > 1 and shape[1] > 1:
        return _read_several(X, y, task)
    if task == "multilabel":
        raise InputError(
            "task='multilabel' needs y with a column for each property, 0 or 1 (a row of NaN where "
            "there is no label); this y has one column; use task='auto'."
        )
    classes, codes = class_codes(X, y)
    if len(classes) < 2:
        raise InputError(
            f"y holds one class only ({classes[0]!s}); learning to tell classes apart needs "
            "labelled rows of two or more."
        )
    if task == "binary" and len(classes) > 2:
        raise InputError(
            f"task='binary' is for two classes; y holds {len(classes)}; use task='multiclass'."
        )
    labelled = codes != UNLABELLED
    _warn_of_typing_errors(classes, codes[labelled])
    two = len(classes) == 2
    what = "the labels are two classes" if two else f"the labels are {len(classes)} classes"
    chosen: Task = Binary() if two and task != "multiclass" else Multiclass(len(classes))
    return Targets(
        task=chosen, y=codes, labelled=labelled, classes=classes, said=_say(chosen, task, what)
    )


def read_numbers(X: Array, y: npt.ArrayLike | None, task: str, loss: str) -> Targets:
    """Read numbers, NaN where a row has no label, and standardise them.

    Raises
    ------
    InputError
        If no row or one is labelled, all are labelled alike, or an option does not fit.

    Examples
    --------
    >>> found = read_numbers(np.zeros((3, 2)), [1.0, 3.0, np.nan], "auto", "mse")
    >>> found.y, found.labelled
    (array([-1.,  1.,  0.], dtype=float32), array([ True,  True, False]))
    """
    _check_task(task)
    if task not in ("auto", "regression"):
        raise InputError(f"task={task!r} is no task of a regressor; use FewLabelClassifier.")
    loss = "mse" if loss == "auto" else loss
    if loss not in HEAD_LOSSES:
        raise unknown("head_loss", loss, ("auto", *HEAD_LOSSES))
    if y is None:
        # The middle of this sentence is what scikit-learn's own checks look for.
        raise InputError(
            "learning numbers requires y to be passed, but the target y is None; give fit a number "
            "for every row, NaN where it has none."
        )
    values = column_or_1d(_as_floats(y), warn=True)
    assert_all_finite(values, allow_nan=True, input_name="y")
    check_consistent_length(X, values)
    labelled = ~np.isnan(values)
    known = values[labelled]
    if len(known) < 2:
        plural = "" if len(known) == 1 else "s"
        raise InputError(
            f"y holds {len(known)} label{plural} (NaN is unlabelled); learning numbers "
            "needs two or more."
        )
    mean, scale = float(known.mean()), float(known.std())
    if not scale > 0.0:
        raise InputError(f"y holds the number {known[0]:g} only; there is nothing to learn.")
    if loss == "mape" and (known == 0).any():
        raise InputError(
            "head_loss='mape' divides by the labels, and one of them is 0; use 'mae' or 'huber'."
        )
    standard = np.where(labelled, (values - mean) / scale, 0.0).astype(np.float32)
    return Targets(
        task=Regression(mean=mean, scale=scale, loss=loss),
        y=standard,
        labelled=labelled,
        classes=np.empty(0),
        said=f"Task 'regression': the labels are numbers, {mean:.4g} ± {scale:.4g}; loss {loss}.",
    )


def _read_several(X: Array, y: Any, task: str) -> Targets:
    values = _as_floats(y)
    if values.ndim != 2:
        raise InputError(f"y has shape {values.shape}; give (n,) or (n, outputs).")
    if task not in ("auto", "multilabel"):
        raise InputError(
            f"task={task!r} is for one label a row; y has {values.shape[1]} columns; use "
            "task='multilabel'."
        )
    check_consistent_length(X, values)
    empty = np.isnan(values)
    labelled = np.asarray(~empty.any(axis=1))
    partly = np.flatnonzero(~labelled & ~empty.all(axis=1))
    if len(partly):
        raise InputError(
            f"y of row {partly[0]} is NaN in some columns ({len(partly)} such rows); give 0 or 1 "
            "for every property, or NaN for all of them: an unlabelled row."
        )
    known = values[labelled]
    if not np.isin(known, (0.0, 1.0)).all():
        raise InputError(
            "y with several columns must hold 0 and 1 alone: whether a row has each property; one "
            "class of many goes into one column."
        )
    if len(known) < 2:
        raise InputError(
            f"y holds {len(known)} labelled rows (NaN is unlabelled); label two or more."
        )
    alike = np.flatnonzero(known.min(axis=0) == known.max(axis=0))
    if len(alike):
        warnings.warn(
            f"property {', '.join(map(str, alike))} is the same in every labelled row, so nothing "
            "is learned of it; label rows with it and without.",
            CuelloWarning,
            stacklevel=4,
        )
    chosen = Multilabel(values.shape[1])
    what = f"the labels have {values.shape[1]} columns of 0 and 1"
    return Targets(
        task=chosen,
        y=np.nan_to_num(values).astype(np.float32),
        labelled=labelled,
        classes=np.arange(values.shape[1]),
        said=_say(chosen, task, what),
    )


def _as_floats(y: Any) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"y must hold numbers ({error}); classes go into one column, to FewLabelClassifier."
        ) from None


def _check_task(task: str) -> None:
    if task not in ("auto", *TASKS):
        raise unknown("task", task, ("auto", *TASKS))


def _say(chosen: Task, task: str, what: str) -> str:
    return f"Task {chosen.name!r}: {'as asked for; ' if task != 'auto' else ''}{what}."


def _warn_of_typing_errors(classes: Array, codes: Array) -> None:
    texts = [label for label in classes.tolist() if isinstance(label, str)]
    if len(texts) < len(classes):
        return
    sizes = np.bincount(codes, minlength=len(texts)).tolist()
    counts = Counter(dict(zip(texts, sizes, strict=True)))
    for rare, common in near_misses(counts):
        warnings.warn(
            f"the label {rare!r} ({counts[rare]} rows) looks like a typing error of {common!r} "
            f"({counts[common]} rows); it is learned as a class of its own: correct it if it is "
            "none.",
            CuelloWarning,
            stacklevel=4,
        )
