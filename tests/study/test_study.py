"""Studies: what is tried, what is refused before it starts, and what comes out."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import cuello
from cuello.errors import CuelloError, InputError
from cuello.run.examples import unit_width
from cuello.study import Study, best_of, refit, run_study
from cuello.study.figures import draw_study
from cuello.study.trials import measure

SMALL = {"kind": "plain", "hidden": [8], "epochs": 2, "latent_dim": 2}


def of(**record):
    return Study.of({"data": "digits", "seeds": 2, "options": SMALL, **record})


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    study = of(grid={"learning_rate": [0.01, 0.001], "activation": ["relu", "tanh"]})
    folder = tmp_path_factory.mktemp("grid")
    return study, folder, run_study(study, folder)


def test_every_combination_and_seed_is_tried_once(grid):
    study, folder, rows = grid
    lines = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    tried = {(r["options"]["learning_rate"], r["options"]["activation"], r["seed"]) for r in lines}
    assert len(lines) == len(tried) == 8
    assert len(rows) == 4
    assert all(row.measured["test_mse"].count == 2 for row in rows)
    means = [row.measured[study.measure].mean for row in rows]
    assert means == sorted(means)


def test_the_table_has_mean_deviation_and_interval(grid):
    _, folder, rows = grid
    with (folder / "table.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["activation"] for row in table] == [row.varied["activation"] for row in rows]
    for line, row in zip(table, rows, strict=True):
        own = row.measured["test_mse"]
        assert float(line["test_mse_mean"]) == own.mean
        assert float(line["test_mse_low"]) < own.mean < float(line["test_mse_high"])


def test_figure_and_page_are_written(grid):
    _, folder, _ = grid
    page = (folder / "index.html").read_text()
    assert "learning_rate" in page
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (folder / "figures/study.png").read_bytes()[:4] == b"\x89PNG"
    assert (folder / "figures/study.svg").read_text().startswith("<?xml")


def test_measures_are_what_they_say(grid):
    study, _, _ = grid
    prepared = study.prepare()
    model = cuello.Autoencoder(**SMALL).fit(prepared.train, validation=prepared.validation)
    found = measure(model, prepared)
    test = prepared.test[0] / 255.0
    assert unit_width(prepared.train) == 255
    expected = ((test - model.reconstruct(prepared.test[0]) / 255.0) ** 2).mean()
    assert found["test_mse"] == pytest.approx(expected, rel=1e-5)
    assert found["validation_loss"] == min(e.loss for e in model.history_)
    assert 0.1 < found["knn_accuracy"] < 1
    assert found["parameters"] == sum(p.numel() for p in model.module_.parameters())


def test_a_second_run_trains_nothing(grid, monkeypatch):
    study, folder, rows = grid

    def never(*arguments, **options):
        raise AssertionError("trained again")

    monkeypatch.setattr(Study, "run", never)
    again = run_study(study, folder)
    assert [row.measured["test_mse"] for row in again] == [row.measured["test_mse"] for row in rows]


def test_the_best_is_refitted_as_a_run(grid, tmp_path):
    study, _, rows = grid
    folder = refit(study, best_of(study, rows), tmp_path / "run")
    params = folder.read_json("config.json")["autoencoder"]["params"]
    assert params["learning_rate"] == rows[0].varied["learning_rate"]
    assert cuello.open_run(folder.path).autoencoder.latent_dim_ == 2
    trial = rows[0].measured["test_mse"]
    found = folder.read_json("metrics.json")["reconstruction"]["test_mse"]
    assert abs(found - trial.mean) < 5 * trial.sd + 0.01


def test_shapes_that_differ_are_trained_one_after_another(tmp_path):
    study = of(grid={"latent_dim": [1, 2], "hidden": [[8], [8, 4]]}, options={"epochs": 1}, seeds=1)
    rows = run_study(study, tmp_path)
    assert {row.measured["test_mse"].count for row in rows} == {1}


def test_a_diverged_trial_does_not_stop_the_others(tmp_path):
    options = SMALL | {"optimizer": "sgd", "activation": "identity", "scaling": "standard"}
    study = of(
        grid={"learning_rate": [0.001, 1e20]},
        options=options | {"loss": "mse", "output_activation": "identity"},
    )
    rows = run_study(study, tmp_path)
    assert [row.diverged for row in rows] == [0, 2]
    assert "2 diverged" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "either grid .* or search .* neither"),
        ({"grid": {"epochs": [1]}, "search": {"epochs": [1]}}, "both"),
        ({"grid": {"epochs": []}}, "epochs=\\[\\] must be a list of one value or more"),
        ({"grid": {"epochs": 3}}, "epochs=3 must be a list"),
        ({"grid": {"learning_rat": [1.0]}}, "did you mean 'learning_rate'"),
        ({"grid": {"noise_level": [0.1]}}, "noise_level"),
        ({"grid": {"epochs": [1]}, "options": {"epochs": 2}}, "both fixed .* and varied"),
        ({"grid": {"epochs": [1]}, "seeds": 0}, "seeds=0"),
        ({"grid": {"epochs": [1]}, "measur": "x"}, "did you mean 'measure'"),
        ({"grid": {"epochs": [1]}, "measure": "test"}, "did you mean 'test_mse'"),
        ({"grid": [1]}, "must be a table"),
        ({"grid": {"kind": ["plian"]}, "options": {}}, "did you mean 'plain'"),
        ({"search": {"epochs": {"low": 3, "high": 1}}}, "low must be a number below"),
        ({"search": {"learning_rate": {"low": 0, "high": 1, "log": True}}}, "above 0 with log"),
        ({"search": {"epochs": {"lo": 3, "high": 1}}}, "did you mean 'low'"),
        ({"search": {"epochs": []}}, "no choices"),
        ({"search": {"epochs": 3}}, "a list of choices, or a range"),
        ({"search": {"epochs": [1]}, "measure": "test_mse"}, "cannot be chosen on test samples"),
    ],
)
def test_what_cannot_be_studied_is_refused_at_once(record, message):
    with pytest.raises(InputError, match=message):
        of(**record)


def test_values_that_do_not_fit_the_data_are_refused_before_training(tmp_path):
    study = of(grid={"loss": ["mse", "bce"]}, options=SMALL | {"scaling": "standard"})
    with pytest.raises(CuelloError, match="bce"):
        run_study(study, tmp_path)
    assert not (tmp_path / "trials.jsonl").exists()


def test_the_best_is_not_chosen_on_test_samples(grid):
    _, _, rows = grid
    with pytest.raises(InputError, match="cannot be chosen on test samples"):
        best_of(of(grid={"momentum": [0.5]}, measure="test_mse"), rows)


def test_figures_of_every_form(grid, tmp_path):
    study, _, rows = grid
    axes = draw_study(study, rows).axes[0]
    assert axes.get_xlabel() == "learning rate"
    label = " ".join(axes.get_ylabel().split())  # on as many lines as fit
    assert label == "mean squared error of validation samples, data in 0..1"
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {
        "activation relu",
        "activation tanh",
    }
    named = of(grid={"activation": ["relu", "tanh"]}, seeds=1)
    axes = draw_study(named, run_study(named, tmp_path)).axes[0]
    assert {label.get_text() for label in axes.get_yticklabels()} == {
        "activation relu",
        "activation tanh",
    }


def test_a_study_survives_json():
    study = of(search={"batch_size": {"low": 8, "high": 16}, "activation": ["relu", "elu"]})
    assert Study.of(json.loads(json.dumps(study.to_json()))) == study


@pytest.mark.filterwarnings("ignore:every sample has the same embedding")
def test_labels_reach_kinds_that_need_them(tmp_path):
    options = {"hidden": [8], "epochs": 1, "latent_dim": 2, "kind": "conditional"}
    with pytest.raises(InputError, match="labels='all'"):
        run_study(of(grid={"learning_rate": [0.1]}, options=options, seeds=1), tmp_path)
    study = of(grid={"learning_rate": [0.1]}, options=options, seeds=1, labels="all")
    assert np.isfinite(run_study(study, tmp_path)[0].measured["test_mse"].mean)
