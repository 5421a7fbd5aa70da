"""Commands as functions, and the folders they work on."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from cli_samples import SMALL, Outcome, picture, rows_of_three_classes, run, tree

from cuello.cli import fit
from cuello.cli.program import build_app
from cuello.few_label import FewLabelClassifier


@pytest.fixture(scope="session", autouse=True)
def _one_program() -> Iterator[None]:
    # A program reads the signatures of its commands once. Here it would for each of hundreds of
    # calls: more than half of the time of one that is refused.
    program = typer.main.get_command(build_app())
    build_fit = fit._build

    @functools.cache
    def fit_of(*choice: tuple[str, str]) -> object:
        return build_fit(dict(choice))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cuello.cli.program.build_app", lambda: program)
        patch.setattr(fit, "_build", lambda choice: fit_of(*choice.items()))
        yield


@contextmanager
def _quick_choices() -> Iterator[None]:
    # Hundreds of steps for each method, fold, rate and whatever else is left to held-out labels:
    # seconds that teach nothing here. The regressor has the same defaults.
    defaults: Any = FewLabelClassifier.__init__.__kwdefaults__
    quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quick.items():
            patch.setitem(defaults, name, value)
        yield


@pytest.fixture(scope="module", autouse=True)
def _short_fine_tuning() -> Iterator[None]:
    with _quick_choices():
        yield


@pytest.fixture
def cuello(tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs a command in the test's folder and checks its exit code."""

    def command(*arguments: object, code: int = 0) -> Outcome:
        outcome = run(tmp_path, *arguments)
        assert outcome.code == code, outcome
        assert "Traceback" not in outcome.err
        return outcome

    return command


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Return a function that expects a refusal: exit code 2, one line, nothing changed on disk.

    ``saying`` are pieces of text that the line has to hold.
    """

    def command(*arguments: object, saying: tuple[str, ...] = ()) -> str:
        before = tree(tmp_path)
        outcome = run(tmp_path, *arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("cuello: ")
        assert outcome.err.count("\n") == 1, outcome.err
        assert outcome.err.endswith("\n")
        assert [piece for piece in saying if piece not in outcome.err] == [], outcome.err
        assert tree(tmp_path) == before
        return outcome.err

    return command


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """60 rows of 6 numbers in three classes, as rows.npz."""
    X, y = rows_of_three_classes()
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    return tmp_path / "rows.npz"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Folder of 20 + 20 pictures in two class folders."""
    for i in range(40):
        folder = tmp_path / "pictures" / ("left", "right")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        picture(i % 2, i).save(folder / f"p{i:02}.png")
    return tmp_path / "pictures"


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    X, y = rows_of_three_classes()
    np.savez(folder / "rows.npz", X=X, y=y)
    for name, labels in (("labelled", ("--labels", 3, "--repeats", 2)), ("bare", ())):
        with _quick_choices():
            outcome = run(folder, "fit", "rows.npz", *SMALL, *labels, "--out", name)
        assert outcome.code == 0, outcome
    return folder


def _copy(run: Path, to: Path) -> Path:
    """Copy a run and its data, as if it had been made there."""
    shutil.copytree(run, to)
    shutil.copy(run.parent / "rows.npz", to.parent)
    config = (to / "config.json").read_text()
    (to / "config.json").write_text(config.replace(str(run.parent), str(to.parent)))
    return to


@pytest.fixture
def finished(finished_runs: Path, tmp_path: Path) -> Path:
    """Finished run on rows.npz with 3 labels, as the folder ``run``; its data beside it."""
    return _copy(finished_runs / "labelled", tmp_path / "run")


@pytest.fixture
def unlabelled(finished_runs: Path, tmp_path: Path) -> Path:
    """Finished run without labels, as the folder ``bare``; its data beside it."""
    return _copy(finished_runs / "bare", tmp_path / "bare")
