"""The record of a lab: a published experiment, its protocol, its trials and its findings.

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
    """The findings of a lab.

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
        The published statement, in a sentence or two, with its figures.
    source : str
        Its publication.
    protocol : mapping of str to str
        Data, network, training and number of trials; shown on the page.
    trials : callable
        (quick) -> the trials, in order. Quick ones are few and small: under a minute in all.
    run : callable
        (trials) -> each with its measures, as they finish. Plain numbers, texts and lists.
    show : callable
        (records, in the order of the trials) -> findings.
    data : sequence of str
        Data sets that it needs beyond those that come with cuello.
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
