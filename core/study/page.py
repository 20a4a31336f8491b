"""The page that people vote on: one file, which needs no network and does not say what a row shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from markupsafe import Markup

from ..figures.pages import asset, templates
from .key import Key


def build_page(key: Key, strips: Sequence[Sequence[tuple[str, bytes]]]) -> str:
    """The page as HTML.

    Args:
        key: of the study; of each question only its random name and its words get into the page.
        strips: of each question, of each row: media type and bytes of its picture.
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
    # `<` in a text could end the script that holds the data.
    data = json.dumps({"study": key.study, "questions": questions}).replace("<", "\\u003c")
    environment = templates(__package__, lstrip_blocks=False)
    return environment.get_template("page.html.j2").render(
        style=Markup(asset(__package__, "page.css")),
        script=Markup(asset(__package__, "page.js")),
        data=Markup(data),
        count=len(questions),
        rows=len(key.groups),
        columns=len(key.amounts),
    )
