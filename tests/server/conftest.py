"""Runs, made once, and copies of them that a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from server_samples import Client, make

from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.server.serving import app_for


def shorten_fine_tuning(patch: pytest.MonkeyPatch) -> None:
    # Hundreds of steps for each method, fold, rate and whatever else is left to held-out labels:
    # seconds that teach nothing here.
    quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
    for model in (FewLabelClassifier, FewLabelRegressor):
        for name, value in quick.items():
            patch.setitem(model.__init__.__kwdefaults__, name, value)


@pytest.fixture(autouse=True)
def _short_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    # Undone after each test: tests of other packages may follow in the same process.
    shorten_fine_tuning(monkeypatch)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives a finished run of a kind; not to be changed."""
    known: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in known:
            with pytest.MonkeyPatch.context() as patch:  # the first to ask may be a whole module
                shorten_fine_tuning(patch)
                known[kind] = make(tmp_path_factory.mktemp("made"), kind)
        return known[kind]

    return of


@pytest.fixture
def run(made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that gives a copy of a run; its data stays where it was."""

    def of(kind: str) -> Path:
        return Path(shutil.copytree(made(kind), tmp_path / "run"))

    return of


@pytest.fixture
def client(run: Callable[[str], Path]) -> Callable[..., Client]:
    """Return a function that serves a copy of a run of a kind."""

    def of(kind: str, **options: str) -> Client:
        return Client(app_for(run(kind), **options))

    return of
