"""What every run answers, finished or still training: its page, description and losses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import HTMLResponse
from safetensors import SafetensorError, safe_open

import cuello
from cuello.arrays import Record
from cuello.errors import RunError
from cuello.run.folder import RunFolder
from cuello.server import schemas as s
from cuello.server.problems import add_error_handlers, refusals

__all__ = ["overview_app", "read_history"]


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

    add_error_handlers(app)
    app.get("/favicon.ico", include_in_schema=False, status_code=204)(lambda: None)  # browsers ask
    app.get("/", include_in_schema=False)(lambda: HTMLResponse(page()))
    app.get("/api/info", responses=refusals(409))(info)
    app.get("/api/history", responses=refusals(409, 422))(history)
    return app


def read_history(folder: RunFolder) -> list[Record]:
    """Return one record an epoch, of a training that is finished or not.

    NaN and infinity, which JSON does not have, are None. A damaged file is a RunError.
    """
    epochs = folder.read_lines("history.jsonl") or _from_checkpoint(folder)
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
