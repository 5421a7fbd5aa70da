"""Searches: enough trials, shared by processes, continued, pruned, and better than their start."""

from __future__ import annotations

import json

import pytest

from cuello.errors import InputError, RunError
from cuello.study import Study, run_study
from cuello.study import search as module
from programs import STARTED

optuna = pytest.importorskip("optuna")

RECORD = {
    "data": "digits",
    "seeds": 1,
    "trials": 5,
    "options": {"kind": "plain", "hidden": [8], "epochs": 3, "latent_dim": 2},
    "search": {
        "learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
        "activation": ["relu", "tanh"],
        "batch_size": {"low": 32, "high": 256},
    },
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    study = Study.of(RECORD)
    return study, folder, run_study(study, folder)


def test_as_many_trials_as_asked_for(searched):
    study, folder, rows = searched
    assert len(rows) == 5
    for row in rows:
        assert 1e-5 <= row.varied["learning_rate"] <= 1e-1
        assert row.varied["activation"] in ("relu", "tanh")
        assert 32 <= row.varied["batch_size"] <= 256
        assert isinstance(row.varied["batch_size"], int)
    finished = [row.measured[study.measure].mean for row in rows if not row.pruned]
    assert finished == sorted(finished)
    assert "batch size" in (folder / "figures/study.svg").read_text()


def test_a_search_goes_on_where_it_stopped(searched, monkeypatch):
    study, folder, rows = searched
    tried = []
    real = module._run_trial
    monkeypatch.setattr(module, "_run_trial", lambda *a: tried.append(1) or real(*a))
    again = run_study(study, folder)
    assert tried == []
    assert [row.varied for row in again] == [row.varied for row in rows]
    more = run_study(Study.of(RECORD | {"trials": 7}), folder)
    assert (len(tried), len(more)) == (2, 7)


def test_two_processes_work_on_one_search(tmp_path, monkeypatch):
    # As new as any, but that their imports are done once for both.
    contexts = {"spawn": STARTED}
    monkeypatch.setattr(module.multiprocessing, "get_context", contexts.__getitem__)
    study = Study.of(RECORD | {"trials": 4})
    rows = run_study(study, tmp_path, workers=2)
    # The two may both begin the last trial.
    assert 4 <= len(rows) <= 5
    assert len({json.dumps(row.varied) for row in rows}) == len(rows)


def test_a_trial_that_lags_behind_is_stopped(searched):
    study, _, _ = searched

    class Lagging:
        def __init__(self):
            self.reported = []

        def report(self, value, epoch):
            self.reported.append((epoch, value))

        def should_prune(self):
            return len(self.reported) == 2

    from cuello.estimators import Autoencoder
    from cuello.study.study import estimator_options
    from cuello.train import Callback

    prepared, trial = study.prepare(), Lagging()
    model = Autoencoder(**estimator_options(study.options))
    callbacks = Callback(on_epoch_end=module._judge(trial, model, prepared, study))
    with pytest.raises(optuna.TrialPruned):
        model.fit(prepared.train, validation=prepared.validation, callbacks=callbacks)
    assert [epoch for epoch, _ in trial.reported] == [0, 1]
    assert all(0 < value < 1 for _, value in trial.reported)


def test_judging_on_the_way_changes_nothing(searched):
    import torch

    from cuello.estimators import Autoencoder
    from cuello.study.study import estimator_options
    from cuello.train import Callback

    study, _, _ = searched
    prepared = study.prepare()
    options = estimator_options(dict(study.options) | {"dropout": 0.2, "batch_norm": True})

    class Patient:
        def report(self, value, epoch):
            pass

        def should_prune(self):
            return False

    plain, judged = Autoencoder(**options), Autoencoder(**options)
    plain.fit(prepared.train, validation=prepared.validation)
    callbacks = Callback(on_epoch_end=module._judge(Patient(), judged, prepared, study))
    judged.fit(prepared.train, validation=prepared.validation, callbacks=callbacks)
    for a, b in zip(
        plain.module_.state_dict().values(), judged.module_.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)


def test_without_optuna_a_search_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install 'cuello\[search\]'"):
        run_study(Study.of(RECORD), tmp_path)


def test_a_damaged_journal_is_refused(tmp_path):
    (tmp_path / "journal.log").write_text("no journal\n{\n")
    with pytest.raises(RunError, match=r"journal\.log"):
        run_study(Study.of(RECORD), tmp_path)
