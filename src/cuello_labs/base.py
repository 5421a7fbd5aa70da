"""What a lab is: a published experiment, how it is run, and what is shown of it.

A lab is one file in this folder that ends in ``LAB = Lab(...)``; nothing else has to know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cuello.study.figures import Picture, Table
from cuello.study.trials import Ran, Record, Trial

__all__ = ["Findings", "Lab", "Picture", "Table"]


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
