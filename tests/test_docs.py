"""The docs list what there is, and can be built."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest
from sphinx.cmd.build import main

import cuello_labs as labs
from cuello import networks
from cuello.kinds import KINDS

DOCS = Path(__file__).parent.parent / "docs"


def cells(heading: str, page: str = "kinds.md") -> dict[str, str]:
    """First and second cell of each row of the table below a heading."""
    section = (DOCS / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1]
    lines = section.split("\n## ")[0].splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = takewhile(lambda line: line.startswith("|"), lines[head:])
    rows = [line for line in table if line.startswith("| `")]
    split = [row.replace("\\|", "/").strip("|").split(" | ") for row in rows]
    return {row[0].strip(" `"): row[1].strip(" `") for row in split}


def test_every_kind_is_listed_with_its_equation():
    equations = {name: KINDS[name].equation.replace("|", "/") for name in KINDS}
    assert cells("Kinds") == equations  # a table has no other way to show a "|"


def test_every_network_is_listed():
    assert set(cells("Networks")) == set(networks.NETWORKS)


def test_every_lab_is_listed_with_its_claim():
    claims = {name: labs.get(name).claim for name in labs.names()}
    assert cells("All labs", "labs.md") == claims


@pytest.mark.filterwarnings("ignore")  # Python's own, which are not those of the build
def test_the_pages_are_built_without_a_warning(tmp_path, capsys):
    options = ["-q", "-W", "--keep-going", "-b", "html"]
    code = main([*options, str(DOCS), str(tmp_path)])
    assert (code, capsys.readouterr().err) == (0, "")
    assert "model.project" in (tmp_path / "applications.html").read_text(encoding="utf-8")
