"""Build the page that people vote on: one file that needs no network and does not reveal what a row shows.

The same page is read again where its pictures are shown by another one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..config.faults import describe
from ..errors import UserError
from ..figures.pages import asset, templates
from ..storage.disk import read_bytes
from .key import PAGE, Key

MOST_BYTES = 2**28  # of a page
DATA = re.compile(rb'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
PICTURE = r"^data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$"


@dataclass(frozen=True)
class ShownQuestion:
    """Hold one question of a page.

    Attributes:
        id: random name of the question.
        words: what is to change.
        rows: media type and content of the picture of each row.
    """

    id: str
    words: str
    rows: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class StudyPage:
    """Hold what a page asks: random name of the study, and the questions, in the order of the page."""

    study: str
    questions: tuple[ShownQuestion, ...]


class _Question(BaseModel):
    model_config = ConfigDict(strict=True)
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    words: Annotated[str, Field(max_length=1000)]
    rows: Annotated[list[Annotated[str, Field(pattern=PICTURE)]], Field(min_length=2, max_length=100)]


class _Data(BaseModel):
    model_config = ConfigDict(strict=True)
    study: Annotated[str, Field(min_length=8, max_length=64)]
    questions: Annotated[list[_Question], Field(min_length=1, max_length=100_000)]


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


def read_page(folder: Path) -> StudyPage:
    """Read the page of a study, which knows nothing of the key.

    Args:
        folder: a folder of `ganstrata study make`.

    Raises:
        UserError: there is no page, or it is damaged.
    """
    path = folder / PAGE
    try:
        content = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}; name a folder of `ganstrata study make`"
        ) from None
    found = DATA.search(content)
    if found is None:
        raise UserError(f"{path} is not a page of a study; make it again with `ganstrata study make`")
    data: object = None
    try:
        data = json.loads(found.group(1))
        page = _Data.model_validate(data)
        questions = tuple(
            ShownQuestion(one.id, one.words, tuple(map(_picture, one.rows))) for one in page.questions
        )
    except ValidationError as error:
        raise UserError(f"{path} is damaged: {describe(error, _Data, data)[0]}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {error}") from None
    return StudyPage(page.study, questions)


def _picture(address: str) -> tuple[str, bytes]:
    """Return media type and content of a data URL."""
    head, content = address.split(",", 1)
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(content, validate=True)
