"""Read and write the key of a study, which says what layer group each row shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..config.faults import describe
from ..errors import UserError
from ..plugins.records import LEVELS
from ..storage.disk import read_bytes

KEY, PAGE = "key.json", "study.html"
FORMAT = "ganstrata study key 1"
MAX_BYTES = 10_000_000  # ten thousand questions take about two million


@dataclass(frozen=True)
class Question:
    """Represent a question: one sample edited along one boundary, with a row per layer group.

    Attributes:
        id: random name of the question.
        boundary, level: the boundary and its level.
        words: what the page calls the boundary.
        sample: index of the sample.
        order: the layer group of each row.
    """

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
    made_with: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> _Content:
        for question in self.questions:
            if question.level not in LEVELS:
                raise ValueError(f"question {question.id} has a level that is not one of {', '.join(LEVELS)}")
            if sorted(question.order) != sorted(self.groups):
                raise ValueError(f"question {question.id} does not show every layer group once")
        if len({question.id for question in self.questions}) < len(self.questions):
            raise ValueError("two questions have one id")
        return self


@dataclass(frozen=True)
class Key:
    """Hold everything that the page does not reveal.

    Attributes:
        study: random name of the study; votes carry it.
        seed: seed of the choice of samples and of the shuffling.
        run: name of the run.
        generator: fingerprint of the generator.
        groups: layers of each group, in order.
        amounts: steps that the columns show, in the unit of the run's config.
        questions: the questions, in the order of the page.
        made_with: plugins, versions and device that drew the page, and how they differ from the run's.
    """

    study: str
    seed: int
    run: str
    generator: str
    groups: dict[str, tuple[int, ...]]
    amounts: tuple[float, ...]
    questions: tuple[Question, ...]
    made_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Content of key.json."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Key:
        """Read the key in the folder of a study.

        Raises:
            UserError: the key is missing or damaged.
        """
        path = folder / KEY
        try:
            content: Any = json.loads(read_bytes(path, MAX_BYTES).decode("utf-8"))
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise UserError(f"{path} is not the key of a study")
            stored = _Content.model_validate(content)
        except OSError as error:
            raise UserError(
                f"{folder} holds no study: cannot read {path} ({error.strerror or error}); "
                "`ganstrata study make` writes it"
            ) from None
        except ValidationError as error:
            raise UserError(f"{path} is damaged: {describe(error, _Content, content)[0]}") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged: {error}") from None
        questions = tuple(Question(**row.model_dump()) for row in stored.questions)
        groups = {name: tuple(layers) for name, layers in stored.groups.items()}
        amounts = tuple(stored.amounts)
        return cls(
            stored.study,
            stored.seed,
            stored.run,
            stored.generator,
            groups,
            amounts,
            questions,
            stored.made_with,
        )


def shuffled(names: Sequence[str], count: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Return `count` random orders of the names, with each name at each place as equally often as possible.

    >>> orders = shuffled(("a", "b"), 10, np.random.default_rng(0))
    >>> sum(order[0] == "a" for order in orders)
    5
    """
    size = len(names)
    orders: list[NDArray[np.int64]] = []
    while len(orders) < count:
        # A Latin square has every name once at every place; its rows, columns and names are shuffled.
        square = (np.arange(size)[:, None] + np.arange(size)[None]) % size
        square = rng.permutation(size)[square[rng.permutation(size)]][:, rng.permutation(size)]
        orders += list(square)
    return [tuple(names[i] for i in row) for row in orders[:count]]
