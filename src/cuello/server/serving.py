"""Serve a run folder over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from cuello.errors import Argument, InputError
from cuello.run import Run, open_run
from cuello.run.folder import RunFolder
from cuello.server.app import create_app
from cuello.server.waiting import Waiting, status

__all__ = ["BackgroundServer", "app_for", "listen", "serve"]

_BACKLOG = 128
_PATIENCE = 5.0  # seconds, for responses that are under way


def app_for(path: Path, *, host: str = "127.0.0.1", trust_remote_code: bool = False) -> ASGIApp:
    """Return the application for a run folder, of a run that is finished or being trained.

    Raises
    ------
    CuelloError
        If the folder holds no run, or is damaged or not trusted.
    """
    folder = RunFolder(path)

    def open_finished() -> Run:
        return open_run(path, trust_remote_code=trust_remote_code)

    if status(folder) == "finished":
        return create_app(open_finished(), host=host)
    return Waiting(folder, open_finished, host)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    InputError
        If the host is not known, or the port is taken.
    """
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
        raise InputError(
            (
                Argument("host", host),
                " with ",
                Argument("port", port),
                f" is not available ({error})",
            ),
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
    """Serve a run until Ctrl-C.

    Parameters
    ----------
    path : Path
        The run folder.
    host : str
        Address to listen on; 127.0.0.1 is this machine alone.
    port : int
        0: a free one.
    trust_remote_code : bool
        Whether user-defined networks, which the folder only names, may be imported and run.
    report_address : callable
        Called with the address.

    Raises
    ------
    CuelloError
        If the run cannot be opened, or host and port are not available.
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
    """A server in a thread of its own, on this machine alone and a free port.

    Parameters
    ----------
    path : Path
        The run folder; it need not hold a run before :meth:`start`.
    trust_remote_code : bool
        As for :func:`serve`.

    Raises
    ------
    InputError
        If no port is free.
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
        """Start to serve; the folder must hold a run now.

        Raises
        ------
        CuelloError
            If it holds none, or a damaged one.
        """
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
