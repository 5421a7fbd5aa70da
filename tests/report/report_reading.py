"""What a test wants to know about a page: its tags and its data."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any


class Tree(HTMLParser):
    """The page's start tags, the text outside scripts, and the text of each script by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(dict(attrs).get("id") or "" if tag == "script" else tag)

    def handle_endtag(self, tag: str) -> None:
        self.open.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[self.open[-1]] = self.scripts.get(self.open[-1], "") + data
        elif self.cdata_elem != "style":
            self.text += data


def chart_data(page: str) -> dict[str, Any]:
    return json.loads(Tree(page).scripts["data"])


def section(page: str, anchor: str) -> str:
    found = re.search(f'<section id="{anchor}".*?</section>', page, re.DOTALL)
    assert found, anchor
    return found.group()
