"""What a test wants to know about a page: its tags, its data, what it did in a browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass
class Visit:
    """An open page, and what it asked for and complained about."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def becomes(self, script: str, value: object) -> None:
        """Wait for a value; playwright's own way evaluates a string, which the page forbids."""
        end = time.monotonic() + 20
        while self.page.evaluate(script) != value and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        assert self.page.evaluate(script) == value

    def quiet(self) -> None:
        outside = [r for r in self.requests if not r.startswith(("data:", "blob:"))]
        assert outside == [self.address]
        assert self.problems == []


Visits = Callable[..., Visit]
