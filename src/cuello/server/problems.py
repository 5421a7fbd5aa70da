"""What is refused over HTTP: a status and a sentence, as ``{"detail": ...}``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

__all__ = ["Problem", "Refused", "refusals"]


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Refused(Exception):  # noqa: N818
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    detail : str
        Why, and the way out.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


_MEANINGS: Final = {
    400: "The request is not understood, or its Host header names another machine.",
    403: "Asked by a page of another origin.",
    404: "There is no such row.",
    409: "The run cannot answer that, or not now.",
    413: "The request is too large.",
    415: "The body is not application/json.",
    422: "A value is not allowed.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of these statuses, and of those any request may get."""
    every = sorted({400, 403, *statuses})
    return {one: {"model": Problem, "description": _MEANINGS[one]} for one in every}
