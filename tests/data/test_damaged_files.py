"""Law: whatever happens to the bytes of a file, the only thing raised is a DataError."""

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from idx_writer import write_idx
from PIL import Image

from cuello.data import load
from cuello.data.readers.base import read_content
from cuello.errors import DataError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)


def _image(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    X = RNG.normal(size=(30, 4)).astype(np.float32)
    np.save(folder / "a.npy", X)
    np.savez(folder / "a.npz", X=X, y=np.arange(30) % 3)
    np.savez_compressed(folder / "b.npz", X=X, y=np.arange(30) % 3)
    write_idx(folder / "a-idx2-float", X)
    write_idx(folder / "b-idx2-float.gz", X, compress=True)
    table = pa.table(
        {"a": X[:, 0], "b": [f"v{i % 3}" for i in range(30)], "label": ["x", "y"] * 15}
    )
    pq.write_table(table, folder / "a.parquet")
    rows = "\n".join(f'{a:.3f},"v{i % 3}",{b:.2f}' for i, (a, b) in enumerate(X[:, :2]))
    (folder / "a.csv").write_text("a,b,c\n" + rows)
    (folder / "b.csv.gz").write_bytes(gzip.compress((folder / "a.csv").read_bytes()))
    for kind in ("png", "jpeg", "bmp", "gif", "tiff", "webp"):
        (folder / f"a.{kind}").write_bytes(_image(kind))
    return folder


NAMES = [
    *("a.npy", "a.npz", "b.npz", "a-idx2-float", "b-idx2-float.gz", "a.parquet"),
    *("a.csv", "b.csv.gz", "a.png", "a.jpeg", "a.bmp", "a.gif", "a.tiff", "a.webp"),
]
# Cut anywhere, each of these is noticed; of a CSV or a JPEG the beginning may still be a whole one.
CHECKED = ["a.npy", "a.npz", "b.npz", "a-idx2-float", "b-idx2-float.gz", "a.parquet", "a.png"]

many = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _load_or_refuse(path, **options) -> bool:
    try:
        load(path, **options)
    except DataError as error:
        said = str(error)
    else:
        return True
    assert path.name in said
    return False


@pytest.mark.parametrize("name", NAMES)
@many
@given(cut=st.floats(0, 1, exclude_max=True), skip_bad=st.booleans())
def test_cut_anywhere(originals, tmp_path, name, cut, skip_bad):
    raw = (originals / name).read_bytes()
    path = tmp_path / name
    # A PNG without its last chunk and the checksums before it still has all its pixels.
    end = len(raw) - 24 if name == "a.png" else len(raw)
    path.write_bytes(raw[: int(cut * end)])
    assert not _load_or_refuse(path, skip_bad=skip_bad) or name not in CHECKED


@pytest.mark.parametrize("name", NAMES)
@many
@given(data=st.data())
def test_bytes_changed_anywhere(originals, tmp_path, name, data):
    raw = bytearray((originals / name).read_bytes())
    early = st.integers(0, min(200, len(raw) - 1))  # headers are there
    places = data.draw(st.lists(early | st.integers(0, len(raw) - 1), min_size=1, max_size=8))
    for place in places:
        raw[place] = data.draw(st.integers(0, 255))
    path = tmp_path / name
    path.write_bytes(raw)
    _load_or_refuse(path, skip_bad=data.draw(st.booleans()))


@many
@given(raw=st.binary(max_size=300), name=st.sampled_from([*NAMES, "labels", "x.gz"]))
def test_any_bytes_under_any_name(tmp_path, raw, name):
    path = tmp_path / name
    path.write_bytes(raw)
    _load_or_refuse(path)


def test_gzip_with_a_wrong_checksum(tmp_path):
    raw = bytearray(gzip.compress(b"cuello" * 100))
    raw[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.gz: cannot be read.*CRC.*again"):
        read_content(tmp_path / "a.gz")
