"""`cuello study` and `cuello lab`: what they leave, what they refuse, how they go on."""

from __future__ import annotations

import json
import sys

import pytest

import cuello_labs as labs
from programs import halting, interrupt

GRID = """
data = "digits"
seeds = 2
[options]
kind = "plain"
hidden = [8]
epochs = 2
[grid]
latent_dim = [2, 3]
"""


@pytest.fixture
def grid(tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    return tmp_path


def test_a_study_leaves_table_figure_and_page(grid, cuello):
    outcome = cuello("study", "grid.toml")
    assert "2 " in outcome.out
    assert "page: studies/grid/index.html" in outcome.out
    folder = grid / "studies/grid"
    assert {path.name for path in folder.iterdir()} == {
        "figures",
        "index.html",
        "study.json",
        "table.csv",
        "trials.jsonl",
    }
    before = (folder / "trials.jsonl").read_bytes()
    cuello("study", "grid.toml")
    assert (folder / "trials.jsonl").read_bytes() == before


def test_the_best_becomes_a_run(grid, cuello):
    outcome = cuello("study", "grid.toml", "--refit", "best", "-o", "here")
    assert "best/report.html" in outcome.out
    assert "finished" in cuello("info", "best").out


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        (GRID.replace("latent_dim", "latent_dmi"), ("latent_dmi", "did you mean 'latent_dim'")),
        (GRID.replace("[2, 3]", "[]"), ("latent_dim=[]", "one value or more")),
        (GRID.replace("[2, 3]", "[2, 999]"), ("latent_dim", "999", "64")),
        (GRID.replace("[grid]", "[gird]"), ("gird", "did you mean 'grid'")),
        (GRID.replace('"digits"', '"digist"'), ("digist", "did you mean 'digits'")),
        (GRID.replace("data", "# data"), ('data = "digits"',)),
        ("data = ", ("is no TOML",)),
        (GRID.replace("seeds = 2", "seeds = 0"), ("seeds=0", "1 on")),
        (GRID.replace("epochs = 2", "epochs = 0"), ("epochs", "1 or more")),
    ],
)
def test_what_cannot_be_studied_is_one_line(tmp_path, refused, text, saying):
    (tmp_path / "bad.toml").write_text(text)
    refused("study", "bad.toml", saying=saying)


def test_flags_that_do_not_fit(grid, refused):
    refused("study", "none.toml", saying=("none.toml does not exist",))
    refused("study", "grid.toml", "--workers", "2", saying=("--workers is for a search",))
    refused("study", "grid.toml", "--workers", "0", saying=("--workers",))
    refused("study", "grid.toml", "--overwrite", saying=("--overwrite goes with --refit",))
    (grid / "test.toml").write_text(GRID.replace("seeds", 'measure = "test_mse"\nseeds'))
    refused("study", "test.toml", "--refit", "x", saying=("cannot be chosen on test samples",))


def test_a_study_does_not_replace_a_run(grid, cuello, refused):
    cuello("study", "grid.toml", "--refit", "best")
    refused("study", "grid.toml", "--refit", "best", saying=("best", "--overwrite"))


def test_labs_are_listed(cuello):
    listed = cuello("lab").out
    assert all(name in listed for name in labs.names())


def test_a_lab_leaves_its_page(tmp_path, cuello):
    outcome = cuello("lab", "font-epochs", "--quick")
    folder = tmp_path / "labs/font-epochs-quick"
    assert "page: labs/font-epochs-quick/index.html" in outcome.out
    result = json.loads((folder / "result.json").read_text())
    assert " ".join(result["verdict"].split()) in " ".join(outcome.out.split())


def test_labs_that_cannot_be_run(tmp_path, cuello, refused):
    refused("lab", "font-epoch", saying=("did you mean 'font-epochs'",))
    (tmp_path / "file").write_text("")
    outcome = cuello("lab", "font-epochs", "--quick", "-o", "file", code=2)
    assert outcome.err.count("\n") == 1


def test_another_protocol_is_not_mixed_in(tmp_path, cuello):
    cuello("lab", "font-epochs", "--quick")
    path = tmp_path / "labs/font-epochs-quick/protocol.json"
    path.write_text(path.read_text().replace("tanh", "relu"))
    assert "another protocol" in cuello("lab", "font-epochs", "--quick", code=2).err


HALTING = """
import runpy
from cuello.study import study
real, calls = study.measure, []

def halting(*arguments):
    calls.append(1)
    if len(calls) == 2:
        halt()
    return real(*arguments)

study.measure = halting
runpy.run_module("cuello", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_finished_trials(grid):
    with halting(grid, HALTING, "study", "grid.toml") as process:
        code, _, err = interrupt(process)
    assert code == 130, err
    assert "finished trials are kept" in err
    assert "Traceback" not in err
    kept = (grid / "studies/grid/trials.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in kept] == [0]  # of four trials
