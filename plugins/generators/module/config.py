"""Define the config of the plugin `module`."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ....core.config.schema import FARTHEST
from ....core.errors import ConfigError, Fault
from ....core.plugins.base import PluginConfig
from ..shared.config import Colour

Brightness = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]


class Latent(PluginConfig):
    """Set how z is drawn and passed to the module."""

    size: int = Field(gt=0, le=1_000_000, description="width of z")
    shape: list[int] | None = Field(
        default=None,
        description="shape in which the module takes one sample, such as [100, 1, 1]; default [size]",
    )
    prior: Literal["normal", "uniform", "truncated"] = Field(
        default="normal",
        description="normal; uniform between low and high; or normal truncated to [-2, 2], as in BigGAN",
    )
    low: float = Field(default=-1.0, ge=-FARTHEST, le=FARTHEST, description="of the uniform prior")
    high: float = Field(default=1.0, ge=-FARTHEST, le=FARTHEST, description="of the uniform prior")
    scale: float = Field(
        default=1.0,
        gt=0.0,
        le=FARTHEST,
        description="factor of z; with the truncated prior, BigGAN's truncation",
    )
    argument: str | None = Field(
        default=None, description="name of the argument that takes z; default the first"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.shape is not None and (any(n < 1 for n in self.shape) or math.prod(self.shape) != self.size):
            raise ValueError(f"shape {self.shape} does not have {self.size} entries, the size of z")
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class Call(PluginConfig):
    """Set the method that generates images, and its arguments."""

    method: str = Field(default="forward", description="method that generates images")
    arguments: dict[str, Any] = Field(default={}, description="further keyword arguments of every call")


class ClassLabels(PluginConfig):
    """Set the classes of a conditional module, and how labels are passed."""

    count: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="number of classes; 0 if the module is unconditional",
    )
    form: Literal["index", "one_hot"] = Field(
        default="index", description="index: integers (N,); one_hot: weights (N, count)"
    )
    argument: str | None = Field(
        default=None, description="name of the argument that takes labels; default the one after z"
    )
    draw: Literal["sampled"] | int | list[int] = Field(
        default="sampled", description="one class, a list to draw from evenly, or sampled from all"
    )


class Output(PluginConfig):
    """Set how images are read from the output of the module."""

    range: tuple[Brightness, Brightness] = Field(
        default=(-1.0, 1.0), description="values of black and of full brightness"
    )
    item: int | str | None = Field(
        default=None,
        description="index or key of the image, if the module returns a tuple, list or dictionary",
    )
    check: bool = Field(
        default=True, description="refuse images whose values do not look as if they had this range"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError(f"range must increase, such as [-1, 1] or [0, 1], not {list(self.range)}")
        return self


class ModuleConfig(PluginConfig):
    """Set the module, its weights, how it is called, and where codes enter it."""

    target: str = Field(
        examples=["my_model.py:Generator"],
        description="a class, or a function that returns the module: "
        "my_package.my_model:Generator or FILE.py:Generator",
    )
    arguments: dict[str, Any] = Field(default={}, description="keyword arguments of the class or function")
    checkpoint: str | None = Field(
        default=None,
        description="file in any supported format; leave it out if the target loads its own weights",
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="hash that the file must have"
    )
    part: str | None = Field(
        default=None, description="entry of the file, such as G_ema; default the first one that fits"
    )
    prefix: str = Field(
        default="",
        description="load only tensors whose names begin with this, and drop it, such as `module.`",
    )
    latent: Latent = Field(examples=[{"size": 128}], description="how z is drawn and passed to the module")
    call: Call = Field(default=Call(), description="method that generates images, and its arguments")
    classes: ClassLabels = Field(default=ClassLabels(), description="classes of a conditional module")
    output: Output = Field(default=Output(), description="how images are read from the output")
    background: Colour = Field(
        default="#ffffff",
        description="colour on which images of four channels, RGB with alpha, are composited for scorers",
    )
    noise: Literal["none", "fixed", "fresh"] = Field(
        default="none",
        description="for modules that draw noise: fixed gives all samples the same noise, "
        "fresh gives each sample its own",
    )
    mapping: str | None = Field(default=None, description="sub-module that maps z to w")
    strata: list[str] = Field(
        default=[], description="sub-modules whose composition, in this order, is the whole module"
    )
    codes: list[str | list[str]] = Field(
        default=[],
        description="sub-modules that receive the code, one per layer; those in a nested list share a layer",
    )

    @field_validator("target")
    @classmethod
    def _two_parts(cls, value: str) -> str:
        module, separator, name = value.rpartition(":")
        if not separator or not module or not all(part.isidentifier() for part in name.split(".")):
            raise ValueError("must read my_package.my_model:Generator or FILE.py:Generator")
        return value

    @field_validator("mapping", "strata", "codes", mode="before")
    @classmethod
    def _numbers_as_names(cls, value: Any) -> Any:
        # YAML reads the 0 of an nn.Sequential as a number.
        if isinstance(value, list):
            return [cls._numbers_as_names(item) for item in value]
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("codes")
    @classmethod
    def _no_empty_layer(cls, value: list[str | list[str]]) -> list[str | list[str]]:
        if any(not item for item in value):
            raise ValueError("every layer needs a sub-module")
        return value

    @model_validator(mode="after")
    def _exclusive(self) -> Self:
        if self.strata and self.codes:
            raise ValueError("`strata` and `codes` exclude each other; give one of them")
        if self.strata and self.noise != "none":
            raise ValueError(
                f"`strata` is for modules without noise; leave out `strata` or `noise: {self.noise}`"
            )
        return self


def config_error(key: str, message: str) -> ConfigError:
    """Return an error about one field of the plugin's config, such as `output.range`."""
    return ConfigError("generator 'module'", [Fault(("with", *key.split(".")), message)])
