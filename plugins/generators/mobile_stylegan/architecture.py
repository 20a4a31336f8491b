"""Infer the architecture of a MobileStyleGAN from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import visible
from ..shared.layouts import Shapes, Translated, find
from ..shared.sizes import Watched, count_numbered, inconsistent, lacking, numbers, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import describe_checkpoint
from ..shared.unstored import NOTHING, Unstored, noise_and_mean, positive
from .layouts import LAYOUTS
from .network import SUBBANDS, Network

FAMILY = "MobileStyleGAN"
LR_MLP = 0.01  # of the published StyleGAN2, and of the author's program
HAAR = {"g0": (0.5**0.5, 0.5**0.5), "g1": (0.5**0.5, -(0.5**0.5))}  # filters of the inverse transform
OUTPUTS = (
    "each resolution has an output, and the picture is the last one: "
    "not used are the {n} tensors of the others, such as {name}"
)


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network, the arguments of network.Network."""

    widths: tuple[int, ...]
    z_dim: int
    w_dim: int
    mapping_layers: int
    lr_multiplier: float = LR_MLP
    means: int = 1

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        return cls(**{**values, "widths": tuple(values["widths"])})

    @property
    def classes(self) -> int:
        """Number of classes: always 0."""
        return 0

    @property
    def resolution(self) -> int:
        """Width and height of the images in pixels: twice those of the last feature map."""
        return int(4 * 2 ** len(self.widths))

    @property
    def layers(self) -> int:
        """Number of layers L, two for each size of the feature maps: 2 log2(resolution) - 4."""
        return 2 * len(self.widths)

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.widths,
            self.z_dim,
            self.w_dim,
            self.mapping_layers,
            lr_multiplier=self.lr_multiplier,
            means=self.means,
        )


def infer(shapes: Shapes, lr_multiplier: float = LR_MLP) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Args:
        shapes: by the names of the network.
        lr_multiplier: factor of the mapping network's stored weights.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or of inconsistent shapes.
    """
    shapes = Watched(shapes)
    blocks = count_numbered(shapes, r"blocks\.(\d{1,2})\..*", FAMILY, "blocks")
    mapping = count_numbered(shapes, r"mapping\.fc(\d{1,2})\.weight", FAMILY, "mapping layers")
    try:
        w_dim, z_dim = shapes["mapping.fc0.weight"]
        const, *_ = shapes["const"]
        architecture = Architecture(
            widths=(const, *(shapes[f"blocks.{i}.conv1.pointwise"][0] for i in range(blocks))),
            z_dim=z_dim,
            w_dim=w_dim,
            mapping_layers=mapping,
            lr_multiplier=lr_multiplier,
            means=int("mapping.w_avg" in shapes),
        )
    except KeyError as error:
        raise lacking(FAMILY, error) from None
    except (IndexError, ValueError):
        raise wrong_dimensions(shapes, FAMILY) from None
    uneven = any(width % SUBBANDS for width in architecture.widths[:-1])
    if uneven or min(z_dim, w_dim, *architecture.widths) < 1:
        raise inconsistent(shapes, FAMILY, asdict(architecture))
    return architecture


def settled(translated: Translated) -> Translated:
    """Return the tensors of the network alone: without filters, and with the last output only.

    The program computes an output at every resolution, for its training, and takes the last for the picture.

    Raises:
        CheckpointError: the file stores the filters of another wavelet transform than Haar's.
    """
    blocks = numbers(translated.tensors, r"blocks\.(\d{1,2})\..*")
    last = f"outputs.{max(blocks, default=0)}."
    needed: list[str] = []
    unused: list[str] = []
    for name, stored in translated.origin.items():
        if name.startswith("filters."):
            _check_filter(name.split(".")[1], stored, translated.tensors[name])
        elif name.startswith("outputs.") and not name.startswith(last):
            unused.append(stored)
        else:
            needed.append(name)
    others = OUTPUTS.replace("{n}", str(len(unused))).replace("{name}", unused[0]) if unused else ""
    return replace(
        translated,
        tensors={name: translated.tensors[name] for name in needed},
        assumptions=(*translated.assumptions, *((others,) if others else ())),
    )


def _check_filter(kind: str, stored: str, taps: Tensor) -> None:
    """Refuse a filter that is not Haar's.

    Raises:
        CheckpointError: the message names it.
    """
    haar = torch.tensor(HAAR[kind])
    if taps.is_complex() or taps.numel() != 2 or not torch.allclose(taps.float().flatten(), haar, atol=1e-3):
        raise CheckpointError(
            f"{visible(stored)} is not the filter of the Haar wavelet (db1), {haar.tolist()}; "
            f"a {FAMILY} with another wavelet is not supported"
        )


def _stored_multiplier(header: object) -> float | None:
    """Return the factor of the mapping network's weights from our own header; None without one."""
    value = header.get("lr_multiplier") if isinstance(header, Mapping) else None
    return None if value is None else positive("mapping's lr_multiplier", value)


def examine(part: Part, unstored: Unstored = NOTHING) -> Examined | None:
    """Return the sizes and weights of a MobileStyleGAN in any layout; None if no layout fits.

    Args:
        part: of a checkpoint.
        unstored: what the config says of the network.

    Raises:
        CheckpointError: tensors that determine the architecture are missing or inconsistent, or contradict
            the config.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = settled(layout.translate(part.tensors))
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    unstored = unstored.beside(part.settings)
    stored = _stored_multiplier(part.settings.get("network"))
    multiplier = unstored.settle("lr_mlp", stored, LR_MLP)
    with as_stored(layout, translated):
        architecture = infer(shapes, multiplier)
    return describe_checkpoint(
        FAMILY,
        layout,
        architecture,
        translated,
        layers=architecture.layers,
        code_size=architecture.w_dim,
        assumptions=noise_and_mean({}, {}, architecture.means),
        assumed=unstored.assumed({"lr_mlp": stored}, ["lr_mlp"]),
    )
