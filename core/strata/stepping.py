"""Run strata one after the other, and check what each of them returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import PluginBroken
from ..plugins.base import owner_of
from ..plugins.colours import CHANNELS
from ..plugins.generator import Generator
from ..plugins.records import Inputs, State
from ..plugins.shapes import check_shape
from .units import UnitEdit, with_units


def advance(
    generator: Generator,
    state: State,
    codes: Tensor,
    start: int,
    stop: int,
    features: dict[int, Tensor],
    wanted: Collection[int],
    styles: Mapping[int, Tensor] | None = None,
    units: Mapping[int, Sequence[UnitEdit]] | None = None,
) -> State:
    """Run the strata start .. stop - 1.

    Args:
        generator: generator with the strata.
        state: state before stratum `start`.
        codes: (N, L, D).
        start: first stratum.
        stop: one past the last stratum.
        features: stratum -> feature map (N, C, H, W); those of `wanted` are added.
        wanted: strata whose feature maps are collected.
        styles: stratum -> what is added to its style (C_s,) or (N, C_s).
        units: stratum -> edits of the units of its feature map.

    Returns:
        The state before stratum `stop`.

    Raises:
        PluginBroken: a stratum does not return a State.
    """
    for s in range(start, stop):
        layer = generator.strata[s].reads
        code = None if layer is None else codes[:, layer]
        style = None if styles is None or s not in styles else _moved_style(generator, s, code, styles[s])
        state = _state(generator, generator.stratum(s, state, code, style), f"stratum({s})")
        state = state if units is None else with_units(generator, s, state, units)
        if s in wanted and state.x is not None:
            features[s] = state.x
    return state


def _moved_style(generator: Generator, s: int, code: Tensor | None, move: Tensor) -> Tensor:
    """Return the style of a stratum, moved.

    Raises:
        PluginBroken: the stratum declares a style, but gives none.
    """
    style = None if code is None else generator.style(s, code.float())
    if style is None:
        raise PluginBroken(
            f"{owner_of(generator)}: stratum {s} declares a style_width, but style({s}, ...) gives no style"
        )
    return style + move.to(style)


def begun(generator: Generator, inputs: Inputs) -> State:
    """Return the state before the first stratum.

    Raises:
        PluginBroken: `begin` does not return a State.
    """
    return _state(generator, generator.begin(inputs), "begin")


def _state(generator: Generator, returned: object, method: str) -> State:
    """Check that a method of the generator returned a State."""
    result = f"{owner_of(generator)}: {method} returned"
    if not isinstance(returned, State):
        raise PluginBroken(f"{result} {type(returned).__name__}; a ganstrata.State was expected")
    tensors: dict[str, object] = {"x": returned.x, "rgb": returned.rgb}
    for name, value in tensors.items():
        if value is not None and not isinstance(value, Tensor):
            raise PluginBroken(
                f"{result} a State with {type(value).__name__} for {name}; "
                "a torch.Tensor or None was expected"
            )
    mapping: object = returned.kept
    if not isinstance(mapping, Mapping):
        raise PluginBroken(
            f"{result} a State with {type(mapping).__name__} for kept; "
            "a mapping of names to tensors was expected"
        )
    return returned


def finished(generator: Generator, state: State, n: int) -> Tensor:
    """Return the pictures (n, C, H, W) of the state after the last stratum, with C as the card says.

    Raises:
        PluginBroken: the result is not a tensor of floats on the right device, has another number of
            channels, or its size has changed.
        ShapeError: it has another shape.
    """
    images = generator.finish(state)
    owner = owner_of(generator)
    if not isinstance(images, Tensor):
        raise PluginBroken(f"{owner}: finish returned {type(images).__name__}; a torch.Tensor was expected")
    if not images.is_floating_point():
        raise PluginBroken(
            f"{owner}: finish returned {images.dtype}; "
            "floats in [0, 1] were expected, such as images.float() / 255"
        )
    if images.layout != torch.strided or images.device.type != generator.device.type:
        raise PluginBroken(
            f"{owner}: finish returned a {images.layout} tensor on {images.device}; "
            f"a plain one on {generator.device} was expected"
        )
    channels = generator.card.channels
    if images.ndim == 4 and images.shape[1] != channels and images.shape[1] in CHANNELS:
        raise PluginBroken(
            f"{owner}: finish returned pictures of shape {tuple(images.shape)}, with {images.shape[1]} "
            f"channels; its card says channels={channels} (1 is grey, 3 is RGB, 4 is RGB with alpha)"
        )
    check_shape(images, f"N {channels} H W", where=f"{owner}: images returned by finish", N=n)
    before = generator.__dict__.setdefault("_pictured", tuple(images.shape[2:]))
    if before != tuple(images.shape[2:]):
        raise PluginBroken(
            f"{owner} makes pictures of {images.shape[2]} x {images.shape[3]} pixels, "
            f"but made pictures of {before[0]} x {before[1]} before"
        )
    return images
