import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from idx_writer import CODES, write_idx

from cuello.data import load
from cuello.data.readers import arrays, idx
from cuello.data.readers.base import read_content
from cuello.errors import CuelloError, DataError

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


examples = hnp.arrays(
    st.sampled_from(sorted(CODES)),
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6),
    elements={"min_value": 0, "max_value": 100, "allow_nan": False},
)


def types_of(X):
    """Return the types that samples may have once read: float64 where a table needs its digits."""
    wide = (np.float64,) if X.ndim == 2 and X.dtype.itemsize == 8 else ()
    return (np.uint8,) if X.dtype == np.uint8 else (np.float32, *wide)


@same_folder
@given(values=examples, compress=st.booleans())
def test_idx_reads_back_what_was_written(tmp_path, values, compress):
    data = load(write_idx(tmp_path / "a-idx3-ubyte", values, compress=compress))
    assert data.X.dtype in types_of(values)
    np.testing.assert_array_equal(data.X, values.astype(data.X.dtype))
    exact = idx.parse_idx(read_content(tmp_path / "a-idx3-ubyte"), "a")
    assert exact.dtype == values.dtype  # the machine's byte order, not the file's
    np.testing.assert_array_equal(exact, values)


def test_idx_is_known_by_its_content_without_a_suffix(tmp_path):
    path = write_idx(tmp_path / "scans", np.eye(3, dtype=np.uint8))
    assert load(path).X.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("compress", [False, True])
def test_labels_beside_a_file_of_images_are_picked_up(tmp_path, compress):
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([3, 1, 3, 0], dtype=np.uint8))
    end = ".gz" if compress else ""
    data = load(write_idx(tmp_path / f"train-images-idx3-ubyte{end}", images, compress=compress))
    assert data.classes == ("0", "1", "3")
    assert data.y.tolist() == [2, 1, 2, 0]
    assert "train-labels-idx1-ubyte" in data.notes[0]


def test_a_folder_in_the_layout_of_mnist_has_its_test_part(tmp_path):
    rng = np.random.default_rng(0)
    X, T = (rng.integers(0, 256, (n, 4, 5), dtype=np.uint8) for n in (6, 3))
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", X, compress=True)
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.array([0, 1] * 3, dtype=np.uint8))
    write_idx(tmp_path / "t10k-images-idx3-ubyte", T)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.array([2, 1, 0], "u1"), compress=True)
    data = load(tmp_path)
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.X_test, T)
    assert data.y_test.tolist() == [2, 1, 0]
    assert data.classes == ("0", "1", "2")
    assert data.encoding == {"type": "images", "size": [4, 5], "mode": "L"}


def test_a_file_of_labels_is_refused_as_examples(tmp_path):
    path = write_idx(tmp_path / "train-labels-idx1-ubyte", np.zeros(4, dtype=np.uint8))
    with pytest.raises(DataError, match=r"file of labels.*images-idx3"):
        load(path)


