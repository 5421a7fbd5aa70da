"""The sections on reconstruction and on applications: errors, and galleries of a few samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from cuello.arrays import Array
from cuello.formats import finite
from cuello.report.assets import data_uri, draw
from cuello.report.content import Gallery, ReportContent, Section
from cuello.run.sheets import enlargement, to_pixels

__all__ = ["applications_section", "reconstruction_section"]

GALLERY_WIDTH = 800
"""Pixels that one line of a gallery may take on a laptop screen."""

MOST_COLUMNS = 6
"""Columns of a table that a gallery shows; with more, those with the largest deviations."""

HIGHLIGHTS = 2
"""How many deviations are marked in each sample."""

MOST_FEATURES = 4
"""Features of a sequence that are drawn; with more, those that the model misses most."""

SEQUENCES_A_LINE = 4

_WIDTH, _HEIGHT, _EDGE = 168, 64, 3  # of a sequence, in pixels

_STYLES = {"original": "Thick and pale", "model": "blue", "pca": "dashed"}
"""How versions of a sequence are drawn, by the class of their lines."""


def reconstruction_section(content: ReportContent) -> Section:
    """Draw the comparison with PCA and every gallery."""
    quality = content.metrics["reconstruction"]
    body = draw(
        "cuello.report/reconstruction.html",
        model=finite(quality["test_mse"]),
        pca=finite(quality["pca_test_mse"]),
        components=quality["latent_dim"],
        galleries=_draw_galleries(content.galleries, content.columns),
    )
    return Section(anchor="reconstruction", title="Reconstruction", body=body)


def applications_section(content: ReportContent) -> Section:
    """Draw a gallery for each application: anomalies, denoised samples, new samples."""
    body = draw(
        "cuello.report/applications.html",
        anomalies=content.metrics.get("anomalies") or {},
        galleries=_draw_galleries(content.applications, content.columns),
    )
    return Section(anchor="applications", title="Applications", body=body)


def _draw_galleries(galleries: tuple[Gallery, ...], columns: tuple[str, ...]) -> Markup:
    """Draw those that hold samples below one another; ``columns`` names those of tables."""

    def draw_one(gallery: Gallery) -> Markup:
        if gallery.sequences:
            return _draw_sequences(gallery)
        return _draw_table(gallery, columns) if gallery.first.ndim == 2 else _draw_images(gallery)

    return Markup("\n").join(draw_one(gallery) for gallery in galleries if len(gallery.first))


def _draw_images(gallery: Gallery) -> Markup:
    """Draw images in columns: original, model, PCA, and the error below."""
    versions = {name: to_pixels(images) for name, images in gallery.versions.items()}
    count, height, width = next(iter(versions.values())).shape[:3]
    scale = enlargement(height, width)
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    most = max(4, GALLERY_WIDTH // (max(shown[0], 56) + 8))
    lines = -(-count // most)
    size = -(-count // lines)  # the same number in every line
    starts = range(0, count, size)
    titles = [f"{gallery.title}, {at + 1} to {min(count, at + size)}" for at in starts]
    pictures = {
        name: [
            draw(
                "cuello.report/image.html",
                uri=data_uri(image),
                width=shown[0],
                height=shown[1],
                text=f"{name}: {sample}",
            )
            for image, sample in zip(images, gallery.names, strict=True)
        ]
        for name, images in versions.items()
    }
    captions = titles if lines > 1 else [gallery.title]
    return _draw_versions(gallery, pictures, size, captions, crisp=scale > 1)


def _draw_sequences(gallery: Gallery) -> Markup:
    """Draw features over time: versions share a cell, and all cells of a feature one range."""
    spread = np.nanstd(gallery.first, axis=(0, 1))
    off = np.abs(gallery.second - gallery.first) / np.where(spread > 0, spread, 1.0)
    worst = np.argsort(-np.nanmean(off, axis=(0, 1)), kind="stable")
    features = np.sort(worst[:MOST_FEATURES]).tolist()
    count, steps, width = gallery.first.shape
    styles = zip(_STYLES.values(), gallery.versions, strict=False)
    key = "; ".join(f"{style}: {name}" for style, name in styles)
    key += f". Time goes to the right, {steps} steps at most."
    if width > len(features):
        left_out = width - len(features)
        key += f" The {len(features)} features it misses most; {left_out} more are left out."
    pictures = {f"feature {feature}": _draw_courses(gallery, feature) for feature in features}
    captions = [gallery.title, *[""] * count]
    return _draw_versions(gallery, pictures, SEQUENCES_A_LINE, captions, key=key)


def _draw_courses(gallery: Gallery, feature: int) -> list[Markup]:
    courses = {
        style: values[..., feature]
        for style, values in zip(_STYLES, gallery.versions.values(), strict=False)
    }
    low = min(float(np.nanmin(values)) for values in courses.values())
    high = max(float(np.nanmax(values)) for values in courses.values())
    return [
        draw(
            "cuello.report/course.html",
            text=f"{name}, feature {feature}",
            low=low,
            high=high,
            width=_WIDTH,
            height=_HEIGHT,
            lines={style: _points(course[k], low, high) for style, course in courses.items()},
        )
        for k, name in enumerate(gallery.names)
    ]


def _points(values: Array, low: float, high: float) -> str:
    across = (_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    upward = (_HEIGHT - 2 * _EDGE) / (high - low if high > low else 1.0)
    return " ".join(
        f"{_EDGE + step * across:.1f},{_HEIGHT - _EDGE - (value - low) * upward:.1f}"
        for step, value in enumerate(values.tolist())
        if np.isfinite(value)
    )


def _draw_versions(
    gallery: Gallery,
    pictures: Mapping[str, list[Markup]],
    size: int,
    captions: Sequence[str],
    *,
    crisp: bool = False,
    key: str = "",
) -> Markup:
    """Draw pictures of the samples by row, in lines of so many samples, each with its caption."""
    lines = []
    for start, caption in zip(range(0, len(gallery.names), size), captions, strict=False):
        part = slice(start, start + size)
        lines.append(
            {
                "caption": caption,
                "names": gallery.names[part],
                "rows": [(name, drawn[part]) for name, drawn in pictures.items()],
                "figures": [(name, values[part]) for name, values in gallery.figures.items()],
            }
        )
    return draw("cuello.report/gallery.html", gallery=gallery, lines=lines, crisp=crisp, key=key)


def _draw_table(gallery: Gallery, column_names: tuple[str, ...]) -> Markup:
    """Draw rows of a table: a line for each version, the second's largest deviations marked."""
    original = np.asarray(gallery.first, dtype=np.float64)
    spread = original.std(axis=0)
    off = np.asarray(gallery.second, dtype=np.float64) - original
    # In units of each column's spread, so that a column in dollars does not hide one in percent.
    off = np.abs(np.nan_to_num(off)) / np.where(spread > 0, spread, 1.0)
    columns = np.sort(np.argsort(-off.mean(axis=0), kind="stable")[:MOST_COLUMNS])
    # An array has columns without names.
    names = column_names or tuple(f"column {i}" for i in range(off.shape[1]))
    largest = np.argsort(-off[:, columns], axis=1, kind="stable")[:, :HIGHLIGHTS]
    return draw(
        "cuello.report/values.html",
        gallery=gallery,
        columns=columns,
        names=names,
        marks=[{k for k in row if off[i, k] > 0} for i, row in enumerate(columns[largest])],
    )
