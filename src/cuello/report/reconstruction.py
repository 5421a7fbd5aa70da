"""The sections on reconstruction and on applications: what is measured, and galleries."""

from __future__ import annotations

from markupsafe import Markup

from cuello.formats import finite, number_text
from cuello.report.content import ReportContent, Section
from cuello.report.gallery import draw_galleries
from cuello.report.templates import draw

__all__ = ["applications_section", "reconstruction_section"]


def reconstruction_section(content: ReportContent) -> Section:
    """Draw the comparison with PCA and every gallery."""
    galleries = draw_galleries(content.galleries, content.columns)
    body = _draw_body(
        _reconstruction_quality(content), galleries, "No test rows were reconstructed in this run."
    )
    return Section(anchor="reconstruction", title="Reconstruction", body=body)


def applications_section(content: ReportContent) -> Section:
    """Draw a gallery for each application: anomalies, denoised samples, new samples."""
    galleries = draw_galleries(content.applications, content.columns)
    otherwise = "No row was held out to show anomalies by, and none was made."
    body = _draw_body(_anomalies(content), galleries, otherwise)
    return Section(anchor="applications", title="Applications", body=body)


def _draw_body(text: str, galleries: Markup, otherwise: str) -> Markup:
    if not text and not galleries:
        return draw("cuello.report/empty.html", text=otherwise)
    return (Markup("<p>{}</p>\n").format(text) if text else Markup()) + galleries


def _reconstruction_quality(content: ReportContent) -> str:
    """Return sentences on the error of the test rows beside that of PCA."""
    quality = content.metrics["reconstruction"]
    model, pca = finite(quality["test_mse"]), finite(quality["pca_test_mse"])
    if model is None or pca is None:
        return ""
    text = (
        "Mean squared error per value over the test rows, lower is better: "
        f"{number_text(model)} for the model, {number_text(pca)} for PCA with as many "
        f"components ({number_text(quality['latent_dim'])}). "
    )
    if pca <= 0:
        return text + "PCA loses nothing here."
    change = 100 * (1 - model / pca)
    if abs(change) < 0.05:
        return text + "They are equal."
    verdict = "lower than" if change > 0 else "higher than"
    return text + f"The model's error is {abs(change):.1f} % {verdict} PCA's."


def _anomalies(content: ReportContent) -> str:
    """Return how many test rows are anomalous, and the interval of the false positive rate."""
    measured = content.metrics.get("anomalies") or {}
    if measured.get("test_count") is None:
        return ""
    _, low, high = measured["false_positive_rate"]
    return (
        f"{measured['test_count']:,} of {measured['test_rows']:,} test rows score above "
        f"{measured['threshold']:.3g}, and count as anomalous. By {measured['held_out_rows']:,} "
        f"held-out rows, between {100 * low:.2g} % and {100 * high:.2g} % of normal rows do."
    )
