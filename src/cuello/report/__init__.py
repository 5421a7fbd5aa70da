"""The report: one HTML file that shows a run and opens offline.

:mod:`cuello.report.build` writes it. Nothing is imported here: the table of methods, which the
command line shows too, needs neither torch nor templates.
"""
