"""What the user says about a module, and mistakes in it by the name of the field."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ....core.config.schema import FARTHEST
from ....core.errors import ConfigError, Fault
from ....core.plugins.base import PluginConfig

Brightness = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]


class Latent(PluginConfig):
    """How z is drawn and handed over."""

    size: int = Field(gt=0, le=1_000_000, description="how many numbers z has")
    shape: list[int] | None = Field(
        default=None, description="of one sample as the call takes it, such as [100, 1, 1]; default [size]"
    )
    prior: Literal["normal", "uniform", "truncated"] = Field(
        default="normal",
        description="normal; uniform between low and high; or normal within [-2, 2], as BigGAN has it",
    )
    low: float = Field(default=-1.0, ge=-FARTHEST, le=FARTHEST, description="of the uniform prior")
    high: float = Field(default=1.0, ge=-FARTHEST, le=FARTHEST, description="of the uniform prior")
    scale: float = Field(
        default=1.0,
        gt=0.0,
        le=FARTHEST,
        description="z is multiplied by it; truncated with 0.5 is BigGAN's truncation at 0.5",
    )
    argument: str | None = Field(
        default=None, description="name of the argument that takes z; default the first"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.shape is not None and (any(n < 1 for n in self.shape) or math.prod(self.shape) != self.size):
            raise ValueError(f"shape {self.shape} does not hold size {self.size} numbers")
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must lie below high ({self.high:g})")
        return self


class Call(PluginConfig):
    """How the module is called."""

    method: str = Field(default="forward", description="the method that makes pictures")
    arguments: dict[str, Any] = Field(default={}, description="further arguments of every call, by name")


class ClassLabels(PluginConfig):
    """Labels of a conditional module."""

    count: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="how many classes there are; 0 where the module is unconditional",
    )
    form: Literal["index", "one_hot"] = Field(
        default="index", description="index: whole numbers (N,); one_hot: weights (N, count)"
    )
    argument: str | None = Field(
        default=None, description="name of the argument that takes them; default the one behind z"
    )
    draw: Literal["sampled"] | int | list[int] = Field(
        default="sampled", description="one class, a list to draw from evenly, or sampled from all"
    )


class Output(PluginConfig):
    """What the call returns."""

    range: tuple[Brightness, Brightness] = Field(
        default=(-1.0, 1.0), description="values of black and of full colour"
    )
    item: int | str | None = Field(
        default=None, description="which item is the picture, where a tuple, list or dictionary is returned"
    )
    check: bool = Field(
        default=True, description="refuse pictures that do not look as if they had this range"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError(f"range must rise, such as [-1, 1] or [0, 1]; it is {list(self.range)}")
        return self


class ModuleConfig(PluginConfig):
    """The module, its weights, how it is called, and where codes enter it."""

    target: str = Field(
        description="a class, or a function that returns the module: "
        "my_package.my_model:Generator or FILE.py:Generator"
    )
    arguments: dict[str, Any] = Field(
        default={}, description="what the class or function is called with, by name"
    )
    checkpoint: str | None = Field(
        default=None, description="a file of any known container; none where the target brings its weights"
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{64}$", description="refuse the file if it has another hash"
    )
    part: str | None = Field(
        default=None, description="entry of the file, such as G_ema; default the first that fits"
    )
    prefix: str = Field(
        default="",
        description="take only tensors whose names begin so, without these letters, such as `module.`",
    )
    latent: Latent = Field(description="how z is drawn and handed over")
    call: Call = Field(default=Call(), description="how it is called")
    classes: ClassLabels = Field(default=ClassLabels(), description="labels of a conditional module")
    output: Output = Field(default=Output(), description="what it returns")
    noise: Literal["none", "fixed", "fresh"] = Field(
        default="none",
        description="of modules that draw noise themselves: fixed is the same for all samples, "
        "fresh is each sample's own",
    )
    mapping: str | None = Field(default=None, description="sub-module that makes w of z")
    strata: list[str] = Field(
        default=[], description="sub-modules that are passed one after the other and make the whole call"
    )
    codes: list[str | list[str]] = Field(
        default=[], description="sub-modules that take the code, a layer each; a list of them shares a layer"
    )

    @field_validator("target")
    @classmethod
    def _two_parts(cls, value: str) -> str:
        place, separator, name = value.rpartition(":")
        if not separator or not place or not all(part.isidentifier() for part in name.split(".")):
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
            raise ValueError("a layer without sub-modules")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.strata and self.codes:
            raise ValueError("`strata` takes the module apart and `codes` leaves it whole: give one of them")
        if self.strata and self.noise != "none":
            raise ValueError(f"`strata` is for modules without noise: leave it out, or `noise: {self.noise}`")
        return self


def mistake(key: str, message: str) -> ConfigError:
    """The user's mistake at one field of the plugin's config, such as `output.range`."""
    return ConfigError("generator 'module'", [Fault(("with", *key.split(".")), message)])
