"""The page of a lab, published figures and ours side by side, and the page that lists labs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cuello.study.figures import draw_document, picture_uri
from cuello_labs.base import Findings, Lab

__all__ = ["index_page", "lab_page"]

_MARKS = {True: "holds", False: "does not hold", None: "is not decided"}


def lab_page(lab: Lab, findings: Findings, figures: Path, *, quick: bool, trials: int) -> str:
    """Draw the page of one lab; its figures are read from their folder and put inside."""
    command = f"cuello lab {lab.name}{' --quick' if quick else ''}"
    return draw_document(
        "cuello_labs/lab.html",
        lab.title,
        lab=lab,
        findings=findings,
        mark=_MARKS[findings.holds],
        pictures=[
            (picture.caption, picture_uri(picture, figures)) for picture in findings.pictures
        ],
        protocol={**lab.protocol, "trials": f"{trials:,}", "repeat it": command},
        quick=quick,
    )


def index_page(labs: Sequence[tuple[Lab, Findings, str, bool]]) -> str:
    """Draw the page that lists labs: (lab, findings, address of its page, whether quick)."""
    return draw_document("cuello_labs/labs.html", "Labs", labs=labs, marks=_MARKS)
