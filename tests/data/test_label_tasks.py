"""Labels that are numbers, or several properties: read as they were written, or refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuello.data import Dataset, labels, load, splits
from cuello.data.dataset import keep_labels, labelled_rows
from cuello.data.label_arrays import are_amounts, with_label_arrays
from cuello.data.splits import make_split
from cuello.errors import DataError, InputError

FILES = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(n, **more):
    return Dataset(X=np.zeros((n, 2)), name="demo", source="here", **more)


def labelled(tmp_path, text, dataset, task="auto"):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return labels.with_labels(path, dataset, task)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# A file of labels


@FILES
@given(
    values=st.lists(
        st.none() | st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=20
    ).filter(lambda v: any(x is not None for x in v)),
    header=st.booleans(),
    mark=st.sampled_from(",;\t"),
)
def test_numbers_are_read_as_written(tmp_path, values, header, mark):
    lines = [f"{i}{mark}{v!r}" for i, v in enumerate(values) if v is not None]
    text = "\n".join([f"row{mark}price"] * header + lines[::-1])
    found = labelled(tmp_path, text, rows(len(values)), "regression")
    expected = np.array([np.nan if v is None else v for v in values])
    assert found.task == "regression"
    assert found.y.dtype == np.float64
    np.testing.assert_array_equal(found.y, expected)
    np.testing.assert_array_equal(found.labelled, ~np.isnan(expected))
    assert found.classes == found.properties == ()


@FILES
@given(
    table=st.lists(
        st.none() | st.tuples(*[st.sampled_from("01")] * 3), min_size=1, max_size=15
    ).filter(any),
    asked=st.booleans(),
)
def test_properties_are_read_as_written(tmp_path, table, asked):
    lines = [f"{i},{','.join(cells)}" for i, cells in enumerate(table) if cells]
    text = "\n".join(["row,even,has a loop,red", *lines])
    found = labelled(tmp_path, text, rows(len(table)), "multilabel" if asked else "auto")
    expected = [[np.nan] * 3 if cells is None else [float(c) for c in cells] for cells in table]
    np.testing.assert_array_equal(found.y, expected)
    assert found.properties == ("even", "has a loop", "red")
    assert found.task == "multilabel"
    assert any("task is 'multilabel'" in note for note in found.notes) != asked


@FILES
@given(values=st.lists(st.integers(-9, 10**6), min_size=2, max_size=60))
def test_whole_numbers_stay_classes(tmp_path, values):
    text = "\n".join(f"{i},{v}" for i, v in enumerate(values) if v != -1)
    if not text:
        return
    found = labelled(tmp_path, text, rows(len(values)))
    assert found.task == "multiclass"
    asked = labels.with_labels(tmp_path / "labels.csv", rows(len(values)), "multiclass")
    assert np.array_equal(found.y, asked.y)
    assert found.classes == asked.classes


def test_auto_takes_amounts_alone_for_numbers(tmp_path):
    prices = "\n".join(f"{i},{i + 0.5}" for i in range(30))
    assert labelled(tmp_path, prices, rows(30)).task == "regression"
    grades = "\n".join(f"{i},{1 + i % 5 / 2}" for i in range(30))
    found = labelled(tmp_path, grades, rows(30))
    assert (found.task, len(found.classes)) == ("multiclass", 5)
    assert labelled(tmp_path, grades, rows(30), "regression").task == "regression"
    assert len(labelled(tmp_path, prices, rows(30), "multiclass").classes) == 30
    # Data with classes of its own says what labels are.
    text = "\n".join(f"{i},{name}" for i, name in enumerate("abab"))
    assert labelled(tmp_path, text, rows(4, classes=("a", "b"))).classes == ("a", "b")
    with pytest.raises(DataError, match=r"'0\.5' is no class of the data"):
        labelled(tmp_path, prices, rows(30, classes=("a", "b")))


def test_what_can_only_be_amounts():
    assert are_amounts(np.arange(60) + 0.5)
    assert are_amounts(np.repeat(np.arange(60) + 0.5, 9))  # more than 50 different ones
    assert not are_amounts(np.repeat(np.arange(40) + 0.5, 9))
    assert not are_amounts(np.arange(60.0))
    once = np.arange(60.0)
    once[7] = 7.5
    assert not are_amounts(once)  # one that is not whole may be a typing error


def test_minus_one_is_a_number(tmp_path):
    found = labelled(tmp_path, "0,-1\n1,2.5\n", rows(3), "regression")
    np.testing.assert_array_equal(found.y, [-1.0, 2.5, np.nan])


def test_labels_of_a_test_part_stay_where_they_say_the_same(tmp_path):
    test = {"X_test": np.zeros((2, 2)), "y_test": np.array([0, 1])}
    found = labelled(tmp_path, "0,2.5\n1,3.5\n", rows(3, classes=("a", "b"), **test), "regression")
    assert found.y_test is None
    numbers = test | {"y_test": np.array([0.5, 1.5])}
    assert labelled(tmp_path, "0,2.5\n1,3\n", rows(3, **numbers), "regression").y_test is not None
    assert labelled(tmp_path, "0,u\n1,v\n", rows(3, **numbers)).y_test is None


REGRESSION, MULTILABEL = "regression", "multilabel"


@pytest.mark.parametrize(
    ("text", "task", "message"),
    [
        ("0,1.5\n1,cheap\n", REGRESSION, "line 2: 'cheap' is no number"),
        ("0,1.5\n1,nan\n", REGRESSION, "line 2: 'nan' is no number"),
        ("0,1.5\n1,inf\n", REGRESSION, "line 2: 'inf' is no number"),
        ("0,1.5\n1,1e999\n", REGRESSION, "line 2: '1e999' is no number"),
        ("row;price\n0;1,5\n1;2,5\n", REGRESSION, "line 2: '1,5' is no number, such as 12.5"),
        ("0,1.5\n1,\n", REGRESSION, "line 2: the label of '1' is empty"),
        ("0,1.5\n0,2.5\n", REGRESSION, "line 2: row '0' is '2.5' here and '1.5' in line 1"),
        ("0,1.5\n9,2.5\n", REGRESSION, "line 2: row 9 does not exist"),
        ("row,a,b\n0,1.5,2\n", REGRESSION, "line 2: 3 cells, but a line is row,label"),
        ("row,a,b\n0,1,0\n1,2,0\n", MULTILABEL, "line 3: 'a' is '2', but a property is 0 or 1"),
        ("row,a,b\n0,1,0\n1,0,yes\n", "auto", "line 3: 'b' is 'yes'.*file of row,label"),
        ("row,a,b\n0,1,0\n1,0,\n", MULTILABEL, "line 3: the label of '1' is empty"),
        ("row,a,b\n0,1,0\n1,0\n", MULTILABEL, "line 3: 2 cells, but a line is a row and 2 prop"),
        ("row,a,a\n0,1,0\n", MULTILABEL, "give each property another name"),
        ("row,a,\n0,1,0\n", "auto", "give each property another name"),
        ("row,a\n0,1\n", MULTILABEL, "names two properties or more"),
        ("0,1,0\n1,0,1\n", MULTILABEL, "names two properties or more"),
        ("0,1,0\n1,0,1\n", "auto", "line 1: 3 cells, but a line is row,label"),
    ],
)
def test_bad_files_of_labels(tmp_path, text, task, message):
    with pytest.raises(DataError, match=message) as error:
        labelled(tmp_path, text, rows(3), task)
    assert "labels.csv" in str(error.value)


# Columns of a table, arrays, class names


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_of_numbers_with_gaps(tmp_path, kind):
    table = {"a": [1.0, 2, 3, 4, 5], "price": [2.5, None, 7.25, -1.0, None]}
    if kind == "csv":
        lines = [f"{a},{'' if p is None else p}" for a, p in zip(*table.values(), strict=True)]
        path = write(tmp_path / "t.csv", "\n".join(["a,price", *lines]))
    else:
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table(table), path)
    for task in ("auto", "regression"):
        data = load(path, label_column="price", task=task)
        np.testing.assert_array_equal(data.y, [2.5, np.nan, 7.25, -1.0, np.nan])
        assert data.columns == ("a",)
        assert any("task is 'regression'" in note for note in data.notes) == (task == "auto")
    assert load(path, label_column="price", encoding=data.encoding, task=None).y is None


def test_a_column_found_by_its_name_is_a_label_where_numbers_are_asked_for(tmp_path):
    path = write(tmp_path / "t.csv", "a,target\n1,2.5\n2,3.5\n3,9.5\n")
    assert load(path).columns == ("a", "target")
    assert load(path, task="regression").y.tolist() == [2.5, 3.5, 9.5]


def test_columns_of_properties(tmp_path):
    text = "a,even,loop\n1,1,true\n2,0,false\n3,,\n4,1,false\n"
    path = write(tmp_path / "t.csv", text)
    data = load(path, label_column="even, loop")
    np.testing.assert_array_equal(data.y, [[1, 1], [0, 0], [np.nan] * 2, [1, 0]])
    assert (data.properties, data.columns) == (("even", "loop"), ("a",))
    assert data.encoding["label_column"] == "even,loop"
    further = load(path, encoding=data.encoding, task=None)
    assert further.y is None
    assert not any("ignored" in note for note in further.notes)
    # A column whose own name has a comma is one column.
    path = write(tmp_path / "u.csv", 'a,"even,loop"\n1,u\n2,v\n')
    assert load(path, label_column="even,loop").classes == ("u", "v")


@pytest.mark.parametrize(
    ("text", "column", "task", "message"),
    [
        ("a,p\n1,2.5\n2,cheap\n3,4\n", "p", "regression", "'p' holds numbers, but row 1 .*'cheap'"),
        ("a,p\n1,u\n2,v\n3,u\n", "p", "regression", "'p' holds numbers, but row 0 .*'u'"),
        ("a,p\n1,2.5\n2,inf\n3,4\n", "p", "regression", "'p': y: is infinite in row 1"),
        ("a,p\n1,2.5\n2,3\n", "price", "regression", "label_column='price' is no column"),
        ("a,p,q\n1,1,0\n2,2,1\n", "p,q", "auto", "property 'p' is 2 in row 1"),
        ("a,p,q\n1,1,0\n2,,1\n", "p,q", "auto", "property 'p' is empty in row 1"),
        ("a,p,q\n1,1,u\n2,0,v\n", "p,q", "multilabel", "column 'q' holds 'u' in row 0"),
        ("a,p,q\n1,1,0\n2,0,1\n", "p,r", "auto", "label_column='r' is no column"),
        ("a,p,q\n1,1,0\n2,0,1\n", "p,p", "auto", "names a column twice"),
        ("a,p,q\n1,1,0\n2,0,1\n", "p,q", "regression", "names 2 columns, and task='regression'"),
        ("a,p,q\n1,1,0\n2,0,1\n", "p", "multilabel", "task='multilabel' needs two columns"),
    ],
)
def test_bad_columns(tmp_path, text, column, task, message):
    path = write(tmp_path / "t.csv", text)
    with pytest.raises((DataError, InputError), match=message):
        load(path, label_column=column, task=task)


def test_rows_with_text_for_a_number_can_be_left_out(tmp_path):
    path = write(tmp_path / "t.csv", "a,p\n1,2.5\n2,cheap\n3,4.5\n")
    data = load(path, label_column="p", task="regression", skip_bad=True)
    assert data.y.tolist() == [2.5, 4.5]
    assert data.X.tolist() == [[1], [3]]


def test_arrays(tmp_path):
    X = np.eye(4)
    table = [[1, 0], [0, 0], [np.nan, np.nan], [1, 1]]
    np.savez(tmp_path / "a.npz", X=X, y=table, X_test=X, y_test=np.eye(4)[:, :2])
    data = load(tmp_path / "a.npz", task="multilabel")
    np.testing.assert_array_equal(data.y, table)
    assert data.labelled.tolist() == [True, True, False, True]
    assert data.properties == ("0", "1")
    assert data.y_test.shape == (4, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.eye(4))  # one-hot classes, perhaps
    with pytest.raises(DataError, match=r"argmax.*task='multilabel'"):
        load(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", X=X, y=[1, 2, -1, 3], X_test=X, y_test=["1", "2", "", "4"])
    data = load(tmp_path / "a.npz", task="regression")
    assert data.y.tolist() == [1, 2, -1, 3]
    np.testing.assert_array_equal(data.y_test, [1, 2, np.nan, 4])
    np.savez(tmp_path / "a.npz", X=X, y=["1", "2", "x", "3"])
    with pytest.raises(DataError, match=r"y: holds 'x' in row 2"):
        load(tmp_path / "a.npz", task="regression")
    for wrong, message in (([1, 2], "2 labels for 4"), (table[:3], "one value a sample")):
        np.savez(tmp_path / "a.npz", X=X, y=wrong)
        with pytest.raises(DataError, match=message):
            load(tmp_path / "a.npz", task="regression")


def test_classes_that_are_numbers_can_be_learned_as_numbers():
    classes, numbers = load("digits"), load("digits", task="regression")
    assert np.array_equal(numbers.y, classes.y.astype(float))
    assert numbers.classes == ()
    with pytest.raises(DataError, match=r"the labels are no numbers \('@', 'A'.*task='regression'"):
        load("font", task="regression")
    with pytest.raises(DataError, match=r"has one label a sample; task='multilabel'"):
        load("digits", task="multilabel")
    with pytest.raises(InputError, match=r"task='regresion' is not known; did you mean 'reg"):
        load("digits", task="regresion")


def test_many_whole_numbers_are_said_to_be_classes():
    def read(y, task="auto"):
        return with_label_arrays(rows(len(y)), y, source="t.csv", task=task)

    many = read(np.arange(100) // 2 * 10)
    assert len(many.classes) == 50
    assert many.notes == ()
    more = read(np.arange(120) // 2)
    assert "60 different whole numbers were read as classes" in more.notes[0]
    assert read(np.arange(120) // 2, "multiclass").notes == ()


# What is done with them


@settings(deadline=None)
@given(st.data())
def test_labels_that_are_kept(data):
    y = data.draw(
        st.sampled_from(
            [
                np.array([0, -1, 2]),
                np.array([0.5, np.nan, -1]),
                np.array([[1, 0], [0, 1], [1, 1.0]]),
            ]
        )
    )
    known = np.array(data.draw(st.lists(st.booleans(), min_size=3, max_size=3)))
    kept = keep_labels(y, known)
    assert kept.dtype == y.dtype
    assert np.array_equal(labelled_rows(kept), labelled_rows(y) & known)
    np.testing.assert_array_equal(kept[known], y[known])


def test_rows_with_a_label_are_divided_like_those_without():
    y = np.full(200, np.nan)
    y[:50] = np.arange(50)
    parts = make_split(rows(200, y=y), validation=0.1, test=0.2)
    for part, size in ((parts.train, 140), (parts.validation, 20), (parts.test, 40)):
        assert len(part) == size
        assert abs((~np.isnan(y[part])).sum() - size / 4) <= 1
    assert np.array_equal(parts.train, make_split(rows(200, y=y)).train)


@settings(deadline=None)
@given(n=st.integers(4, 40), seed=st.integers(0, 99))
def test_a_draw_is_of_labelled_rows(n, seed):
    y = np.where(np.arange(60) % 3 == 0, np.nan, np.arange(60.0))
    chosen = splits.draw_any(y, n, np.random.default_rng(seed), fewest=4)
    assert len(set(chosen.tolist())) == n
    assert np.all(np.diff(chosen) > 0)
    assert not np.isnan(y[chosen]).any()


@pytest.mark.parametrize(("n", "message"), [(3, "3 labels are too few"), (41, "only 40 samples")])
def test_draws_that_cannot_be(n, message):
    y = np.where(np.arange(60) % 3 == 0, np.nan, 1.0)
    with pytest.raises(InputError, match=message):
        splits.draw_any(y, n, np.random.default_rng(0), fewest=4)
