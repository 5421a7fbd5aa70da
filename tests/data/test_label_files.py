import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuello.data import Dataset, labels, load, splits
from cuello.errors import DataError, InputError

NAMES = ("cat/a.png", "cat/b.png", "dog/b.png", "dog/c.png")


def data(n=4, classes=(), names=None):
    return Dataset(X=np.zeros((n, 2)), name="demo", source="here", classes=classes, row_names=names)


def read(tmp_path, text, dataset):
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    labelled = labels.with_labels(path, dataset, "multiclass")
    return labelled.y, labelled.classes


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    codes=st.lists(st.integers(-1, 2), min_size=1, max_size=12).filter(lambda c: max(c) >= 0),
    header=st.booleans(),
    mark=st.sampled_from(",;\t"),
    named=st.booleans(),
    bom=st.booleans(),
)
def test_what_was_written_is_read(tmp_path, codes, header, mark, named, bom):
    classes = ("red fox", "owl", "ünïcorn")
    names = tuple(f"folder/{i}.png" for i in range(len(codes)))
    lines = [f"{names[i] if named else i}{mark}{classes[c]}" for i, c in enumerate(codes) if c >= 0]
    text = "\n".join(["row" + mark + "label"] * header + lines[::-1])
    dataset = data(len(codes), classes, names if named else None)
    found, known = read(tmp_path, "\ufeff" * bom + text, dataset)
    assert found.tolist() == codes
    assert found.dtype == np.int64
    assert known == classes
    free, own = read(tmp_path, text, data(len(codes), (), dataset.row_names))
    assert own == tuple(sorted({classes[c] for c in codes if c >= 0}))
    assert [own[c] if c >= 0 else "" for c in free] == [classes[c] if c >= 0 else "" for c in codes]


@pytest.mark.parametrize(
    ("cell", "row"),
    [("cat/a.png", 0), ("a.png", 0), ("cat\\b.png", 1), ("./dog/b.png", 2), ("c.png", 3), ("2", 2)],
)
def test_rows_by_name_part_of_the_name_and_number(tmp_path, cell, row):
    codes, _ = read(tmp_path, f"{cell}, x \n", data(names=NAMES))
    assert np.flatnonzero(codes >= 0).tolist() == [row]


def test_numbers_are_classes_as_numbers(tmp_path):
    codes, classes = read(tmp_path, "0,7\n1,07\n2,7.0\n3,10\n", data(classes=("10", "7")))
    assert codes.tolist() == [1, 1, 1, 0]
    assert classes == ("10", "7")
    assert read(tmp_path, "0,10\n1,9\n", data())[1] == ("9", "10")


