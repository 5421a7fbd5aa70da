"""A method that is asked for is fitted beside the others, and kept."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

import cuello
from cuello.data import UNLABELLED, load
from cuello.errors import InputError
from cuello.few_label import METHODS, FewLabelClassifier
from cuello.few_label.methods import mean_teacher
from cuello.run import Job, few_labels, start
from cuello.run.few_labels import CV, compared_methods, display_name, fit_method, samples_for
from cuello.run.prepare import prepare

COMPARED = compared_methods("multiclass")
QUICK = {"hidden": (16,), "latent_dim": 4, "epochs": 3}


@pytest.fixture(autouse=True)
def _short_fine_tuning(monkeypatch):
    quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
    for name, value in quick.items():
        monkeypatch.setitem(FewLabelClassifier.__init__.__kwdefaults__, name, value)


class Told:
    """Keeps what it is told."""

    def __init__(self):
        self.stages = {}

    def update(self, stage, done, total, detail=""):
        self.stages[stage] = (done, total)

    def say(self, text):
        pass


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def test_it_is_measured_on_every_draw_and_kept(digits, tmp_path):
    folder = cuello.fit(
        "digits", labels=60, repeats=2, method="label_spreading", out=tmp_path / "r", **QUICK
    )
    metrics = folder.read_json("metrics.json")
    compared = compared_methods("multiclass", kept="label_spreading")
    assert [row["method"] for row in metrics["few_labels"]] == list(compared)
    row = next(row for row in metrics["few_labels"] if row["method"] == "label_spreading")
    assert row["repeats"] == 2
    names = metrics["method"], metrics["kept_method"], metrics["confusion"]["method"]
    assert names == ("label_spreading",) * 3
    run = cuello.open_run(folder.path)
    assert run.classifier.method_ == "label_spreading"
    assert run.classifier.summary_ == metrics["summary"]
    assert metrics["accuracy_estimate"] == list(run.classifier.accuracy_estimate_)
    assert metrics["temperature"] == 1.0
    # An own fit, on the labelled samples of a draw and all other training samples.
    prepared = prepare(Job(data="digits", labels="60", repeats=2))
    test = prepared.rows.test
    for draw, known in enumerate(prepared.plan.draws):
        y = np.full(len(digits), UNLABELLED)
        y[known] = digits.y[known]
        train = prepared.rows.train
        model = FewLabelClassifier(
            FrozenEstimator(run.autoencoder), method="label_spreading", cv=CV, random_state=draw
        ).fit(digits.X[train], y[train])
        assert model.score(digits.X[test], digits.y[test]) == row["accuracy"][draw]
    page = folder.report.read_text(encoding="utf-8")
    assert "“Label spreading” is kept; the samples" in page
    assert "Accuracy: about" in page


@pytest.mark.parametrize("method", ["auto", "from_scratch"])
def test_what_was_measured_is_kept_and_not_fitted_again(method, tmp_path, monkeypatch):
    fitted = []

    def counting(method, *arguments, **options):
        fitted.append(method)
        return fit_method(method, *arguments, **options)

    monkeypatch.setattr(few_labels, "fit_method", counting)
    folder = cuello.fit("digits", labels=60, method=method, out=tmp_path / "r", **QUICK)
    metrics = folder.read_json("metrics.json")
    expected = list(compared_methods("multiclass", kept=method))
    assert [row["method"] for row in metrics["few_labels"]] == expected
    assert {row["repeats"] for row in metrics["few_labels"]} == {1}
    assert fitted == [name for name in expected if name in METHODS]
    assert metrics["method"] == method
    run = cuello.open_run(folder.path)
    assert run.classifier.method_ == metrics["kept_method"] in METHODS
    prepared = prepare(Job(data="digits", labels="60"))
    X, y = prepared.test
    row = next(row for row in metrics["few_labels"] if row["method"] == method)
    assert run.classifier.score(X, y) == row["accuracy"][0]


def test_a_full_comparison_has_more_methods_and_draws():
    more = set(compared_methods("multiclass", in_full=True)) - set(COMPARED)
    assert more == {
        "from_scratch", "linear_probe", "fine_tune_slow", "fine_tune", "label_spreading"
    }  # fmt: skip
    assert Job(data="digits").draws == 1
    assert Job(data="digits", compare=True).draws == 5
    assert Job(data="digits", compare=True, repeats=2).draws == 2
    with pytest.raises(InputError, match="repeats='many' must be a whole number"):
        Job(data="digits", repeats="many")


@pytest.fixture
def partly(tmp_path):
    """Rows of two classes, of which 30 have a label; none of them in the training part alone."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = (rng.normal(size=(120, 5)) + 3 * y[:, None]).astype(np.float32)
    y[rng.permutation(120)[30:]] = UNLABELLED
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    return tmp_path / "rows.npz"


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_mode_is_given_what_it_may_see(partly, method):
    prepared = prepare(Job(data=str(partly), repeats=2))
    data, known, held = prepared.data, prepared.plan.draws[1], prepared.plan.held_out[1]
    X, y = samples_for(method, prepared, known, held)
    place = {row.tobytes(): i for i, row in enumerate(data.X)}
    rows = np.array([place[row.tobytes()] for row in X])
    labelled = y != UNLABELLED
    assert sorted(rows[labelled]) == sorted(known)
    assert np.array_equal(y[labelled], data.y[rows[labelled]])
    others = rows[~labelled]
    if METHODS[method].uses_unlabelled:
        assert sorted(others) == sorted({*prepared.rows.train} - {*known} - {*held})
        assert set(held) & set(prepared.rows.train)  # or there was nothing to leave out
    else:
        assert not len(others)


