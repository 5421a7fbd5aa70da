"""The application: the address of every request."""

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
from cuello.server.labels import LABELS_FILE
from cuello.server.problems import Refused, problem_of, refusals
from cuello.server.session import Session
from cuello.web import page_html

__all__ = ["create_app", "new_app"]

_MOST_MISTAKES = 3  # of many mistakes in one request


def create_app(run: Run, *, host: str = "127.0.0.1") -> ASGIApp:
    """Return an ASGI application that serves a run.

    Parameters
    ----------
    run : Run
        An opened run folder.
    host : str
        Address that it will listen on; any other name in a ``Host`` header is refused.

    Raises
    ------
    RunError
        If a file of the run is missing, damaged, or does not belong to the others.
    DataError
        If the file of labels is damaged.
    """
    session = Session(run)
    app = new_app()
    _add_overview(app, session)
    _add_models(app, session)
    _add_samples(app, session)
    _add_labels(app, session)
    return Guard(app, host)


def new_app() -> FastAPI:
    """Return an application without addresses, with the errors that all share."""
    app = FastAPI(
        title="cuello",
        version=cuello.__version__,
        description="A run: its networks, samples and labels.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # it would be loaded from elsewhere
        redoc_url=None,
    )
    app.get("/favicon.ico", include_in_schema=False, status_code=204)(lambda: None)  # browsers ask
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CuelloError, _cuello_error)
    return app


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return JSONResponse({"detail": error.detail}, error.status)


def _cuello_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CuelloError)
    return JSONResponse(problem_of(error), 422 if isinstance(error, InputError) else 409)


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


def _typed(endpoint: Callable[..., Any], body: type[BaseModel]) -> Callable[..., Any]:
    """Give an endpoint's body the type that this run asks for."""
    endpoint.__annotations__["body"] = body
    return endpoint


def _add_overview(app: FastAPI, session: Session) -> None:
    run, lock = session.run, threading.Lock()
    pages: list[str] = []

    def page() -> HTMLResponse:
        """Return the page."""
        with lock:  # once, for whichever request is first
            if not pages:
                pages.append(_page(run))
        return HTMLResponse(pages[0])

    def info() -> s.RunInfo:
        """Return the description of the run."""
        model, classes, refitted = session.predictor
        return s.RunInfo(
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
            samples=session.size,
            labelable=session.labelable,
            classifier=None if model is None else model.method_,
            refitted=refitted,
            limits=s.Limits(),
        )

    def history(since: Annotated[int, Query(ge=0, le=2**31)] = 0) -> s.Losses:
        """Return the losses of every epoch."""
        return s.Losses(status="finished", epochs=read_history(run.folder)[since:])

    app.get("/", include_in_schema=False)(page)
    app.get("/api/info", responses=refusals())(info)
    app.get("/api/history", responses=refusals(409, 422))(history)


def _add_models(app: FastAPI, session: Session) -> None:
    samples_in, embeddings_in = s.samples_in(session.run), s.embeddings_in(session.run)
    size = session.run.autoencoder.shape_

    def samples_of(body: Any) -> Any:
        if not session.sequences:
            return np.asarray(body.samples, dtype=np.float32)
        return pad([np.asarray(row, dtype=np.float32) for row in body.samples], size[0])

    def lists(rows: Any) -> list[Any]:
        return [row.tolist() for row in session.trimmed(rows)]

    def encode(body: Any) -> s.Embeddings:
        """Return the embedding of each sample."""
        return s.Embeddings(embeddings=session.encode(samples_of(body)).tolist())

    def decode(body: Any) -> s.Samples:
        """Return the sample of each embedding."""
        return s.Samples(
            samples=lists(session.decode(np.asarray(body.embeddings, dtype=np.float32)))
        )

    def reconstruct(body: Any) -> s.Samples:
        """Return each sample after encoding and decoding."""
        return s.Samples(samples=lists(session.reconstruct(samples_of(body))))

    def classify(body: Any) -> s.Predictions:
        """Return the predicted class, properties or number of each sample."""
        values, classes = session.predict(samples_of(body))
        if values.ndim == 1:
            return s.Predictions(
                classes=[], labels=None, probabilities=None, numbers=values.astype(float).tolist()
            )
        single_label = session.run.task == "multiclass"
        return s.Predictions(
            classes=list(classes),
            labels=[classes[k] for k in values.argmax(axis=1)] if single_label else None,
            probabilities=values.tolist(),
            numbers=None,
        )

    def anomalies(body: Any) -> s.AnomalyScores:
        """Return the anomaly scores of each sample."""
        return session.anomaly_scores(samples_of(body))

    errors = refusals(413, 415, 422)
    app.post("/api/encode", responses=errors)(_typed(encode, samples_in))
    app.post("/api/decode", responses=errors)(_typed(decode, embeddings_in))
    app.post("/api/reconstruct", responses=errors)(_typed(reconstruct, samples_in))
    app.post("/api/classify", responses=refusals(409, 413, 415, 422))(_typed(classify, samples_in))
    app.post("/api/anomalies", responses=refusals(409, 413, 415, 422))(
        _typed(anomalies, samples_in)
    )


def _add_samples(app: FastAPI, session: Session) -> None:
    def checked(i: int) -> int:
        if not 0 <= i < session.size:
            raise Refused(404, f"sample {i} does not exist; there are 0 to {session.size - 1}.")
        return i

    def row(i: Annotated[int, Path(ge=0, lt=2**63)]) -> s.Sample:
        """Return one sample of the run's data."""
        i = checked(i)
        return s.Sample(
            row=i,
            values=session.values(i).tolist(),
            name=None if session.names is None else session.names[i],
            split=session.splits[i],
            label=session.label(i),
        )

    def neighbours(
        i: Annotated[int, Path(ge=0, lt=2**63)],
        k: Annotated[int, Query(ge=1, le=s.MAX_NEIGHBOURS)] = 10,
    ) -> s.NearestSamples:
        """Return the samples with the nearest embeddings."""
        nearest = session.neighbours(checked(i), k)
        return s.NearestSamples(
            row=i, neighbours=[s.NearestSample(row=j, distance=apart) for j, apart in nearest]
        )

    app.get("/api/samples/{i}", responses=refusals(404, 409, 422))(row)
    app.get("/api/neighbours/{i}", responses=refusals(404, 422))(neighbours)


def _add_labels(app: FastAPI, session: Session) -> None:
    def labels() -> s.AllLabels:
        """Return all labels: those of the training, and those given here."""
        return s.AllLabels(labels=session.labels.read(), file=LABELS_FILE)

    def label(body: Any) -> s.AllLabels:
        """Set or remove labels, and save all of them."""
        if session.run.task != "multiclass":
            raise Refused(
                409, f"labels of task {session.run.task!r} cannot be given here, only classes."
            )
        changes = [(one.row, one.label) for one in body.labels]
        return s.AllLabels(labels=session.labels.change(changes), file=LABELS_FILE)

    def refit(body: s.RefitRequest) -> s.Refit:
        """Fit a classifier to all labels; one at a time."""
        return session.refit(body.method)

    kind = s.labels_in(session.labelable, session.labels.classes)
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
