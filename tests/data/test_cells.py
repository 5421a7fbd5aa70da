"""Numbers back into cells: what was read comes out as it was written."""

from __future__ import annotations

import numpy as np
import pytest

from cuello import DataError, load
from cuello.data.columns import as_cells, format_number, mark_missing, without_fill

LINES = [
    ["size", "hue", "born"],
    ["1.5", "red", "2020-01-01"],
    ["-0.25", "blue", "1969-12-31"],
    ["1200000", "green", "2024-02-29"],
]


def write(path, lines):
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    return load(path)


def test_a_table_comes_back_cell_by_cell(tmp_path):
    data = write(tmp_path / "table.csv", LINES)
    names, cells = as_cells(data.X, data.encoding)
    assert [names, *cells] == LINES


def test_times_of_a_day_are_kept_unless_most_are_whole_days(tmp_path):
    times = ["2020-01-01T06:00:00", "2020-01-02T12:00:00", "2020-01-03T00:00:00"]
    data = write(tmp_path / "t.csv", [["a", "born"], *(["1", time] for time in times)])
    assert [row[1] for row in as_cells(data.X, data.encoding)[1]] == times
    X = np.array([[1.0, 3.0], [1.0, 4.0], [1.0, 4.6]])
    born = [row[1] for row in as_cells(X, data.encoding)[1]]
    assert born == ["1970-01-04", "1970-01-05", "1970-01-06"]


def test_the_largest_column_tells_the_category(tmp_path):
    data = write(tmp_path / "table.csv", LINES)
    X = np.array([[0.0, 0.1, -0.3, 0.2, 0.0]])  # blue, green, red
    assert as_cells(X, data.encoding)[1][0][1] == "red"


def test_arrays_have_columns_by_number():
    names, cells = as_cells(np.array([[1.0, 2.5]]), {})
    assert (names, cells) == (["0", "1"], [["1", "2.5"]])


def test_empty_cells_become_nan_whatever_they_were_filled_with(tmp_path):
    encoding = write(tmp_path / "table.csv", LINES).filled().encoding
    (tmp_path / "holed.csv").write_text("size,hue,born\n,red,2020-01-01\n2,,\n")
    filled = load(tmp_path / "holed.csv", encoding=encoding)
    assert np.isfinite(filled.X).all()
    holed = mark_missing(load(tmp_path / "holed.csv", encoding=without_fill(encoding)))
    expected = [[True, False, False, False, False], [False, True, True, True, True]]
    assert np.isnan(holed.X).tolist() == expected
    assert encoding["columns"][0]["fill"] is not None  # the caller's own is left as it was


def test_arrays_may_have_holes_where_they_are_asked_for(tmp_path):
    X = np.random.default_rng(0).random((3, 4, 4)).astype(np.float32)
    X[0, 1, 2] = np.nan
    np.save(tmp_path / "images.npy", X)
    np.testing.assert_array_equal(load(tmp_path / "images.npy", allow_nan=True).X, X)
    with pytest.raises(DataError):
        load(tmp_path / "images.npy")
    X[1, 0, 0] = np.inf
    np.save(tmp_path / "images.npy", X)
    with pytest.raises(DataError, match="infinite"):
        load(tmp_path / "images.npy", allow_nan=True)


@pytest.mark.parametrize(("value", "text"), [(0.1, "0.1"), (np.float32(1 / 3), "0.3333333")])
def test_numbers_are_written_as_float32_holds_them(value, text):
    assert format_number(value) == text
