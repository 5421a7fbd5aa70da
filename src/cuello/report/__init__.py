"""The report: one HTML file that shows a run, offline; :mod:`cuello.report.page` writes it.

Nothing is imported here: :mod:`cuello.report.measures`, which the command line uses too, needs
neither torch nor templates.
"""
