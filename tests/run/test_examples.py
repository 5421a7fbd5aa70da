"""What the report shows a model to be good for: rows, figures, and what is left out where."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

import cuello
from cuello.report.content import gather


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("uses")
    return cuello.fit(
        "digits", out=path / "run", kind="denoising", hidden=(32,), latent_dim=8, epochs=15
    )


@pytest.fixture(scope="module")
def arrays(folder):
    return folder.read_arrays("examples.npz")


def test_the_most_anomalous_test_samples_come_first(folder, arrays):
    table = pq.read_table(folder.path / "embeddings.parquet")
    test = np.array(table["split"].to_pylist()) == "test"
    scores = table["anomaly_score"].to_numpy()[test]
    np.testing.assert_allclose(arrays["anomalous_scores"], np.sort(scores)[::-1][:12])
    found = folder.read_json("metrics.json")["anomalies"]
    assert found["test_rows"] == len(scores)
    assert found["test_count"] == (scores > found["threshold"]).sum()


def test_cleaned_rows_are_test_rows_that_the_own_noise_damaged(arrays):
    original, noisy = arrays["denoised_original"] / 255.0, arrays["denoised_noisy"] / 255.0
    zero = np.isclose(noisy, 0.0, atol=1e-6)
    assert 0.6 < zero[original > 0].mean() < 0.9, "three of four elements are masked"
    np.testing.assert_allclose(noisy[~zero], 4.0 * original[~zero], rtol=1e-4)
    back = arrays["denoised_result"] / 255.0
    for figure, rows in (("before", noisy), ("after", back)):
        expected = ((rows - original) ** 2).mean(axis=(1, 2))
        np.testing.assert_allclose(arrays[f"denoised_{figure}"], expected, rtol=1e-4)
    assert arrays["denoised_after"].mean() < 0.5 * arrays["denoised_before"].mean()


def test_beside_each_new_row_is_the_nearest_training_row(folder, arrays):
    run, data = cuello.open_run(folder.path), cuello.load("digits")
    parts = pq.read_table(folder.path / "embeddings.parquet")["split"].to_pylist()
    train = data.X[np.array(parts) == "train"]
    new, rows = arrays["sampled_original"], train[arrays["sampled_rows"]]
    np.testing.assert_array_equal(arrays["sampled_nearest"], rows)
    off = ((new[:, None] - train[None].astype(float)) ** 2).mean(axis=(2, 3)) ** 0.5 / 255.0
    np.testing.assert_allclose(arrays["sampled_distance"], off.min(axis=1), rtol=1e-4)
    assert run.autoencoder.reconstruct(new).shape == new.shape


def test_the_page_shows_all_three(folder):
    content = gather(folder)
    assert [gallery.title for gallery in content.applications] == [
        "Anomalies",
        "Denoising",
        "Sampling",
    ]
    page = folder.report.read_text()
    part = page[page.index('<section id="applications"') :].partition("</section>")[0]
    assert part.count("<img") == 12 * (2 + 3 + 2)
    count = folder.read_json("metrics.json")["anomalies"]["test_count"]
    assert f"{count} of 359 test samples score above 2" in part


def test_a_kind_that_restores_nothing_cleans_nothing_and_sequences_show_anomalies_only(tmp_path):
    plain = cuello.fit("digits", out=tmp_path / "plain", kind="plain", latent_dim=4, epochs=1)
    assert [gallery.title for gallery in gather(plain).applications] == ["Anomalies", "Sampling"]
    np.save(tmp_path / "s.npy", np.random.default_rng(0).normal(size=(40, 6, 2)))
    of_time = cuello.fit(
        tmp_path / "s.npy", out=tmp_path / "s", network="sequence", latent_dim=2, epochs=1
    )
    assert [gallery.title for gallery in gather(of_time).applications] == ["Anomalies"]


def test_a_table_is_shown_line_by_line(tmp_path):
    rows = np.random.default_rng(0).normal(size=(90, 3))
    np.savetxt(tmp_path / "t.csv", rows, delimiter=",", header="a,b,c", comments="")
    folder = cuello.fit(tmp_path / "t.csv", out=tmp_path / "run", latent_dim=1, epochs=1)
    page = folder.report.read_text()
    part = page[page.index('<section id="applications"') :].partition("</section>")[0]
    assert part.count("<mark>") >= 2 * 12
    assert "the largest deviations of 'nearest' in each row" in part
