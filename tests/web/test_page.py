"""Contents of the page: points, projections and packs, and a policy that lets nothing else in."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from web_samples import EVIL, Made

from cuello import open_run
from cuello.errors import InputError, RunError
from cuello.report.assets import digest, text_of
from cuello.web import page_html
from cuello.web.page import PROGRAMS
from cuello.web.points import gather_points, projections, through
from cuello.web.records import LONGEST, Packs, store_samples


def unpacked(packs: Packs, record: dict[str, Any]) -> np.ndarray:
    content = gzip.decompress(base64.b64decode(packs.texts[record["pack"]]))
    return np.frombuffer(content, dtype=record["type"])


class Elements(HTMLParser):
    """Start tags, and the text of scripts by id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.name = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.name = str(dict(attrs).get("id") or "") if tag == "script" else self.name

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[self.name] = self.scripts.get(self.name, "") + data


EMBEDDINGS = arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 6)),
    elements=st.floats(-100, 100, width=32),
)


@given(EMBEDDINGS)
def test_the_principal_plane_keeps_the_largest_variance(embeddings: np.ndarray) -> None:
    (plane,) = projections(embeddings)
    latents = embeddings.shape[1]
    coordinates = through(plane.forward, embeddings)
    assert len(plane.titles) == coordinates.shape[1] == min(2, latents)
    if latents <= 2:
        np.testing.assert_array_equal(coordinates, embeddings)
        np.testing.assert_array_equal(through(plane.inverse, coordinates), embeddings)
        return
    axes = plane.forward[0].weight
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-9)
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    largest = np.linalg.svd(centred, compute_uv=False)[:2] ** 2
    kept = (coordinates**2).sum(axis=0)[: len(largest)]
    np.testing.assert_allclose(kept, largest, atol=1e-6 * max(1.0, largest.max(initial=0)))
    # Coordinates lead to an embedding in that plane, which has them.
    back = through(plane.inverse, coordinates)
    np.testing.assert_allclose(back - embeddings.mean(axis=0, dtype=np.float64), coordinates @ axes,
                               atol=1e-6 * max(1.0, np.abs(embeddings).max()))  # fmt: skip


def test_principal_components_show_their_share_of_the_variance() -> None:
    embeddings = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [2, 1, 0]], dtype=np.float32)
    (plane,) = projections(embeddings)
    assert plane.titles == (
        "first principal component (80 %)",
        "second principal component (20 %)",
    )
    assert through(plane.forward, embeddings)[1].tolist() == [
        1.0,
        -0.5,
    ]  # largest entries are positive
    assert through(plane.inverse, np.array([[1.0, -0.5]])).tolist() == [[2.0, 0.0, 0.0]]


def test_the_learned_projection_is_that_of_the_run(made: Made) -> None:
    run = made.run("four")
    embeddings = gather_points(run).embeddings
    assert run.projection is not None
    learned, principal = projections(embeddings, run.projection)
    assert [learned.name, principal.name] == ["learned projection", "PCA"]
    coordinates = run.projection.transform(embeddings)
    np.testing.assert_allclose(through(learned.forward, embeddings), coordinates, atol=1e-4)
    np.testing.assert_allclose(
        through(learned.inverse, coordinates),
        run.projection.inverse_transform(coordinates),
        atol=1e-4,
    )


@given(EMBEDDINGS)
def test_embeddings_come_back_within_half_a_step(embeddings: np.ndarray) -> None:
    packs = Packs()
    record = packs.quantised(embeddings)
    steps = unpacked(packs, record).reshape(embeddings.shape)
    back = np.array(record["low"]) + steps * np.array(record["step"])
    bound = 0.5 * np.array(record["step"]) + 1e-5 * np.abs(embeddings).max()
    assert (np.abs(back - embeddings) <= bound).all()


def test_rows_are_kept_as_they_are_while_they_fit() -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 3, 8, 5), dtype=np.uint8)
    packs = Packs()
    record, notes = store_samples(images, packs, bounds=(0.0, 255.0), max_bytes=10_000)
    assert record is not None
    assert notes == []
    np.testing.assert_array_equal(unpacked(packs, record), images.reshape(-1))
    assert record["exact"]
    assert record["kept"] is None


def test_rows_beyond_the_budget_are_left_out_evenly_and_noted() -> None:
    images = np.random.default_rng(0).integers(0, 256, (400, 16, 16), dtype=np.uint8)
    packs = Packs()
    record, notes = store_samples(images, packs, bounds=(0.0, 255.0), max_bytes=50_000)
    assert record is not None
    kept = unpacked(packs, record["kept"])
    assert 100 < len(kept) < 200
    assert set(np.diff(kept)) <= {2, 3}
    np.testing.assert_array_equal(unpacked(packs, record).reshape(-1, 16, 16), images[kept])
    assert sum(map(len, packs.texts.values())) < 55_000
    assert f"{len(kept)} of 400 images" in notes[0]
    assert store_samples(images, Packs(), bounds=(0.0, 255.0), max_bytes=10)[0] is None


@pytest.mark.parametrize("shape", [(100, 70), (1, 100, 70), (3, 70, 100)])
def test_large_images_are_made_smaller_and_noted(shape: tuple[int, ...]) -> None:
    images = np.full((2, *shape), 0.5, dtype=np.float32)
    packs = Packs()
    record, notes = store_samples(images, packs, bounds=(0.0, 1.0), max_bytes=10_000)
    assert record is not None
    assert max(record["shape"][-2:]) == LONGEST
    assert record["shape"][-2] / record["shape"][-1] == pytest.approx(
        shape[-2] / shape[-1], abs=0.03
    )
    assert (unpacked(packs, record) == 128).all()
    assert not record["exact"]
    assert "64" in notes[0]


