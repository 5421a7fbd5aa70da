import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.study.summary import spread
from cuello_labs import few_labels
from cuello_labs._few_label_methods import METHODS, draw_labelled, mistakes
from cuello_labs._few_label_pictures import interval_of
from cuello_labs._few_label_tables import coverage, tabulate_bought, tabulate_estimates
from cuello_labs._images import Images
from cuello_labs.few_labels import COSTLIEST, COSTLY, best_of, errors_of, judge, run, show, trials

LONG = (*COSTLY, *COSTLIEST)


def records(accuracy, quick=False):
    """Every method is as good as ``accuracy(method, labels, seed)`` says."""
    found = []
    for trial in trials(quick):
        options = dict(trial.options)
        record = {"options": options, "seed": trial.seed}
        if options["method"] == "buy":
            record |= {"start": 0.7, "random": 0.75, "suggested": 0.78 + 0.01 * trial.seed}
        else:
            value = accuracy(options["method"], options["labels"], trial.seed)
            record |= {"accuracy": value, "estimate": 0.9, "right": 90, "held_out": 100}
            record |= {"seconds": 1.0, "by": options["method"]}
        found.append(record)
    return found


def fitted(accuracy):
    return [r for r in records(accuracy) if r["options"]["method"] != "buy"]


def test_verdict_both_ways():
    found = show(records(lambda method, *_: 0.9905 if method == "ladder" else 0.9))
    assert found.holds is True
    assert "with 100 labels the best dense method, ladder network" in found.verdict.lower()
    assert "and reaches the lowest published one, 0.91 ± 0.05 %; with 300" in found.verdict
    found = show(records(lambda method, *_: 0.98 if method == "auto" else 0.9))
    assert found.holds is False
    assert "auto, has a test error of 2 % over 5 draws, and does not reach" in found.verdict


@pytest.mark.parametrize(
    ("labels", "holds"), [((100,), False), ((300,), False), ((100, 300), True)]
)
def test_both_numbers_of_labels_have_to_reach_it(labels, holds):
    errors = {("ladder", n): spread([0.9 if n in labels else 3.0]) for n in (100, 300)}
    assert judge(errors, published=True)[0] is holds


def test_the_bar_is_one_published_deviation_above_the_published_mean():
    for error, holds in ((0.959, True), (0.961, False)):
        errors = {("fine_tune_slow", n): spread([error]) for n in (100, 300)}
        assert judge(errors, published=True)[0] is holds


def test_convolutions_do_not_count_as_dense():
    errors = {
        (m, n): spread([0.5 if m == "auto_conv" else 5.0]) for m in METHODS for n in (100, 300)
    }
    holds, text = judge(errors, published=True)
    assert holds is False
    assert "convolutional" not in text
    assert best_of(errors, 100, METHODS) == "auto_conv"


def test_other_data_decide_nothing():
    found = show(records(lambda *_: 0.99, quick=True))
    assert found.holds is None
    assert "has a test error of" in found.verdict
    assert "published" not in {row[0].split(":")[0] for row in found.tables[0].rows}


def test_errors_are_means_over_draws_in_percent():
    errors = errors_of(fitted(lambda method, labels, seed: 0.9 + 0.01 * seed))
    own = errors["fine_tune_slow", 30]
    assert own.count == 5
    assert own.mean == pytest.approx(8.0)
    assert own.sd == pytest.approx(np.std([10, 9, 8, 7, 6], ddof=1))
    assert errors["ladder", 300].mean == pytest.approx(9.5)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 500), st.data())
def test_intervals_are_where_the_score_test_accepts(n, data):
    right = data.draw(st.integers(0, n))
    own = interval_of({"right": right, "held_out": n})
    for bound in (own.low, own.high):
        if 0.0 < bound < 1.0:  # Wilson: the accuracies that lie 1.96 of their own deviations away
            assert abs(right / n - bound) / np.sqrt(bound * (1 - bound) / n) == pytest.approx(
                1.959964, rel=1e-4
            )


