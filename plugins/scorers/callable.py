"""Use any Python function as a scorer."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field, field_validator
from torch import Tensor

from ...core.config.schema import Level
from ...core.errors import ConfigError, Fault, ScoreError, UserError
from ...core.messages import quantity
from ...core.plugins.base import PluginConfig
from ...core.plugins.imports import PATTERN, check_arguments, find, reason
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer
from ...core.plugins.strict_numbers import StrictNumbers
from ...core.shortage import is_out_of_memory
from ...core.storage.name_rules import checked, require_unique


class Column(StrictNumbers):
    """Describe the concept of one column of scores."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(pattern=r"^[^/,|\s]+$", description="of the concept")
    level: Level = Field(default="attribute", description="its level")
    least: float | None = Field(
        default=None,
        gt=0.0,
        description="smallest spread that counts as variation; default: a tenth of the median spread",
    )
    threshold: float | None = Field(
        default=None, description="scores above it mean present; default: no such threshold"
    )
    may_be_undefined: bool = Field(default=False, description="whether a score may be NaN")

    _fit = field_validator("name")(checked)


class Callable(Scorer):
    """Score images by `function(images, **arguments)`, given as a dotted path.

    The function is called with images (N, 3, H, W), float32, RGB, clamped to [0, 1], on the device of the
    run. It returns a score per image (N,), or per image and concept (N, C), as a tensor or an array. The
    scores of an image must depend on that image alone, because batches may be of any composition.
    """

    class Config(PluginConfig):
        """Set the function, its arguments and its concepts."""

        target: str = Field(
            pattern=PATTERN,
            examples=["my_scores.py:brightness"],
            description="package.module:function, or FILE.py:function",
        )
        concepts: list[Column] = Field(
            min_length=1,
            examples=[[{"name": "bright", "level": "colour"}]],
            description="name, level, least, threshold, may_be_undefined of each column",
        )
        arguments: dict[str, Any] = Field(default={}, description="keyword arguments of the function")

        @field_validator("concepts")
        @classmethod
        def _check_unique(cls, value: list[Column]) -> list[Column]:
            require_unique(concept.name for concept in value)
            return value

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        try:
            self.function = find(config.target)
        except UserError as error:
            raise _config_error("target", str(error)) from None
        if not callable(self.function):
            raise _config_error(
                "target", f"{config.target} is not a function, but {type(self.function).__name__}"
            )
        try:
            check_arguments(
                self.function, config.target, {**_first_argument(self.function), **config.arguments}
            )
        except UserError as error:
            raise _config_error("arguments", str(error)) from None
        self.concepts = tuple(
            Concept(c.name, c.level, c.least, c.threshold, c.may_be_undefined) for c in config.concepts
        )

    def score(self, rendering: Rendering) -> Tensor:
        """Return the scores of the function, (N, C) float32.

        Raises:
            ScoreError: the function fails, or returns no scores of this shape.
        """
        n, columns = rendering.images.shape[0], len(self.concepts)
        try:
            scores = self.function(rendering.images.clamp(0.0, 1.0), **self.config.arguments)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            raise ScoreError(
                f"{self.config.target} failed on {quantity(n, 'image')}: {reason(error)}"
            ) from error
        if not isinstance(scores, Tensor):
            try:
                scores = torch.from_numpy(np.asarray(scores, dtype=np.float32))
            except (TypeError, ValueError):
                raise ScoreError(
                    f"{self.config.target} returned {type(scores).__name__}; "
                    f"a tensor or array ({n},) or ({n}, {columns}) was expected"
                ) from None
        scores = scores[:, None] if scores.ndim == 1 else scores  # (N, C)
        if tuple(scores.shape) != (n, columns):
            raise ScoreError(
                f"{self.config.target} returned shape {tuple(scores.shape)} for {quantity(n, 'image')}; "
                f"({n},) or ({n}, {columns}) was expected"
            )
        return scores.to(rendering.images.device, torch.float32)


def _first_argument(function: Any) -> dict[str, Any]:
    """Return the name of the function's first argument, which gets the images, as a dictionary to check."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return {}
    if parameters and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    ):
        return {parameters[0].name: None}
    return {}


def _config_error(key: str, message: str) -> ConfigError:
    """Return the error for one field of the scorer's config."""
    return ConfigError("scorer 'callable'", [Fault(("with", key), message)])
