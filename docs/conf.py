"""Settings of the documentation site: `make docs` builds it, and tests/test_site.py too, with -W and -n.

The source folder is the root of the repository, so that the links between docs/, README.md, CHANGELOG.md
and the rest are the same on the site and on a code host. A link to a file that is not a page leads to a copy
of it.
"""

from __future__ import annotations

import re
from typing import Any

from ganstrata import __version__
from sphinx.application import Sphinx

project = "ganstrata"
release = __version__
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "benchmarks/*.md",
    "examples/**/*.md",
    "recipes/**/*.md",
    "weights/*.md",
]
# Folders without pages are not searched.
exclude_patterns = [".*", "build", "dist", "runs", "core", "plugins", "cli", "testing", "tests"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4  # as code hosts name headings: page.md#heading
napoleon_attr_annotations = False  # types of attributes stand in the signature
default_role = "code"  # docstrings write `name`, as Markdown does

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

# Types of other libraries: their documentation cannot be looked up without a network.
nitpick_ignore_regex = [
    ("py:class", r"(collections\.abc|contextlib|pathlib|types|numpy|np|torch|annotated_types)\..+"),
    ("py:class", r"DataFrame|NDArray|Tensor"),  # of pandas, numpy and torch, imported for types alone
    ("py:class", r"JsonObject"),  # an alias of dict[str, Any]
    ("py:(class|obj)", r"(ganstrata\.core\.plugins\.(records|base)\.)?(T|ConfigT)"),  # type variables
]

ARRAY = re.compile(
    r"(?:numpy\.)?ndarray\[tuple\[Any, \.\.\.\], (?:numpy\.)?dtype\[(?:numpy\.)?(\w+)\]\]"
)  # what NDArray[...] is evaluated to

html_theme = "furo"
html_title = f"ganstrata {release}"
templates_path = ["site"]
html_additional_pages = {"index": "index.html"}  # leads to root_doc
html_copy_source = html_show_copyright = False
html_static_path = ["site/static"]
html_css_files = ["site.css"]


def readable(
    app: Sphinx, what: str, name: str, obj: object, options: object, arguments: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Write array types as the code does, and `...` for default values that a function makes."""

    def shortened(text: str | None) -> str | None:
        return text and ARRAY.sub(r"NDArray[\1]", text).replace("<factory>", "...")

    return shortened(arguments), shortened(result)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what Sphinx calls while it builds."""
    app.connect("autodoc-process-signature", readable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
