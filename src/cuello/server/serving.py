"""Serve a run folder over HTTP: the losses of a training, and the run once it is finished."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from cuello.arrays import Array
from cuello.errors import Argument, CuelloError, InputError
from cuello.estimators import Autoencoder
from cuello.formats import finite
from cuello.report.assets import data_uri, draw
from cuello.run import open_run
from cuello.run.folder import RunFolder
from cuello.run.sheets import to_pixels
from cuello.server import schemas as s
from cuello.server.app import create_app
from cuello.server.guard import Guard
from cuello.server.overview import overview_app, refusals

__all__ = ["BackgroundServer", "app_for", "listen", "serve"]

_BACKLOG = 128
_PATIENCE = 5.0  # seconds, for responses that are under way


def app_for(path: Path, *, host: str = "127.0.0.1", trust_remote_code: bool = False) -> ASGIApp:
    """Return the application for a run folder, of a run that is finished or being trained."""

    def create() -> ASGIApp:
        return create_app(open_run(path, trust_remote_code=trust_remote_code), host=host)

    folder = RunFolder(path)
    return create() if _status(folder) == "finished" else _Waiting(folder, create, host)


class _Waiting:
    """Shows the losses of a training, and passes requests on once the run is finished."""

    def __init__(self, folder: RunFolder, create: Callable[[], ASGIApp], host: str) -> None:
        self.folder, self.create = folder, create
        self.app: ASGIApp = Guard(_losses_app(folder, self.status), host)
        self.opened, self.problem = False, ""
        self._opening = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the losses, or the finished run."""
        if not self.opened and scope["type"] == "http" and _status(self.folder) == "finished":
            self._open()
        await self.app(scope, receive, send)

    def status(self) -> str:
        """Return ``running``, ``diverged``, ``finished``, or the error of a finished run."""
        return self.problem or _status(self.folder)

    def _open(self) -> None:
        with self._opening:
            if self.opened:
                return
            try:
                self.app, self.problem, self.opened = self.create(), "", True
            except CuelloError as error:
                self.problem = f"finished, but: {error}"


def _status(folder: RunFolder) -> str:
    state = str(folder.config()["status"])
    return state if state != "finished" or folder.is_complete else "running"


def _losses_app(folder: RunFolder, status: Callable[[], str]) -> FastAPI:
    config = folder.config()
    data, model = config["data"], Autoencoder(**config["job"]["model"])
    model.shape_ = tuple(data["shape"])

    def info() -> s.RunInfo:
        """Return the description of the training."""
        return s.RunInfo(
            name=data["name"],
            status=status(),
            kind=model.kind_,
            network=model.network_,
            shape=data["shape"],
            task=data["task"],
            classes=data["classes"],
            properties=data["properties"],
            columns=[str(one.get("name", "")) for one in data["encoding"].get("columns") or ()],
        )

    def progress() -> s.TrainingProgress:
        """Return what the training is at, and samples reconstructed so far."""
        told, arrays = folder.read_lines("progress.jsonl"), folder.read_arrays("preview.npz")
        epoch = arrays.pop("epoch", None)
        images = {name: _shown(values) for name, values in arrays.items()}
        record = told[0] if told else {}
        previewed = None if epoch is None else int(epoch)
        return s.TrainingProgress(previewed=previewed, **record | images)

    def not_yet(rest: str) -> None:
        raise HTTPException(409, f"the run is not ready ({status()}); /api/history has its losses.")

    app = overview_app(folder, lambda: draw("cuello.server/waiting.html"), info, status)
    app.get("/api/progress", responses=refusals(409))(progress)
    methods = ["GET", "POST"]
    app.api_route("/api/{rest:path}", methods=methods, include_in_schema=False)(not_yet)
    return app


def _shown(samples: Array) -> list[str] | list[list[float | None]]:
    """Return samples (n, ...) as images, in 0..1 where they are, or as numbers."""
    if samples.ndim > 2:
        return [data_uri(pixels) for pixels in to_pixels(samples)]
    return [[finite(value) for value in row] for row in samples.tolist()]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; an unknown host and a port in use are an InputError."""
    listening = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)  # who calls before the server runs waits, and is not refused
    except (OSError, UnicodeError) as error:
        if listening is not None:
            listening.close()
        where = (Argument("host", host), " with ", Argument("port", port))
        raise InputError(
            (*where, f" is not available ({error})"),
            remedy="choose another port, or 0 for a free one",
        ) from error
    return listening


def serve(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    trust_remote_code: bool = False,
    report_address: Callable[[str], object] = print,
) -> None:
    """Serve a run folder on a host and a port (0: a free one) until Ctrl-C.

    ``trust_remote_code`` lets user-defined networks, which the folder only names, be imported and
    run. ``report_address`` is called with the address. A run that cannot be opened, or a host and
    port that are not available, are a CuelloError.
    """
    app = app_for(path, host=host, trust_remote_code=trust_remote_code)
    listening = listen(host, port)
    report_address(_address(listening, host))
    try:
        _server(app).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # connections are closed already
    finally:
        listening.close()


class BackgroundServer:
    """A server in a background thread, on this machine alone and a free port.

    The folder need not hold a run before :meth:`start`. No free port is an InputError.
    """

    def __init__(self, path: Path, *, trust_remote_code: bool = False) -> None:
        self._path, self._trust = path, trust_remote_code
        self._listening = listen("127.0.0.1", 0)
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> str:
        """Address for a browser."""
        return _address(self._listening, "127.0.0.1")

    @property
    def started(self) -> bool:
        """Whether :meth:`start` was called."""
        return self._server is not None

    def start(self) -> None:
        """Start to serve; a folder that holds no run now, or a damaged one, is a CuelloError."""
        self._server = _server(app_for(self._path, trust_remote_code=self._trust))
        self._thread.start()

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            self._thread.join()

    def close(self) -> None:
        """Close all connections and stop."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(_PATIENCE)
        self._listening.close()

    def _run(self) -> None:
        assert self._server is not None
        self._server.run(sockets=[self._listening])


def _address(listening: socket.socket, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"


def _server(app: ASGIApp) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(app, log_level="warning", lifespan="off", server_header=False, ws="none")
    )
