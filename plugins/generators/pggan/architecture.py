"""Infer the architecture of a ProgressiveGAN from the shapes of its tensors and stored settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.errors import CheckpointError
from ....core.messages import shown
from ..shared.layouts import Layout, find
from ..shared.state_dicts import describe_checkpoint
from .layouts import GENFORCE, LAYOUTS, MATRICES, MMGENERATION, MMGENERATION_AVERAGE
from .network import Network
from .translation import levels, translate

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network, and what about it is not in the sizes.

    Attributes:
        widths: of each level, from 4 pixels up.
        inputs: width of the first layer: z and classes.
        colours: channels of the picture, 3 or 1.
        classes: how many of the inputs are the class, as one-hot.
        lod: level of detail at which the picture is taken; a whole number k leaves out the last k levels,
            a fraction blends two outputs.
        z_first: whether z is normalised before the class is appended, as in GenForce, and again with it.
        normalise_inputs, normalise: pixel norm of the inputs, and after every layer.
        equalised: whether weights are multiplied by their gain over the root of the fan-in.
        leak: slope of the leaky ReLU; 0 is a plain one.
        epsilon: of pixel norm.
        epsilon_outside: whether it is added after the root, as MMGeneration does.
    """

    widths: tuple[int, ...]
    inputs: int
    colours: int = 3
    classes: int = 0
    lod: float = 0.0
    z_first: bool = False
    normalise_inputs: bool = True
    normalise: bool = True
    equalised: bool = True
    leak: float = 0.2
    epsilon: float = 1e-8
    epsilon_outside: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.classes < self.inputs:
            raise CheckpointError(
                f"a ProgressiveGAN with {self.inputs} inputs, of which {self.classes} are classes, "
                "has no latent code"
            )
        if not (math.isfinite(self.lod) and 0.0 <= self.lod <= len(self.widths) - 1):
            raise CheckpointError(
                f"a ProgressiveGAN of {len(self.widths)} levels has levels of detail 0 to "
                f"{len(self.widths) - 1}, not {self.lod:g}"
            )
        if self.colours not in (1, 3):
            raise CheckpointError(
                f"a ProgressiveGAN that makes pictures of {self.colours} channels; "
                "3, or 1 for grey, can be used"
            )

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """From asdict(), which may have been JSON in between."""
        return cls(**{**values, "widths": tuple(values["widths"])})

    @property
    def resolution(self) -> int:
        """Width and height of the images."""
        return int(4 * 2 ** (len(self.widths) - 1))

    @property
    def top(self) -> int:
        """The last level that is computed."""
        return len(self.widths) - 1 - math.floor(self.lod)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Levels whose output is in the picture: one, or two that are blended."""
        return (self.top,) if self.lod == math.floor(self.lod) else (self.top - 1, self.top)

    @property
    def z_dim(self) -> int:
        """Z, which is D too."""
        return self.inputs - self.classes

    def build(self) -> Network:
        """The network, with new weights."""
        return Network(self.inputs, self.widths, self.colours, self.outputs)


def recognised(shapes: Shapes) -> Layout | None:
    """The layout that tensors of these shapes have, if the first layer makes 4 by 4 pixels of a vector."""
    layout = find(LAYOUTS, shapes)
    if layout is None:
        return None
    first = next((shape for name, shape in shapes.items() if _ours(layout, name) == "layers.0.weight"), ())
    return layout if first[2:] == (4, 4) or (len(first) == 2 and layout in MATRICES) else None


def _ours(layout: Layout, stored: str) -> str | None:
    """What a stored name is called here."""
    return next((name for known, name in (rule.apply(stored) for rule in layout.rules) if known), None)


def infer(shapes: Shapes, options: Mapping[str, Any]) -> Architecture:
    """The architecture behind our tensor names; `options` says what shapes do not.

    Raises:
        CheckpointError: tensors that decide about it are missing, or options make no sense.
    """
    count = sum(name.startswith("layers.") and name.endswith(".bias") for name in shapes)
    wanted = [f"layers.{i}.bias" for i in range(max(count, 2))]
    if count % 2 or any(name not in shapes for name in wanted):
        found = sorted(name for name in shapes if name.startswith("layers.") and name.endswith(".bias"))
        raise CheckpointError(
            "a ProgressiveGAN has two layers for each of 4, 8, 16 ... pixels, numbered 0, 1, 2 ...; "
            f"this file has {count}: {found}"
        )
    if any(len(shapes[name]) != 1 for name in wanted) or len(shapes.get("layers.0.weight", ())) != 4:
        raise CheckpointError(
            "a ProgressiveGAN whose biases are vectors and whose first layer is a 4x4 convolution or a "
            "matrix was expected"
        )
    last = f"outputs.{count // 2 - 1}.bias"
    colours = shapes.get(last, shapes.get("outputs.0.bias", (3,)))
    return Architecture(
        widths=tuple(shapes[f"layers.{i}.bias"][0] for i in range(1, count, 2)),
        inputs=shapes["layers.0.weight"][1],
        colours=colours[0] if len(colours) == 1 else 3,
        **options,
    )


def examine(part: Part) -> Examined | None:
    """Sizes, classes and weights of a ProgressiveGAN in any layout; None if it is in none.

    Raises:
        CheckpointError: tensors or settings that decide about the architecture are missing or senseless.
    """
    layout = recognised(part.shapes)
    if layout is None:
        return None
    translated, lod = translate(layout, dict(part.tensors))
    shapes = {name: tuple(tensor.shape) for name, tensor in translated.tensors.items()}
    architecture = infer(shapes, {"lod": lod, **_of_layout(layout), **_stored(part.settings)})
    unused = {
        f"outputs.{level}.{what}"
        for level in range(levels(translated.tensors))
        for what in ("weight", "bias")
    }
    unused -= {f"outputs.{level}.{what}" for level in architecture.outputs for what in ("weight", "bias")}
    tensors = {name: tensor for name, tensor in translated.tensors.items() if name not in unused}
    return describe_checkpoint(
        "ProgressiveGAN", layout, architecture, translated, tensors, layers=1, code_size=architecture.z_dim
    )


def _of_layout(layout: Layout) -> dict[str, Any]:
    """What a layout's code does in its own way."""
    if layout is GENFORCE:
        return {"z_first": True}
    if layout in (MMGENERATION, MMGENERATION_AVERAGE):
        return {"epsilon": 1e-6, "epsilon_outside": True}
    return {}


