"""A run over HTTP: the page, and as JSON what a browser cannot compute."""

from __future__ import annotations

from cuello.server.app import create_app
from cuello.server.serving import BackgroundServer, serve

__all__ = ["BackgroundServer", "create_app", "serve"]
