import subprocess
import sys

import numpy as np
import pytest

from cuello.data import load
from cuello.errors import DataError, InputError


def test_names_win_over_files_and_a_dot_means_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "font").mkdir()
    np.save(tmp_path / "font" / "x.npy", np.eye(2))
    assert load("font").name == "font-upper"
    with pytest.raises(DataError, match="font: holds no image"):
        load("./font")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("minst", r"'minst' is not known; did you mean 'mnist'.*path of a file or folder"),
        ("font:uper", r"'uper' is not known; did you mean 'upper'"),
        ("digits:3", "has no subsets"),
        ("", "not known"),
    ],
)
def test_unknown_names(spec, message):
    with pytest.raises(InputError, match=message):
        load(spec)


def test_a_path_that_does_not_exist_has_a_neighbour(tmp_path):
    np.save(tmp_path / "scans.npy", np.eye(2))
    with pytest.raises(DataError, match=r"scan\.npy: does not exist.*did you mean .*scans\.npy"):
        load(tmp_path / "scan.npy")


def test_a_format_that_is_not_read(tmp_path):
    (tmp_path / "a.docx").write_text("hello")
    with pytest.raises(
        DataError, match=r"a\.docx: is of no format that can be read.*Allowed: \.npy.*\.parquet"
    ):
        load(tmp_path / "a.docx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 8}, "image_size is for image"),
        ({"label_column": "y"}, "label_column is for CSV, Parquet"),
        ({"image_size": 0}, "image_size=0 must be"),
        ({"image_size": (1, 2, 3)}, "height, width"),
        ({"encoding": {"type": "sound"}}, "type='sound'"),
    ],
)
def test_options_that_mean_nothing_here(options, message):
    with pytest.raises(InputError, match=message):
        load("digits", **options)


def test_data_of_another_sort_than_in_training(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"a\.csv: the model was trained on images, this is table"):
        load(tmp_path / "a.csv", encoding=load("digits").encoding)


def test_importing_is_light():
    heavy = ("torch", "sklearn", "pyarrow", "PIL", "pooch", "psutil", "scipy")
    code = f"import sys, cuello.data; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
