"""When two labels are one: other spellings, and typing errors."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["edit_distance", "fold_label", "is_typo", "near_misses", "whole_number"]

LONG = 5
"""Letters of a word from which on one different letter counts as a typing error."""
VERY_LONG = 8
"""Letters of a word from which two are."""
RARE, COMMON = 2, 4
"""A label of at most RARE samples may be an error; the right one is COMMON times as common."""


def is_typo(a: str, b: str) -> bool:
    """Check whether one letter was left out, added, changed, or swapped with the next.

    Only in a long word: "trousre" is an error, "type b" and "car" are other classes.
    """
    if a == b or min(len(a), len(b)) < LONG or abs(len(a) - len(b)) > 1:
        return False
    differing = (i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p != q)
    start = next(differing, min(len(a), len(b)))
    letters = (a[start : start + 1] + b[start : start + 1]).isalpha()
    # "type a" and "type b" are two classes: the word with the difference has to be long.
    words = [re.split(r"\W|_", w[:start])[-1] + re.split(r"\W|_", w[start:])[0] for w in (a, b)]
    return letters and min(map(len, words)) >= LONG - 1 and edit_distance(a, b) == 1


def fold_label(label: str) -> str:
    """Return a label without case and kinds of space, in which two spellings of it may differ."""
    return re.sub(r"[\s_-]+", " ", label).strip().casefold()


def whole_number(text: str) -> int | None:
    """Read a whole number (``7``, ``07``, ``7.0``), else None."""
    digits = re.fullmatch(r"([+-]?\d{1,15})(\.0*)?", text)
    return int(digits[1]) if digits else None


def near_misses(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return rare labels that look like a typing error of a common one, each with the nearest.

    Alike is the same but for case and spaces, one letter apart in a long word, or two in a very
    long one.
    """
    pairs = []
    for rare, few in counts.items():
        common = [
            label
            for label, rows in counts.items()
            if few <= RARE and rows >= COMMON * few and _near_miss(rare, label)
        ]
        if common:
            pairs.append((rare, min(common, key=lambda label: (edit_distance(rare, label), label))))
    return pairs


def edit_distance(a: str, b: str) -> int:
    """Count the letters to leave out, add, change, or swap with the next, to get from a to b."""
    two_back: list[int] = []
    back = list(range(len(b) + 1))
    for i, p in enumerate(a, start=1):
        row = [i]
        for j, q in enumerate(b, start=1):
            row.append(min(back[j] + 1, row[j - 1] + 1, back[j - 1] + (p != q)))
            if i > 1 and j > 1 and p == b[j - 2] and q == a[i - 2]:
                row[j] = min(row[j], two_back[j - 2] + 1)
        two_back, back = back, row
    return back[-1]


def _near_miss(a: str, b: str) -> bool:
    if a == b:
        return False
    short, other = fold_label(a), fold_label(b)
    if short == other or is_typo(short, other):
        return True
    # "type a" and "size a" are two classes: one word alone may differ, and it has to be very long.
    pairs = [(p, q) for p, q in zip(short.split(), other.split(), strict=False) if p != q]
    if len(short.split()) != len(other.split()) or len(pairs) != 1:
        return False
    (p, q) = pairs[0]
    words = p.isalpha() and q.isalpha() and min(len(p), len(q)) >= VERY_LONG
    return words and edit_distance(p, q) <= 2