def test_progress_of_a_long_mode_is_told(partly, tmp_path, monkeypatch):
    monkeypatch.setattr(mean_teacher, "MAX_STEPS", 4)
    monkeypatch.setattr(mean_teacher, "MIN_STEPS", 4)
    told = Told()
    job = Job.of(data=str(partly), repeats=1, method="mean_teacher", **QUICK)
    start(job, tmp_path / "run", progress=told)
    done, total = told.stages["method mean_teacher"]
    assert done == total > 0
    count = len(compared_methods("multiclass", is_table=True))
    assert told.stages["few labels"] == (count, count)
    assert not any(f"method {name}" in told.stages for name in COMPARED)


def test_only_the_kept_classifier_warns_of_a_wide_interval(tmp_path):
    folder = cuello.fit("digits", labels=20, repeats=2, out=tmp_path / "run", **QUICK)
    notes = folder.read_json("config.json")["notes"]
    low, _ = folder.read_json("metrics.json")["accuracy_estimate"][1:]
    about = [note for note in notes if note.startswith("the accuracy is only known")]
    assert len(about) == 1
    assert f"{100 * low:.1f} %" in about[0]


def test_refused_before_anything_is_trained(partly, tmp_path, monkeypatch):
    monkeypatch.setattr(cuello.Autoencoder, "fit", lambda *_: pytest.fail("trained"))
    with pytest.raises(InputError, match=r"method='laddr' is not known; did you mean 'ladder'"):
        cuello.fit(partly, method="laddr", out=tmp_path / "run", **QUICK)
    with pytest.raises(InputError, match=r"method='ladder' learns from labels, and none are kept"):
        cuello.fit("digits", method="ladder", out=tmp_path / "run", **QUICK)
    X = np.zeros((20, 6, 1), dtype=np.float32)
    X[:, 1], X[::2, 4:] = 1.0, np.nan
    np.savez(tmp_path / "waves.npz", X=X, y=np.arange(20) % 2)
    options = {"network": "sequence", "labels": 6, "method": "ladder", "out": tmp_path / "run"}
    with pytest.raises(InputError, match=r"method='ladder' reads sequences of one length"):
        cuello.fit(tmp_path / "waves.npz", **options, **QUICK)
    assert not (tmp_path / "run").exists()


def test_names_fit_the_table_of_a_terminal():
    for is_table in (False, True):
        names = [display_name(key, is_table=is_table) for key in {*METHODS, *COMPARED}]
        assert all(0 < len(name) <= 26 for name in names)
