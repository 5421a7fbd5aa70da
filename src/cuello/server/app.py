"""The application: which address answers what."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel
from starlette.types import ASGIApp

import cuello
from cuello.data.sequences import pad
from cuello.errors import CuelloError, InputError
from cuello.run import Run
from cuello.run.folder import RunFolder
from cuello.server import schemas as s
from cuello.server.guard import Guard
from cuello.server.history import read_history
from cuello.server.labels import FILE
from cuello.server.problems import Refused, refusals
from cuello.server.session import Session
from cuello.web import page_html

__all__ = ["create_app", "new_app"]

_SAID = 3  # of many mistakes in one request


def create_app(run: Run, *, host: str = "127.0.0.1") -> ASGIApp:
    """Return an ASGI application that serves a run.

    Parameters
    ----------
    run : Run
        An opened run folder.
    host : str
        What it will listen on; any other name in a ``Host`` header is refused.

    Raises
    ------
    RunError
        If a file of the run is missing, damaged, or does not belong to the others.
    DataError
        If the labels that were given here before are damaged.
    """
    session = Session(run)
    app = new_app()
    _add_looking(app, session)
    _add_models(app, session)
    _add_rows(app, session)
    _add_labels(app, session)
    return Guard(app, host)


def new_app() -> FastAPI:
    """Return an application that answers nothing yet, and refuses as all here do."""
    app = FastAPI(
        title="cuello",
        version=cuello.__version__,
        description="A run: its networks, rows and labels.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # it would be loaded from elsewhere
        redoc_url=None,
    )
    app.get("/favicon.ico", include_in_schema=False, status_code=204)(lambda: None)  # browsers ask
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CuelloError, _complained)
    return app


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return JSONResponse({"detail": error.detail}, error.status)


def _complained(request: Request, error: Exception) -> JSONResponse:
    status = 422 if isinstance(error, InputError) else 409
    return JSONResponse({"detail": " ".join(str(error).split())}, status)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Say where and what; not the value, which may be large, or nothing that JSON can hold."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    said = [f"{_place(one['loc'])}: {one['msg']}" for one in found[:_SAID]]
    more = f"; and {len(found) - _SAID} more" if len(found) > _SAID else ""
    return JSONResponse({"detail": "; ".join(said) + more}, 422)


def _place(where: tuple[Any, ...]) -> str:
    first, *rest = where[1:] if len(where) > 1 and where[0] == "body" else where
    return str(first) + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in rest)


def _typed(endpoint: Callable[..., Any], body: type[BaseModel]) -> Callable[..., Any]:
    """Give an endpoint's body the type that this run asks for."""
    endpoint.__annotations__["body"] = body
    return endpoint


def _add_looking(app: FastAPI, session: Session) -> None:
    run, making = session.run, threading.Lock()
    made: list[str] = []

    def page() -> HTMLResponse:
        """Return the page."""
        with making:  # once, whoever asks first
            if not made:
                made.append(_page(run))
        return HTMLResponse(made[0])

    def info() -> s.Described:
        """Say what is served."""
        model, classes, refitted = session.answerer
        return s.Described(
            name=str(run.config["data"].get("name", "")),
            status="finished",
            kind=run.autoencoder.kind,
            network=run.autoencoder.network,
            shape=list(run.autoencoder.shape_),
            latent_dim=run.autoencoder.latent_dim_,
            task=run.task,
            classes=list(classes or run.classes),
            properties=list(run.properties),
            columns=_columns(run),
            rows=session.size,
            labelable_rows=session.own,
            classifier=None if model is None else model.method_,
            refitted=refitted,
            limits=s.Limits(),
        )

    def history(since: Annotated[int, Query(ge=0, le=2**31)] = 0) -> s.History:
        """Return the losses of every epoch."""
        return s.History(status="finished", epochs=read_history(run.folder)[since:])

    app.get("/", include_in_schema=False)(page)
    app.get("/api/info", responses=refusals())(info)
    app.get("/api/history", responses=refusals(409, 422))(history)


