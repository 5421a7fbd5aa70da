"""Finished trials are kept: none is lost, none is run twice."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cuello.errors import RunError
from cuello.study.summary import group, spread, values
from cuello.study.trials import Trial, over, read_records, run_trials

TRIALS = over(2, [{"a": 1}, {"a": 2}], b=[3, 4])


def doing(ran, stop_after=None):
    def run(missing):
        for trial in missing:
            if stop_after is not None and len(ran) >= stop_after:
                raise KeyboardInterrupt
            ran.append(trial.key)
            yield trial, {"value": trial.options["a"] * 10 + trial.seed}

    return run


def test_records_come_in_the_order_of_the_trials(tmp_path):
    def backwards(missing):
        for trial in reversed(missing):
            yield trial, {"value": trial.options["a"] * 10 + trial.seed}

    told = []
    records = run_trials(tmp_path / "t.jsonl", TRIALS, backwards, lambda a, b: told.append((a, b)))
    assert [r["value"] for r in records] == [10, 11, 20, 21]
    assert told == [(i, 4) for i in range(5)]
    assert records[0]["options"] == {"a": 1, "b": [3, 4]}


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_an_interrupted_study_goes_on_with_what_is_missing(tmp_path, stop_after):
    path, ran = tmp_path / "t.jsonl", []
    with pytest.raises(KeyboardInterrupt):
        run_trials(path, TRIALS, doing(ran, stop_after))
    assert len(read_records(path)) == stop_after
    records = run_trials(path, TRIALS, doing(ran))
    assert sorted(ran) == sorted(trial.key for trial in TRIALS)
    assert [r["value"] for r in records] == [10, 11, 20, 21]
    run_trials(path, TRIALS, doing(ran))
    assert len(ran) == 4


@given(cut=st.integers(1, 60))
def test_a_line_that_was_cut_is_run_again(tmp_path_factory, cut):
    path, ran = tmp_path_factory.mktemp("cut") / "t.jsonl", []
    run_trials(path, TRIALS, doing(ran))
    whole = path.read_bytes()
    last = len(whole) - whole[:-1].rfind(b"\n") - 1
    path.write_bytes(whole[: -min(cut, last)])
    ran.clear()
    records = run_trials(path, TRIALS, doing(ran))
    assert [r["value"] for r in records] == [10, 11, 20, 21]
    assert len(ran) == 1
    assert path.read_bytes() == whole


def test_a_line_that_is_no_record_is_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    run_trials(path, TRIALS, doing([]))
    path.write_text("{]\n" + path.read_text())
    with pytest.raises(RunError, match=r"t\.jsonl, line 1 is no finished trial"):
        run_trials(path, TRIALS, doing([]))


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "t.jsonl").mkdir()
    with pytest.raises(RunError, match="cannot be"):
        run_trials(tmp_path / "t.jsonl", TRIALS, doing([]))


def test_a_full_disk_keeps_what_was_finished(tmp_path):
    path = tmp_path / "t.jsonl"

    def run(missing):
        yield from doing([])(missing[:2])
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"No space left on device.*finished trials are kept"):
        run_trials(path, TRIALS, run)
    assert len(read_records(path)) == 2


def test_a_key_does_not_depend_on_order_or_sequence_type():
    assert Trial({"a": 1, "b": (2, 3)}, 4).key == Trial({"b": [2, 3], "a": 1}, 4).key
    assert Trial({"a": 1}, 0) != Trial({"a": 1}, 1)
    assert json.loads(Trial({"x": 0.1}, 2).key.rsplit(" ", 1)[0]) == {"x": 0.1}


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20))
def test_the_interval_is_students(found):
    own = spread([*found, float("inf"), None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nearly equal values
        low, high = stats.ttest_1samp(found, 0.0).confidence_interval(0.95)
    assert (own.count, own.left_out) == (len(found), 2)
    assert own.mean == pytest.approx(np.mean(found), abs=1e-9)
    assert own.sd == pytest.approx(np.std(found, ddof=1), abs=1e-6)
    if own.sd > 1e-6:
        assert own.low == pytest.approx(low, rel=1e-6, abs=1e-6)
        assert own.high == pytest.approx(high, rel=1e-6, abs=1e-6)


def test_a_spread_in_words():
    assert str(spread([])) == "–"
    assert str(spread([0.123456])) == "0.1235"
    assert str(spread([0.5, 0.54])) == "0.520 ± 0.028"
    assert str(spread([1000.0, 3000.0])) == "2,000 ± 1,414"
    assert str(spread([1e-9, 3e-9])) == "2.0e-09 ± 1e-09"
    assert str(spread([0.9, 0.9 + 1e-16, 0.9 - 1e-16])) == "0.9", "rounding is no spread"


def test_records_are_grouped_by_what_varies():
    records = run_records = [
        {"options": {"hidden": hidden, "other": i}, "seed": i, "value": i}
        for hidden in ([20], [])
        for i in range(2)
    ]
    groups = group(records, "hidden")
    assert list(groups) == [((20,),), ((),)]
    assert values(groups[((),)], "value") == [0.0, 1.0]
    assert np.isnan(values(run_records, "missing")).all()
