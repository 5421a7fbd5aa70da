"""A file of labels holds the labels that were set, for whoever reads it; or stays as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuello.data import Dataset
from cuello.data.labels import with_labels
from cuello.errors import CuelloError, DataError, RunError
from cuello.server.labels import LabelFile

NAMES = st.lists(st.text(max_size=6), min_size=6, max_size=6, unique=True)
LABEL = st.one_of(
    st.sampled_from(["cat", "dog", "1", "01", "a;b", "a,b", 'say "a"', "tab\there", "Cat", "nan"]),
    st.text(min_size=1, max_size=5).filter(lambda text: text == text.strip()),
)
CHANGES = st.lists(st.tuples(st.integers(0, 5), st.none() | LABEL), min_size=1, max_size=9)


def file_in(folder, names=None, classes=(), learned=None):
    return LabelFile(
        path=Path(folder) / "labels.csv",
        names=names,
        samples=6,
        classes=classes,
        learned=learned or {},
    )


@given(names=st.none() | NAMES, batches=st.lists(CHANGES, min_size=1, max_size=4))
def test_the_file_has_the_changed_labels_or_stays(names, batches):
    names = None if names is None else tuple(names)
    with tempfile.TemporaryDirectory() as folder:
        file, expected = file_in(folder, names, learned={2: "dog"}), {2: "dog"}
        for changes in batches:
            before = file.path.read_bytes() if file.path.exists() else None
            wanted = dict(expected)
            for row, label in changes:
                wanted.pop(row, None) if label is None else wanted.update({row: label})
            try:
                file.change(changes)
            except CuelloError:
                after = file.path.read_bytes() if file.path.exists() else None
                assert after == before
                continue
            expected = wanted
            assert file.read() == expected
            codes, classes = file.codes()
            assert {int(i): classes[codes[i]] for i in np.flatnonzero(codes >= 0)} == expected
            if expected:
                X = np.zeros((6, 1))
                data = Dataset(X=X, row_names=names, name="again", source="again")
                data = with_labels(file.path, data, "multiclass")
                read = {int(i): data.classes[data.y[i]] for i in np.flatnonzero(data.labelled)}
                assert read == expected


def test_a_number_that_is_the_name_of_another_row_is_refused(tmp_path):
    file = file_in(tmp_path, names=("4 ", "a", "b", "0", "c", "d"))  # "4 " cannot be written
    with pytest.raises(DataError, match="read as another one"):
        file.change([(0, "cat")])
    assert not file.path.exists()


def test_rows_are_written_by_name_as_they_may_move(tmp_path):
    file = file_in(tmp_path, names=tuple(f"p/{i}.png" for i in range(6)))
    file.change([(3, "cat"), (1, "dog")])
    assert file.path.read_text() == "row,label\np/1.png,dog\np/3.png,cat\n"


def test_a_file_that_somebody_else_changes_is_read_again(tmp_path):
    file = file_in(tmp_path)
    file.change([(1, "cat")])
    assert file.read() == {1: "cat"}
    file.path.write_text("row,label\n1,cat\n2,dog\n")
    assert file.read() == {1: "cat", 2: "dog"}
    file.read().clear()  # the returned labels are a copy
    assert file.read() == {1: "cat", 2: "dog"}
    file.path.unlink()
    assert file.read() == {}


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, monkeypatch):
    from cuello import atomic

    file = file_in(tmp_path)
    file.change([(1, "cat")])

    def full(path, fill):
        raise RunError("no space")

    monkeypatch.setattr(atomic, "write", full)
    with pytest.raises(RunError):
        file.change([(2, "dog")])
    assert file.read() == {1: "cat"}
