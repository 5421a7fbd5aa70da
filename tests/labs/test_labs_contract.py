"""Every lab runs quickly, says what it found, shows it, and goes on where it stopped."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

import cuello_labs as labs
from cuello.data import NAMED_SETS
from cuello_labs.running import run_lab, write_index


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Run each lab once, when it is first asked for."""
    out = tmp_path_factory.mktemp("labs")
    done = {}

    def run(name):
        if name not in done:
            done[name] = run_lab(labs.get(name), out, quick=True)
        return done[name]

    return run


def test_all_published_experiments_are_there():
    required = """font-architecture font-learning-rate font-epochs font-latent font-new-letter
    font-denoising vae-latent linear-is-pca batch-norm dropout initialisation normalisation
    momentum depth convolution losses augmentation anomalies denoising generation reduction
    few-labels"""
    assert set(required.split()) <= set(labs.names())


@pytest.mark.parametrize("name", labs.names())
def test_each_is_described(name):
    lab = labs.get(name)
    assert lab.name == name
    assert lab.claim.endswith(".")
    assert lab.title
    assert lab.source
    assert lab.protocol
    assert set(lab.data) <= set(NAMED_SETS)
    assert len(lab.trials(False)) >= len(lab.trials(True)) > 0
    keys = [trial.key for trial in lab.trials(False)]
    assert len(set(keys)) == len(keys)


# Seconds each; `make test-all` runs the others, too.
IN_SECONDS = {"font-epochs", "font-learning-rate", "font-new-letter", "initialisation"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in IN_SECONDS else pytest.mark.long)
        for name in labs.names()
    ],
)
class TestLab:
    def test_says_what_it_found(self, name, ended):
        own = ended(name)
        verdict = own.findings.verdict
        assert verdict.endswith(".")
        assert re.search(r"\d", verdict), "a verdict has figures"
        assert "nan" not in verdict
        page = own.page.read_text()
        assert "This is a quick run" in page
        assert f"cuello lab {name} --quick" in page
        result = json.loads((own.page.parent / "result.json").read_text())
        assert result["holds"] is own.findings.holds

    def test_shows_it(self, name, ended):
        own = ended(name)
        assert own.findings.tables
        assert own.findings.pictures
        for table in own.findings.tables:
            assert {len(row) for row in table.rows} == {len(table.columns)}
        page = own.page.read_text()
        for picture in own.findings.pictures:
            figures = own.page.parent / "figures"
            assert (figures / f"{picture.name}.png").read_bytes()[:4] == b"\x89PNG"
            assert (figures / f"{picture.name}.svg").stat().st_size > 1000
            assert picture.caption.endswith(".")
            drawn, (width, height) = (
                picture.figure.get_tightbbox(),
                picture.figure.get_size_inches(),
            )
            assert drawn.x0 > -0.1, f"{picture.name} is cut off at the left"
            assert drawn.x1 < width + 0.1, f"{picture.name} is cut off at the right"
            assert drawn.y0 > -0.1, f"{picture.name} is cut off below"
            assert drawn.y1 < height + 0.1, f"{picture.name} is cut off above"
            for axes in picture.figure.axes:
                drawn = axes.axison and (axes.lines or axes.collections or axes.patches)
                # A legend or a bar of colours has no axes of its own to name.
                if drawn and axes.get_label() != "<colorbar>":
                    assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title(), picture.name
        assert page.count("data:image/png;base64,") == len(own.findings.pictures)
        assert "http" not in re.sub(r"data:image/png;base64,[^\"]*", "", page)

    def test_is_not_run_twice(self, name, ended, monkeypatch):
        own = ended(name)

        def never(missing):
            raise AssertionError("run again")

        lab = labs.get(name)
        again = run_lab(
            type(lab)(**{f: getattr(lab, f) for f in lab.__dataclass_fields__} | {"run": never}),
            own.page.parent.parent,
            quick=True,
        )
        assert again.findings.verdict == own.findings.verdict
        assert again.findings.holds == own.findings.holds

    def test_keeps_small_and_finite_records(self, name, ended):
        own = ended(name)
        path = own.page.parent / "trials.jsonl"
        assert path.stat().st_size < 3_000_000
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(records) == len(labs.get(name).trials(True))
        assert not any(math.isinf(v) for r in records for v in r.values() if isinstance(v, float))


def test_the_index_lists_what_was_run(ended):
    own = ended("font-epochs")
    page = write_index([own], own.page.parent.parent).read_text()
    assert 'href="font-epochs-quick/index.html"' in page
    assert "(quick)" in page
    assert isinstance(own.page, Path)
