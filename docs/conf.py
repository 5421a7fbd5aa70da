"""Sphinx: `make docs`."""

project = "cuello"
author = "The cuello maintainers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.autosummary"]
html_theme = "furo"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
autodoc_default_options = {
    "members": True,
    "exclude-members": "set_fit_request, set_score_request, set_inverse_transform_request",
}
suppress_warnings = ["myst.xref_missing", "ref.python", "ref.term", "ref.ref"]
