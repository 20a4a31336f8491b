"""Build the page that people vote on: one file that needs no network and does not reveal what a row shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from markupsafe import Markup

from ..figures.pages import asset, templates
from .key import Key


def build_page(key: Key, strips: Sequence[Sequence[tuple[str, bytes]]], size: tuple[int, int]) -> str:
    """Return the page as HTML.

    Args:
        key: key of the study; the page contains only the random name and the words of each question.
        strips: for each question, media type and bytes of the picture of each row.
        size: height and width of one picture; tall ones are shown narrower, so that all rows fit a window.
    """
    questions = [
        {
            "id": row.id,
            "words": row.words,
            "rows": [
                f"data:{kind};base64,{base64.b64encode(content).decode()}" for kind, content in pictures
            ],
        }
        for row, pictures in zip(key.questions, strips, strict=True)
    ]
    # A `<` in a text could end the script element that holds the data.
    data = json.dumps({"study": key.study, "questions": questions}).replace("<", "\\u003c")
    environment = templates(__package__, lstrip_blocks=False)
    return environment.get_template("page.html.j2").render(
        style=Markup(asset(__package__, "page.css")),
        script=Markup(asset(__package__, "page.js")),
        data=Markup(data),
        count=len(questions),
        rows=len(key.groups),
        columns=len(key.amounts),
        height=size[0],
        width=size[1],
    )
