"""The page to explore a run: one HTML file in which its encoder and decoder run."""

from __future__ import annotations

from cuello.web.page import build_page, page_html

__all__ = ["build_page", "page_html"]
