"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

import scheduler

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "scheduler"
author = "The scheduler authors"
copyright = author
version = release = scheduler.__version__

extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "c_reference",
    "from_readmes",
    "pictures",
    "python_reference",
]
root_doc = "index"
# README.md is the list of pages for who reads them as files.
exclude_patterns = ["README.md", "extensions", "static"]
default_role = "code"  # `text` in docstrings
highlight_language = "none"
nitpicky = True
# CPython's own names: its documentation is not there when this is built offline.
nitpick_ignore_regex = [("c:identifier", r"Py\w+|SchedulerCAPI|schedule_hook_func|scheduler_waker_func")]

myst_heading_anchors = 3

html_theme = "furo"
html_title = f"scheduler {release}"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]

# What one would type: neither prompts nor output.
copybutton_selector = "div.notranslate:not(.highlight-text) > div.highlight > pre"
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
