"""Hold what learners of style channels share: which channels count, and how much they vary.

Shapes: N samples, S style channels of all strata.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...core.errors import DataError
from ...core.messages import listed
from ...core.plugins.base import PluginConfig, owner_of
from ...core.plugins.boundary import Boundary
from ...core.plugins.generator import Generator
from ...core.probing.column_moments import ColumnMoments
from ...core.storage.name_rules import fault_of
from ...core.storage.rows import Rows, blocks
from ...core.strata.layers import parse_layers
from ...core.strata.styles import require_styles, style_channels, style_strata
from .asked import Asked, LearnerWithoutLabels
from .unlabelled import ALL

STILL = 1e-6  # standard deviation of a channel, relative to the spread of all, below which it does not vary


class ChannelSettings(PluginConfig):
    """Set which style channels count."""

    layers: str = Field(
        default=ALL,
        examples=["2-7"],
        description="layers whose style channels count: `all`, or numbers such as `0-1` or `0,2,5-7`",
    )
    to_rgb: bool = Field(
        default=False, description="whether channels count that only turn a feature map into colours (ToRGB)"
    )


@dataclass(frozen=True)
class Channel:
    """Represent a style channel.

    Attributes:
        position: its coordinate in s, from 0 to S - 1.
        stratum: number of its stratum.
        number: its number within the stratum.
        layer: layer that the stratum reads.
        label: stratum and number, as in `b16.conv1/23`.
    """

    position: int
    stratum: int
    number: int
    layer: int
    label: str


@dataclass(frozen=True)
class Styles:
    """Hold the styles of samples.

    Attributes:
        values: (N, S), a table of rows.
    """

    values: Rows

    @cached_property
    def _moments(self) -> ColumnMoments:
        moments = ColumnMoments(self.values.shape[1])
        for _, (block,) in blocks(self.values):
            moments.add(block)
        return moments

    @property
    def finite(self) -> bool:
        """Whether no style is NaN or infinite."""
        return not self._moments.undefined.any() and bool(np.isfinite(self._moments.squares).all())

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean mu of each channel, (S,)."""
        return self._moments.mean

    @cached_property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation sigma of each channel, (S,)."""
        return np.asarray(np.sqrt(self._moments.variance))

    @cached_property
    def spread(self) -> float:
        """Spread s_s, the unit of a step in s."""
        return float(np.sqrt(self._moments.variance.mean()))

    def varies(self, channel: Channel) -> bool:
        """Return whether a channel differs between samples."""
        return bool(self.sd[channel.position] > STILL * self.spread)

    def facts(self, channel: Channel, generator: Generator) -> dict[str, Any]:
        """Return where a channel is, its standard deviation, and how many of these one step is."""
        sigma = float(self.sd[channel.position])
        return {
            "stratum": generator.strata[channel.stratum].name,
            "channel": channel.number,
            "sigma": round(sigma, 6),
            "step_in_sigma": round(self.spread / sigma, 4),
        }


def channels_of(
    generator: Generator, layers: Sequence[int], *, to_rgb: bool, largest: int | None = None
) -> tuple[Channel, ...]:
    """Return the style channels of strata that read one of the layers, in the order of s.

    Args:
        generator: gives the strata.
        layers: numbers of layers.
        to_rgb: whether strata count that leave no feature map.
        largest: height or width in pixels of the largest output that counts; None for any.
    """
    names = [stratum.name for stratum in generator.strata]
    channels, position = [], 0
    for s, width in style_strata(generator):
        stratum = generator.strata[s]
        layer = stratum.reads
        small = largest is None or max(stratum.size, stratum.height) <= largest
        if small and layer is not None and layer in layers and (to_rgb or stratum.is_feature):
            # A name may occur twice, or hold characters that separate names.
            usable = names.count(stratum.name) == 1 and not fault_of(f"channel/{stratum.name}/{width}")
            place = stratum.name if usable else str(s)
            channels += [Channel(position + u, s, u, layer, f"{place}/{u}") for u in range(width)]
        position += width
    return tuple(channels)


class ChannelLearner(LearnerWithoutLabels):
    """Find directions in the space of style channels; subclasses implement `directions`.

    A direction names its channels, so it is the same in all resamples, and is not learnt again from them.
    """

    Config = ChannelSettings
    config: ChannelSettings
    in_styles = True
    from_samples = False
    trains = True
    in_blocks = True

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without styles, or without any at the layers of the config.

        Raises:
            UserError: it has no styles.
            LayerError: a layer does not exist.
            DataError: no style channel counts.
        """
        require_styles(generator)
        self.channels(generator)

    def channels(self, generator: Generator) -> tuple[Channel, ...]:
        """Return the channels that count.

        Raises:
            LayerError: a layer does not exist.
            DataError: there are none.
        """
        count = generator.card.layers
        layers = range(count) if self.config.layers == ALL else parse_layers(self.config.layers, count)
        found = channels_of(generator, layers, to_rgb=self.config.to_rgb, largest=self.largest)
        if not found:
            having = [generator.strata[s].name for s, _ in style_strata(generator)]
            size = "" if self.largest is None else f" up to {self.largest} px"
            raise DataError(
                f"no style channel counts with layers: {self.config.layers} and to_rgb: "
                f"{str(self.config.to_rgb).lower()}{size}; strata with styles are {listed(having, 30)}"
            )
        return found

    @property
    def largest(self) -> int | None:
        """Return the size of the largest feature map whose channels count; None for any."""
        return None

    def found(self, asked: Asked) -> Iterable[Boundary]:
        """Return the directions in the styles of the samples.

        Raises:
            DataError: there are fewer than two samples, the latents are not styles, or nothing is found.
        """
        latents, channels = asked.latents, style_channels(asked.generator)
        if len(latents.shape) != 2 or latents.shape[1] != channels:
            raise DataError(
                f"{owner_of(self)} needs styles (N, {channels}), but was given latents of "
                f"shape {latents.shape}; learn in s (learning.space: s)"
            )
        styles = Styles(latents)
        with np.errstate(invalid="ignore", over="ignore"):
            usable = latents.shape[0] >= 2 and styles.finite
        if not usable:
            raise DataError("styles of at least two samples are needed, without NaN and infinity")
        return self.directions(styles, asked)

    @abstractmethod
    def directions(self, styles: Styles, asked: Asked) -> Iterable[Boundary]:
        """Return the directions, the most important first.

        Args:
            styles: of the samples.
            asked: the rest of what learn() was given.
        """
