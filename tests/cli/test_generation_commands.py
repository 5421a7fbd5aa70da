"""Commands that decode: what they write is what the estimator gives."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from cli_samples import SMALL, rows_of_three_classes
from PIL import Image

from cuello import CuelloWarning, load, open_run

X, _ = rows_of_three_classes()


def test_denoise(cuello, finished, tmp_path):
    said = cuello("denoise", "run", "rows.npz", "-o", "clean.npz", "--masked", 0.25).out
    note, line = said.splitlines()
    assert note.startswith("note: --kind plain never saw a damaged sample")
    assert line == "60 samples: clean.npz"
    with pytest.warns(CuelloWarning, match="never saw a damaged sample"):
        expected = open_run(finished).autoencoder.denoise(X, masked=0.25)
    with np.load(tmp_path / "clean.npz") as clean:
        np.testing.assert_array_equal(clean["X"], expected)
        np.testing.assert_allclose(clean["removed"], ((X - expected) ** 2).mean(1), rtol=1e-4)


def test_denoise_says_what_it_cannot(cuello, refused, finished):
    refused(
        "denoise", "run", "rows.npz", "-o", "a.npz", "--masked", 1, saying=("--masked 1.0 must",)
    )
    refused("denoise", "run", "rows.npz", "-o", "a.csv", saying=("write a.npz",))
    refused("denoise", "run", "nowhere.npz", "-o", "a.npz", saying=("nowhere.npz",))
    refused("denoise", "nowhere", "rows.npz", "-o", "a.npz", saying=("nowhere",))


def test_denoise_warns_of_a_run_that_never_saw_noise(cuello, arrays):
    cuello("fit", "rows.npz", *SMALL, "--kind", "plain", "--out", "plain")
    outcome = cuello("denoise", "plain", "rows.npz", "-o", "clean.npz")
    assert "note: --kind plain" in " ".join((outcome.out + outcome.err).split())


def test_sample(cuello, finished, tmp_path):
    said = cuello("sample", "run", "-n", 9, "-o", "new.npz", "--seed", 3).out
    assert said == "9 new samples (mixture of Gaussians on the embeddings): new.npz\n"
    cuello("sample", "run", "-n", 9, "-o", "again.npz", "--seed", 3)
    cuello("sample", "run", "-n", 9, "-o", "other.npz", "--seed", 4)
    first, again, other = (load(tmp_path / f"{n}.npz").X for n in ("new", "again", "other"))
    assert first.shape == (9, 6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not (tmp_path / "new.png").exists()  # rows of a table are no pictures


@pytest.mark.parametrize(
    ("labels", "saying"),
    [((), "embeddings of each class"), (("--labels", 30), "with classes by the classifier")],
)
def test_sample_of_classes(cuello, tmp_path, labels, saying):
    """By mixtures where 50 rows of a class are known; where fewer are, by the classifier."""
    X, y = rows_of_three_classes(300)
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    options = ("--epochs", 60, "--lr", 0.01, "--hidden", 16, "--latent", 2, "--kind", "plain")
    options = (*options, "--repeats", 1)
    cuello("fit", "rows.npz", *options, *labels, "--out", "run")
    said = cuello("sample", "run", "-n", 90, "-o", "new.npz", "--classes", "2,0").out
    assert saying in said
    new, run = load(tmp_path / "new.npz"), open_run(tmp_path / "run")
    assert [new.classes[code] for code in new.y] == ["2", "0"] * 45
    for place, code in enumerate((2, 0)):
        apart = np.abs(new.X[place::2].mean(axis=0) - X[y == code].mean(axis=0))
        assert apart.mean() < 0.3  # class means are 2 apart
    if labels:
        assert run.classifier.predict(new.X).tolist() == [2, 0] * 45


def test_sample_draws_images_side_by_side(cuello, pictures, tmp_path):
    cuello("fit", "pictures", *SMALL, "--kind", "variational", "--out", "run")
    said = cuello("sample", "run", "-n", 10, "-o", "new.npz").out
    assert said.startswith("10 new samples (mixture")
    with Image.open(tmp_path / "new.png") as sheet, np.load(tmp_path / "new.npz") as new:
        assert sheet.size == (4 * 9 * 7, 3 * 9 * 7)
        pixel = np.asarray(sheet)[7 * 9 + 3, 7 * 9 + 3]  # the first of image 5, enlarged
        assert pixel == pytest.approx(new["X"][5, 0, 0], abs=1)


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        (("--number", 0), ("greater than or equal to 1",)),
        (("--sampler", "priro"), ("--sampler priro is not known", "'prior'")),
        (("--sampler", "prior"), ("--sampler prior", "use --sampler mixture")),
        (("--classes", "9"), ("--classes 9", "0, 1, 2")),
        (("--classes", ""), ("--classes",)),
        (("-o", "new.csv"), ("write new.npz",)),
    ],
)
def test_sample_says_what_it_cannot(refused, finished, options, saying):
    refused("sample", "run", "-o", "new.npz", *options, saying=saying)


def test_sample_of_classes_needs_some(cuello, refused, arrays, tmp_path):
    X, _ = rows_of_three_classes()
    np.save(tmp_path / "bare.npy", X)
    cuello("fit", "bare.npy", *SMALL, "--out", "bare")
    refused("sample", "bare", "-o", "a.npz", "--classes", "1", saying=("knows no classes",))
    (tmp_path / "bare" / "embeddings.parquet").write_bytes(b"broken")
    refused("sample", "bare", "-o", "a.npz", saying=("embeddings.parquet cannot be used",))
    (tmp_path / "bare" / "embeddings.parquet").unlink()
    refused("sample", "bare", "-o", "a.npz", saying=("embeddings.parquet", "it does not exist"))


def test_interpolate(cuello, finished, tmp_path):
    said = cuello("interpolate", "run", "rows.npz", "--rows", "3,17,5", "-o", "way.npz").out
    assert said == "18 samples: way.npz\n"
    model = open_run(finished).autoencoder
    with np.load(tmp_path / "way.npz") as way:
        assert way["rows"].tolist() == [3, 17, 5]
        np.testing.assert_array_equal(way["X"][0], model.interpolate(X[3], X[17]))
        np.testing.assert_array_equal(way["X"][1], model.interpolate(X[17], X[5]))


def test_interpolate_draws_a_way_a_line(cuello, pictures, tmp_path):
    cuello("fit", "pictures", *SMALL, "--out", "run")
    cuello("interpolate", "run", "pictures", "--rows", "0,1,2", "--steps", 5, "-o", "way.npz")
    with Image.open(tmp_path / "way.png") as sheet:
        assert sheet.size == (5 * 9 * 7, 2 * 9 * 7)


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        (("--rows", "3"), ("--rows 3", "two or more")),
        (("--rows", "a,b"), ("--rows a,b", "3,17")),
        (("--rows", "0,60"), ("--rows 60 must be in 0..59",)),
        (("--rows", "0,1", "--method", "round"), ("--method round is not known", "linear")),
        (("--rows", "0,1", "--steps", 1), ("--steps", "greater than or equal to 2")),
    ],
)
def test_interpolate_says_what_it_cannot(refused, finished, options, saying):
    refused("interpolate", "run", "rows.npz", "-o", "way.npz", *options, saying=saying)


TABLE = "size,weight,hue,born,label\n"


def table_lines(rows=80):
    """Weight is twice the size, hue is red where size is above 0, born follows from size."""
    rng = np.random.default_rng(0)
    for size in rng.normal(size=rows).round(3):
        day = np.datetime64("2020-01-01") + int(100 * (size + 5))
        yield [str(size), str(round(2 * size, 3)), "red" if size > 0 else "blue", str(day), "a"]


def write_lines(path, lines):
    path.write_text(TABLE + "\n".join(",".join(line) for line in lines) + "\n")


@pytest.fixture
def table_run(cuello, tmp_path):
    write_lines(tmp_path / "whole.csv", table_lines())
    options = ("--epochs", 100, "--lr", 0.01, "--hidden", 16, "--latent", 2, "--kind", "plain")
    cuello("fit", "whole.csv", *options, "--no-linear-skip", "--out", "run")
    return [list(line) for line in table_lines()]


def test_impute_fills_the_cells_of_a_table(cuello, table_run, tmp_path):
    holed = [list(line) for line in table_run]
    for row, line in enumerate(holed):
        line[row % 4] = ""
    write_lines(tmp_path / "holed.csv", holed)
    said = cuello("impute", "run", "holed.csv", "-o", "filled.csv").out
    assert said.endswith("80 samples with missing values, filled: filled.csv\n")
    with (tmp_path / "filled.csv").open(newline="") as f:
        head, *filled = list(csv.reader(f))
    assert head == ["size", "weight", "hue", "born", "label"]
    right, errors = 0, []
    for row, (line, truth) in enumerate(zip(filled, table_run, strict=True)):
        for column, (cell, true) in enumerate(zip(line, truth, strict=True)):
            if column != row % 4 and column in (0, 1):
                assert float(cell) == pytest.approx(float(true), rel=1e-6)
            elif column != row % 4:
                assert cell == true
        right += line[2] == truth[2] and row % 4 == 2
        if row % 4 == 1:
            errors.append(float(line[1]) - float(truth[1]))
    assert right >= 17  # of 20
    assert np.std(errors) < 1.0  # of weights, whose deviation is 2
    assert "80 samples" in cuello("embed", "run", "filled.csv", "-o", "z.parquet").out


def test_impute_fills_images_and_draws(cuello, pictures, tmp_path):
    cuello("fit", "pictures", *SMALL, "--kind", "variational", "--out", "run")
    images = load(tmp_path / "pictures").X.astype(np.float32)
    missing = np.random.default_rng(0).random(images.shape) < 0.5
    np.savez(tmp_path / "holed.npz", X=np.where(missing, np.nan, images))
    cuello("impute", "run", "holed.npz", "-o", "one.npz")
    cuello("impute", "run", "holed.npz", "-o", "many.npz", "--draws", 3)
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "many.npz") as many:
        assert np.isfinite(one["X"]).all()
        np.testing.assert_array_equal(one["missing"], missing)
        np.testing.assert_array_equal(one["X"][~missing], images[~missing])
        assert many["X"].shape == (3, *images.shape)
        assert (many["X"].std(axis=0)[missing] > 0).all()


def test_impute_says_what_it_cannot(cuello, refused, pictures, finished, tmp_path):
    refused("impute", "run", "rows.npz", "-o", "a.parquet", saying=(".csv or .npz",))
    refused("impute", "run", "rows.npz", "-o", "a.csv", "--draws", 2, saying=("--draws 2", ".npz"))
    refused("impute", "run", "rows.npz", "-o", "a.npz", "--draws", 2, saying=("one answer",))
    cuello("fit", "pictures", *SMALL, "--out", "seen")
    refused("impute", "seen", "pictures", "-o", "a.csv", saying=("are no table",))


def test_other_commands_still_refuse_what_is_missing(refused, finished, tmp_path):
    np.save(tmp_path / "images.npy", np.full((3, 6, 1), np.nan, dtype=np.float32))
    refused("denoise", "run", "images.npy", "-o", "a.npz", saying=("images.npy",))


def test_project(cuello, finished, tmp_path):
    told = cuello("project", "run", "rows.npz", "-o", "map.csv").out.splitlines()
    assert told[0] == "60 samples: map.csv"
    assert re.fullmatch(
        r"embedding: trustworthiness 0\.\d+, 5-NN accuracy [\d.]+ % \(60 samples\)", told[1]
    )
    assert told[2].startswith("PCA: trustworthiness")
    with (tmp_path / "map.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    codes = open_run(finished).autoencoder.transform(X)
    found = np.array([[float(line["x"]), float(line["y"])] for line in lines])
    np.testing.assert_allclose(found, codes, rtol=1e-4)


def test_project_of_more_latents_than_two(cuello, refused, arrays, tmp_path):
    cuello("fit", "rows.npz", *SMALL[:-1], 4, "--validation", 0.05, "--test", 0.05, "--out", "run")
    assert "learned projection: trust" in cuello("project", "run", "rows.npz", "-o", "map.csv").out
    np.save(tmp_path / "few.npy", X[:8])
    assert cuello("project", "run", "few.npy", "-o", "few.csv").out == "8 samples: few.csv\n"
    refused("project", "run", "rows.npz", "-o", "map.npz", saying=("write map.csv",))
    cuello("fit", "few.npy", *SMALL[:-1], 4, "--out", "small")
    refused("project", "small", "few.npy", "-o", "a.csv", saying=("8 samples are too few",))
