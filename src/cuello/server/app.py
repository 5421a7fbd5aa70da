"""The application of a finished run: the address of every request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, HTTPException, Path, Query
from pydantic import BaseModel
from starlette.types import ASGIApp

from cuello.anomalies.fitted import COMBINED
from cuello.arrays import Array
from cuello.data.sequences import pad
from cuello.errors import CuelloError
from cuello.run import Run
from cuello.server import schemas as s
from cuello.server.guard import Guard
from cuello.server.labels import LABELS_FILE
from cuello.server.overview import overview_app, refusals
from cuello.server.session import Session, refuse_infinite
from cuello.web import page_html

__all__ = ["create_app"]


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
    app = _start(session)
    _add_models(app, session)
    _add_samples(app, session)
    _add_labels(app, session)
    return Guard(app, host)


def _typed_route(endpoint: Callable[..., Any], body: type[BaseModel]) -> Callable[..., Any]:
    """Give an endpoint's body the type that this run asks for."""
    endpoint.__annotations__["body"] = body
    return endpoint


def _start(session: Session) -> FastAPI:
    run, lock = session.run, threading.Lock()
    pages: list[str] = []

    def page() -> str:
        with lock:  # once, for whichever request is first
            if not pages:
                pages.append(_page(run))
        return pages[0]

    def info() -> s.RunInfo:
        """Return the description of the run."""
        model, classes, refitted = session.predictor
        columns = run.config["data"].get("encoding", {}).get("columns", ())
        return s.RunInfo(
            name=str(run.config["data"].get("name", "")),
            status="finished",
            kind=run.autoencoder.kind_,
            network=run.autoencoder.network_,
            shape=list(run.autoencoder.shape_),
            latent_dim=run.autoencoder.latent_dim_,
            task=run.task,
            classes=list(classes or run.classes),
            properties=list(run.properties),
            columns=[str(one.get("name", "")) for one in columns if isinstance(one, dict)],
            samples=session.size,
            labelable=session.labelable,
            classifier=None if model is None else model.method_,
            refitted=refitted,
        )

    return overview_app(run.folder, page, info, status=lambda: "finished")


def _page(run: Run) -> str:
    """Return the page to explore a run, or its report where the page cannot be made."""
    try:
        return page_html(run)
    except CuelloError:  # the report needs nothing more
        report = run.folder.report
    try:
        return report.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HTTPException(
            404, f"{report.name} cannot be read; write it again with `cuello report`."
        ) from error


def _add_models(app: FastAPI, session: Session) -> None:
    run, model = session.run, session.run.autoencoder

    def samples_of(body: Any) -> Array:
        if not run.is_of_sequences:
            return np.asarray(body.samples, dtype=np.float64)
        rows = [np.asarray(row, dtype=np.float32) for row in body.samples]
        padded: Array = pad(rows, model.shape_[0])
        return padded

    def answer(samples: Array) -> s.Samples:
        return s.Samples(samples=[row.tolist() for row in session.trimmed(samples)])

    def encode(body: Any) -> s.Embeddings:
        """Return the embedding of each sample."""
        embeddings = refuse_infinite(model.transform(samples_of(body)))
        return s.Embeddings(embeddings=embeddings.tolist())

    def decode(body: Any) -> s.Samples:
        """Return the sample of each embedding."""
        embeddings = np.asarray(body.embeddings, dtype=np.float32)
        return answer(refuse_infinite(model.inverse_transform(embeddings)))

    def reconstruct(body: Any) -> s.Samples:
        """Return each sample after encoding and decoding."""
        samples = samples_of(body)
        padding = np.isnan(samples) if run.is_of_sequences else False
        rebuilt = model.reconstruct(samples)
        refuse_infinite(np.where(padding, 0.0, rebuilt))
        return answer(rebuilt)

    def classify(body: Any) -> s.Predictions:
        """Return the predicted class, properties or number of each sample."""
        return session.predict(samples_of(body))

    def anomalies(body: Any) -> s.AnomalyScores:
        """Return the anomaly scores of each sample."""
        samples, detector = samples_of(body), run.detector
        if detector is None:
            raise HTTPException(409, "this run holds no anomaly detector: no sample was held out.")
        single = detector.single_scores(samples)
        lists = {name: refuse_infinite(values).tolist() for name, values in single.items()}
        return s.AnomalyScores(
            scores=lists.pop(COMBINED),
            anomalies=(single[COMBINED] > detector.threshold_).tolist(),
            threshold=detector.threshold_,
            single_scores=lists,
        )

    samples_in, embeddings_in = s.samples_in(run), s.embeddings_in(run)
    errors, no_model = refusals(413, 415, 422), refusals(409, 413, 415, 422)
    app.post("/api/encode", responses=errors)(_typed_route(encode, samples_in))
    app.post("/api/decode", responses=errors)(_typed_route(decode, embeddings_in))
    app.post("/api/reconstruct", responses=errors)(_typed_route(reconstruct, samples_in))
    app.post("/api/classify", responses=no_model)(_typed_route(classify, samples_in))
    app.post("/api/anomalies", responses=no_model)(_typed_route(anomalies, samples_in))


def _add_samples(app: FastAPI, session: Session) -> None:
    def check(i: int) -> None:
        if i >= session.size:
            raise HTTPException(
                404, f"sample {i} does not exist; there are 0 to {session.size - 1}."
            )

    def row(i: Annotated[int, Path(ge=0, lt=2**63)]) -> s.Sample:
        """Return one sample of the run's data."""
        check(i)
        return s.Sample(
            row=i,
            values=session.values(i).tolist(),
            name=None if session.names is None else session.names[i],
            split=session.splits[i],
            label=session.labels.read().get(i, session.data_labels[i]),
        )

    def neighbours(
        i: Annotated[int, Path(ge=0, lt=2**63)],
        k: Annotated[int, Query(ge=1, le=s.MAX_NEIGHBOURS)] = 10,
    ) -> s.NearestSamples:
        """Return the samples with the nearest embeddings."""
        check(i)
        return s.NearestSamples(row=i, neighbours=session.neighbours(i, k))

    app.get("/api/samples/{i}", responses=refusals(404, 409, 422))(row)
    app.get("/api/neighbours/{i}", responses=refusals(404, 422))(neighbours)


def _add_labels(app: FastAPI, session: Session) -> None:
    def labels() -> s.AllLabels:
        """Return all labels: those of the training, and those set here."""
        return s.AllLabels(labels=session.labels.read(), file=LABELS_FILE)

    def label(body: Any) -> s.AllLabels:
        """Set or remove labels, and save all of them."""
        if session.run.task != "multiclass":
            raise HTTPException(
                409, f"labels of task {session.run.task!r} cannot be set here, only classes."
            )
        changes = [(one.row, one.label) for one in body.labels]
        return s.AllLabels(labels=session.labels.change(changes), file=LABELS_FILE)

    def refit(body: s.RefitRequest) -> s.Refit:
        """Fit a classifier to all labels; one at a time."""
        return session.refit(body.method)

    kind = s.labels_in(session.labelable, session.labels.classes)
    errors = refusals(409, 413, 415, 422)
    app.get("/api/labels", responses=refusals(409))(labels)
    app.post("/api/labels", responses=errors)(_typed_route(label, kind))
    app.post("/api/refit", responses=errors)(refit)
