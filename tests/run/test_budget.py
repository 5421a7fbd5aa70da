"""A time budget, by a clock that moves only when a test says so."""

from __future__ import annotations

import numpy as np
import pytest

import cuello
from cuello import Autoencoder, FewLabelClassifier, InputError
from cuello.options import Seconds
from cuello.run import few_labels
from cuello.run.job import Budget
from cuello.train import Callback, TrainingConfig
from cuello.train.many import why_not_stackable

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
SMALL = {"hidden": (8,), "epochs": 4, "batch_size": 64, "test": 0.2}


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        self.time += 1e-9  # no two moments are the same
        return self.time

    def spend(self, seconds):
        self.time += seconds


@pytest.fixture
def clock(monkeypatch):
    one = Clock()
    monkeypatch.setattr("cuello.clock.now", one)
    return one


def fit(clock, seconds, *more, checkpoint=None, **options):
    """Train where every epoch takes two seconds."""
    model = Autoencoder(
        "plain", hidden=(8,), latent_dim=2, batch_size=60, validation_fraction=0.0, **options
    ).set_params(max_time=seconds)
    tick = Callback(on_step_end=lambda done, total: clock.spend(2.0))
    return model.fit(X, callbacks=[tick, *more], checkpoint=checkpoint)


@pytest.mark.parametrize(("seconds", "epochs"), [(9.0, 4), (8.5, 4), (7.9, 3), (0.5, 1), (1e6, 20)])
def test_a_training_ends_with_the_last_epoch_that_fits(clock, seconds, epochs):
    assert len(fit(clock, seconds, epochs=20).history_) == epochs


def test_the_schedule_ends_with_it(clock):
    short, whole = fit(clock, 9.0, epochs=20), fit(clock, None, epochs=4)
    rates = [[epoch.learning_rate for epoch in model.history_] for model in (short, whole)]
    assert rates[0][1:] == rates[1][1:]


def test_a_continued_training_counts_what_it_took_before(clock, tmp_path):
    def stop(record):
        if record.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(clock, 9.0, Callback(on_epoch_end=stop), epochs=20, checkpoint=tmp_path / "part")
    clock.spend(1000.0)  # nobody worked meanwhile
    resumed = fit(clock, 9.0, epochs=20, checkpoint=tmp_path / "part")
    whole = fit(clock, 9.0, epochs=20)
    assert len(resumed.history_) == len(whole.history_) == 4
    assert np.array_equal(resumed.transform(X), whole.transform(X))


def test_an_epoch_that_takes_no_time_is_no_reason_to_stop(monkeypatch):
    monkeypatch.setattr("cuello.clock.now", lambda: 0.0)
    model = Autoencoder("plain", hidden=(8,), latent_dim=2, epochs=7, max_time=1.0).fit(X)
    assert len(model.history_) == 7


def test_networks_that_end_at_their_own_time_are_no_stack():
    network = Autoencoder("plain", hidden=(8,), latent_dim=2).initialize(X).module_
    assert "max_time" in why_not_stackable([network], [TrainingConfig(max_time=1.0)])


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "5m"])
def test_it_is_a_number_of_seconds(value):
    with pytest.raises(InputError, match=r"max_time=.* must be a finite number, above 0"):
        Autoencoder(max_time=value).fit(X)
    with pytest.raises(InputError, match=r"max_time=.* must be a finite number, above 0"):
        cuello.fit("nothing that could be read", max_time=value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("5m", 300), ("1H30M", 5400), ("1h1m1s", 3661)],
)
def test_times_as_they_are_typed(text, seconds):
    assert Seconds.read("max_time", text) == seconds


@pytest.mark.parametrize("text", ["", " ", "soon", "5 minutes", "m", "1m1h", "-5", "1e3"])
def test_other_texts_are_no_times(text):
    with pytest.raises(InputError, match=r"max_time=.* must be seconds above 0, or a time such as"):
        Seconds.read("max_time", text)


def run(clock, monkeypatch, out, seconds_of, max_time=100.0, **options):
    """Do the main job where only few-label methods take time."""
    fit_method = few_labels.fit_method

    def timed(method, *arguments, **more):
        clock.spend(seconds_of[method])
        return fit_method(method, *arguments, **more)

    monkeypatch.setattr(few_labels, "fit_method", timed)
    quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
    for name, value in quick.items():
        monkeypatch.setitem(FewLabelClassifier.__init__.__kwdefaults__, name, value)
    return cuello.fit("digits", labels=30, out=out, max_time=max_time, **SMALL, **options)


def methods_of(folder, draw=0):
    records = [r for r in folder.read_lines("few_labels.jsonl") if r["draw"] == draw]
    return [r["method"] for r in records]


