"""From run folders to the page's content: bytes, floats, tables; codes of 1, 2 and more numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cuello
from cuello.data import load
from cuello.report import gather, write_report


def run(tmp_path, X, latent, **options):
    np.save(tmp_path / "x.npy", X)
    return cuello.fit(
        tmp_path / "x.npy",
        out=tmp_path / "run",
        hidden=(16,),
        latent_dim=latent,
        epochs=2,
        **options,
    )


@pytest.mark.parametrize(
    ("latent", "axes"),
    [
        (1, ("latent 1", "reconstruction error")),
        (2, ("latent 1", "latent 2")),
        (5, ("learned projection of the embeddings", "")),
    ],
)
def test_latent_map(tmp_path, latent, axes):
    digits = load("digits").X[:300]
    folder = run(tmp_path, digits, latent)
    content = gather(folder)
    arrays = folder.read_arrays("examples.npz")
    assert content.latent.xy.shape == (60, 2)
    assert content.latent.axes == axes
    if latent == 2:
        assert np.array_equal(content.latent.xy, arrays["projection_embeddings"])
    if latent == 5:
        assert np.array_equal(content.latent.xy, arrays.pop("projection_coordinates"))
        # A folder of before has PCA: centred, uncorrelated, the first with more variance.
        folder.write_arrays("examples.npz", arrays)
        older = gather(folder).latent
        assert older.axes[1].startswith("second principal component")
        xy = older.xy.astype(float)
        assert np.abs(xy.mean(0)).max() < 1e-4
        assert xy[:, 0].var() >= xy[:, 1].var()
        assert abs(np.corrcoef(xy.T)[0, 1]) < 1e-4
    assert content.latent.label is None
    assert np.array_equal(
        content.latent.images, digits[np.sort(_test_rows(digits))][arrays["projection_rows"]]
    )


def test_latent_map_of_one_test_row(tmp_path):
    folder = run(tmp_path, load("digits").X[:6], 5)
    latent = gather(folder).latent
    assert latent.xy.tolist() == [[0.0, 0.0]] * len(latent.xy)
    assert len(latent.xy) == 1


def _test_rows(X):
    from cuello import Dataset
    from cuello.data.splits import make_split

    return make_split(Dataset(X=X, name="x", source="x")).test


@pytest.mark.parametrize("scale", [1.0, 255.0, -3.0])
def test_galleries_of_images_are_in_0_to_1(tmp_path, scale):
    images = (load("digits").X[:200] / 255.0 * scale).astype(np.float32)
    content = gather(run(tmp_path, images, 4))
    for gallery in content.galleries:
        assert gallery.first.min() >= -1.0
    typical = content.galleries[0]
    assert typical.first.min() == pytest.approx(0.0, abs=1e-6)
    assert typical.first.max() == pytest.approx(1.0, abs=1e-6)
    assert typical.figures["MSE"].shape == (12,)
    assert [len(g.first) for g in content.galleries] == [12, 12, 12]
    best, worst = content.galleries[1:]
    assert best.figures["MSE"].max() <= worst.figures["MSE"].min()


def test_tables_keep_their_units_and_columns(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.normal(50.0, 10.0, size=(80, 3)).round(2)
    (tmp_path / "t.csv").write_text(
        "length,width,mass\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n"
    )
    folder = cuello.fit(
        tmp_path / "t.csv", out=tmp_path / "run", hidden=(8,), latent_dim=2, epochs=2
    )
    content = gather(folder)
    assert content.columns == ("length", "width", "mass")
    assert content.latent.images is None
    shown = content.galleries[0].first
    assert all(any(np.allclose(row, known, atol=1e-3) for known in rows) for row in shown)


def test_what_auto_came_to_is_shown(tmp_path):
    folder = cuello.fit("digits", out=tmp_path / "run", hidden=(8,), latent_dim=2, epochs=1)
    options = gather(folder).options
    assert options["model"]["loss"] == "auto: bce"
    assert options["model"]["scaling"] == "auto: minmax"
    assert options["training"]["epochs"] == "1"
    assert options["training"]["batch_size"] == "auto: 128"
    assert "noise masking" in options["model"]["kind_options"]
    before = folder.report.read_bytes()
    folder.report.unlink()
    write_report(folder)
    assert folder.report.read_bytes() == before


def test_sequences_are_drawn_over_time_in_their_own_units(tmp_path):
    rng = np.random.default_rng(0)
    X = 100 + rng.normal(size=(80, 7, 2)).astype(np.float32)
    X[::2, 4:] = np.nan
    np.save(tmp_path / "s.npy", X)
    options = {"network": "sequence", "kind": "plain", "latent_dim": 2, "epochs": 1}
    folder = cuello.fit(tmp_path / "s.npy", out=tmp_path / "run", **options)
    content = gather(folder)
    assert content.latent.images is None
    gallery = content.galleries[0]
    assert 95 < np.nanmin(gallery.first) < np.nanmax(gallery.first) < 105
    ended = np.isnan(gallery.first)
    assert ended.any()
    for values in list(gallery.versions.values())[1:]:
        np.testing.assert_array_equal(np.isnan(values), ended)
    page = folder.report.read_text()
    courses = re.findall(r'<polyline class="(\w+)" points="([^"]*)"', page)
    # Galleries, rows, features, lines; anomalies are drawn without PCA.
    assert len(courses) == 3 * 12 * 2 * 3 + 12 * 2 * 2
    assert {name for name, _ in courses} == {"original", "model", "pca"}
    assert {len(points.split()) for _, points in courses} == {4, 7}
