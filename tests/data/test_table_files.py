import csv
import datetime
import gzip
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cuello.data import constant_columns, load
from cuello.data.readers.tables import find_separator
from cuello.errors import DataError, InputError

same_folder = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
floats = st.floats(-1e6, 1e6, width=32) | st.none()
colours = st.sampled_from(["red", "blue, light", 'a "quoted" one', "gr\u00fcn"]) | st.none()


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@same_folder
@given(
    rows=st.lists(
        st.tuples(floats, st.integers(-99, 99), st.booleans(), colours, st.sampled_from("xy")),
        min_size=1,
        max_size=12,
    ),
    mark=st.sampled_from(",;\t"),
    bom=st.booleans(),
)
def test_csv_and_parquet_give_the_same_and_the_known_values(tmp_path, rows, mark, bom):
    names = ["a", "b", "c", "colour", "Class"]
    kinds = [pa.float32(), pa.int64(), pa.bool_(), pa.string(), pa.string()]
    columns = [pa.array(v, k) for v, k in zip(zip(*rows, strict=True), kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "t.parquet")
    with (tmp_path / "t.csv").open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as f:
        writer = csv.writer(f, delimiter=mark)
        writer.writerows([names, *rows])
    one, two = load(tmp_path / "t.csv"), load(tmp_path / "t.parquet")
    np.testing.assert_array_equal(one.X, two.X)
    assert (one.classes, one.columns, one.row_names) == (two.classes, two.columns, two.row_names)
    np.testing.assert_array_equal(one.y, two.y)
    seen = sorted({row[3] for row in rows if row[3]})
    expected = np.array(
        [
            [
                np.nan if a is None else a,
                b,
                c,
                *([d == s for s in seen] if seen else [np.nan]),
            ]
            for a, b, c, d, _ in rows
        ],
        dtype=np.float32,
    )
    np.testing.assert_array_equal(one.X, expected)
    assert [one.classes[c] for c in one.y] == [row[4] for row in rows]
    # The same file, read again as the encoding says, is the same; and the encoding is JSON.
    again = load(tmp_path / "t.csv", encoding=json.loads(json.dumps(one.encoding)))
    np.testing.assert_array_equal(again.X, one.X)


def test_a_header_is_told_from_numbers(tmp_path):
    bare = load(write(tmp_path / "a.csv", "1,2.5,3\n4,,6\n"))
    assert bare.columns == ("c0", "c1", "c2")
    assert bare.X[0].tolist() == [1, 2.5, 3]
    assert "no header" in bare.notes[0]
    counted = load(write(tmp_path / "b.csv", "0,1,2\n4,5,6\n"))
    assert counted.columns == ("0", "1", "2")
    assert counted.X.tolist() == [[4, 5, 6]]


def test_separator_is_not_fooled_by_quotes():
    assert find_separator('a\tb\n"x,y,z"\t2\n') == "\t"
    assert find_separator("a\n1\n2\n") == ","


def test_types_are_found_over_the_whole_column(tmp_path):
    # Arrow alone looks at the first block: an integer column with a late 0.5 would be an error.
    text = "a,b\n" + "1,2\n" * 200_000 + "0.5,3\n"
    data = load(write(tmp_path / "a.csv", text))
    assert data.X[-1].tolist() == [0.5, 3]


def test_compressed_csv(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    data = load(tmp_path / "a.csv.gz")
    assert (data.X.tolist(), data.name) == ([[1, 2]], "a")


def test_other_types_of_parquet(tmp_path):
    day = datetime.date(1970, 1, 11)
    table = pa.table(
        {
            "decimal": pa.array([Decimal("1.25"), None]),
            "half": pa.array(np.array([1, 2], dtype=np.float16)),
            "date": [day, None],
            "time": pa.array([datetime.datetime(1970, 1, 2, 12), None], pa.timestamp("ns", "UTC")),
            "kind": pa.array(["u", "v"]).dictionary_encode(),
            "digit": pa.array(["1", "2"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    data = load(tmp_path / "a.parquet")
    assert data.columns == (
        *("decimal", "half", "date", "time", "kind=u", "kind=v", "digit=1", "digit=2"),
    )
    nan = np.nan
    expected = [[1.25, 1, 10, 1.5, 1, 0, 1, 0], [nan, 2, nan, nan, 0, 1, 0, 1]]
    np.testing.assert_array_equal(data.X, np.array(expected, dtype=np.float32))
    assert any("days since 1970-01-01" in note for note in data.notes)
    pq.write_table(pa.table({"a": [[1], [2]]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: column 'a' has type list.*drop it"):
        load(tmp_path / "b.parquet")


@pytest.mark.parametrize("moment", ["1970-01-02", "1970-01-02 00:00:00", "1970-01-02T00:00:00Z"])
def test_dates_in_csv(tmp_path, moment):
    data = load(write(tmp_path / "a.csv", f"when,v\n{moment},1\n,2\n"))
    np.testing.assert_array_equal(data.X[:, 0], [1, np.nan])
    assert data.encoding["columns"][0]["kind"] == "date"


@pytest.mark.parametrize("empty", ["", " ", "NA", "nan", "NULL", "?", "None"])
def test_empty_cells_are_nan_until_filled(tmp_path, empty):
    data = load(write(tmp_path / "a.csv", f"a,b,c\n1,10,x\n{empty},20,{empty}\n4,30,y\n9,1,y\n"))
    assert np.isnan(data.X[1, 0])
    assert data.X[1, 2:].tolist() == [0, 0]
    assert "2 cells are empty, in 'a', 'c'" in data.notes
    full = data.filled()
    assert full.X[1].tolist() == [4, 20, 0, 0]
    assert np.isnan(data.X[1, 0]), "the original was changed"
    assert [c["fill"] for c in full.encoding["columns"]] == [4, 15, None]
    assert data.filled(rows=[0, 1, 2]).X[1, 0] == 2.5
    further = load(write(tmp_path / "b.csv", "c,b,a\nx,,\n"), encoding=full.encoding)
    assert further.X.tolist() == [[4, 15, 1, 0]]
    assert full.filled() is not None
    np.testing.assert_array_equal(full.filled().X, full.X)


def test_a_column_empty_in_all_training_rows_cannot_be_filled(tmp_path):
    data = load(write(tmp_path / "a.csv", "a,hole\n1,\n2,\n3,4\n"))
    with pytest.raises(DataError, match=r"column 'hole' is empty in every training sample.*drop"):
        data.filled(rows=[0, 1])
    assert data.filled().X[:, 1].tolist() == [4, 4, 4]


def test_further_files_are_read_as_in_training(tmp_path):
    train = load(write(tmp_path / "a.csv", "size,colour,label\n1,red,u\n2,blue,v\n"))
    assert train.columns == ("size", "colour=blue", "colour=red")
    more = write(tmp_path / "b.csv", "extra,colour,size\nq,green,5\nq,red,6\n")
    data = load(more, encoding=train.encoding)
    assert data.X.tolist() == [[5, 0, 0], [6, 0, 1]]
    assert data.y is None
    assert "1 cells of 'colour' hold a category not seen in training" in data.notes
    assert "ignored columns that the model does not use: extra" in data.notes
    assert data.encoding == train.encoding | {"label_column": None}
    with pytest.raises(DataError, match=r"c\.csv: has no column 'size', which the model"):
        load(write(tmp_path / "c.csv", "colour\nred\n"), encoding=train.encoding)
    text = write(tmp_path / "d.csv", "size,colour\nbig,red\n1,red\n")
    with pytest.raises(DataError, match=r"'size' holds numbers, but row 0 .* holds 'big'"):
        load(text, encoding=train.encoding)
    assert load(text, encoding=train.encoding, skip_bad=True).X.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("name", "found"),
    [("label", True), ("Class", True), ("TARGET", True), ("y", True), ("z", False)],
)
def test_the_label_is_found_by_its_name(tmp_path, name, found):
    data = load(write(tmp_path / "a.csv", f"a,{name}\n1,7\n2,\n3,3\n"))
    assert (data.y is not None) == found
    assert any("taken as the label" in note for note in data.notes) == found
    if found:
        assert (data.classes, data.y.tolist()) == (("3", "7"), [1, -1, 0])
        assert load(tmp_path / "a.csv", label_column="").columns == ("a", name)


def test_the_label_that_is_asked_for(tmp_path):
    path = write(tmp_path / "a.csv", "a,kind,label,part\n1,u,0,1.5\n2,,1,1.5\n3,u,1,1.5\n")
    data = load(path, label_column="kind")
    assert (data.classes, data.y.tolist()) == (("u",), [0, -1, 0])
    assert data.columns == ("a", "label", "part")
    with pytest.raises(InputError, match=r"label_column='knid' is no column of .*a\.csv.*'kind'"):
        load(path, label_column="knid")
    with pytest.raises(
        DataError, match=r"a\.csv: column 'part': y: looks like a number to predict"
    ):
        load(path, label_column="part")
    write(path, "a,label,class\n1,u,0\n2,v,1\n")
    with pytest.raises(InputError, match=r"'label', 'class' could all be the label"):
        load(path)


def test_a_coordinate_named_y_is_no_label(tmp_path):
    assert load(write(tmp_path / "a.csv", "x,y\n1,0.5\n2,1.5\n")).columns == ("x", "y")


def test_columns_that_number_the_rows_are_left_out(tmp_path):
    data = load(write(tmp_path / "a.csv", ",patient_id,v\n0,p1,5\n1,p2,6\n"))
    assert data.columns == ("v",)
    assert data.row_names == ("p1", "p2")
    assert "left out, as they only number the rows: '', 'patient_id'" in data.notes
    assert load(write(tmp_path / "b.csv", "id,v\n1,5\n1,6\n")).columns == ("id", "v")


BAD_TABLES = {
    "no rows": ("a,b\n", "holds no rows"),
    "blank": ("\n\n", "holds no rows"),
    "same names": ("a,a\n1,2\n", "several columns named 'a'; rename"),
    "longer row": ("a,b\n1,2\n1,2,3\n", r"line 3 has 3 cells, not 2.*skip_bad"),
    "broken cell": ("a,b\n" + "1,2\n" * 20 + "oops,2\n", "row 20 .from 0. holds 'oops'.*skip_bad"),
    "decimal comma": ("a;b\n1,5;2\n2,5;3\n", "decimal comma .1,5.*decimal point"),
    "only a label": ("label\nu\nv\n", "no column left"),
    "infinite": ("a,b\n1,2\ninf,3\n", "infinite.*row 1"),
    "beyond float32": ("a,b\n1,2\n1e200,3\n", "infinite.*row 1"),
    "many names": (
        "who,v\n" + "".join(f"name{i},1\n" for i in range(51)),
        "column 'who' is text with 51 different values.*label_column='who'",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(tmp_path, name):
    text, message = BAD_TABLES[name]
    with pytest.raises(DataError, match=message) as error:
        load(write(tmp_path / "bad.csv", text))
    assert "bad.csv" in str(error.value)


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "bad.csv").write_bytes("a,b\nm\u00fcde,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"bad\.csv: cannot be read.*utf-8"):
        load(tmp_path / "bad.csv")


def test_broken_rows_are_skipped_and_named(tmp_path):
    text = "a,b\n1,2\n3\n" + "5,6\n" * 20 + "oops,7\n8,9\n"
    data = load(write(tmp_path / "a.csv", text), skip_bad=True)
    assert data.X[[0, 1, -1]].tolist() == [[1, 2], [5, 6], [8, 9]]
    assert len(data) == 22
    assert any("line 3 has 1 cells, not 2" in note for note in data.notes)
    assert any("oops" in note or "skipped: 21" in note for note in data.notes)


def test_one_row_is_a_table(tmp_path):
    data = load(write(tmp_path / "a.csv", "a,b\n1,x\n"))
    assert data.X.tolist() == [[1, 1]]


def test_constant_columns_are_named(tmp_path):
    data = load(write(tmp_path / "a.csv", "a,b,c\n1,x,\n1,x,\n1,y,\n"))
    assert constant_columns(data) == ["a", "c"]
    assert constant_columns(data.X) == [0, 3]


def test_numbers_in_every_spelling(tmp_path):
    data = load(write(tmp_path / "a.csv", "a,b\n+5, 1e3\n-.5, 2.\n"))
    assert data.X.tolist() == [[5, 1000], [-0.5, 2]]


def test_arrow_reads_alike(tmp_path):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 7))
    np.savetxt(tmp_path / "a.csv", X, delimiter=",", header=",".join("abcdefg"), comments="")
    oracle = pacsv.read_csv(tmp_path / "a.csv")
    expected = np.column_stack([c.to_numpy() for c in oracle.columns]).astype(np.float32)
    np.testing.assert_array_equal(load(tmp_path / "a.csv").X, expected)
