"""Commands that decode: what they write is what the estimator gives."""

from __future__ import annotations

import numpy as np
import pytest
from cli_samples import SMALL, rows_of_three_classes
from PIL import Image

from cuello import load, open_run

X, _ = rows_of_three_classes()


def test_denoise(cuello, finished, tmp_path):
    said = cuello("denoise", "run", "rows.npz", "-o", "clean.npz", "--masked", 0.25).out
    assert said == "60 rows: clean.npz\n"
    expected = open_run(finished).autoencoder.denoise(X, masked=0.25)
    with np.load(tmp_path / "clean.npz") as clean:
        np.testing.assert_array_equal(clean["X"], expected)
        np.testing.assert_allclose(clean["removed"], ((X - expected) ** 2).mean(1), rtol=1e-4)


def test_denoise_says_what_it_cannot(cuello, refused, finished):
    refused(
        "denoise", "run", "rows.npz", "-o", "a.npz", "--masked", 1, saying=("--masked 1.0 must",)
    )
    refused("denoise", "run", "rows.npz", "-o", "a.csv", saying=("writes .npz files",))
    refused("denoise", "run", "nowhere.npz", "-o", "a.npz", saying=("nowhere.npz",))
    refused("denoise", "nowhere", "rows.npz", "-o", "a.npz", saying=("nowhere",))


def test_denoise_warns_of_a_run_that_never_saw_noise(cuello, arrays):
    cuello("fit", "rows.npz", *SMALL, "--kind", "plain", "--out", "plain")
    outcome = cuello("denoise", "plain", "rows.npz", "-o", "clean.npz")
    assert "note: --kind plain" in " ".join((outcome.out + outcome.err).split())


def test_sample(cuello, finished, tmp_path):
    said = cuello("sample", "run", "-n", 9, "-o", "new.npz", "--seed", 3).out
    assert said == "9 new rows (mixture of Gaussians on the codes): new.npz\n"
    cuello("sample", "run", "-n", 9, "-o", "again.npz", "--seed", 3)
    cuello("sample", "run", "-n", 9, "-o", "other.npz", "--seed", 4)
    first, again, other = (load(tmp_path / f"{n}.npz").X for n in ("new", "again", "other"))
    assert first.shape == (9, 6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not (tmp_path / "new.png").exists()  # rows of a table are no pictures


@pytest.mark.parametrize(
    ("labels", "saying"), [((), "codes of each class"), (("--labels", 30), "as the classifier has")]
)
def test_sample_of_classes(cuello, tmp_path, labels, saying):
    """By mixtures where 50 rows of a class are known; where fewer are, by the classifier."""
    X, y = rows_of_three_classes(300)
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    options = ("--epochs", 200, "--hidden", 16, "--latent", 2, "--kind", "plain", "--repeats", 1)
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
    assert said.startswith("10 new rows (prior)")
    with Image.open(tmp_path / "new.png") as sheet, np.load(tmp_path / "new.npz") as new:
        assert sheet.size == (4 * 8 * 7, 3 * 8 * 7)
        pixel = np.asarray(sheet)[7 * 8 + 3, 7 * 8 + 3]  # the first of image 5, enlarged
        assert pixel == pytest.approx(new["X"][5, 0, 0], abs=1)


@pytest.mark.parametrize(
    ("options", "saying"),
    [
        (("--number", 0), ("greater than or equal to 1",)),
        (("--how", "priro"), ("--how priro is not known", "'prior'")),
        (("--how", "prior"), ("--how prior", "use --how mixture")),
        (("--classes", "9"), ("--classes 9", "0, 1, 2")),
        (("--classes", ""), ("--classes",)),
        (("-o", "new.csv"), ("writes .npz",)),
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
    refused("sample", "bare", "-o", "a.npz", saying=("embeddings.parquet is damaged",))
    (tmp_path / "bare" / "embeddings.parquet").unlink()
    refused("sample", "bare", "-o", "a.npz", saying=("embeddings.parquet does not exist",))
