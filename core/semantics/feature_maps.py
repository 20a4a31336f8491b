"""Choose the strata whose feature maps are read, and crop the maps to the picture.

Shapes: N samples, c_s channels and h_s x w_s pixels of the map of stratum s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import DataError, ShapeError, UserError
from ..messages import listed, shown, visible
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..plugins.pending import Pending, fetched
from ..plugins.records import Stratum
from ..randomness import Stream
from ..strata.composition import Pass

Choice = Literal["all", "last_of_resolution"]


@dataclass(frozen=True)
class FeatureMap:
    """Describe the feature map of one stratum.

    Attributes:
        stratum: number of the stratum.
        name: name of the stratum.
        channels: number of its channels c_s.
        height: height in pixels, without margins.
        width: width in pixels, without margins.
        margin: pixels beyond the picture on every side, which are cropped.
    """

    stratum: int
    name: str
    channels: int
    height: int
    width: int
    margin: int = 0

    @property
    def shape_in_words(self) -> str:
        """Channels, size and margin, for messages."""
        margin = f" and a margin of {self.margin}" if self.margin else ""
        return f"{self.channels} channels of {self.height} x {self.width} pixels{margin}"


def choose_strata(strata: Sequence[Stratum], choice: Choice | Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of the strata whose feature maps are read, first to last.

    Args:
        strata: strata of the generator.
        choice: `all` maps (the paper; StyleGAN2 in its code), `last_of_resolution`, the last map of each
            size (its code for StyleGAN and ProgressiveGAN), or numbers of strata.

    Raises:
        UserError: a number names no stratum with a feature map, or none is left.

    >>> strata = [Stratum("b4", 0, 4), Stratum("b8.conv0", 1, 8), Stratum("b8.conv1", 2, 8)]
    >>> choose_strata(strata, "all"), choose_strata(strata, "last_of_resolution")
    ((0, 1, 2), (0, 2))
    """
    possible = [s for s, stratum in enumerate(strata) if stratum.is_feature]
    if choice == "all":
        chosen = possible
    elif choice == "last_of_resolution":
        chosen = sorted({(strata[s].height, strata[s].size): s for s in possible}.values())
    else:
        chosen = sorted(set(choice))
        if wrong := [s for s in chosen if s not in possible]:
            raise UserError(
                f"strata {listed([str(s) for s in wrong])} have no feature map; this generator's strata with "
                f"feature maps are {listed([str(s) for s in possible], 30)}"
            )
    if not chosen:
        raise UserError(
            "the list of strata is empty; give numbers of strata, or all"
            if possible
            else "this generator has no stratum with a feature map, so nothing can be read off it"
        )
    return tuple(chosen)


@torch.inference_mode()
def describe_maps(generator: Generator, strata: Collection[int]) -> tuple[FeatureMap, ...]:
    """Render one sample, and describe the feature maps of the given strata.

    Raises:
        UserError: a stratum has no feature map.
    """
    latents = generator.sample(1, 0, 0, Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    features = Pass(
        generator, codes, condition=latents.condition, index=latents.index, features=strata
    ).rendering.features
    maps = []
    for s in sorted(strata):
        stratum = generator.strata[s]
        if s not in features or features[s].ndim != 4:
            raise UserError(f"{owner_of(generator)}: stratum {s} ('{stratum.name}') gives no feature map")
        _, channels, height, width = features[s].shape
        margin = stratum.margin
        maps.append(FeatureMap(s, stratum.name, channels, height - 2 * margin, width - 2 * margin, margin))
    return tuple(maps)


def cropped(features: Mapping[int, Tensor], maps: Sequence[FeatureMap]) -> list[Tensor]:
    """Return the feature maps (N, c_s, h_s, w_s) in float32, without margins, in the order of `maps`.

    Raises:
        ShapeError: a map is missing or has another shape than described.
    """
    result = []
    for described in maps:
        x = features.get(described.stratum)
        m = described.margin
        expected = (described.channels, described.height + 2 * m, described.width + 2 * m)
        if x is None or tuple(x.shape[1:]) != expected:
            found = "is missing" if x is None else f"has shape {shown(tuple(x.shape))}"
            raise ShapeError(
                f"the feature map of stratum {described.stratum} ('{described.name}') {found}; "
                f"(N, {', '.join(map(str, expected))}) was expected"
            )
        result.append((x[:, :, m : x.shape[2] - m, m : x.shape[3] - m] if m else x).float())
    return result


def fault_of_maps(maps: Sequence[FeatureMap], values: Sequence[Tensor], index: Sequence[int]) -> str:
    """Say which feature map is not finite, in which sample, and what helps; empty if all are finite.

    Args:
        maps: what the values are of.
        values: for each map a tensor (N, ...) with values of the map.
        index: number of the sample that each of the N rows is of.
    """
    return begin_fault_of_maps(maps, values, index).result()


def begin_fault_of_maps(
    maps: Sequence[FeatureMap], values: Sequence[Tensor], index: Sequence[int]
) -> Pending[str]:
    """Return what `fault_of_maps` returns, without waiting for it."""
    rows = fetched(torch.stack([torch.isfinite(x).flatten(1).all(dim=1) for x in values]))  # (maps, N)

    def fault() -> str:
        for described, finite in zip(maps, rows.result(), strict=True):
            if not finite.all():
                return (
                    f"the feature map of stratum {described.stratum} ('{visible(described.name)}') is not "
                    f"finite in sample {index[int(finite.argmin())]}; leave that stratum out with "
                    "extractor.strata, or use precision fp32, as maps overflow in half precision"
                )
        return ""

    return Pending(fault, at_once=rows.at_once)


def require_finite(maps: Sequence[FeatureMap], values: Sequence[Tensor], index: Sequence[int]) -> None:
    """Refuse feature maps that are not finite; arguments as of `fault_of_maps`.

    Raises:
        DataError: some are not; the message names stratum and sample.
    """
    begin_require_finite(maps, values, index).result()


def begin_require_finite(
    maps: Sequence[FeatureMap], values: Sequence[Tensor], index: Sequence[int]
) -> Pending[None]:
    """Return the check that `require_finite` makes, without waiting for it."""
    found = begin_fault_of_maps(maps, values, index)

    def check() -> None:
        if fault := found.result():
            raise DataError(fault)

    return Pending(check, at_once=found.at_once)
