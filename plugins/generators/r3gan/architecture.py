"""Infer the architecture of an R3GAN from the shapes of its tensors and stored settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.layouts import find
from ..shared.state_dicts import describe_checkpoint
from .layouts import LAYOUTS
from .network import Network

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network: see network.Network for what they mean."""

    z_dim: int
    classes: int
    embedding: int
    widths: tuple[int, ...]
    insides: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    size: int = 3
    kernel: int = 4

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """From asdict(), which may have been JSON in between."""
        nested = {name: tuple(tuple(row) for row in values[name]) for name in ("insides", "groups")}
        return cls(**{**values, "widths": tuple(values["widths"]), **nested})

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return int(4 * 2 ** (len(self.widths) - 1))

    def build(self) -> Network:
        """The network, with new weights."""
        return Network(
            self.z_dim,
            self.classes,
            self.embedding,
            self.widths,
            self.insides,
            self.groups,
            self.size,
            self.kernel,
        )


def _numbers(shapes: Shapes, prefix: str) -> Iterator[int]:
    """0, 1, 2 ... as long as some tensor's name begins with the prefix and the number."""
    seen = {name.removeprefix(prefix).partition(".")[0] for name in shapes if name.startswith(prefix)}
    return takewhile(lambda i: str(i) in seen, count())


def infer(shapes: Shapes) -> Architecture:
    """The architecture behind our tensor names.

    Raises:
        CheckpointError: tensors that decide about it are missing, or of shapes that make no sense.
    """
    try:
        embedding, classes = shapes.get("embed.weight", (0, 0))
        widths, insides, groups = [], [], []
        for stage in _numbers(shapes, "stages."):
            blocks = [
                shapes[f"stages.{stage}.blocks.{i}.conv2.weight"]
                for i in _numbers(shapes, f"stages.{stage}.blocks.")
            ]
            widths.append(shapes[f"stages.{stage}.blocks.0.conv1.weight"][1])
            insides.append(tuple(outputs for outputs, *_ in blocks))
            groups.append(tuple(outputs // each for outputs, each, *_ in blocks))
        kernels = {
            shape[0] for name, shape in shapes.items() if re.fullmatch(r"stages\.\d+\.up\.kernel", name)
        } or {4}
        sizes = {shape[2] for name, shape in shapes.items() if name.endswith(".conv2.weight")}
        found = Architecture(
            z_dim=shapes["basis.linear.weight"][1] - embedding,
            classes=classes,
            embedding=embedding,
            widths=tuple(widths),
            insides=tuple(insides),
            groups=tuple(groups),
            size=sizes.pop(),
            kernel=kernels.pop(),
        )
    except KeyError as error:
        raise CheckpointError(f"an R3GAN generator without {error}") from None
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(
            f"an R3GAN generator with tensors of shapes that do not go together: {error}"
        ) from None
    uneven = any(
        inside % group
        for row in zip(found.insides, found.groups, strict=True)
        for inside, group in zip(*row, strict=True)
        if group
    )
    if (
        found.z_dim < 1
        or sizes
        or kernels
        or found.size % 2 == 0
        or found.kernel % 2
        or uneven
        or not all(all(row) for row in found.groups)
    ):
        raise CheckpointError("an R3GAN generator with tensors of shapes that do not go together")
    return found


def examine(part: Part) -> Examined | None:
    """Sizes, classes and weights of an R3GAN; None if the names are of something else.

    Raises:
        CheckpointError: tensors that decide about the architecture are missing or senseless.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    architecture = infer({name: tuple(tensor.shape) for name, tensor in translated.tensors.items()})
    return describe_checkpoint(
        "R3GAN", layout, architecture, translated, layers=1, code_size=architecture.z_dim
    )
