"""The report: one HTML file that shows a run and opens offline."""

from cuello.report.build import gather, write_report
from cuello.report.content import Gallery, LatentProjection, ReportContent
from cuello.report.measures import Measure, measures, method_name
from cuello.report.page import render

__all__ = [
    "Gallery",
    "LatentProjection",
    "Measure",
    "ReportContent",
    "gather",
    "measures",
    "method_name",
    "render",
    "write_report",
]
