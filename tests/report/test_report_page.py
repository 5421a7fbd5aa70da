"""The page as a whole: complete, small, safe, the same every time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import report_samples as samples
from report_reading import Tree, chart_data, section

from cuello.report.content import LatentProjection, ReportContent
from cuello.report.page import MAX_BYTES, SCRIPTS, render

SECTIONS = [
    "few-labels",
    "reconstruction",
    "applications",
    "latent",
    "curves",
    "timing",
    "configuration",
]


def test_same_content_same_bytes(page: str) -> None:
    assert render(samples.digits()).encode() == page.encode()


def test_sections_and_contents_in_order(page: str) -> None:
    tags = Tree(page).tags
    assert [a["id"] for tag, a in tags if tag == "section"] == SECTIONS
    links = [a["href"] for tag, a in tags if tag == "a" and "class" not in a]
    assert links == [f"#{anchor}" for anchor in SECTIONS]


@pytest.mark.parametrize("make", [samples.digits, samples.wine, samples.empty])
def test_ids_are_unique_and_nothing_is_loaded(make: Any) -> None:
    tree = Tree(render(make()))
    ids = [a["id"] for _, a in tree.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in tree.tags:
        for name in ("src", "href", "srcset", "data", "action", "poster", "background"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
    policy = next(a["content"] for t, a in tree.tags if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_own_files_name_no_address_and_no_foreign_import() -> None:
    from cuello.report.assets import text_of

    for name in ("templates/page.html", "page.css", *SCRIPTS):
        assert "://" not in text_of(name)
        assert "@import" not in text_of(name)


def test_size_stays_below_five_megabytes(digits: ReportContent) -> None:
    # Noise: what no compression makes smaller.
    noise = np.random.default_rng(0).integers(0, 256, (2000, 28, 28), dtype=np.uint8)
    xy = np.random.default_rng(1).standard_normal((2000, 2)).astype(np.float32)
    latent = LatentProjection(
        xy=xy,
        axes=("a", "b"),
        label=np.arange(2000) % 10,
        names=tuple(f"test row {i}" for i in range(2000)),
        images=noise,
    )
    page = render(replace(digits, latent=latent, history=samples.curves(100)))
    assert len(page.encode()) < MAX_BYTES
    data = chart_data(page)
    assert data["latent"]["sprite"]["uri"].startswith("data:image/png")
    assert all(float(f"{value:.4g}") == value for value in data["latent"]["x"])

    colour = np.random.default_rng(2).integers(0, 256, (4000, 3, 96, 96), dtype=np.uint8)
    several = replace(
        latent,
        xy=np.tile(xy, (2, 1)),
        label=np.tile(latent.label, 2),
        names=latent.names * 2,
        images=colour,
    )
    page = render(replace(digits, latent=several))
    assert len(page.encode()) < MAX_BYTES
    assert chart_data(page)["latent"]["sprite"]["uri"].startswith("data:image/jpeg")


def test_hostile_text_stays_text(digits: ReportContent) -> None:
    evil = samples.HOSTILE
    assert digits.latent is not None
    gallery = replace(digits.galleries[0], title=evil, caption=evil, names=(evil,) * 12)
    content = replace(
        digits,
        title=evil,
        config=samples.config(evil, kind=evil, kind_options={evil: evil}, **{evil: evil})
        | {"versions": {evil: evil}, "command": evil, "notes": [evil]},
        classes=(evil,) * 10,
        latent=replace(digits.latent, names=(evil,) * 500, axes=(evil, evil)),
        galleries=(gallery,),
        history=[samples.curves(1)[0] | {"train": {evil: 1.0, "b": 2.0}, "validation": None}],
        metrics=digits.metrics
        | {
            "few_labels": [
                row | {"method": evil, "display_name": evil} for row in samples.few_label_rows()[:1]
            ],
            "method": evil,
            "evaluated_on": evil,
            "summary": [evil],
            "confusion": {"method": evil, "matrix": [[1, 2], [0, 1]], "classes": [evil, evil]},
        },
    )
    page = render(content)
    plain, tree = Tree(render(digits)), Tree(page)
    assert [a.get("id") for t, a in tree.tags if t == "script"] == ["data", "plotly", None]
    assert {t for t, _ in tree.tags} <= {t for t, _ in plain.tags}
    assert evil not in page
    assert not any(name.startswith("on") for _, a in tree.tags for name in a)
    assert chart_data(page)["latent"]["names"][0] == evil
    assert evil in tree.text

    table = samples.wine()
    gallery = replace(table.galleries[0], title=evil, names=(evil,) * 5)
    page = render(replace(table, columns=(evil,) * 13, galleries=(gallery,)))
    assert [a.get("id") for t, a in Tree(page).tags if t == "script"] == ["data", "plotly", None]


def test_text_that_is_not_unicode_can_be_written(digits: ReportContent) -> None:
    render(replace(digits, title="photo_\udcff.png")).encode("utf-8")


def test_placeholders_in_data_are_left_alone(digits: ReportContent) -> None:
    assert "$script and ${data}" in Tree(render(replace(digits, title="$script and ${data}"))).text


def test_empty_content_says_why_and_carries_no_plotly() -> None:
    page = render(samples.empty())
    assert len(page) < 100_000
    for anchor in SECTIONS:
        paragraphs = len(re.findall("<p", section(page, anchor)))
        assert paragraphs == (anchor not in ("configuration", "timing"))
    assert "no classes" in section(page, "few-labels")
    with_classes = render(replace(samples.empty(), classes=("a", "b")))
    assert "No classifier was trained" in section(with_classes, "few-labels")
