"""Infer the architecture of a StyleGAN2 from the shapes of its tensors and its stored settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.checkpoints.skeleton import shapes_only
from ....core.errors import CheckpointError
from ..shared.layouts import Shapes, find
from ..shared.sizes import Watched, count_numbered, inconsistent, lacking, wrong_dimensions
from ..shared.spelling import as_stored
from ..shared.state_dicts import check_channels, compare, describe_checkpoint
from ..shared.unstored import NOTHING, Unstored
from .layouts import LAYOUTS, MAX_TAPS, WITHOUT_MEAN
from .missing_tensors import assumed_tensors, fill_missing
from .network import Kind, Network
from .settings import StoredSettings, read_settings, told_settings, undo_scales


@dataclass(frozen=True)
class Architecture:
    """Hold the sizes and options of a network, the arguments of network.Network.

    Attributes:
        channels: maps each block, by its name 4, 8, 16 ..., to its width.
        clamp: limit of the absolute output of convolutions, or None.
        start: height and width of the learned constant; each further block doubles both.
        tanh: whether tanh is applied to the image, after the network.
    """

    channels: dict[int, int]
    z_dim: int
    w_dim: int
    mapping_layers: int
    mapping_width: int
    classes: int
    clamp: float | None = None
    embedding: int = 0
    lr_multiplier: float = 0.01
    kind: Kind = "skip"
    colours: int = 3
    taps: int = 4
    means: int = 1
    start: tuple[int, int] = (4, 4)
    tanh: bool = False

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """Build an architecture from the values of asdict(), which may have passed through JSON."""
        channels = {int(size): width for size, width in values["channels"].items()}
        height, width = values.get("start", (4, 4))
        return cls(**{**values, "channels": channels, "start": (height, width)})

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.start[0] << (len(self.channels) - 1), self.start[1] << (len(self.channels) - 1)

    @property
    def resolution(self) -> int:
        """Longer side of the images in pixels."""
        return max(self.size)

    @property
    def layers(self) -> int:
        """Number of layers L, two per block: 2 log2(resolution) - 2 if the constant has 4 x 4 pixels."""
        return 2 * len(self.channels)

    def build(self) -> Network:
        """Build the network, with new weights."""
        return Network(
            self.channels,
            self.z_dim,
            self.w_dim,
            self.mapping_layers,
            classes=self.classes,
            mapping_width=self.mapping_width,
            embedding=self.embedding,
            lr_multiplier=self.lr_multiplier,
            kind=self.kind,
            colours=self.colours,
            taps=self.taps,
            means=self.means,
            start=self.start,
        )


def infer(shapes: Shapes, stored: StoredSettings | None = None, *, means: int = 1) -> Architecture:
    """Infer the architecture from the shapes of translated tensors.

    Args:
        shapes: by NVIDIA's names.
        stored: the settings stored in the file.
        means: number of mean w of a network that stores none: 1 if that is a fault of the file, else 0.

    Raises:
        CheckpointError: tensors that determine the architecture are missing, or it is not supported.
    """
    stored, shapes = stored or StoredSettings(), Watched(shapes)
    channels = {
        int(m[1]): shape[0]
        for name, shape in shapes.items()
        if shape and (m := re.fullmatch(r"synthesis\.b(\d{1,4})\.conv1\.bias", name))
    }
    mapping = count_numbered(shapes, r"mapping\.fc(\d{1,2})\.weight", "StyleGAN2", "mapping layers")
    sizes = [4 * 2**i for i in range(len(channels))]
    if not channels or sorted(channels) != sizes:
        raise CheckpointError(
            "a StyleGAN2 has blocks for 4, 8, 16 ... pixels, "
            f"but this file has blocks for {sorted(channels) or 'none'}"
        )
    try:
        classes, embedding, joined = _classes(shapes)
        mapping_width, mapping_inputs = shapes["mapping.fc0.weight"]
        architecture = Architecture(
            channels=dict(sorted(channels.items())),
            z_dim=mapping_inputs - embedding - joined,
            w_dim=shapes["synthesis.b4.conv1.affine.weight"][1],
            mapping_layers=mapping,
            mapping_width=mapping_width,
            classes=classes,
            clamp=stored.clamp,
            embedding=embedding,
            lr_multiplier=stored.lr_multiplier,
            kind=_kind(shapes, sizes),
            colours=shapes[f"synthesis.b{sizes[-1]}.torgb.weight"][0],
            taps=_taps(shapes, stored),
            means=_means(shapes, 2 * len(sizes), means),
            start=_start(shapes),
            tanh=stored.tanh,
        )
    except KeyError as error:
        raise lacking("StyleGAN2", error) from None
    except (IndexError, ValueError):
        raise wrong_dimensions(shapes, "StyleGAN2") from None
    check_channels("StyleGAN2", architecture.colours)
    if min(architecture.z_dim, architecture.w_dim, mapping_width, *channels.values()) < 1:
        raise inconsistent(shapes, "StyleGAN2", asdict(architecture))
    return architecture


def _classes(shapes: Shapes) -> tuple[int, int, int]:
    """Return the number of classes, the width of their embedding, and that of the class vector joined to z.

    One of the two widths is 0: see shared.mapping.Mapping.
    """
    if "mapping.label_weight" in shapes:
        classes, width = shapes["mapping.label_weight"][:2]
        return classes, 0, width
    if "mapping.embed.weight" in shapes:
        width, classes = shapes["mapping.embed.weight"][:2]
        return classes, width, 0
    return 0, 0, 0


def _kind(shapes: Shapes, sizes: list[int]) -> Kind:
    """Return the form of the network, which shows in its blocks of these sizes: see Network."""
    if any(f"synthesis.b{size}.skip.weight" in shapes for size in sizes):
        return "resnet"
    return (
        "skip"
        if any(f"synthesis.b{size}.torgb.weight" in shapes for size in sizes[:-1]) or len(sizes) == 1
        else "orig"
    )


def _means(shapes: Shapes, layers: int, default: int) -> int:
    """Return the number of stored mean w: L or 1, and `default` if none is stored."""
    if "mapping.w_avg" not in shapes:
        return default
    shape = shapes["mapping.w_avg"]
    return layers if len(shape) == 2 and shape[0] == layers else 1


def _start(shapes: Shapes) -> tuple[int, int]:
    """Return height and width of the learned constant (C, h, w), which a file without it has by its noise."""
    noise = shapes.get("synthesis.b4.conv1.noise_const", (4, 4))
    shape = shapes.get("synthesis.b4.const", (0, *noise))
    _, height, width = shape
    if min(height, width) < 1:
        raise CheckpointError(
            f"the learned constant of this StyleGAN2, synthesis.b4.const, has the shape {shape}; "
            "expected (channels, height, width), such as (512, 4, 4), with at least one pixel"
        )
    return height, width


def _taps(shapes: Shapes, stored: StoredSettings) -> int:
    """Return the width of the low-pass filters."""
    shape = next(
        (shapes[name] for name in sorted(shapes) if name.endswith(".resample_filter")),
        (len(stored.taps),) * 2,
    )
    if len(shape) != 2 or shape[0] != shape[1] or not 1 <= shape[0] <= MAX_TAPS:
        raise CheckpointError(
            f"this StyleGAN2 has low-pass filters of the shape {shape}; "
            f"only square filters of 1 to {MAX_TAPS} taps are supported"
        )
    return shape[0]


def examine(part: Part, unstored: Unstored = NOTHING) -> Examined | None:
    """Return the sizes, classes and weights of a StyleGAN2 in any layout; None if no layout fits.

    Args:
        part: of a checkpoint.
        unstored: what the config says of the network.

    Raises:
        CheckpointError: tensors or settings that determine the architecture are missing, invalid, or
            contradict the config.
    """
    layout = find(LAYOUTS, part.tensors)
    if layout is None:
        return None
    translated = layout.translate(part.tensors)
    tensors = translated.tensors if unstored.use_wscale is not False else undo_scales(translated.tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    unstored = unstored.beside(part.settings)
    stored = read_settings(part.settings, unstored)
    with as_stored(layout, translated):
        means = 0 if layout.name in WITHOUT_MEAN or stored.without_mean else 1
        architecture = infer(shapes, stored, means=means)
    compare(architecture.build, tensors, translated.origin)  # raises if torch cannot build such a network
    with shapes_only():
        network = architecture.build()
    added = fill_missing(network, tensors, taps=stored.taps, fixed_noise=layout.name in WITHOUT_MEAN)
    return describe_checkpoint(
        "StyleGAN2",
        layout,
        architecture,
        translated,
        {**tensors, **added},
        layers=architecture.layers,
        code_size=architecture.w_dim,
        assumptions=assumed_tensors(tensors, added, architecture.means),
        assumed=unstored.assumed(stored.stated, told_settings(layout.name)),
        size=architecture.size,
        channels=architecture.colours,
    )
