"""The section on reconstruction: the error beside PCA's, and galleries of rows."""

from __future__ import annotations

from cuello.report.content import ReportContent
from cuello.report.fragments import Section, finite, mapping, number, paragraph
from cuello.report.gallery import draw_gallery

__all__ = ["reconstruction_section"]


def reconstruction_section(content: ReportContent) -> Section:
    """Build the comparison with PCA and every gallery."""
    galleries = (draw_gallery(gallery, content.columns) for gallery in content.galleries)
    body = _quality(content) + "".join(galleries)
    if not body:
        body = paragraph("No test rows were reconstructed in this run.", "empty")
    return Section(anchor="reconstruction", title="Reconstruction", body=body)


def _quality(content: ReportContent) -> str:
    quality = mapping(content.metrics.get("reconstruction"))
    model, pca = finite(quality.get("test_mse")), finite(quality.get("pca_test_mse"))
    if model is None:
        return ""
    size = finite(quality.get("latent_dim"))
    same = "as many components" + ("" if size is None else f" ({number(size)})")
    text = (
        "Mean squared error per value over the test rows, lower is better: "
        f"{number(model)} for the model"
    )
    if pca is None:
        return paragraph(text + "; PCA was not computed.")
    text += f", {number(pca)} for PCA with {same}. "
    if pca <= 0:
        return paragraph(text + "PCA loses nothing here.")
    change = 100 * (1 - model / pca)
    if abs(change) < 0.05:
        return paragraph(text + "They are equal.")
    verdict = "lower than" if change > 0 else "higher than"
    return paragraph(text + f"The model's error is {abs(change):.1f} % {verdict} PCA's.")
