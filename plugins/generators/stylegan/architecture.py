"""Infer the architecture of a StyleGAN from the shapes of its tensors and stored settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ..shared.layouts import Layout, Shapes, Translated, find
from ..shared.state_dicts import describe_checkpoint
from .layouts import HIGAN, INCOMPLETE, LAYOUTS, layouts
from .missing_tensors import fill_missing
from .network import Network, binomial
from .settings import StoredSettings, read_settings

LEVELS = 11  # more than anybody has trained; noise of a size that a file merely claims would fill the memory


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network, and what about it is not in the sizes.

    Attributes:
        widths: channels at 4, 8, 16 ... pixels.
        z_dim: Z.
        w_dim: how many numbers a layer reads.
        mapping_layers, mapping_width: of the mapping network.
        classes: how many have an embedding, which is appended to z.
        own_codes: whether the mapping makes another code for each layer, as in idinvert's networks.
        mean: size of the stored mean w: w_dim, or with own codes one for each layer; 0 if there is none.
        colours: channels of the picture, 3 or 1.
        lr_multiplier: by which the mapping's stored weights are too large.
        tanh: whether the picture goes through it in the end.
    """

    widths: tuple[int, ...]
    z_dim: int
    w_dim: int
    mapping_layers: int
    mapping_width: int
    classes: int = 0
    own_codes: bool = False
    mean: int = 0
    colours: int = 3
    lr_multiplier: float = 0.01
    tanh: bool = False

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """From asdict(), which may have been JSON in between."""
        return cls(**{**values, "widths": tuple(values["widths"])})

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return int(4 * 2 ** (len(self.widths) - 1))

    @property
    def layers(self) -> int:
        """L: two per resolution, 2 log2(resolution) - 2."""
        return 2 * len(self.widths)

    @property
    def code_size(self) -> int:
        """D: what a layer reads, or the codes of all layers in a row, of which each reads its own."""
        return self.w_dim * (self.layers if self.own_codes else 1)

    def build(self) -> Network:
        """The network, with new weights."""
        inputs = self.z_dim * (2 if self.classes else 1)
        mapping = (inputs, *[self.mapping_width] * (self.mapping_layers - 1), self.code_size)
        return Network(
            self.widths,
            self.w_dim,
            mapping,
            classes=self.classes,
            z_dim=self.z_dim,
            mean=self.mean,
            colours=self.colours,
        )


def infer(
    shapes: Shapes, stored: StoredSettings, *, incomplete: bool = False, inverted: bool = False
) -> Architecture:
    """The architecture behind our tensor names.

    Args:
        shapes: by our names.
        stored: what the file says besides its tensors.
        incomplete: whether the mean w may be missing.
        inverted: whether a network with own codes is one of idinvert's, whose pictures go through tanh.

    Raises:
        CheckpointError: tensors that decide about it are missing, or do not go together.
    """
    count = sum(bool(re.fullmatch(r"synthesis\.layers\.\d+\.bias", name)) for name in shapes)
    depth = sum(bool(re.fullmatch(r"mapping\.layers\.\d+\.weight", name)) for name in shapes)
    biases = [shapes.get(f"synthesis.layers.{i}.bias", ()) for i in range(count)]
    if not count or count % 2 or any(len(shape) != 1 for shape in biases):
        raise CheckpointError(
            "a StyleGAN has two layers, each with a bias, for each of 4, 8, 16 ... pixels; "
            f"this file has {count}, or with gaps"
        )
    if count > 2 * LEVELS:
        raise CheckpointError(
            f"a StyleGAN of {count} layers; "
            f"up to {2 * LEVELS}, which is {2 ** (LEVELS + 1)} pixels, can be used"
        )
    dense = [shapes.get(f"mapping.layers.{i}.weight", ()) for i in range(depth)]
    if not depth or any(len(shape) != 2 for shape in dense):
        raise CheckpointError(
            f"a StyleGAN has a mapping network of layers 0, 1, 2 ...; this file has {depth}, or with gaps"
        )
    affine, labels = shapes.get("synthesis.layers.0.affine.weight", ()), shapes.get("mapping.labels", (0, 0))
    if len(affine) != 2 or len(labels) != 2:
        raise CheckpointError("a StyleGAN whose affine maps and label embedding are matrices was expected")
    w_dim, made = affine[1], dense[-1][0]
    mean = shapes.get("mapping.w_avg", (0,) if incomplete and not labels[0] else (w_dim,))
    own_codes = made == count * w_dim != w_dim
    found = Architecture(
        widths=tuple(shape[0] for shape in biases[1::2]),
        z_dim=dense[0][1] - labels[1],
        w_dim=w_dim,
        mapping_layers=depth,
        mapping_width=dense[0][0] if depth > 1 else 0,
        classes=labels[0],
        own_codes=own_codes,
        mean=made if own_codes and mean == (made,) else 0 if mean == (0,) else w_dim,
        colours=next(iter(shapes.get("synthesis.output.bias", ())), 3),
        lr_multiplier=stored.lr_multiplier,
        tanh=own_codes and inverted if stored.tanh is None else stored.tanh,
    )
    if min(found.z_dim, found.w_dim, *found.widths) < 1 or (depth > 1 and found.mapping_width < 1):
        raise CheckpointError(f"a StyleGAN whose sizes do not go together: {asdict(found)}")
    if found.colours not in (1, 3):
        raise CheckpointError(
            f"a StyleGAN that makes pictures of {found.colours} channels; 3, or 1 for grey, can be used"
        )
    return found


