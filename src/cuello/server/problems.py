"""Errors over HTTP: a status, and a sentence with its facts as fields."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from cuello.errors import UNSET, CuelloError

__all__ = ["Problem", "Refused", "problem_of", "refusals"]


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str
    argument: str | None = None
    """Name of the argument or option."""
    value: str | None = None
    allowed: str | None = None
    """Values that are allowed, in words."""
    remedy: str | None = None
    """What to do instead."""


def problem_of(error: CuelloError) -> dict[str, Any]:
    """Return an error as JSON: the sentence, and those of its facts that it has.

    Examples
    --------
    >>> from cuello.errors import InputError
    >>> problem_of(InputError(argument="k", value=0, allowed="1 or more"))["allowed"]
    '1 or more'
    """
    facts = {
        "argument": error.argument,
        "value": "" if error.value is UNSET else str(error.value),
        "allowed": error.text_of("allowed"),
        "remedy": error.text_of("remedy"),
    }
    sentence = " ".join(str(error).split())
    return {"detail": sentence} | {name: fact for name, fact in facts.items() if fact}


class Refused(Exception):  # noqa: N818
    """A request that is not answered.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        Why, and what to do instead.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


_MEANINGS: Final = {
    400: "The request is not understood, or its Host header names another machine.",
    403: "Asked by a page of another origin.",
    404: "There is no such sample.",
    409: "The run cannot do that, or not now.",
    413: "The request is too large.",
    415: "The body is not application/json.",
    422: "A value is not allowed.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these statuses, and of those any request may get."""
    every = sorted({400, 403, *statuses})
    return {one: {"model": Problem, "description": _MEANINGS[one]} for one in every}
