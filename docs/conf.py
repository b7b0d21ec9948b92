"""How Sphinx builds the site: `make docs`, which treats each warning as an error."""

from importlib.metadata import version as installed_version
from pathlib import Path

project = "skhp"
author = "the skhp developers"
copyright = "2026, the skhp developers"  # noqa: A001
version = release = installed_version("skhp")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery"]
templates_path = ["_templates"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
# The docstrings are in numpydoc's format, and list parameters, attributes and errors themselves.
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
    # Times of a shared machine say little.
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "default_thumb_file": str(Path(__file__).with_name("_static") / "thumbnail.png"),
}

html_theme = "pydata_sphinx_theme"
html_context = {"default_mode": "auto"}
html_title = "skhp"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/mark.svg"
html_logo = "_static/mark.svg"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skhp"},
    "navbar_align": "left",
    "navigation_depth": 2,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
