"""Infer the architecture of an R3GAN from the shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.layouts import find
from ..shared.sizes import count_numbered, lacking
from ..shared.spelling import as_stored
from ..shared.state_dicts import describe_checkpoint
from .layouts import LAYOUTS
from .network import Network

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes of a network, the arguments of network.Network."""

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
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        nested = {name: tuple(tuple(row) for row in values[name]) for name in ("insides", "groups")}
        return cls(**{**values, "widths": tuple(values["widths"]), **nested})

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels."""
        return int(4 * 2 ** (len(self.widths) - 1))

    def build(self) -> Network:
        """Build the network, with new weights."""
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


def infer(shapes: Shapes) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    try:
        embedding, classes = shapes.get("embed.weight", (0, 0))
        widths, insides, groups = [], [], []
        for stage in range(count_numbered(shapes, r"stages\.(\d{1,4})\..*", "R3GAN", "stages")):
            pattern = rf"stages\.{stage}\.blocks\.(\d{{1,4}})\..*"
            blocks = [
                shapes[f"stages.{stage}.blocks.{i}.conv2.weight"]
                for i in range(count_numbered(shapes, pattern, "R3GAN", f"blocks of stage {stage}"))
            ]
            widths.append(shapes[f"stages.{stage}.blocks.0.conv1.weight"][1])
            insides.append(tuple(outputs for outputs, *_ in blocks))
            # A grouped convolution has weights (O, I / groups, k, k), and here O = I.
            groups.append(tuple(outputs // group_inputs for outputs, group_inputs, *_ in blocks))
        kernels = {
            shape[0] for name, shape in shapes.items() if re.fullmatch(r"stages\.\d+\.up\.kernel", name)
        } or {4}
        sizes = {shape[2] for name, shape in shapes.items() if name.endswith(".conv2.weight")}
        architecture = Architecture(
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
        raise lacking("R3GAN", error) from None
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise CheckpointError(f"the tensors of this R3GAN have inconsistent shapes: {error}") from None
    uneven = any(
        inside % group
        for row in zip(architecture.insides, architecture.groups, strict=True)
        for inside, group in zip(*row, strict=True)
        if group
    )
    if (
        architecture.z_dim < 1
        or sizes
        or kernels
        or architecture.size % 2 == 0
        or architecture.kernel % 2
        or uneven
        or not all(all(row) for row in architecture.groups)
    ):
        raise CheckpointError("the tensors of this R3GAN have inconsistent shapes")
    return architecture


def examine(part: Part) -> Examined | None:
    """Return the sizes, classes and weights of an R3GAN in any layout; None if no layout fits.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    with as_stored(layout, translated):
        architecture = infer({name: tuple(tensor.shape) for name, tensor in translated.tensors.items()})
    return describe_checkpoint(
        "R3GAN", layout, architecture, translated, layers=1, code_size=architecture.z_dim
    )
