"""The report: one HTML file that shows a run, offline; :mod:`cuello.report.page` writes it."""
