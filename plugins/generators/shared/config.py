"""Define the config fields that generators share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ....core.plugins.base import PluginConfig


class CheckpointConfig(PluginConfig):
    """Set the checkpoint and, optionally, the hash that it must have."""

    checkpoint: str = Field(description="file in any supported format, or bundled:NAME")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="hash that the file must have"
    )


class ClassConfig(CheckpointConfig):
    """Set the checkpoint, and the classes that a conditional network draws."""

    classes: Literal["sampled"] | int | list[int] = Field(
        default="sampled",
        description="classes that a conditional network draws from: one, a list, or sampled for all",
    )


class TruncationConfig(ClassConfig):
    """Set checkpoint, classes and the truncation of w, for generators with a mapping network."""

    truncation_psi: float = Field(
        default=1.0,
        ge=0.0,
        le=1.0,
        description="factor of the distance of w from its mean; 1 does not truncate",
    )
    truncation_layers: int | None = Field(
        default=None, ge=0, description="number of truncated layers, from the first; default all"
    )


class StyleConfig(TruncationConfig):
    """Set checkpoint, classes, truncation and noise, for generators with a mapping network and noise."""

    noise: Literal["const", "fresh", "none"] = Field(
        default="const", description="const: that of the checkpoint; fresh: drawn for each sample"
    )
