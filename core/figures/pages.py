"""Provide the parts of pages of one file: templates, style sheets, scripts, pictures and numbers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..decimals import hundredths, number, span
from ..messages import this_version
from .markup import visible_signs
from .pictures import Pixels, jpeg, opaque
from .svg import STYLE


@cache  # a template is compiled once per process, which takes longer than filling it in
def templates(package: str, *, lstrip_blocks: bool = True) -> Environment:
    """Return the templates of a package, and of this one; they escape every value that they show.

    Callers may add filters to them, which all pages of the package then have.

    Args:
        package: package that holds the files of the templates.
        lstrip_blocks: whether to remove the space before a block.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader(__package__, "")]),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=lstrip_blocks,
        finalize=lambda value: (
            visible_signs(value) if type(value) is str else value
        ),  # Markup is safe already
    )
    environment.filters["number"] = number
    environment.filters["percent"] = hundredths
    environment.filters["span"] = span
    return environment


def framed(package: str, template: str, values: Mapping[str, object], style: str = "") -> str:
    """Return a page as HTML, one file that needs no network, whose template fills in `frame.html.j2`.

    Args:
        package: package that holds the template.
        template: name of its file.
        values: what the template shows, besides style, script and version.
        style: style sheet in addition to that of every page.
    """
    frame = {
        "style": Markup(page_style() + style),
        "script": Markup(page_script()),
        "version": this_version(),
    }
    return templates(package).get_template(template).render(**frame, **values)


def asset(package: str, name: str) -> str:
    """Read a style sheet or a script of a package."""
    return (files(package) / name).read_text(encoding="utf-8")


def page_style() -> str:
    """Return the style sheet of every page, including the style of the figures."""
    return STYLE + asset(__package__, "page.css")


def page_script() -> str:
    """Return the script of every page."""
    return asset(__package__, "page.js")


def data_uri(picture: Pixels, background: str = "#ffffff") -> str:
    """Return a picture (H, W, C) as a JPEG to embed in a page; alpha is composited on a colour."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(opaque(picture, background))).decode("ascii")


def png_uri(content: bytes) -> str:
    """Return the bytes of a PNG to embed in a page."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
