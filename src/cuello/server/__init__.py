"""A run over HTTP: the page, and as JSON the computations that a browser cannot do."""

from __future__ import annotations

from cuello.server.app import create_app
from cuello.server.serving import BackgroundServer, serve

__all__ = ["BackgroundServer", "create_app", "serve"]