def test_points_are_the_rows_of_the_run(made: Made) -> None:
    run = made.run("plane")
    points = gather_points(run)
    data = run.load(made.folder / "digits")
    np.testing.assert_array_equal(points.values, data.X)
    assert tuple(points.names) == data.row_names
    np.testing.assert_allclose(points.embeddings, run.autoencoder.transform(data.X), atol=1e-5)
    assert points.error is not None
    np.testing.assert_allclose(points.error, -run.autoencoder.score_samples(data.X))
    by_name = {one.name: one for one in points.colourings}
    assert list(by_name) == ["class", "anomaly score", "split", "label used"]
    assert by_name["label used"].values.sum() == 12
    assert points.learnable.all()
    some = gather_points(run, most=40)
    assert len(some.embeddings) == 40
    assert "40 of 150" in some.notes[0]


@pytest.fixture
def moved(made: Made, tmp_path: Path) -> Path:
    """The run without its data."""
    copy = tmp_path / "moved"
    shutil.copytree(made.folder / "plane", copy)
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    config["job"]["data"] = str(tmp_path / "gone")
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return copy


def test_without_its_data_a_run_shows_the_test_samples_that_it_kept(moved: Path) -> None:
    run = open_run(moved)
    points = gather_points(run)
    splits = pq.read_table(moved / "embeddings.parquet")["split"].to_pylist()
    assert len(points.embeddings) == splits.count("test")
    assert "cannot be read again" in points.notes[0]
    # Each image is that of its embedding.
    assert points.values is not None
    np.testing.assert_allclose(
        run.autoencoder.transform(points.values), points.embeddings, atol=1e-4
    )
    assert points.error is not None
    np.testing.assert_allclose(
        points.error, -run.autoencoder.score_samples(points.values), rtol=1e-4
    )


def test_other_rows_in_the_place_of_the_data_are_not_taken(moved: Path, made: Made) -> None:
    swapped = moved.parent / "gone"
    shutil.copytree(made.folder / "digits", swapped)
    files = sorted(swapped.rglob("*.png"))
    content = [file.read_bytes() for file in files]
    for file, other in zip(files, content[::-1], strict=True):
        file.write_bytes(other)
    assert "is not the data" in gather_points(open_run(moved)).notes[0]


def test_two_rows_and_an_anomaly_score(moved: Path) -> None:
    file = moved / "embeddings.parquet"
    table = pq.read_table(file).slice(0, 2)
    column = table.column_names.index("anomaly_score")
    pq.write_table(table.set_column(column, "anomaly_score", pa.array([0.5, 1.5])), file)
    points = gather_points(open_run(moved))
    assert len(points.embeddings) == 2
    scores = next(one for one in points.colourings if one.name == "anomaly score")
    assert scores.values.tolist() == [0.5, 1.5]
    assert page_html(open_run(moved)).startswith("<!doctype html>")


@pytest.mark.parametrize("damage", ["missing", "text", "columns"])
def test_damaged_embeddings_are_refused(moved: Path, damage: str) -> None:
    file = moved / "embeddings.parquet"
    table = pq.read_table(file)
    file.unlink()
    if damage == "text":
        file.write_text("no parquet")
    elif damage == "columns":
        pq.write_table(table.drop_columns(["z1"]), file)
    with pytest.raises(RunError, match=r"embeddings\.parquet cannot be used"):
        gather_points(open_run(moved))


def test_runs_on_other_shapes_are_not_compared(made: Made) -> None:
    with pytest.raises(InputError, match="samples of shape"):
        page_html(made.run("plane"), made.run("table"))


def test_two_runs_on_the_same_rows_hold_them_once(made: Made) -> None:
    one, two = (made.page(name).stat().st_size for name in ("plane", "plane four"))
    page = Elements(made.page("plane four").read_text(encoding="utf-8"))
    runs = json.loads(page.scripts["data"])["runs"]
    assert runs[0]["rows"] == runs[1]["rows"]
    assert [run["title"] for run in runs] == ["plane", "four"]
    assert two > one


def test_the_page_of_sequences_holds_what_it_uses_and_no_models(made: Made) -> None:
    page = Elements(made.page("waves").read_text(encoding="utf-8"))
    (run,) = json.loads(page.scripts["data"])["runs"]
    assert run["models"] == {}
    held = {str(a["id"]) for tag, a in page.tags if str(a.get("id")).startswith("pack-")}
    assert held == set(re.findall(r'"(pack-\d+)"', page.scripts["data"]))


def test_only_our_scripts_may_run_and_nothing_is_loaded(made: Made) -> None:
    text = made.page("plane").read_text(encoding="utf-8")
    page = Elements(text)
    policy = next(str(a["content"]) for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy
    scripts = policy.split("script-src")[1].split(";")[0]
    assert "unsafe-inline" not in scripts
    assert "http" not in scripts
    ours = [a for t, a in page.tags if t == "script" and "type" not in a]
    assert len(ours) == 1
    assert f"'sha256-{digest(page.scripts[''].encode())}'" in scripts
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "data", "action", "poster", "background"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    assert not any(tag == "img" for tag, _ in page.tags)
    assert EVIL not in text  # names are in JSON, in which < is written otherwise


def test_our_scripts_name_no_address_and_write_no_markup() -> None:
    for name in PROGRAMS:
        text = text_of(f"js/{name}", "cuello.web")
        assert "://" not in text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    for name in ("templates/page.html", "page.css"):
        assert "://" not in text_of(name, "cuello.web")