def examine(part: Part) -> Examined | None:
    """Sizes, classes and weights of a StyleGAN in any layout; None if it is in none.

    Raises:
        CheckpointError: tensors or settings that decide about the architecture are missing, invalid or not
            supported.
    """
    stored = read_settings(part.settings)
    layout = find(layouts(stored.fused_from), part.tensors)
    if layout is None:
        return None
    translated = _reduced(layout.translate(part.tensors))
    tensors = dict(translated.tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    incomplete = layout.name in INCOMPLETE
    architecture = infer(
        shapes, stored, incomplete=incomplete or stored.without_mean, inverted=layout is HIGAN
    )
    tensors |= fill_missing(architecture.build, tensors, fixed_noise=incomplete)
    return describe_checkpoint(
        "StyleGAN",
        layout,
        architecture,
        translated,
        tensors,
        layers=architecture.layers,
        code_size=architecture.code_size,
    )


def recognised(shapes: Shapes) -> Layout | None:
    """The layout that tensors of these shapes have."""
    return find(LAYOUTS, shapes)


def _reduced(translated: Translated) -> Translated:
    """Check and remove what a finished network does not need: lower outputs, filters, the level of detail.

    Raises:
        CheckpointError: the network was saved before it was fully grown, or has another filter.
    """
    tensors, origin = dict(translated.tensors), dict(translated.origin)
    top = sum(bool(re.fullmatch(r"synthesis\.layers\.\d+\.bias", name)) for name in tensors) // 2 - 1
    for name in list(tensors):
        kind, _, rest = name.partition(".")
        if kind == "lod":
            _check_lod(tensors.pop(name))
        elif kind == "blur":
            _check_filter(origin[name], tensors.pop(name))
        elif kind == "outputs":
            number, _, what = rest.partition(".")
            level = top - int(number[3:]) if number.startswith("lod") else int(number)
            if level == top:
                tensors[f"synthesis.output.{what}"] = tensors.pop(name)
                origin[f"synthesis.output.{what}"] = origin[name]
            elif 0 <= level < top:
                del tensors[name]
    return Translated(tensors, origin, translated.unknown)


def _check_lod(lod: Tensor) -> None:
    if lod.numel() != 1:
        raise CheckpointError(
            f"the level of detail stored in the file has the shape {tuple(lod.shape)}, "
            "expected a single number"
        )
    if float(lod) != 0.0:
        raise CheckpointError(
            "this StyleGAN was saved while it was still growing: "
            f"its level of detail (lod) is {float(lod):g}, 0 in a finished network; "
            "that is not supported"
        )


def _check_filter(name: str, kernel: Tensor) -> None:
    if (
        kernel.shape[-2:] != (3, 3)
        or kernel.is_complex()
        or not torch.allclose(kernel.float(), binomial().expand(kernel.shape), atol=1e-4)
    ):
        raise CheckpointError(f"{name} is not the low-pass filter [1, 2, 1]; other filters are not supported")
