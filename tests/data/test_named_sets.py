import functools
import gzip
import hashlib
import http.server
import json
import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from idx_writer import write_idx

from cuello.data import fetch, load
from cuello.data.sets import NAMED_SETS, locate
from cuello.data.sets.font import BITMAPS
from cuello.errors import DataError

PARTS = ("X", "y", "X_test", "y_test")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """MNIST as a set of six pictures, at two local mirrors, with empty folders and cache."""
    rng = np.random.default_rng(0)
    arrays = (
        rng.integers(0, 256, (4, 28, 28), dtype=np.uint8),
        np.array([3, 1, 9, 0], dtype=np.uint8),
        rng.integers(0, 256, (2, 28, 28), dtype=np.uint8),
        np.array([7, 7], dtype=np.uint8),
    )
    source = tmp_path / "source"
    source.mkdir()
    files = []
    for file, values in zip(NAMED_SETS["mnist"].files, arrays, strict=True):
        path = write_idx(source / file.name, values, compress=True)
        content = gzip.decompress(path.read_bytes())
        files.append(fetch.RemoteFile(file.name, hashlib.sha256(content).hexdigest(), 1))
    named = replace(
        NAMED_SETS["mnist"], files=tuple(files), mirrors=("http://one.test/", "http://two.test/")
    )
    monkeypatch.setitem(NAMED_SETS._entries, "mnist", named)
    monkeypatch.setenv("CUELLO_DATA", str(tmp_path / "folder"))
    monkeypatch.setenv("CUELLO_CACHE", str(tmp_path / "cache"))
    return tmp_path, arrays


@pytest.fixture
def fake(tiny, monkeypatch):
    """A mirror that copies from the source; what it was asked for is kept."""
    folder, _ = tiny
    asked = []

    def retrieve(url, path):
        asked.append(url)
        path.write_bytes((folder / "source" / url.rsplit("/", 1)[1]).read_bytes())

    monkeypatch.setattr(fetch, "_retrieve", retrieve)
    return asked


def place(folder, tiny_folder, *, compress=True):
    target = folder / "mnist"
    target.mkdir(parents=True)
    for path in (tiny_folder / "source").iterdir():
        raw = gzip.decompress(path.read_bytes())
        name = path.name if compress else path.name.removesuffix(".gz")
        target.joinpath(name).write_bytes(gzip.compress(raw, 1) if compress else raw)
    return target


def same(data, arrays):
    for key, expected in zip(PARTS, arrays, strict=True):
        np.testing.assert_array_equal(getattr(data, key), expected)


def kind():
    return locate("mnist")


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    data, bunch = load("digits"), load_digits()
    assert data.X.dtype == np.uint8
    assert (data.X.min(), data.X.max()) == (0, 255)
    np.testing.assert_array_equal(np.round(data.X / 255 * 16), bunch.images)
    np.testing.assert_array_equal(data.X, np.round(bunch.images * 255 / 16))
    np.testing.assert_array_equal(data.y, bunch.target)
    assert data.classes == tuple("0123456789")


@pytest.mark.parametrize(
    ("spec", "count", "first"),
    [("font", 32, "@"), ("font:digits", 10, "0"), ("font:lower", 32, "`"), ("font:all", 74, "@")],
)
def test_font_has_its_characters(spec, count, first):
    data = load(spec)
    assert data.X.shape == (count, 7, 5)
    assert set(np.unique(data.X)) == {0, 255}
    assert data.row_names == data.classes
    assert data.classes[0] == first
    assert len({row.tobytes() for row in data.X}) >= count - 2  # 'l' and others may repeat


def test_a_letter_of_the_font_looks_like_itself():
    data = load("font")
    drawn = ["".join("#" if v else "." for v in row) for row in data.X[data.classes.index("E")]]
    assert drawn == ["#####", "#....", "#....", "###..", "#....", "#....", "#####"]