def test_idx_of_another_length_than_its_header_says(tmp_path):
    path = write_idx(tmp_path / "a-idx3-ubyte", np.zeros((2, 3, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match=r"a-idx3-ubyte: has 35 bytes.*34 bytes.*again"):
        load(path)
    with pytest.raises(DataError, match="inside its IDX header"):
        idx.parse_idx(bytes([0, 0, 8, 3, 0, 0]), "a")


@same_folder
@given(
    X=hnp.arrays(
        st.sampled_from(["u1", "f4", "f2", "f8", "i8", "u2", "?", ">f4", ">i2"]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5),
        elements={"min_value": 0, "max_value": 1},
    ),
    labels=st.lists(st.integers(-1, 4), min_size=5, max_size=5),
)
def test_npz_and_npy_keep_the_values(tmp_path, X, labels):
    y = np.array(labels)[: len(X)]
    np.savez(tmp_path / "a.npz", X=X, y=y)
    np.save(tmp_path / "a.npy", X)
    data = load(tmp_path / "a.npz")
    for read in (data.X, load(tmp_path / "a.npy").X):
        assert read.dtype in types_of(X)
        assert read.dtype.isnative
        np.testing.assert_array_equal(read, X.astype(read.dtype))
    if data.y is None:
        assert (y == -1).all()
    else:
        names = [int(data.classes[c]) if c >= 0 else -1 for c in data.y]
        assert names == y.tolist()


@pytest.mark.parametrize(
    ("y", "classes", "codes"),
    [
        (np.array(["b", "a", ""]), ("a", "b"), [1, 0, -1]),
        (np.array([b"b", b"a", b""]), ("a", "b"), [1, 0, -1]),
        (np.array([10.0, np.nan, 9.0]), ("9", "10"), [1, -1, 0]),
        (np.array([True, False, True]), ("0", "1"), [1, 0, 1]),
        (np.array([7, -1, -2]), ("-2", "7"), [1, -1, 0]),
        (np.array([200, 0, 3], dtype=np.uint8), ("0", "3", "200"), [2, 0, 1]),
    ],
)
def test_labels_of_every_type_become_codes(tmp_path, y, classes, codes):
    np.savez(tmp_path / "a.npz", X=np.zeros((3, 2)), y=y)
    data = load(tmp_path / "a.npz")
    assert data.classes == classes
    assert data.y.tolist() == codes
    assert data.y.dtype == np.int64


def test_the_test_part_of_an_npz_shares_the_classes(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        X=np.zeros((2, 3)),
        y=["a", "c"],
        X_test=np.ones((1, 3)),
        y_test=["b"],
        more=[1],
    )
    data = load(tmp_path / "a.npz")
    assert (data.classes, data.y.tolist(), data.y_test.tolist()) == (("a", "b", "c"), [0, 2], [1])
    assert "'more'" in data.notes[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_ends_a_short_sequence(tmp_path, dtype):
    X = np.arange(12, dtype=dtype).reshape(2, 3, 2)
    X[1, 1:] = np.nan
    np.save(tmp_path / "a.npy", X)
    data = load(tmp_path / "a.npy")
    np.testing.assert_array_equal(data.X, X.astype(np.float32))
    assert data.notes == (f"{tmp_path / 'a.npy'}: sequences of 1 to 3 steps",)


BAD_ARRAYS = {
    "one axis": (np.zeros(3), r"shape \(3,\).*along the first axis"),
    "no axis": (np.float64(3), r"shape \(\)"),
    "five axes": (np.zeros((2, 2, 2, 2, 2)), "reshape"),
    "no row": (np.zeros((0, 4)), "holds no value"),
    "complex": (np.zeros((2, 2), complex), "complex128.*float32"),
    "text": (np.array([["a", "b"]]), "real numbers"),
    "dates": (np.zeros((2, 2), "M8[D]"), "real numbers"),
    "objects": (np.array([[{}, 1]], dtype=object), "never unpickles.*np.savez"),
    "nan": (np.array([[1.0, np.nan], [1, 2]]), "1 of 2 samples hold NaN.*row 0"),
    "infinity": (np.array([[1.0, 2], [np.inf, -np.inf]], "f4"), "row 1"),
    "too large": (np.array([[1e300, 1]]), "beyond float32"),
    "empty sequence": (np.full((2, 3, 1), np.nan), "sequence 0 has length 0"),
    "hole in a sequence": (np.array([[[1.0], [np.nan], [2]]]), "sequence 0 has NaN before its end"),
    "half a step": (np.array([[[1.0, 2.0], [1.0, np.nan]]]), "before its end"),
    "endless sequence": (np.array([[[1.0], [np.inf]]]), "infinite values, the first is row 0"),
    "hole in a colour image": (np.full((2, 3, 4, 4), np.nan), "2 of 2 samples hold NaN"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_cannot_be_examples(tmp_path, name):
    X, message = BAD_ARRAYS[name]
    np.save(tmp_path / "bad.npy", X, allow_pickle=True)
    np.savez(tmp_path / "bad.npz", allow_pickle=True, X=X)
    for path in (tmp_path / "bad.npy", tmp_path / "bad.npz"):
        with pytest.raises(DataError, match=message) as error:
            load(path, skip_bad=True)
        assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"data": np.zeros((2, 2))}, "no array named X; it holds 'data'.*np.savez"),
        ({"X": np.zeros((3, 2)), "y": [1, 2]}, "2 labels for 3 samples"),
        ({"X": np.zeros((3, 2)), "y": np.eye(3)}, "one value a sample.*argmax"),
        ({"X": np.zeros((3, 2)), "y": [0.5] * 3}, "number to predict.*0.5"),
        ({"X": np.zeros((1, 2)), "y": [np.inf]}, "number to predict"),
        ({"X": np.zeros((1, 2)), "y": [1j]}, "complex128"),
        ({"X": np.zeros((1, 2)), "y_test": [1]}, "no test samples"),
        ({"X": np.zeros((1, 2)), "X_test": np.zeros((1, 3))}, "save both alike"),
        ({"X": np.zeros((1, 2)), "X_test": np.zeros((1, 2), "u1")}, "save both alike"),
        (
            {"X": np.eye(2), "X_test": np.eye(2), "y": [1, 2], "y_test": ["1", "2"]},
            "names or numbers in both",
        ),
    ],
)
def test_npz_that_does_not_fit_together(tmp_path, parts, message):
    np.savez(tmp_path / "bad.npz", **parts)
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path / "bad.npz")
    assert "bad.npz" in str(error.value)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_that_come_last_are_moved_to_the_front(tmp_path, channels):
    X = np.random.default_rng(0).integers(0, 256, (2, 8, 6, channels), dtype=np.uint8)
    np.save(tmp_path / "a.npy", X)
    data = load(tmp_path / "a.npy")
    np.testing.assert_array_equal(data.X, X.transpose(0, 3, 1, 2))
    assert "moved to the front" in data.notes[0]
    np.save(tmp_path / "b.npy", X.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(load(tmp_path / "b.npy").X, data.X)


@pytest.mark.parametrize(("dtype", "mapped"), [("f4", True), ("u1", True), ("f8", False)])
def test_a_large_npy_stays_on_disk(tmp_path, monkeypatch, dtype, mapped):
    monkeypatch.setattr(arrays, "KEEP_ON_DISK", 100)
    np.save(tmp_path / "large.npy", np.ones((50, 9), dtype=dtype))
    X = load(tmp_path / "large.npy").X
    assert isinstance(X, np.memmap) == mapped
    assert X.sum() == 450
    np.save(tmp_path / "small.npy", np.ones((2, 3), dtype="f4"))
    small = load(tmp_path / "small.npy").X
    assert not isinstance(small, np.memmap)
    assert small.flags.writeable


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".pth", ".joblib", ".pickle"])
def test_pickles_are_refused_unopened(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"\x80\x04whatever")
    with pytest.raises(DataError, match=rf"model{suffix}: is a pickle; cuello never unpickles"):
        load(path)


def test_a_pickle_under_another_name_is_refused(tmp_path):
    for name in ("a.npy", "a.npz"):
        (tmp_path / name).write_bytes(b"\x80\x04\x95whatever")
        with pytest.raises(DataError, match=name):
            load(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.idx", "a.csv", "a.parquet", "a.png"])
def test_empty_files_are_refused_by_name(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(CuelloError, match=name):
        load(tmp_path / name)
