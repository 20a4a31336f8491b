"""Infer the architecture of a StyleGAN from the shapes of its tensors and its stored settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import quantity
from ..shared.layouts import Shapes, find
from ..shared.mapping import EPSILON
from ..shared.sizes import inconsistent
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, describe_checkpoint
from ..shared.unstored import NOTHING, Unstored, noise_and_mean
from .layouts import HIGAN, INCOMPLETE, layouts
from .missing_tensors import fill_missing
from .network import Network
from .pytorch_layouts import GAN_ZOO, rescale
from .settings import StoredSettings, complete, read_settings, read_zoo
from .translation import of_level, select_level, undo_scales

LEVELS = 11  # up to 4096 pixels: without a limit, the noise of a hostile file could exhaust the memory


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network.

    Attributes:
        widths: channels at the constant's size, at twice that, and so on.
        z_dim: width Z of z.
        w_dim: width of the code that a layer reads.
        mapping_layers, mapping_width: number of layers of the mapping network, and width of hidden ones.
        classes: number of classes Y; their embedding (Y, Z) is appended to z. 0 if unconditional.
        own_codes: whether the mapping network has an output of its own for each layer, as in idinvert.
        mean: length of the stored mean w: w_dim, or L w_dim with own codes; 0 if none is stored.
        colours: channels of the image: 3, 4 with alpha, or 1 for grey.
        lr_multiplier: factor of the mapping network's stored weights.
        tanh: whether tanh is applied to the image.
        start: height and width of the learned constant.
        blur: whether a low-pass filter follows upsampling.
        bias_blurred: whether a bias is added before that filter, as rosinality does.
        epsilon: added to the variance in adaptive instance normalisation.
        filtered: layers whose low-pass filter is not the usual one; they store their own.
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
    start: tuple[int, int] = (4, 4)
    blur: bool = True
    bias_blurred: bool = False
    epsilon: float = EPSILON
    filtered: tuple[int, ...] = ()

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        height, width = values.get("start", (4, 4))
        lists = {name: tuple(values.get(name, ())) for name in ("widths", "filtered")}
        return cls(**{**values, **lists, "start": (height, width)})

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.start[0] << (len(self.widths) - 1), self.start[1] << (len(self.widths) - 1)

    @property
    def resolution(self) -> int:
        """Longer side of the images in pixels."""
        return max(self.size)

    @property
    def layers(self) -> int:
        """Number of layers L, two per size: 2 log2(resolution) - 2 if the constant has 4 x 4 pixels."""
        return 2 * len(self.widths)

    @property
    def code_size(self) -> int:
        """Width D of a code: w_dim, or L w_dim if it holds the own codes of all layers."""
        return self.w_dim * (self.layers if self.own_codes else 1)

    def build(self) -> Network:
        """Build the network, with new weights."""
        inputs = self.z_dim * (2 if self.classes else 1)
        mapping_sizes = (inputs, *[self.mapping_width] * (self.mapping_layers - 1), self.code_size)
        return Network(
            self.widths,
            self.w_dim,
            mapping_sizes,
            classes=self.classes,
            z_dim=self.z_dim,
            mean=self.mean,
            colours=self.colours,
            start=self.start,
            filtered=self.filtered,
        )


def infer(
    shapes: Shapes, stored: StoredSettings, *, incomplete: bool = False, inverted: bool = False
) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Args:
        shapes: by the names used here.
        stored: the settings stored in the file.
        incomplete: whether the mean w may be missing.
        inverted: whether a network with own codes applies tanh to its images, as idinvert's do.

    Raises:
        CheckpointError: tensors that determine the architecture are missing or inconsistent.
    """
    count = sum(bool(re.fullmatch(r"synthesis\.layers\.\d+\.bias", name)) for name in shapes)
    depth = sum(bool(re.fullmatch(r"mapping\.layers\.\d+\.weight", name)) for name in shapes)
    biases = [shapes.get(f"synthesis.layers.{i}.bias", ()) for i in range(count)]
    if not count or count % 2 or any(len(shape) != 1 for shape in biases):
        raise CheckpointError(
            "a StyleGAN has two layers with biases for each of 4, 8, 16 ... pixels, numbered 0, 1, 2 ...; "
            f"this file has {count}, or a number is missing"
        )
    if count > 2 * LEVELS:
        raise CheckpointError(
            f"this StyleGAN has {quantity(count, 'layer')}; "
            f"up to {2 * LEVELS}, which is {2 ** (LEVELS + 1)} pixels, are supported"
        )
    dense = [shapes.get(f"mapping.layers.{i}.weight", ()) for i in range(depth)]
    if not depth or any(len(shape) != 2 for shape in dense):
        raise CheckpointError(
            "the mapping network of a StyleGAN has layers numbered 0, 1, 2 ...; "
            f"this file has {depth}, or a number is missing"
        )
    affine, labels = shapes.get("synthesis.layers.0.affine.weight", ()), shapes.get("mapping.labels", (0, 0))
    if len(affine) != 2 or len(labels) != 2:
        raise CheckpointError("the affine maps and the class embedding of a StyleGAN must be matrices")
    w_dim, mapping_outputs = affine[1], dense[-1][0]
    mean_shape = shapes.get("mapping.w_avg", (0,) if incomplete and not labels[0] else (w_dim,))
    own_codes = mapping_outputs == count * w_dim != w_dim
    mean = w_dim
    if own_codes and mean_shape == (mapping_outputs,):
        mean = mapping_outputs
    elif mean_shape == (0,) and not labels[0]:
        mean = 0
    architecture = Architecture(
        widths=tuple(shape[0] for shape in biases[1::2]),
        z_dim=dense[0][1] - labels[1],
        w_dim=w_dim,
        mapping_layers=depth,
        mapping_width=dense[0][0] if depth > 1 else 0,
        classes=labels[0],
        own_codes=own_codes,
        mean=mean,
        colours=next(iter(shapes.get("synthesis.output.bias", ())), 3),
        lr_multiplier=0.01 if stored.lr_multiplier is None else stored.lr_multiplier,
        tanh=own_codes and inverted if stored.tanh is None else stored.tanh,
        start=_start(shapes.get("synthesis.const", (0, 4, 4))),  # describe_checkpoint() reports a missing one
        filtered=tuple(i for i in range(count) if f"synthesis.layers.{i}.blur" in shapes),
        **stored.form,
    )
    if min(architecture.z_dim, w_dim, *architecture.widths) < 1 or (
        depth > 1 and architecture.mapping_width < 1
    ):
        raise inconsistent(shapes, "StyleGAN", asdict(architecture))
    check_channels("StyleGAN", architecture.colours)
    return architecture


