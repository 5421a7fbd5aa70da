"""From a run folder to a server that listens."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from cuello.errors import InputError
from cuello.pipeline import Run, open_run
from cuello.server.app import create_app
from cuello.server.waiting import Waiting, status
from cuello.store import RunFolder

__all__ = ["app_for", "listen", "serve"]


def app_for(path: Path, *, host: str = "127.0.0.1", trust: bool = False) -> ASGIApp:
    """Return the application for a run folder, of a run that is finished or being trained.

    Raises
    ------
    CuelloError
        If the folder holds no run, or is damaged or not trusted.
    """
    folder = RunFolder(path)

    def open_it() -> Run:
        return open_run(path, trust=trust)

    if status(folder) == "finished":
        return create_app(open_it(), host=host)
    return Waiting(folder, open_it, host)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    InputError
        If the host is not known here, or the port is taken.
    """
    listening = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except (OSError, UnicodeError) as error:
        if listening is not None:
            listening.close()
        raise InputError(
            f"host={host!r} with port={port} cannot be listened on ({error}); take another port, "
            "or leave it out for a free one."
        ) from error
    return listening


def serve(
    path: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    trust: bool = False,
    say: Callable[[str], object] = print,
) -> None:
    """Serve a run until Ctrl-C.

    Parameters
    ----------
    path : Path
        The run folder.
    host : str
        What to listen on; 127.0.0.1 is this machine alone.
    port : int
        0: a free one.
    trust : bool
        Whether networks of your own, which the folder only names, may be imported and run.
    say : callable
        Is told the address.

    Raises
    ------
    CuelloError
        If the run cannot be opened, or host and port cannot be listened on.
    """
    app = app_for(path, host=host, trust=trust)
    listening = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{listening.getsockname()[1]}")
    config = uvicorn.Config(
        app, log_level="warning", lifespan="off", server_header=False, ws="none"
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # it has already said good-bye to everybody
    finally:
        listening.close()
