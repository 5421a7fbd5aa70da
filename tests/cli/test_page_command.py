"""`cuello page`: a file, or one line that says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_samples import Outcome


def test_page_of_one_run_and_of_two(
    cuello: Callable[..., Outcome], finished: Path, unlabelled: Path, tmp_path: Path
) -> None:
    said = cuello("page", finished, "-o", "one.html").out
    assert said.rstrip().endswith("MB: one.html")
    assert (tmp_path / "one.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "note: This run has no classifier." in cuello("page", finished, unlabelled).out
    assert "run and bare" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_is_no_place_for_a_page(refused: Callable[..., str], finished: Path) -> None:
    refused("page", finished, "-o", finished, saying=("--out", "is a folder"))
    refused("page", finished, "-o", "page.csv", saying=("--out page.csv", "page.html"))
    refused("page", finished, "-o", finished / "report.html", saying=("report of a run",))


def test_what_is_no_run(refused: Callable[..., str], finished: Path, tmp_path: Path) -> None:
    refused("page", tmp_path / "none", saying=("not a run folder",))
    (finished / "embeddings.parquet").write_text("damaged")
    refused("page", finished, saying=("embeddings.parquet cannot be used",))
    refused("page", finished, tmp_path / "none", saying=("not a run folder",))


@pytest.mark.parametrize("part", ["notes", "data", "job"])
def test_a_configuration_with_a_part_missing(
    refused: Callable[..., str], finished: Path, part: str
) -> None:
    config = json.loads((finished / "config.json").read_text(encoding="utf-8"))
    del config[part]
    (finished / "config.json").write_text(json.dumps(config), encoding="utf-8")
    refused("page", finished, saying=("config.json",))