BAD = {
    "empty": ("", {}, "is empty"),
    "blank": ("\n\n", {}, "holds no labels"),
    "only a header": ("row,label\n", {}, "holds no labels"),
    "three cells": ("0,a\n1,a,b\n", {}, "line 2: 3 cells.*row,label"),
    "one cell": ("0\n", {}, "line 1: 1 cells"),
    "no label": ("0,a\n\n2,\n", {}, "line 3: the label of '2' is empty; leave the line out"),
    "minus one": ("0,-1\n", {}, "line 1: the label of '0' is empty"),
    "beyond": ("row,label\n4,a\n", {}, "line 2: row 4 does not exist; rows are 0 to 3"),
    "negative": ("-1,a\n", {}, "line 1: row -1 does not exist"),
    "name for a number": ("0,a\nx.png,a\n", {}, "line 2: 'x.png' is no row number"),
    "typing error in a name": (
        "cat/aa.png,x\n",
        {"names": NAMES},
        "line 1: no row is named 'cat/aa.png'; did you mean 'cat/a.png'",
    ),
    "two of that name": ("a.png,x\nb.png,x\n", {"names": NAMES}, "line 2: 2 rows are named"),
    "two labels": ("0,a\n1,b\n0,b\n", {}, "line 3: row '0' is 'b' here and 'a' in line 1"),
    "case": ("0,Cat\n", {"classes": ("cat", "dog")}, "line 1: 'Cat' is no class.*mean 'cat'"),
    "spaces": ("0,red  fox\n", {"classes": ("red fox",)}, "did you mean 'red fox'"),
    "no class": ("0,bird\n", {"classes": ("cat", "dog")}, "no class of the data. Allowed: 'cat'"),
    "case alone": ("0,cat\n1,cat\n2,Cat\n", {}, "line 3: 'Cat' differs from 'cat' .line 1. only"),
    "quotes": ('0,"a\n', {}, "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(tmp_path, name):
    text, options, message = BAD[name]
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, text, data(**options))
    assert "labels.csv" in str(error.value)


def test_the_same_row_twice_with_one_label_is_fine(tmp_path):
    assert read(tmp_path, "0,a\n0,a\n1,b\n", data())[0].tolist() == [0, 1, -1, -1]


@pytest.mark.parametrize(
    ("rare", "common", "refused"),
    [
        ("trousr", "trouser", True),
        ("tumuor", "tumour", True),
        ("Pullovers", "pullover", True),
        ("class 2", "class 1", False),
        ("type b", "type a", False),
        ("Class_B", "Class_A", False),
        ("car", "cat", False),
        ("hypoplasia", "hyperplasia", False),
    ],
)
def test_a_rare_label_that_is_nearly_a_common_one(tmp_path, rare, common, refused):
    text = "".join(f"{i},{common}\n" for i in range(30)) + f"30,{rare}\n"
    if refused:
        with pytest.raises(DataError, match=f"line 31: '{rare}' looks like a typing error"):
            read(tmp_path, text, data(31))
    else:
        assert set(read(tmp_path, text, data(31))[1]) == {rare, common}


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: does not exist"):
        labels.with_labels(tmp_path / "no.csv", data(), "multiclass")


@settings(deadline=None)
@given(
    y=st.lists(st.integers(-1, 3), min_size=4, max_size=60),
    extra=st.integers(0, 60),
    seed=st.integers(0, 99),
)
def test_draw_is_even_exact_and_repeatable(y, extra, seed):
    y = np.array([0, 1, 2, 3, *y])
    available = np.bincount(y[y >= 0], minlength=4)
    count = min(4 + extra, int(available.sum()))
    chosen = splits.draw_by_class(y, count, np.random.default_rng(seed), "abcd")
    assert len(set(chosen.tolist())) == len(chosen) == count
    taken = np.bincount(y[chosen], minlength=4)
    assert (y[chosen] >= 0).all()
    # As even as it can be: who has rows left is at most one behind the class with the most.
    assert (taken >= np.where(taken < available, taken.max() - 1, 0)).all()
    again = splits.draw_by_class(y, count, np.random.default_rng(seed), "abcd")
    np.testing.assert_array_equal(chosen, again)


def test_the_remainder_goes_to_random_classes():
    y = np.repeat(np.arange(4), 20)
    extra = {
        int(np.bincount(y[splits.draw_by_class(y, 5, np.random.default_rng(s), "abcd")]).argmax())
        for s in range(40)
    }
    assert extra == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("y", "count", "message"),
    [
        ([0, 1, -1, -1], 3, "only 2 samples have one; draw 2 or fewer"),
        ([0, 1, 0, 1], 1, "1 labels are too few for 2 classes"),
        ([0, 1, 0, 1], 0, "too few"),
        ([0, 0, -1], 2, "no sample is labelled 'dog'"),
    ],
)
def test_draws_that_cannot_be(y, count, message):
    with pytest.raises(InputError, match=message):
        splits.draw_by_class(y, count, np.random.default_rng(0), ("cat", "dog"))


def test_labels_of_a_named_set(tmp_path):
    codes, classes = read(tmp_path, "A,A\n5,E\n", load("font"))
    assert [classes[c] for c in codes[[1, 5]]] == ["A", "E"]
