"""A run served to a browser: a page, and what it cannot compute itself as JSON over HTTP."""

from __future__ import annotations

from cuello.server.app import create_app
from cuello.server.serving import Beside, serve

__all__ = ["Beside", "create_app", "serve"]
