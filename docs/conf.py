"""Sphinx: `make docs`."""

project = "cuello"
author = "The cuello maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.autosummary"]
html_theme = "furo"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
autodoc_default_options = {"members": True}
suppress_warnings = ["myst.xref_missing", "ref.python"]