# In NVIDIA's constructor arguments, and as our header calls it.
_ARGUMENTS: dict[str, tuple[str, type]] = {
    "label_size": ("classes", int),
    "normalize_latents": ("normalise_inputs", bool),
    "use_pixelnorm": ("normalise", bool),
    "use_wscale": ("equalised", bool),
    "pixelnorm_epsilon": ("epsilon", float),
}
_OPTIONS: dict[str, type] = {
    **dict(_ARGUMENTS.values()),
    "lod": float,
    "z_first": bool,
    "leak": float,
    "epsilon_outside": bool,
}


def _stored(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings stored in a file: in this project's header, or as arguments of NVIDIA's network."""
    network = settings.get("network")
    if isinstance(network, Mapping):
        return {
            ours: _checked(ours, network[ours], kind) for ours, kind in _OPTIONS.items() if ours in network
        }
    found = {
        ours: _checked(theirs, settings[theirs], kind)
        for theirs, (ours, kind) in _ARGUMENTS.items()
        if settings.get(theirs) is not None
    }
    if settings.get("use_leakyrelu") is False:
        found["leak"] = 0.0
    return found


def _checked(name: str, value: object, kind: type) -> Any:
    """A stored value, if it is of its kind and no negative number."""
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise CheckpointError(f"{name} stored in the file is {shown(value)}, expected true or false")
    whole = isinstance(value, int) and not isinstance(value, bool)
    if (whole or (kind is float and isinstance(value, float))) and 0 <= value < math.inf:  # type: ignore[operator]
        return kind(value)
    raise CheckpointError(
        f"{name} stored in the file is {shown(value)}, "
        f"expected a {'whole ' if kind is int else ''}number from 0 up"
    )
