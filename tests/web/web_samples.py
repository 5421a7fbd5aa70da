"""Runs and their pages, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cuello import open_run
from cuello.run import Run
from cuello.web import page_html

EVIL = "<img src=x onerror=window.broken=1>"
"""As the name of a class, and so of a folder and of every row in it."""


@dataclass(frozen=True)
class Made:
    """Runs by name, and the page of each (``A B``: of two)."""

    folder: Path

    def run(self, name: str) -> Run:
        return open_run(self.folder / name)

    def page(self, names: str) -> Path:
        file = self.folder / f"{names}.html"
        if not file.exists():
            html = page_html(*map(self.run, names.split()))
            file.write_text(html, encoding="utf-8")
        return file
