"""Commands that decode: what they write is what the estimator gives."""

from __future__ import annotations

import numpy as np
from cli_samples import SMALL, rows_of_three_classes

from cuello import open_run

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
