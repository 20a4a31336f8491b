"""Keep a folder of pictures that a person annotates: which samples they are, and the masks painted so far.

Beside annotations.json and the legend, sample K has up to three files: `sample-K.png`, the picture,
`labels-K.png`, the current labels if there is an extractor, and `mask-K.png`, which the person paints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from ...config.faults import describe
from ...errors import RunError, UserError
from ...messages import listed, visible
from ...storage.disk import read_bytes, write_text
from ...storage.seal import read_sealed, sealed_text
from ..extractor import MadeFor
from ..heads import Size
from .legend import CLASSES, Legend, read_legend
from .masks import Labels, read_mask

INDEX = "annotations.json"
WHAT = "folder of `ganstrata segment annotate`"


class _Content(BaseModel):
    """Represent annotations.json."""

    model_config = ConfigDict(strict=True, extra="ignore")
    format: Literal[1]
    config: dict[str, Any]
    made_for: dict[str, Any]
    seed: NonNegativeInt
    size: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
    samples: list[NonNegativeInt]


@dataclass(frozen=True)
class Annotations:
    """Describe a folder of pictures to annotate.

    Attributes:
        path: the folder.
        config: generator and strata, as in the config that the folder was made from.
        made_for: the generator that made the pictures.
        seed: seed of the samples.
        size: height and width of pictures and masks.
        samples: indices of the samples, in Stream.TRAINING.
        legend: classes and their colours.
    """

    path: Path
    config: Mapping[str, Any]
    made_for: MadeFor
    seed: int
    size: Size
    samples: tuple[int, ...]
    legend: Legend

    @staticmethod
    def open(path: Path) -> Annotations:
        """Open a folder.

        Raises:
            RunError: it is not one, or annotations.json is damaged.
            UserError: classes.json is damaged.
        """
        file = path / INDEX
        if not file.is_file():
            raise RunError(f"{path} is not a {WHAT}: it has no {INDEX}")
        try:
            data = read_sealed(read_bytes(file))
            content = _Content.model_validate({k: v for k, v in data.items() if k in _Content.model_fields})
            made_for = MadeFor(**content.made_for)
        except ValidationError as error:
            raise RunError(f"{file} is damaged: {describe(error, _Content, data)[0]}") from None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise RunError(f"{file} is damaged ({visible(str(error), 200)}); make the folder again") from None
        return Annotations(
            path,
            content.config,
            made_for,
            content.seed,
            (content.size[0], content.size[1]),
            tuple(content.samples),
            read_legend(path / CLASSES),
        )

    def save(self) -> None:
        """Write annotations.json."""
        content = {
            "format": 1,
            "config": json.loads(json.dumps(self.config)),
            "made_for": json.loads(json.dumps(asdict(self.made_for))),
            "seed": self.seed,
            "size": list(self.size),
            "samples": list(self.samples),
        }
        write_text(self.path / INDEX, sealed_text(content))

    def with_more(self, samples: Sequence[int]) -> Annotations:
        """Return the same folder with more samples."""
        return replace(self, samples=(*self.samples, *samples))

    def file(self, kind: Literal["sample", "labels", "mask"], sample: int) -> Path:
        """Return the path of a picture, of its current labels, or of its mask."""
        return self.path / f"{kind}-{sample}.png"

    def masks(self, *, resize: bool = False) -> dict[int, Labels]:
        """Return the painted masks (H, W) by sample; unpainted pixels are UNKNOWN.

        Args:
            resize: whether to change masks of another size to this one.

        Raises:
            UserError: there is none, a mask is damaged, of another size or of unknown colours, or it is of no
                sample of the folder.
        """
        strays = [
            p.name
            for p in sorted(self.path.glob("mask-*.png"))
            if p.name not in {self.file("mask", i).name for i in self.samples}
        ]
        if strays:
            raise UserError(
                f"{self.path}: {listed(strays)} is the mask of no sample in this folder; its samples are "
                f"{listed([str(i) for i in self.samples], 20)}. Rename it"
            )
        painted = [i for i in self.samples if self.file("mask", i).exists()]
        if not painted:
            name = self.file("mask", self.samples[0] if self.samples else 0).name
            raise UserError(
                f"{self.path}: no picture is annotated yet. Paint the classes of one in the colours of "
                f"classes.png, and save them as {name} beside it"
            )
        masks = {i: read_mask(self.file("mask", i), self.legend, self.size, resize=resize) for i in painted}
        if len(np.unique(np.concatenate([m[m >= 0] for m in masks.values()]))) < 2:
            raise UserError(
                f"{self.path}: all that is painted is of one class; paint a second one, or there is nothing "
                "to tell apart"
            )
        return masks