BASELINES = ["majority", "pca_logistic", "knn_pixels"]


@pytest.mark.parametrize(("first", "second"), [(50, 41), (40, 26)])
def test_methods_are_left_out_and_named(clock, monkeypatch, tmp_path, first, second):
    seconds_of = {"linear_probe": first, "label_spreading": second}
    asked = {"method": "label_spreading", "compare": True, "repeats": 1}
    folder = run(clock, monkeypatch, tmp_path / "run", seconds_of, **asked)
    assert methods_of(folder) == [*BASELINES, "linear_probe", "label_spreading"]
    names = ("From scratch", "Fine-tuned, slow encoder", "Fine-tuned")
    lost = [f"{name} was left out" for name in names]
    assert folder.metrics()["time_budget"] == {"seconds": 100.0, "losses": lost}
    note = f"to keep the time budget of 1 min 40 s, {'; '.join(lost)}"
    assert note in folder.config()["notes"]
    assert note in folder.report.read_text(encoding="utf-8")
    assert folder.metrics()["timing"]["total_seconds"] == pytest.approx(first + second)


def test_what_was_asked_for_always_runs(clock, monkeypatch, tmp_path):
    seconds_of = {"linear_probe": 99, "label_spreading": 1, "fine_tune_slow": 50}
    asked = {"method": "fine_tune_slow", "compare": True, "repeats": 1}
    folder = run(clock, monkeypatch, tmp_path / "run", seconds_of, **asked)
    assert methods_of(folder) == [*BASELINES, "label_spreading", "linear_probe", "fine_tune_slow"]
    assert folder.metrics()["kept_method"] == "fine_tune_slow"


def test_one_method_of_cuello_always_runs(clock, monkeypatch, tmp_path):
    compare = few_labels.compare_methods

    def late(*arguments):
        clock.spend(200.0)
        return compare(*arguments)

    monkeypatch.setattr(few_labels, "compare_methods", late)
    folder = run(clock, monkeypatch, tmp_path / "run", {"auto": 1})
    assert methods_of(folder) == ["auto"]


def test_a_draw_is_made_whole_or_not_at_all(clock, monkeypatch, tmp_path):
    asked = {"method": "linear_probe", "repeats": 4}
    folder = run(clock, monkeypatch, tmp_path / "run", {"linear_probe": 30}, **asked)
    assert methods_of(folder, 1) == methods_of(folder)
    assert methods_of(folder, 2) == []
    assert folder.metrics()["time_budget"]["losses"] == ["of 4 label draws, 2 were made"]


def test_a_draw_that_was_begun_is_finished_by_a_resumed_run(clock, monkeypatch, tmp_path):
    asked = {"method": "linear_probe", "repeats": 2}
    folder = run(clock, monkeypatch, tmp_path / "run", {"linear_probe": 40}, **asked)
    records = folder.read_lines("few_labels.jsonl")
    assert len(records) == 8
    folder.write_lines("few_labels.jsonl", records[:-1])
    folder.set_config(status="running")
    clock.spend(500.0)
    cuello.api.resume_with_report(folder.path)
    assert len(folder.read_lines("few_labels.jsonl")) == 8


def test_without_a_budget_nothing_is_said(clock, monkeypatch, tmp_path):
    asked = {"method": "linear_probe", "max_time": None}
    folder = run(clock, monkeypatch, tmp_path / "run", {"linear_probe": 1e6}, **asked)
    assert len(methods_of(folder)) == 4
    assert folder.metrics()["time_budget"] == {"seconds": None, "losses": []}
    assert not any("budget" in note for note in folder.config()["notes"])


def test_shortened_trainings_are_named(clock, monkeypatch, tmp_path):
    row_order = cuello.train.loop.row_order

    def slow(*arguments):
        clock.spend(3.0)
        return row_order(*arguments)

    monkeypatch.setattr("cuello.train.loop.row_order", slow)
    folder = cuello.fit("digits", out=tmp_path / "run", max_time=10.0, **SMALL)
    losses = folder.metrics()["time_budget"]["losses"]
    assert len(folder.read_lines("history.jsonl")) == 2  # of 7.5 seconds
    assert losses[0] == "the autoencoder trained 2 of 4 epochs"
    assert losses[1].startswith("the projection trained 1 of ")


def test_the_budget_counts_from_before_reading(clock):
    budget = Budget(10.0)
    clock.spend(4.0)
    budget.spent += 2.0
    assert budget.elapsed == pytest.approx(6.0)
    assert budget.allows(2.9)
    assert not budget.allows(3.1)
    assert (budget.share(0.5), Budget(None).share(0.5)) == (5.0, None)
    assert Budget(None).allows(1e9)