def _start(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the learned constant (C, h, w)."""
    if len(shape) != 3 or min(shape[1:]) < 1:
        raise CheckpointError(
            f"the learned constant of this StyleGAN, synthesis.const, has the shape {shape}; "
            "expected (channels, height, width), such as (512, 4, 4), with at least one pixel"
        )
    return shape[1], shape[2]


def examine(part: Part, unstored: Unstored = NOTHING) -> Examined | None:
    """Return the sizes, classes and weights of a StyleGAN in any layout; None if no layout fits.

    Args:
        part: of a checkpoint.
        unstored: what the config says of the network.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing, invalid, not
            supported, or contradict the config.
    """
    stored = read_settings(part.settings)
    layout = find(layouts(stored.fused_from), part.tensors)
    if layout is None:
        return None
    if layout is GAN_ZOO:
        stored = read_zoo(part.settings.get("config"))
    unstored = unstored.beside(part.settings)
    stored = complete(layout, stored, unstored)
    translated = layout.translate(part.tensors)
    rescale(layout, translated.tensors)
    translated, assumed_level = select_level(layout, translated, unstored.depth)
    tensors = dict(translated.tensors)
    if unstored.use_wscale is False:
        undo_scales(tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    incomplete = layout.name in INCOMPLETE
    spelling = replace(layout, either=of_level)
    with as_stored(spelling, translated):
        architecture = infer(
            shapes, stored, incomplete=incomplete or stored.without_mean, inverted=layout is HIGAN
        )
    added = fill_missing(architecture.build, tensors, fixed_noise=incomplete)
    return describe_checkpoint(
        "StyleGAN",
        spelling,
        architecture,
        translated,
        tensors | added,
        layers=architecture.layers,
        code_size=architecture.code_size,
        size=architecture.size,
        channels=architecture.colours,
        assumptions=(
            *stored.assumptions,
            *assumed_level,
            *noise_and_mean(tensors, added, architecture.mean),
        ),
        assumed=stored.assumed,
    )