def test_the_font_is_the_shared_one(provided):
    shared = json.loads((provided / "font7x5.json").read_text())["sets"]
    assert {k: {c: list(rows) for c, rows in v.items()} for k, v in BITMAPS.items()} == shared


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_sets(provided, name):
    data = load(name, offline=True)
    assert (data.X.shape, data.X_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert data.X.dtype == np.uint8
    assert len(data.classes) == 10
    assert set(np.unique(data.y)) == set(range(10))
    if name == "mnist":
        assert np.bincount(data.y)[:3].tolist() == [5923, 6742, 5958]  # LeCun's counts
        assert data.y[:5].tolist() == [5, 0, 4, 1, 9]
    else:
        assert np.bincount(data.y_test).tolist() == [1000] * 10
    folder = load(provided / name)
    np.testing.assert_array_equal(folder.X, data.X)
    np.testing.assert_array_equal(folder.y_test, data.y_test)
    info = NAMED_SETS[name]
    assert (locate(name)[0], info.rows, info.test_rows, info.shape) == (
        *("folder", 60000, 10000, (28, 28)),
    )


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(("where", "said"), [("folder", "folder"), ("cache", "cache")])
def test_files_at_hand_are_taken_compressed_anew_or_plain(tiny, fake, compress, where, said):
    folder, arrays = tiny
    assert kind() == ("mirror", "http://one.test/")
    target = place(folder / where, folder, compress=compress)
    assert kind() == (said, str(target))
    same(load("mnist"), arrays)
    assert not fake


def test_several_folders_and_the_first_one_wins(tiny, fake, monkeypatch):
    folder, arrays = tiny
    place(folder / "second", folder)
    monkeypatch.setenv("CUELLO_DATA", os.pathsep.join([str(folder / "no"), str(folder / "second")]))
    same(load("mnist"), arrays)
    assert not fake


def test_folders_win_over_the_cache(tiny, fake):
    folder, arrays = tiny
    for path in place(folder / "cache", folder).iterdir():
        path.write_bytes(b"damaged")
    target = place(folder / "folder", folder)
    assert kind() == ("folder", str(target))
    same(load("mnist"), arrays)


def test_a_download_lands_in_the_cache_once(tiny, fake):
    folder, arrays = tiny
    same(load("mnist"), arrays)
    assert len(fake) == 4
    same(load("mnist", offline=True), arrays)
    assert len(fake) == 4
    assert sorted(p.name for p in (folder / "cache" / "mnist").iterdir()) == sorted(
        p.name for p in (folder / "source").iterdir()
    ), "something besides the files was left"


def test_a_damaged_file_is_named_with_both_checksums(tiny, fake):
    folder, _ = tiny
    path = place(folder / "folder", folder) / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x04\x03\x01\x09\x01"))
    with pytest.raises(DataError) as error:
        load("mnist")
    expected = NAMED_SETS["mnist"].files[1].sha256
    for part in (str(path), expected, "is damaged", "delete it"):
        assert part in str(error.value)
    assert not fake


def test_a_mirror_with_a_damaged_file_is_passed_over(tiny, fake, monkeypatch):
    _, arrays = tiny
    good = fetch._retrieve

    def first_is_damaged(url, path):
        good(url, path)
        if url.startswith("http://one.test"):
            path.write_bytes(path.read_bytes()[:-20])

    monkeypatch.setattr(fetch, "_retrieve", first_is_damaged)
    same(load("mnist"), arrays)
    assert len(fake) == 8


def test_when_no_mirror_answers_all_is_said(tiny, monkeypatch):
    folder, _ = tiny

    def fails(url, path):
        path.write_bytes(b"half a file")
        raise ConnectionError("no route to host")

    monkeypatch.setattr(fetch, "_retrieve", fails)
    with pytest.raises(DataError) as error:
        load("mnist")
    for part in (
        *("train-images-idx3-ubyte.gz", "http://one.test/", "http://two.test/", "no route"),
        *("CUELLO_DATA", "mnist/", str(folder / "cache")),
    ):
        assert part in str(error.value)
    assert not list((folder / "cache" / "mnist").iterdir()), "half a file was left"


def test_offline_downloads_nothing(tiny, fake):
    with pytest.raises(DataError, match=r"train-images.*not on this machine.*CUELLO_DATA"):
        load("mnist", offline=True)
    assert not fake


def test_a_cache_that_cannot_be_written(tiny, fake, monkeypatch):
    folder, _ = tiny
    (folder / "file").touch()
    monkeypatch.setenv("CUELLO_CACHE", str(folder / "file"))
    with pytest.raises(DataError, match=r"cannot be written.*CUELLO_CACHE"):
        load("mnist")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_a_download_over_http(tiny, monkeypatch):
    folder, arrays = tiny
    handler = functools.partial(_Quiet, directory=str(folder / "source"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        here = f"http://127.0.0.1:{server.server_port}/"
        named = replace(NAMED_SETS["mnist"], mirrors=(here + "missing/", here))
        monkeypatch.setitem(NAMED_SETS._entries, "mnist", named)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        try:
            same(load("mnist"), arrays)
        finally:
            server.shutdown()
            thread.join()


def test_the_anomaly_tables_load(provided):
    for path in sorted((provided / "odds").glob("*.npz")):
        data = load(path)
        assert data.classes == ("0", "1"), path
        assert len(data.y) == len(data.X)
