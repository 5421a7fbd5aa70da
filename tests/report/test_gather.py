"""From run folders to the page's content: bytes, floats, tables; codes of 1, 2 and more numbers."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

import cuello
from cuello.data import load
from cuello.report.content import gather
from cuello.report.page import write_report


@pytest.fixture(scope="session")
def fitted(tmp_path_factory):
    """Return the folder of a run of digits in so many latents, fitted once."""

    @functools.cache
    def fit_digits(latent):
        folder = tmp_path_factory.mktemp("gather")
        np.save(folder / "x.npy", images_of(latent))
        options = {"hidden": (16,), "latent_dim": latent, "epochs": 2}
        return cuello.fit(folder / "x.npy", out=folder / "run", **options)

    return fit_digits


def images_of(latent):
    """Return digits as bytes, as floats in 0..1, or in another range."""
    images = load("digits").X[:300]
    scale = {1: 1.0, 2: 255.0, 4: -3.0}
    return (images / 255.0 * scale[latent]).astype(np.float32) if latent in scale else images


@pytest.mark.parametrize(
    ("latent", "axes"),
    [
        (1, ("latent 1", "reconstruction error")),
        (2, ("latent 1", "latent 2")),
        (5, ("learned projection of the embeddings", "")),
    ],
)
def test_latent_space(fitted, latent, axes):
    folder = fitted(latent)
    content = gather(folder)
    arrays = folder.read_arrays("examples.npz")
    assert content.latent.xy.shape == (60, 2)
    assert content.latent.axes == axes
    if latent == 2:
        assert np.array_equal(content.latent.xy, arrays["projection_embeddings"])
    assert content.latent.label is None


def test_bytes_are_shown_as_they_are_and_without_a_learned_projection_pca(fitted):
    folder = fitted(5)
    digits, arrays = images_of(5), folder.read_arrays("examples.npz")
    shown = digits[np.sort(_test_rows(digits))][arrays["projection_rows"]]
    assert np.array_equal(gather(folder).latent.images, shown)
    coordinates = arrays.pop("projection_coordinates")
    assert np.array_equal(gather(folder).latent.xy, coordinates)
    folder.write_arrays("examples.npz", arrays)
    latent = gather(folder).latent
    folder.write_arrays("examples.npz", arrays | {"projection_coordinates": coordinates})
    # Principal components: centred, uncorrelated, the first with more variance.
    assert latent.axes[1].startswith("second principal component")
    xy = latent.xy.astype(float)
    assert np.abs(xy.mean(0)).max() < 1e-4
    assert xy[:, 0].var() >= xy[:, 1].var()
    assert abs(np.corrcoef(xy.T)[0, 1]) < 1e-4


def test_latent_space_of_one_test_row(tmp_path):
    np.save(tmp_path / "x.npy", load("digits").X[:6])
    options = {"hidden": (16,), "latent_dim": 5, "epochs": 2}
    latent = gather(cuello.fit(tmp_path / "x.npy", out=tmp_path / "run", **options)).latent
    assert latent.xy.tolist() == [[0.0, 0.0]] * len(latent.xy)
    assert len(latent.xy) == 1


def _test_rows(X):
    from cuello import Dataset
    from cuello.data.splits import make_split

    return make_split(Dataset(X=X, name="x", source="x")).test


@pytest.mark.parametrize("latent", [1, 2, 4])
def test_galleries_of_images_are_in_0_to_1(fitted, latent):
    content = gather(fitted(latent))
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


def test_resolved_settings_are_shown(tmp_path):
    folder = cuello.fit("digits", out=tmp_path / "run", hidden=(8,), latent_dim=2, epochs=1)
    before = folder.report.read_bytes()
    for name, value in (
        ("loss", "auto: bce"),
        ("scaling", "auto: minmax"),
        ("epochs", "1"),
        ("batch_size", "auto: 128"),
        ("kind_options", "noise masking"),
    ):
        assert f'<th scope="row">{name}</th><td>{value}' in before.decode()
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
