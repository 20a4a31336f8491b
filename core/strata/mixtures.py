"""Make pictures of several codes each, whose feature maps are added after one stratum.

    x = sum over k of a_k x_k,   a_k (C,) the weights of the channels, x_k (C, h, w) the map of code k

Source: Gu, Shen and Zhou, "Image Processing Using Multi-Code GAN Prior", CVPR 2020, equations 2 and 3.

What else flows from stratum to stratum has no weights of its own: the picture so far of a generator with skip
connections, and what a residual connection brings, are the means over the K codes.

Shapes: N pictures, K codes of each, L layers, D code size, C channels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from ..device import autocast
from ..errors import UserError
from ..plugins.base import owner_of
from ..plugins.colours import to_rgb
from ..plugins.finiteness import Doubt, finite_rows, nonfinite_error
from ..plugins.generator import Generator
from ..plugins.inverter import Mixture
from ..plugins.records import Inputs, Rendering, State
from .stepping import advance, begun, finished


def render_mixture(
    generator: Generator,
    mixture: Mixture,
    codes: Tensor,
    inputs: Inputs,
    *,
    features: Collection[int] = (),
    precision: str = "fp32",
    late: bool = False,
) -> Rendering:
    """Render mixtures, with gradients if they are switched on.

    Args:
        generator: generator to render with.
        mixture: codes (N, K, L, D) that the strata up to that of the mixture read, and their weights.
        codes: codes (N, L, D) that the strata after it read.
        inputs: of the N pictures.
        features: strata whose feature maps are collected; up to the mixture those of the first code.
        precision: fp32, bf16 or fp16.
        late: whether pictures that are not finite are refused by `rendering.settle()`, see `Pass`.

    Raises:
        UserError: the generator has no feature map there, or one with another number of channels.
        PictureError: a picture is not finite.
    """
    check_stratum(generator, mixture.stratum)
    n, stop = len(codes), mixture.stratum + 1
    collected: dict[int, Tensor] = {}
    with autocast(generator.device, precision):
        state = mixed(generator, mixture, inputs, collected, features)
        state = advance(generator, state, codes, stop, len(generator.strata), collected, features)
        pictures = finished(generator, state, n).float()  # (N, C, H, W)

    def refuse() -> None:
        finite = finite_rows(pictures)
        if finite is not None:
            raise nonfinite_error(generator, finite, inputs.index, "feature maps of several codes were added")

    doubt = Doubt(pictures, refuse) if late and generator.device.type != "cpu" else None
    if doubt is None:
        refuse()
    rgb = to_rgb(pictures, generator.card.background)
    return Rendering(rgb, collected, composed=True, pictures=pictures, precision=precision, doubt=doubt)


def mixed(
    generator: Generator,
    mixture: Mixture,
    inputs: Inputs,
    collected: dict[int, Tensor],
    features: Collection[int] = (),
) -> State:
    """Return the state after the stratum of the mixture.

    The codes go through the strata one after the other, so K decides the time, and only a gradient needs K
    times the memory.
    """
    states = []
    for k in range(mixture.codes.shape[1]):
        wanted: Collection[int] = features if k == 0 else ()
        start = begun(generator, inputs)
        states.append(
            advance(generator, start, mixture.codes[:, k], 0, mixture.stratum + 1, collected, wanted)
        )
    maps = [state.x for state in states if state.x is not None]
    if len(maps) != len(states):
        raise UserError(_no_map(generator, mixture.stratum))
    if mixture.weights.shape[2] != maps[0].shape[1]:
        raise UserError(
            f"the weights of the mixture are for {mixture.weights.shape[2]} channels; the feature map after "
            f"stratum {mixture.stratum} of {owner_of(generator)} has {maps[0].shape[1]}"
        )
    x = sum_of(maps, mixture.weights)
    if mixture.stratum in collected:
        collected[mixture.stratum] = x
    rgbs = [state.rgb for state in states if state.rgb is not None]
    kept = {name: _mean([state.kept[name] for state in states]) for name in states[0].kept}
    return replace(states[0], x=x, rgb=_mean(rgbs) if rgbs else None, kept=kept)


def sum_of(maps: list[Tensor], weights: Tensor) -> Tensor:
    """Return the sum over k of a_k x_k of K maps (N, C, h, w) with weights (N, K, C)."""
    total = torch.zeros_like(maps[0])
    for k, x in enumerate(maps):
        total = total + weights[:, k, :, None, None].to(x.dtype) * x
    return total


def _mean(tensors: list[Tensor]) -> Tensor:
    """Return the mean of tensors; the first one if they are whole numbers, such as the keys of noise."""
    return torch.stack(tensors).mean(dim=0) if tensors[0].is_floating_point() else tensors[0]


def check_stratum(generator: Generator, stratum: int) -> None:
    """Refuse a stratum after which feature maps cannot be added.

    Raises:
        UserError: it does not exist, or has no feature map; the message names those that have one.
    """
    strata = generator.strata
    if not 0 <= stratum < len(strata) or not strata[stratum].is_feature:
        raise UserError(_no_map(generator, stratum))


def _no_map(generator: Generator, stratum: int) -> str:
    fit = [s for s, one in enumerate(generator.strata[:-1]) if one.is_feature]
    return (
        f"codes cannot be mixed after stratum {stratum} of {owner_of(generator)}, which has no feature map; "
        f"give one of {', '.join(map(str, fit)) or 'another generator: this one has no such stratum'}"
    )