def test_coverage_counts_intervals_that_hold_the_test_accuracy():
    record = {"right": 90, "held_out": 100}  # 0.826 to 0.945
    own = [record | {"accuracy": a} for a in (0.82, 0.83, 0.94, 0.95)]
    assert coverage([*own, {"right": 0, "held_out": 0, "accuracy": 0.5}]) == (2, 4)


def test_estimates_are_compared_with_the_test_accuracy_of_the_same_draw():
    own = tabulate_estimates(fitted(lambda method, labels, seed: 0.88 + 0.01 * seed))
    row = next(row for row in own.rows if row[0] == METHODS["fine_tune"].label)
    assert row[1].mean == pytest.approx(0.0, abs=1e-9)
    assert row[1].sd == pytest.approx(np.std(range(5), ddof=1))
    assert row[-1] == "26 of 26"
    ladder = next(row for row in own.rows if row[0] == METHODS["ladder"].label)
    assert ladder[1] is None


def test_bought_labels_are_compared_pair_by_pair():
    bought = [r for r in records(lambda *_: 0.9) if r["options"]["method"] == "buy"]
    rows = tabulate_bought(bought).rows
    assert [row[0] for row in rows] == ["30", "100", "300"]
    assert rows[0][-1].mean == pytest.approx(5.0)
    assert rows[0][-1].sd == pytest.approx(np.std(range(5), ddof=1))


def test_mistakes_are_the_surest_wrong_ones():
    X = np.linspace(0, 1, 4 * 6).reshape(6, 2, 2).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1, 2])
    data = Images(X=X, y=y, X_test=X, y_test=y, classes=("a", "b", "c"))
    confidence = np.array([0.9, 0.6, 0.99, 0.8, 0.7, 0.95])
    found = mistakes(data, np.array([0, 2, 2, 1, 0, 2]), confidence)
    assert [(m["true"], m["predicted"], m["confidence"]) for m in found] == [
        ("a", "b", 0.8),
        ("b", "a", 0.7),
        ("b", "c", 0.6),
    ]
    assert found[0]["image"] == np.round(255 * X[3]).astype(int).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 40), st.integers(0, 100))
def test_draws_are_even_and_follow_from_the_seed(labels, seed):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 10))
    data = Images(X=y, y=y, X_test=y, y_test=y)
    labelled = draw_labelled(data, labels, seed)
    assert np.array_equal(labelled, draw_labelled(data, labels, seed))
    assert len(set(labelled.tolist())) == labels
    assert np.ptp(np.bincount(y[labelled], minlength=4)) <= 1


def test_quick_methods_come_first_and_all_labels_once():
    own = trials(False)
    costly = [trial.options["method"] in LONG for trial in own]
    assert costly == sorted(costly)
    assert {t.options["labels"] for t in own if t.options["method"] in LONG} == {100, 300, 1000}
    every = [t for t in own if t.options["labels"] == 60_000]
    assert {t.seed for t in every} == {0}
    assert not {t.options["method"] for t in every} & {"label_spreading", *LONG}
    draws = {t.seed for t in own if t.options["method"] == "linear_probe"}
    assert len(draws) == 5


def test_what_is_missing_comes_out_as_it_would_have(monkeypatch):
    fits = []
    plain = few_labels.fit
    monkeypatch.setattr(few_labels, "fit", lambda *a, **k: fits.append(1) or plain(*a, **k))
    chosen = [
        t
        for t in trials(True)
        if t.options["method"] in ("linear_probe", "knn")
        and t.options["labels"] == 50
        and t.seed == 1
    ]

    def results(own):
        return {t.key: {k: v for k, v in r.items() if k != "seconds"} for t, r in run(own)}

    whole = results(chosen)
    assert len(fits) == 1, "one autoencoder for all methods of a draw"
    assert results(chosen[1:]) == {t.key: whole[t.key] for t in chosen[1:]}
