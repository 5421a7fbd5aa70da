"""What a lab is: a published experiment, how it is run, and what is shown of it.

A lab is one file in this folder that ends in ``LAB = Lab(...)``; nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cuello.study.trials import Ran, Record, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Findings", "Lab", "Picture", "Progress", "Table"]

Progress = Callable[[str], None]
"""Told in a few words what is being done."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table on the page.

    Parameters
    ----------
    title : str
        What it compares.
    columns : sequence of str
        Heads, with units.
    rows : sequence of sequence
        Texts and numbers; a :class:`~cuello.study.summary.Spread` is shown as mean ± sd, None as –.
    note : str
        A sentence below.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure on the page, kept as PNG and SVG under its name.

    ``caption`` says what is to be seen, for those who do not see it too.
    """

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What came out.

    Parameters
    ----------
    verdict : str
        One sentence: whether the published statement holds, and the figures that say so.
    holds : bool or None
        The same as a mark; None where the measurements cannot tell.
    tables, pictures
        In the order of the page.
    """

    verdict: str
    holds: bool | None
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True, kw_only=True)
class Lab:
    """One published experiment.

    Parameters
    ----------
    name : str
        As on the command line.
    title : str
        One line.
    claim : str
        What was published, in a sentence or two, with its figures.
    source : str
        Who published it.
    protocol : mapping of str to str
        How it is run: what, and how much; shown on the page.
    trials : callable
        (quick) -> the trials, in order. Quick ones are few and small: under a minute in all.
    run : callable
        (trials) -> each with what was measured, as they finish. Plain numbers, texts and lists.
    show : callable
        (records, in the order of the trials) -> findings.
    data : sequence of str
        Named sets that it needs beyond those that come with cuello.
    """

    name: str
    title: str
    claim: str
    source: str
    protocol: Mapping[str, str]
    trials: Callable[[bool], list[Trial]]
    run: Callable[[list[Trial]], Ran]
    show: Callable[[list[Record]], Findings]
    data: Sequence[str] = field(default=())
