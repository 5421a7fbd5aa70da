"""Trackers of experiments, read back from what their own packages wrote."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import cuello
from cuello import Autoencoder, CuelloWarning, InputError
from cuello.train import TRACKERS, Callback, Epoch, MLflow, TensorBoard, WandB
from cuello.train.trackers import tracker_of

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


def small(**options):
    return Autoencoder("plain", hidden=(8,), latent_dim=2, batch_size=20, **{"epochs": 3} | options)


def stop_after(epoch, error=KeyboardInterrupt):
    def stop(record):
        if record.epoch == epoch:
            raise error

    return Callback(on_epoch_end=stop)


def curves(history):
    """Return what a tracker is to hold of a training: values of each name, epoch by epoch."""
    lists = {"learning_rate": [epoch.learning_rate for epoch in history]}
    for split in ("train", "validation"):
        for name in ("reconstruction", "loss"):
            lists[f"{split}/{name}"] = [getattr(e, split)["reconstruction"] for e in history]
    return lists


def events(folder):
    read = EventAccumulator(str(folder)).Reload()
    scalars = {name: read.Scalars(name) for name in read.Tags()["scalars"]}
    return scalars, read


def matches(scalars, history):
    expected = curves(history)
    assert set(scalars) == set(expected)
    for name, values in expected.items():
        assert [point.step for point in scalars[name]] == list(range(len(history)))
        assert [point.value for point in scalars[name]] == pytest.approx(values, rel=1e-6)


def test_event_files_hold_each_epoch_and_the_options(tmp_path):
    model = small().fit(X, callbacks=TensorBoard(tmp_path))
    scalars, read = events(tmp_path)
    matches(scalars, model.history_)
    table = read.Tensors("options/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| latent_dim | 2 |" in table
    assert "| kind | plain |" in table
    assert "| epochs | 3 |" in table


def test_event_files_are_written_while_training(tmp_path):
    seen = []
    watch = Callback(
        on_epoch_end=lambda record: seen.append(len(events(tmp_path)[0]["train/loss"]))
    )
    small().fit(X, callbacks=[TensorBoard(tmp_path), watch])
    assert seen == [1, 2, 3]


def test_a_continued_training_goes_on_and_a_new_one_replaces(tmp_path):
    board, options = TensorBoard(tmp_path / "tb"), {"checkpoint": tmp_path / "part"}
    with pytest.raises(KeyboardInterrupt):
        small().fit(X, callbacks=[board, stop_after(0)], **options)
    matches_of = small().fit(X, callbacks=board, **options).history_
    matches(events(tmp_path / "tb")[0], matches_of)
    matches(events(tmp_path / "tb")[0], small().fit(X, callbacks=board).history_)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"  # takes seconds to make


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy, that MLflow earns
@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED")],
)
def test_mlflow_holds_the_run(tmp_path, database, error, status):
    tracker = MLflow(tracking_uri=database, experiment=status, run_name="one")
    model = small()
    if error is None:
        model.fit(X, callbacks=tracker)
    else:
        with pytest.raises(error):
            model.fit(X, callbacks=[tracker, stop_after(2, error)], checkpoint=tmp_path / "part")
        model.fit(X, checkpoint=tmp_path / "part")
    client = MlflowClient(tracking_uri=database)
    experiment = client.get_experiment_by_name(status).experiment_id
    (run,) = client.search_runs([experiment])
    assert (run.info.run_name, run.info.status) == ("one", status)
    assert run.data.params["latent_dim"] == "2"
    matches(
        {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics},
        model.history_,
    )
    if error is None:
        small(epochs=1).fit(X, callbacks=tracker)
        assert len(client.search_runs([experiment])) == 2


def test_mlflow_names_what_cannot_be_written_to(tmp_path):
    with pytest.raises(InputError, match=r"MLflow cannot be written to .*nowhere"):
        small().fit(X, callbacks=MLflow(tracking_uri=f"nowhere://{tmp_path}"))


class FakeWandB:
    """The part of wandb that is used, as it documents it; notes what is called."""

    def __init__(self):
        self.calls = []

    def init(self, **options):
        self.calls.append(("init", options))
        return SimpleNamespace(
            log=lambda values, *, step, commit: self.calls.append(("log", values, step, commit)),
            finish=lambda *, exit_code: self.calls.append(("finish", exit_code)),
        )


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandB()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_wandb_gets_the_run(wandb):
    tracker = WandB("tests", mode="offline", config={"note": "mine"})
    model = small(kind_options={"beta": 2.0}).set_params(kind="variational")
    model.fit(X, callbacks=tracker)
    (_, options), *logs, end = wandb.calls
    assert options["project"] == "tests"
    assert options["mode"] == "offline"
    assert options["config"].items() >= {"kind_options.beta": 2.0, "note": "mine"}.items()
    assert [step for _, _, step, _ in logs] == [0, 1, 2]
    assert all(commit for *_, commit in logs)
    assert logs[1][1]["validation/loss"] == pytest.approx(model.history_[1].loss)
    assert (
        logs[1][1].items() >= {f"train/{k}": v for k, v in model.history_[1].train.items()}.items()
    )
    assert end == ("finish", 0)


def test_wandb_is_told_of_an_interruption(wandb):
    with pytest.raises(KeyboardInterrupt):
        small().fit(X, callbacks=[WandB(), stop_after(1)])
    assert wandb.calls[-1] == ("finish", 1)


def test_a_tracker_that_fails_costs_no_training(wandb, monkeypatch):
    tracker = WandB()
    monkeypatch.setattr(tracker, "_log", lambda run, values, step: 1 / 0)
    with pytest.warns(CuelloWarning, match=r"WandB failed and gets nothing more \(division"):
        model = small().fit(X, callbacks=tracker)
    assert len(model.history_) == 3


@pytest.mark.parametrize(
    ("name", "called"), [*zip(TRACKERS, ("TensorBoard", "MLflow", "WandB"), strict=True)]
)
def test_a_missing_package_is_one_line(monkeypatch, name, called, tmp_path):
    def missing(module, *rest):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError) as caught:
        tracker_of(name, tmp_path)
    assert str(caught.value) == (
        f"{called} needs {name}, which is not installed; install it with: "
        f'pip install "cuello[{name}]".'
    )


def test_targets_of_trackers(wandb, tmp_path):
    assert tracker_of("tensorboard", tmp_path).folder == tmp_path / "tensorboard"
    assert tracker_of("tensorboard:a:b", tmp_path).folder.name == "a:b"
    assert tracker_of("mlflow:http://host:5000", tmp_path).tracking_uri == "http://host:5000"
    assert tracker_of("mlflow", tmp_path).run_name == tmp_path.name
    assert tracker_of("wandb:mine", tmp_path).options["project"] == "mine"
    with pytest.raises(InputError, match="log_to='mlfow' is not known; did you mean 'mlflow'"):
        tracker_of("mlfow", tmp_path)


def test_a_run_logs_into_its_folder(tmp_path):
    options = {"out": tmp_path / "run", "hidden": (8,), "latent_dim": 2, "epochs": 2}
    with pytest.raises(InputError, match="log_to='tensor' is not known"):
        cuello.fit("nothing that could be read", log_to="tensor", **options)
    folder = cuello.fit("font", log_to="tensorboard", **options)
    assert [e.value for e in events(folder.path / "tensorboard")[0]["train/loss"]] == pytest.approx(
        [sum(record["train"].values()) for record in folder.read_lines("history.jsonl")]
    )


def test_begin_and_end_are_called_once(tmp_path):
    calls = []
    told = Callback(
        on_train_begin=lambda options: calls.append((options["epochs"], options["initial_epoch"])),
        on_train_end=calls.append,
        on_epoch_end=lambda record: calls.append(type(record)),
    )
    small(epochs=2).fit(X, callbacks=told)
    assert calls == [(2, 0), Epoch, Epoch, None]
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        small(epochs=2).fit(X, callbacks=[told, stop_after(0)])
    assert isinstance(calls[-1], KeyboardInterrupt)
