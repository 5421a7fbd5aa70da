"""`load`: data by the name of a set or the path of a file or folder."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cuello.data.dataset import TASK_NAMES, Dataset
from cuello.data.readers import READERS, reader_of
from cuello.data.readers.base import join_names
from cuello.data.sets import NAMED_SETS
from cuello.errors import Argument, DataError, InputError, Use, unknown

__all__ = ["load"]

ENCODINGS = ("images", "table")


def load(
    spec: str | Path,
    *,
    image_size: int | tuple[int, int] | None = None,
    label_column: str | None = None,
    task: str | None = "auto",
    skip_bad: bool = False,
    encoding: Mapping[str, Any] | None = None,
    offline: bool = False,
    allow_nan: bool = False,
    **options: Any,
) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    spec : str or Path
        The name of a set (``digits``, ``font:lower``; see :data:`cuello.data.NAMED_SETS`), or the
        path of a file or folder in one of the formats of :data:`cuello.data.READERS`. A name wins
        over a file of that name: write ``./mnist`` for the file.
    image_size : int or (int, int), optional
        Height and width to bring image files to; one number for a square.
    label_column : str, optional
        Column of a table that holds the labels, or several columns of 0 and 1 with commas between
        them. Default: one named label, class, target or y. ``""``: no column does.
    task : str or None, default "auto"
        Task of the labels: ``multiclass`` or ``binary``, ``regression``, or ``multilabel``,
        columns of 0 and 1. ``auto``: multilabel for several columns; regression if one number in
        ten or more is not whole, and there are more than 50 different values, or fewer than three
        rows for each; otherwise multiclass. None: labels are not read.
    skip_bad : bool, default False
        Leave out image files and table rows that cannot be read, and count them in the notes.
    encoding : mapping, optional
        ``Dataset.encoding`` of the data a model was trained on: further files are read alike.
    offline : bool, default False
        Download nothing.
    allow_nan : bool, default False
        Let arrays hold NaN anywhere, for missing elements; tables may always.
    **options
        Options that a reader has beyond these.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If the name is unknown or an option is not allowed.
    DataError
        If a file is missing, damaged, or holds what cannot be used.

    Examples
    --------
    >>> font = load("font")
    >>> font.X.shape, font.classes[:3]
    ((32, 7, 5), ('@', 'A', 'B'))
    """
    if task not in (None, *TASK_NAMES):
        raise unknown("task", task, TASK_NAMES)
    size, encoding = _check_size(image_size), encoding or {}
    if encoding and encoding.get("type") not in ENCODINGS:
        raise InputError(
            f"has type={encoding.get('type')!r}; it must be the encoding of a Dataset",
            argument="encoding",
            allowed=f"type {' or '.join(map(repr, ENCODINGS))}",
        )
    chosen = {"image_size": size, "label_column": label_column, **options}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    name, _, subset = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if name in NAMED_SETS:
        _check_options(f"data set {name!r}", (), chosen)
        named = NAMED_SETS[name]
        if subset and not named.subsets:
            raise InputError(f"data set {name!r} has no subsets; write {name!r} alone.")
        return _as_task(named.read(subset or "".join(named.subsets[:1]), offline), task)
    path = _existing(spec)
    reader = reader_of(path)
    takes = reader.options
    _check_options(str(path), tuple(takes), chosen)
    trained = encoding.get("type")
    if trained and reader.encoding and trained != reader.encoding:
        raise DataError(
            f"the model was trained on {trained}, this is {reader.encoding}", value=path
        )
    trained_size = tuple(encoding.get("size", ()))
    if size and trained_size and trained_size != size:
        raise InputError(
            f"is not the size of the training images, {trained_size}",
            argument="image_size",
            value=size,
            remedy=Use("image_size", None),
        )
    settings = {"task": task, "skip_bad": skip_bad, "encoding": encoding, "allow_nan": allow_nan}
    settings |= chosen
    return _as_task(reader.read(path, **{k: v for k, v in settings.items() if k in takes}), task)


def _as_task(data: Dataset, task: str | None) -> Dataset:
    """Return data whose class names became numbers, if the task is regression."""
    if task not in ("regression", "multilabel") or data.task == task or not data.classes:
        return data
    if task == "multilabel":
        raise DataError(
            (
                "has one label a sample; ",
                Argument("task", task),
                " needs columns of 0 and 1, one a property",
            ),
            value=data.source,
        )
    try:
        values = np.array([float(name) for name in data.classes])
    except ValueError:
        values = np.full(1, np.nan)
    if not np.isfinite(values).all():
        named = join_names(map(repr, data.classes), 3)
        raise DataError(
            (
                f"the labels are no numbers ({named}), and ",
                Argument("task", task),
                " learns numbers",
            ),
            value=data.source,
            remedy=(Use("task", "auto"), ", or pass a CSV of file-or-row,number as labels"),
        )
    y, y_test = (
        None if codes is None else np.where(codes >= 0, values[codes], np.nan)
        for codes in (data.y, data.y_test)
    )
    return replace(data, y=y, y_test=y_test, classes=())


def _existing(spec: str | Path) -> Path:
    path = Path(os.path.expanduser(spec))  # unlike Path's, never raises
    try:
        if str(spec) and path.exists():
            return path
    except (OSError, ValueError):
        pass  # a name that no file can have
    text = str(spec)
    like_a_path = isinstance(spec, Path) or path.suffix or os.sep in text or "/" in text
    if not like_a_path:
        error = unknown("data", text, NAMED_SETS)
        error.allowed = f"{error.allowed}, or the path of a file or folder"
        raise error
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        beside = []
    near = difflib.get_close_matches(path.name, beside, n=1)
    raise DataError(
        f"does not exist (seen from {Path.cwd()})",
        value=path,
        remedy=f"did you mean {path.parent / near[0]}?" if near else "",
    )


def _check_size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    pair = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(pair) != 2 or any(not 1 <= int(side) <= 65535 for side in pair):
        raise InputError(
            argument="image_size",
            value=image_size,
            allowed="one number of pixels, or (height, width), each from 1 to 65535",
            remedy=Use("image_size", 28),
        )
    return int(pair[0]), int(pair[1])


def _check_options(where: str, takes: tuple[str, ...], chosen: Mapping[str, Any]) -> None:
    """Refuse options that would be ignored."""
    for name in chosen:
        if name in takes:
            continue
        readers = [entry.display_name for entry in READERS.values() if name in entry.options]
        if not readers:
            raise unknown("option", name, {o for entry in READERS.values() for o in entry.options})
        raise InputError(
            f"is for {join_names(readers)}; {where} is none",
            argument=name,
            remedy=Use(name, None),
        )
