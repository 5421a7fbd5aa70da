"""What every run answers, finished or still training: page, description, losses, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open

import cuello
from cuello.arrays import Record
from cuello.errors import UNSET, CuelloError, InputError, RunError
from cuello.run.folder import RunFolder
from cuello.server import schemas as s

__all__ = ["Problem", "overview_app", "read_history", "refusals"]

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


def overview_app(
    folder: RunFolder,
    page: Callable[[], str],
    info: Callable[[], s.RunInfo],
    status: Callable[[], str],
) -> FastAPI:
    """Return an application that answers with the page, the description and the losses of a run."""
    app = FastAPI(
        title="cuello",
        version=cuello.__version__,
        description="A run: its networks, samples and labels.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # it would be loaded from elsewhere
        redoc_url=None,
    )

    def history(since: Annotated[int, Query(ge=0, le=2**31)] = 0) -> s.Losses:
        """Return the losses of every epoch so far."""
        return s.Losses(status=status(), epochs=read_history(folder)[since:])

    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CuelloError, _cuello_error)
    app.get("/favicon.ico", include_in_schema=False, status_code=204)(lambda: None)  # browsers ask
    app.get("/", include_in_schema=False)(lambda: HTMLResponse(page()))
    app.get("/api/info", responses=refusals(409))(info)
    app.get("/api/history", responses=refusals(409, 422))(history)
    return app


def read_history(folder: RunFolder) -> list[Record]:
    """Return one record an epoch; NaN and infinity, which JSON does not have, are None."""
    epochs = folder.read_lines("history.jsonl")
    if not epochs:  # those since the checkpoint are told by the process that trains
        epochs = _from_checkpoint(folder)
        told = [epoch for one in folder.read_lines("progress.jsonl") for epoch in one["epochs"]]
        epochs += [one for one in told if one["epoch"] >= len(epochs)]
    plain: list[Record] = json.loads(json.dumps(epochs), parse_constant=lambda name: None)
    return plain


def _from_checkpoint(folder: RunFolder) -> list[Record]:
    file = folder.checkpoint
    try:
        with safe_open(file, framework="numpy") as f:
            return list(json.loads(f.metadata()["state"])["history"])
    except FileNotFoundError:
        return []
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error}); its losses cannot be read.") from error


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
