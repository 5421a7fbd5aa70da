"""Which rows of further data a run's detector finds strange, and what about them is."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.anomalies import AnomalyDetector
from cuello.anomalies.detector import COMBINED, check_contamination

__all__ = ["Found", "find", "reasons"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

_NAMED = 3
_CHUNK = 4096


@dataclass(frozen=True)
class Found:
    """How strange rows are.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        In powers of ten: of 2, one usual row in 100 is as strange.
    parts : dict of str to ndarray of shape (n,)
        The same by each single score.
    threshold : float
        Above it a row is an anomaly.
    said : str
        What the threshold rests on.
    """

    scores: Floats
    parts: dict[str, Floats]
    threshold: float
    said: str

    def summary(self) -> str:
        """Say how many anomalies there are, and how sure that is."""
        count = int((self.scores > self.threshold).sum())
        return f"{count} of {len(self.scores)} rows are anomalies ({self.said})"

    def cells(self, why: list[str]) -> list[list[str]]:
        """Return what is written of each row: score, anomaly or not, single scores, and why."""
        return [
            [
                f"{score:.4f}",
                "yes" if score > self.threshold else "no",
                *(f"{part[i]:.4f}" for part in self.parts.values()),
                why[i],
            ]
            for i, score in enumerate(self.scores)
        ]


def find(
    detector: AnomalyDetector,
    rows: Array,
    method: str,
    false_positive_rate: float,
    contamination: float | None,
) -> Found:
    """Return the scores of rows (n, ...), and the threshold that is asked for.

    Raises
    ------
    InputError
        If an option is outside its range.
    """
    check_contamination(contamination)
    detector = copy(detector).use(method=method, false_positive_rate=false_positive_rate)
    parts = detector.parts(rows)
    scores = parts[method]
    del parts[COMBINED]
    if contamination is None:
        _, low, high = detector.false_positive_rate_
        said = (
            f"{false_positive_rate:.2%} of usual rows may be: by {detector.held_out_rows_} "
            f"held-out rows between {low:.2%} and {high:.2%} are"
        )
        return Found(scores, parts, detector.threshold_, said)
    count = round(contamination * len(rows))
    ranked = np.sort(scores)[::-1]
    threshold = float(np.inf if count == 0 else ranked[min(count, len(rows) - 1)])
    return Found(scores, parts, threshold, f"{contamination:.2%} of the rows, as given")


def reasons(detector: AnomalyDetector, rows: Array, columns: tuple[str, ...]) -> list[str]:
    """Return what adds most to each row's reconstruction error, with its share: up to three."""
    shape = rows.shape[1:]
    said: list[str] = []
    for start in range(0, len(rows), _CHUNK):
        off = np.nan_to_num(detector.contributions(rows[start : start + _CHUNK]))
        flat = off.reshape(len(off), -1)
        shares = flat / np.maximum(flat.sum(axis=1, keepdims=True), 1e-12)
        most = np.argsort(-shares, axis=1, kind="stable")[:, :_NAMED]
        said += [
            ", ".join(f"{_place(k, shape, columns)} {row[k]:.0%}" for k in places)
            for row, places in zip(shares, most, strict=True)
        ]
    return said


def _place(k: int, shape: tuple[int, ...], columns: tuple[str, ...]) -> str:
    if len(shape) == 1:
        return columns[k] if k < len(columns) else f"column {k}"
    place = np.unravel_index(k, shape)
    if len(shape) == 2:
        return f"({place[0]} {place[1]})"
    return f"({' '.join(str(i) for i in place)})"
