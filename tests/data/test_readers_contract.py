"""Contract of readers: one entry carries all that `load`, errors, docs and commands need."""

import re
from pathlib import Path

import numpy as np
import pytest

from cuello.data import NAMED_SETS, READERS, Dataset, load
from cuello.data.loading import load as load_function
from cuello.data.readers import Reader, reader_of
from cuello.errors import DataError, InputError
from cuello.options import read_options

COMMON = read_options(load_function)


def read_lines(path: Path, *, task: str | None = "auto", unit: float | None = None) -> Dataset:
    """Read a toy format: one number a line.

    Parameters
    ----------
    unit : float or None
        Value of one.
    """
    X = np.array(path.read_text().split(), dtype=np.float32)[:, None] * (unit or 1.0)
    return Dataset(X=X, name=path.stem, source=str(path), encoding={})


@pytest.fixture
def _toy():
    READERS.add(
        "lines",
        Reader(
            display_name="lines of numbers",
            summary="One number a line.",
            suffixes=(".lines",),
            read=read_lines,
            compressed=True,
        ),
    )
    yield
    READERS.remove("lines")


@pytest.mark.usefixtures("_toy")
def test_a_toy_reader_is_all_that_a_new_format_needs(tmp_path):
    path = tmp_path / "toy.lines"
    path.write_text("1\n2.5\n")
    assert load(path).X.tolist() == [[1.0], [2.5]]
    assert load(path, unit=2.0).X.tolist() == [[2.0], [5.0]]
    assert READERS["lines"].options["unit"].help == "Value of one."
    with pytest.raises(InputError, match=r"label_column is for CSV, Parquet; .*toy\.lines is none"):
        load(path, label_column="y")
    (tmp_path / "a.docx").touch()
    with pytest.raises(DataError, match=r"Allowed: .*\.csv.*\.lines\."):
        load(tmp_path / "a.docx")
    (tmp_path / "a.npy").touch()
    with pytest.raises(InputError, match=r"unit is for lines of numbers; .*a\.npy is none"):
        load(tmp_path / "a.npy", unit=2.0)


def test_without_the_toy_its_suffix_and_option_are_unknown(tmp_path):
    path = tmp_path / "toy.lines"
    path.write_text("1\n2\n")
    with pytest.raises(DataError, match="is of no format that can be read"):
        load(path)
    with pytest.raises(InputError, match="option='unit' is not known"):
        load("digits", unit=2.0)


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_describes_itself(name):
    reader = READERS[name]
    assert reader.display_name
    assert re.fullmatch(r"[A-Z].*\.", reader.summary)
    assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in reader.suffixes)
    for option in reader.options.values():
        assert option.name in COMMON or option.help
    assert bool(reader.encoding) == ("encoding" in reader.options)


@pytest.mark.parametrize("name", [name for name in READERS if READERS[name].suffixes])
def test_suffixes_lead_to_the_reader_and_damage_to_a_data_error(tmp_path, name):
    reader = READERS[name]
    for suffix in reader.suffixes:
        path = tmp_path / f"a{suffix.upper()}"
        path.touch()
        assert reader_of(path) is reader
        assert (reader_of(Path(f"{path}.gz")) is reader) if reader.compressed else True
        with pytest.raises(DataError, match=re.escape(path.name)):
            load(path)


def test_no_suffix_belongs_to_two_readers():
    suffixes = [suffix for reader in READERS.values() for suffix in reader.suffixes]
    assert len(set(suffixes)) == len(suffixes)


def test_the_docs_list_every_format_and_named_set():
    page = Path(__file__, "../../../docs/data.md").resolve().read_text()
    for reader in READERS.values():
        assert reader.display_name in page
        assert reader.summary in page
    for name, named in NAMED_SETS.items():
        assert f"`{name}`" in page
        assert named.summary in page
