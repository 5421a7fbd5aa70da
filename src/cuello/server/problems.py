"""Errors over HTTP: a status, and a sentence with its facts as fields."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from cuello.errors import UNSET, CuelloError, InputError

__all__ = ["Problem", "add_error_handlers", "refusals"]

_MOST_MISTAKES = 3  # of many mistakes in one request
_MEANINGS: Final = {
    400: "The request is not understood, or its Host header names another machine.",
    403: "Asked by a page of another origin.",
    404: "There is no such sample.",
    409: "The run cannot do that, or not now.",
    413: "The request is too large.",
    415: "The body is not application/json.",
    422: "A value is not allowed.",
}


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


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these statuses, and of those any request may get."""
    every = sorted({400, 403, *statuses})
    return {one: {"model": Problem, "description": _MEANINGS[one]} for one in every}


def add_error_handlers(app: FastAPI) -> None:
    """Answer errors of cuello, and requests that do not fit, with a sentence."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CuelloError, _cuello_error)


def _cuello_error(request: Request, error: Exception) -> JSONResponse:
    """Answer with the sentence, and those of its facts that it has."""
    assert isinstance(error, CuelloError)
    facts = {
        "argument": error.argument,
        "value": "" if error.value is UNSET else str(error.value),
        "allowed": error.text_of("allowed"),
        "remedy": error.text_of("remedy"),
    }
    detail = {"detail": " ".join(str(error).split())}
    facts = {name: fact for name, fact in facts.items() if fact}
    return JSONResponse(detail | facts, 422 if isinstance(error, InputError) else 409)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Name the place and the mistake; not the value, which may be large, or not fit into JSON."""
    assert isinstance(error, RequestValidationError)
    mistakes = error.errors()
    texts = [f"{_place(one['loc'])}: {one['msg']}" for one in mistakes[:_MOST_MISTAKES]]
    more = len(mistakes) - len(texts)
    detail = "; ".join([*texts, *([f"and {more} more"] if more else [])])
    return JSONResponse({"detail": detail}, 422)


def _place(where: tuple[Any, ...]) -> str:
    first, *rest = where[1:] if len(where) > 1 and where[0] == "body" else where
    return str(first) + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in rest)
