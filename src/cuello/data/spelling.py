"""When two labels are one: other spellings, and typing errors."""

from __future__ import annotations

import re

__all__ = ["folded", "is_typo", "whole"]

LONG = 5
"""Letters of a word from which one different letter is taken for a typing error."""


def is_typo(a: str, b: str) -> bool:
    """Whether one letter was left out, added, changed, or swapped with the next, in a long word.

    Examples
    --------
    >>> is_typo("trouser", "trousre"), is_typo("type a", "type b"), is_typo("cat", "car")
    (True, False, False)
    """
    if a == b or min(len(a), len(b)) < LONG or abs(len(a) - len(b)) > 1:
        return False
    start = next((i for i, (p, q) in enumerate(zip(a, b, strict=False)) if p != q), None)
    start = min(len(a), len(b)) if start is None else start
    tail_a, tail_b = a[start:], b[start:]
    letters = (tail_a[:1] + tail_b[:1]).isalpha()
    # "type a" and "type b" are two classes: the word with the difference has to be long.
    words = [
        re.split(r"[^\w]|_", w[:start])[-1] + re.split(r"[^\w]|_", w[start:])[0] for w in (a, b)
    ]
    swapped = tail_a[:2] == tail_b[1::-1] and tail_a[2:] == tail_b[2:]
    one = tail_a[1:] == tail_b[1:] or tail_a[1:] == tail_b or tail_a == tail_b[1:]
    return letters and min(map(len, words)) >= LONG - 1 and (one or swapped)


def folded(label: str) -> str:
    """Leave out what two spellings of one label may differ in: case, and kinds of space."""
    return re.sub(r"[\s_-]+", " ", label).strip().casefold()


def whole(text: str) -> int | None:
    """Read a whole number (``7``, ``07``, ``7.0``), else None."""
    found = re.fullmatch(r"([+-]?\d{1,15})(\.0*)?", text)
    return int(found[1]) if found else None
