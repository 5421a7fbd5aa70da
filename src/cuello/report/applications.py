"""The section on what the model is good for: strange rows, cleaned rows, new rows."""

from __future__ import annotations

from cuello.report.content import ReportContent
from cuello.report.fragments import Section, finite, mapping, paragraph
from cuello.report.gallery import draw_gallery

__all__ = ["uses_section"]


def uses_section(content: ReportContent) -> Section:
    """Build one gallery for each use."""
    body = _strange(content)
    body += "".join(draw_gallery(gallery, content.columns) for gallery in content.uses)
    if not body:
        body = paragraph("No row was held out to show anomalies by, and none was made.", "empty")
    return Section(anchor="uses", title="Put to use", body=body)


def _strange(content: ReportContent) -> str:
    """Say how many test rows are anomalies, and how sure the share of false alarms is."""
    found = mapping(content.metrics.get("anomalies"))
    threshold, count = finite(found.get("threshold")), finite(found.get("test_count"))
    if threshold is None or count is None:
        return ""
    _, low, high = found["false_positive_rate"]
    return paragraph(
        f"{count:,.0f} of {found['test_rows']:,} test rows score above {threshold:.3g}, and count "
        f"as anomalies. By {found['held_out_rows']:,} held-out rows, between {100 * low:.2g} % and "
        f"{100 * high:.2g} % of usual rows do."
    )
