"""The key of a study: which strip shows which layer group. It stays with the maker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..config.describe import describe
from ..errors import UserError
from ..storage.disk import read_bytes

KEY, PAGE = "key.json", "study.html"
FORMAT = "ganstrata study key 1"
LARGEST = 10_000_000  # bytes; ten thousand questions have some two million


@dataclass(frozen=True)
class Question:
    """One sample edited along one boundary, a row per layer group; `order` says which group each row shows."""

    id: str
    boundary: str
    level: str
    words: str
    sample: int
    order: tuple[str, ...]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    boundary: str
    level: str
    words: str
    sample: int
    order: tuple[str, ...]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: str
    study: str = Field(min_length=8)
    seed: int
    run: str
    generator: str
    groups: dict[str, list[int]] = Field(min_length=2)
    amounts: list[float]
    questions: list[_Row] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> _Content:
        for question in self.questions:
            if sorted(question.order) != sorted(self.groups):
                raise ValueError(f"question {question.id} does not show every layer group once")
        if len({question.id for question in self.questions}) < len(self.questions):
            raise ValueError("two questions have one id")
        return self


@dataclass(frozen=True)
class Key:
    """Everything that the page does not say.

    Attributes:
        study: names the study; votes carry it.
        seed: of the shuffling and of the choice of samples.
        run: the run it was made from.
        generator: its fingerprint.
        groups: layer groups by name, in order.
        amounts: the steps that the columns show, in the unit of the run's config.
    """

    study: str
    seed: int
    run: str
    generator: str
    groups: dict[str, tuple[int, ...]]
    amounts: tuple[float, ...]
    questions: tuple[Question, ...]

    @property
    def text(self) -> str:
        """As a file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Key:
        """The key in a study's folder.

        Raises:
            UserError: it is missing or damaged.
        """
        path = folder / KEY
        try:
            content: Any = json.loads(read_bytes(path, LARGEST).decode("utf-8"))
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise UserError(f"{path} is no key of a study")
            found = _Content.model_validate(content)
        except OSError as error:
            raise UserError(
                f"{folder} holds no study: cannot read {path} ({error.strerror or error}); `ganstrata study make` writes it"
            ) from None
        except ValidationError as error:
            raise UserError(f"{path} is damaged: {describe(error, _Content, content)[0]}") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged: {error}") from None
        questions = tuple(Question(**row.model_dump()) for row in found.questions)
        groups = {name: tuple(layers) for name, layers in found.groups.items()}
        return cls(
            found.study, found.seed, found.run, found.generator, groups, tuple(found.amounts), questions
        )


def shuffled(names: Sequence[str], count: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """`count` orders of the names, in which each name stands at each place as equally often as can be.

    >>> orders = shuffled(("a", "b"), 10, np.random.default_rng(0))
    >>> sum(order[0] == "a" for order in orders)
    5
    """
    size = len(names)
    found: list[NDArray[np.int64]] = []
    while len(found) < count:
        # A Latin square with its rows and its names in random order: every name once at every place.
        square = (np.arange(size)[:, None] + np.arange(size)[None]) % size
        square = rng.permutation(size)[square[rng.permutation(size)]][:, rng.permutation(size)]
        found += list(square)
    return [tuple(names[i] for i in row) for row in found[:count]]
