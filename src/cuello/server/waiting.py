"""A run in training: its losses so far, and the whole run once it is finished."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cuello.errors import CuelloError
from cuello.report.templates import draw
from cuello.run import Run
from cuello.run.folder import RunFolder
from cuello.server import schemas as s
from cuello.server.app import create_app, new_app
from cuello.server.guard import Guard
from cuello.server.history import read_history
from cuello.server.problems import Refused, refusals

__all__ = ["Waiting"]


class Waiting:
    """An ASGI application that shows losses, and serves the run once the training is finished.

    Parameters
    ----------
    folder : RunFolder
        Of a run that was started.
    open_finished : callable
        Opens the run once it is finished.
    host : str
        Address that it will listen on.
    """

    def __init__(self, folder: RunFolder, open_finished: Callable[[], Run], host: str) -> None:
        self.folder, self.open_finished, self.host = folder, open_finished, host
        self.app: ASGIApp = Guard(_losses_app(folder, self.state), host)
        self.opened, self.problem = False, ""
        self._opening = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the losses, or the finished run."""
        if not self.opened and scope["type"] == "http" and status(self.folder) == "finished":
            self._open()
        await self.app(scope, receive, send)

    def state(self) -> str:
        """Return ``running``, ``diverged``, ``finished``, or the error of a finished run."""
        return self.problem or status(self.folder)

    def _open(self) -> None:
        with self._opening:
            if self.opened:
                return
            try:
                self.app, self.problem = create_app(self.open_finished(), host=self.host), ""
                self.opened = True
            except CuelloError as error:
                self.problem = f"finished, but: {error}"


def status(folder: RunFolder) -> str:
    """Return the state of a run: ``running``, ``diverged`` or ``finished``."""
    state = str(folder.config()["status"])
    return state if state != "finished" or folder.is_complete else "running"


def _losses_app(folder: RunFolder, state: Callable[[], str]) -> FastAPI:
    app = new_app()
    config = folder.config()
    data, job = config["data"], config["job"]

    def page() -> HTMLResponse:
        """Return a page that shows the losses."""
        return HTMLResponse(draw("cuello.server/waiting.html"))

    def info() -> s.RunInfo:
        """Return the description of the training."""
        return s.RunInfo(
            name=data["name"],
            status=state(),
            kind=str(job["model"].get("kind", "")),
            network=str(job["model"].get("network", "")),
            shape=data["shape"],
            latent_dim=None,
            task=data["task"],
            classes=data["classes"],
            properties=data["properties"],
            columns=[],
            samples=0,
            labelable=0,
            classifier=None,
            refitted=False,
            limits=s.Limits(),
        )

    def history(since: Annotated[int, Query(ge=0, le=2**31)] = 0) -> s.Losses:
        """Return the losses of every epoch so far."""
        return s.Losses(status=state(), epochs=read_history(folder)[since:])

    def not_yet(rest: str) -> None:
        raise Refused(409, f"the run is not ready ({state()}); /api/history has its losses.")

    app.get("/", include_in_schema=False)(page)
    app.get("/api/info", responses=refusals(409))(info)
    app.get("/api/history", responses=refusals(409, 422))(history)
    methods = ["GET", "POST"]
    app.api_route("/api/{rest:path}", methods=methods, include_in_schema=False)(not_yet)
    return app