def _add_models(app: FastAPI, session: Session) -> None:
    rows_in, codes_in = s.rows_in(session.run), s.codes_in(session.run)
    size = session.run.autoencoder.shape_

    def rows_of(body: Any) -> Any:
        if not session.sequences:
            return np.asarray(body.rows, dtype=np.float32)
        return pad([np.asarray(row, dtype=np.float32) for row in body.rows], size[0])

    def lists(rows: Any) -> list[Any]:
        return [row.tolist() for row in session.trimmed(rows)]

    def encode(body: Any) -> s.Codes:
        """Return the code of each row."""
        return s.Codes(codes=session.encode(rows_of(body)).tolist())

    def decode(body: Any) -> s.Rows:
        """Return the row of each code."""
        return s.Rows(rows=lists(session.decode(np.asarray(body.codes, dtype=np.float32))))

    def reconstruct(body: Any) -> s.Rows:
        """Return each row after encoding and decoding."""
        return s.Rows(rows=lists(session.reconstruct(rows_of(body))))

    def classify(body: Any) -> s.Answers:
        """Return what labels say of each row."""
        found, classes = session.answers(rows_of(body))
        if found.ndim == 1:
            return s.Answers(
                classes=[], labels=None, probabilities=None, numbers=found.astype(float).tolist()
            )
        one_each = session.run.task == "multiclass"
        return s.Answers(
            classes=list(classes),
            labels=[classes[k] for k in found.argmax(axis=1)] if one_each else None,
            probabilities=found.tolist(),
            numbers=None,
        )

    def anomalies(body: Any) -> s.Strange:
        """Return how strange each row is."""
        return session.strange(rows_of(body))

    said = refusals(413, 415, 422)
    app.post("/api/encode", responses=said)(_typed(encode, rows_in))
    app.post("/api/decode", responses=said)(_typed(decode, codes_in))
    app.post("/api/reconstruct", responses=said)(_typed(reconstruct, rows_in))
    app.post("/api/classify", responses=refusals(409, 413, 415, 422))(_typed(classify, rows_in))
    app.post("/api/anomalies", responses=refusals(409, 413, 415, 422))(_typed(anomalies, rows_in))


def _add_rows(app: FastAPI, session: Session) -> None:
    def known(i: int) -> int:
        if not 0 <= i < session.size:
            raise Refused(404, f"row {i} does not exist; rows are 0 to {session.size - 1}.")
        return i

    def row(i: Annotated[int, Path(ge=0, lt=2**63)]) -> s.Row:
        """Return the values of one row of the run's data."""
        i = known(i)
        return s.Row(
            row=i,
            values=session.values(i).tolist(),
            name=None if session.names is None else session.names[i],
            part=session.parts[i],
            label=session.label(i),
        )

    def neighbours(
        i: Annotated[int, Path(ge=0, lt=2**63)],
        k: Annotated[int, Query(ge=1, le=s.MAX_NEIGHBOURS)] = 10,
    ) -> s.Neighbours:
        """Return the rows with the nearest codes."""
        near = session.neighbours(known(i), k)
        return s.Neighbours(
            row=i, neighbours=[s.Neighbour(row=j, distance=apart) for j, apart in near]
        )

    app.get("/api/rows/{i}", responses=refusals(404, 409, 422))(row)
    app.get("/api/neighbours/{i}", responses=refusals(404, 422))(neighbours)


def _add_labels(app: FastAPI, session: Session) -> None:
    def labels() -> s.Labels:
        """Return the labels there are: those learned from, and those given here."""
        return s.Labels(labels=session.labels.read(), file=FILE)

    def label(body: Any) -> s.Labels:
        """Give rows a class, or take it away, and save all labels."""
        if session.run.task != "multiclass":
            raise Refused(409, f"labels of task {session.run.task!r} are no classes to give here.")
        changes = [(one.row, one.label) for one in body.labels]
        return s.Labels(labels=session.labels.change(changes), file=FILE)

    def refit(body: s.RefitWish) -> s.Refit:
        """Fit a classifier to the labels there are; one at a time."""
        return session.refit(body.method)

    kind = s.labels_in(session.own, session.labels.classes)
    app.get("/api/labels", responses=refusals(409))(labels)
    app.post("/api/labels", responses=refusals(409, 413, 415, 422))(_typed(label, kind))
    app.post("/api/refit", responses=refusals(409, 413, 415, 422))(refit)


def _columns(run: Run) -> list[str]:
    columns = run.config["data"].get("encoding", {}).get("columns", ())
    return [str(column.get("name", "")) for column in columns if isinstance(column, dict)]


def _page(run: Run) -> str:
    """Return the page to explore a run, or its report where the page cannot be made."""
    try:
        return page_html(run)
    except CuelloError:  # the report needs nothing more
        return _report(run.folder)


def _report(folder: RunFolder) -> str:
    try:
        return folder.report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            404, f"{folder.report.name} cannot be read; write it again with `cuello report`."
        ) from error
