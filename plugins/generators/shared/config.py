"""Define the config fields that generators share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from PIL import ImageColor
from pydantic import BeforeValidator, Field

from ....core.plugins.base import PluginConfig
from .noise import Noise


def _colour(value: Any) -> str:
    """Return a colour, given by name or as "#rrggbb", as "#rrggbb".

    Raises:
        ValueError: it is not an opaque colour.
    """
    try:
        values = ImageColor.getrgb(value)
        if len(values) == 3:
            return "#{:02x}{:02x}{:02x}".format(*values)
    except (AttributeError, TypeError, ValueError):
        pass
    raise ValueError(
        "expected an opaque colour: a name such as white, or '#ffffff' in quotes, "
        "since # begins a comment in YAML"
    )


Colour = Annotated[str, BeforeValidator(_colour)]
"""A colour, kept as "#rrggbb"."""


class CheckpointConfig(PluginConfig):
    """Set the checkpoint, optionally its hash, and the ground of pictures with alpha."""

    checkpoint: str = Field(
        examples=["generator.pt"],
        description="file in any supported format, bundled:NAME, hf:OWNER/NAME/FILE@REVISION, or "
        "https://...#sha256=...",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="hash that the file must have"
    )
    background: Colour = Field(
        default="#ffffff",
        description="colour on which pictures with an alpha channel are composited for scorers, such as "
        "white or '#808080'",
    )


class ClassConfig(CheckpointConfig):
    """Set the checkpoint, and the classes that a conditional network draws."""

    classes: Literal["sampled"] | int | list[int] = Field(
        default="sampled",
        description="classes that a conditional network draws from: one, a list, or sampled for all",
    )


class NoiseConfig(PluginConfig):
    """Set the noise, which no file stores."""

    noise: Noise = Field(
        default="const", description="const: fixed noise; fresh: drawn for each sample; none: without"
    )


class TruncationConfig(ClassConfig):
    """Set checkpoint, classes and the truncation of w, for generators with a mapping network."""

    truncation_psi: float = Field(
        default=1.0,
        allow_inf_nan=False,
        description="factor of the distance of w from its mean, any number; 1 does not truncate, below 0 "
        "gives the opposite of each picture",
    )
    truncation_layers: int | None = Field(
        default=None, ge=0, description="number of truncated layers, from the first; default all"
    )


class StyleConfig(TruncationConfig):
    """Set checkpoint, classes, truncation and noise, for generators with a mapping network and noise."""

    noise: Noise = Field(
        default="const", description="const: that of the checkpoint; fresh: drawn for each sample"
    )


class UnstoredConfig(PluginConfig):
    """Set what files of some libraries do not state of their network."""

    final_tanh: bool | None = Field(
        default=None,
        description="whether tanh is applied to the picture; left out: as the file states, or else as the "
        "code has it that writes such files",
    )
    use_wscale: bool | None = Field(
        default=None,
        description="whether weights are scaled by their fan-in at run time (equalised learning rate); left "
        "out: as the file states, or else true",
    )


class GrownConfig(UnstoredConfig):
    """Set what files do not state of networks that grew while they were trained."""

    depth: int | None = Field(
        default=None,
        ge=2,
        le=14,
        description="binary logarithm of the size of the pictures, 8 for 256 pixels, if the file has outputs "
        "of several sizes; left out: as the file states, or else the last output that was trained",
    )


class MappingConfig(PluginConfig):
    """Set what files of some libraries do not state of their mapping network."""

    lr_mlp: float | None = Field(
        default=None,
        gt=0.0,
        allow_inf_nan=False,
        description="factor of the mapping network's stored weights and biases (learning rate multiplier); "
        "left out: as the file states, or else as the code has it that writes such files, mostly 0.01",
    )
