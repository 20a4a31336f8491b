"""Compose strata into images: full passes, and passes that restart where an edit begins.

An edit of layer l changes nothing before the first stratum that reads l. A `Pass` keeps the state at that
stratum, so an edited image costs only the strata after it (prefix reuse).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..device import autocast
from ..errors import LayerError
from ..plugins.colours import to_rgb
from ..plugins.dropped_rows import dropped_rows_named
from ..plugins.finiteness import (
    PLACEHOLDER,
    Doubt,
    fill_nonfinite,
    finite_rows,
    first_nonfinite,
    locate_nonfinite,
    nonfinite_error,
    rows_that_are_finite,
)
from ..plugins.generator import Generator
from ..plugins.records import Inputs, Rendering, State
from ..plugins.shapes import check_shape
from .stepping import advance, begun, finished
from .units import UnitEdit, by_stratum, with_units


def first_reader(generator: Generator, layers: Collection[int]) -> int:
    """Return the first stratum that reads one of the layers, where an edit of them begins.

    Raises:
        LayerError: no stratum reads any of them.
    """
    for s, stratum in enumerate(generator.strata):
        if stratum.reads is not None and stratum.reads in layers:
            return s
    raise LayerError(f"no stratum of this generator reads layers {sorted(layers)}")


class Pass:
    """Represent one batch rendered in full, with the states from which edits may restart.

    Args:
        generator: generator to render with.
        codes: (N, L, D).
        condition: from the generator's sample(), or None.
        index: absolute index of each sample (N,), for fresh noise; default 0, 1, ...
        noise: seed of fresh noise.
        maps: stratum -> noise (N, 1, h, w) in place of the generator's own.
        precision: fp32, bf16 or fp16.
        features: strata whose feature maps are collected.
        restarts: strata before which states are stored.
        units: units of feature maps that are set, in their order.
        styles: stratum -> what is added to its style (C_s,) or (N, C_s); an edit in space s.
        tolerant: whether pictures that are not finite are marked in `rendering.finite` instead of refused.
        late: whether pictures that are not finite are refused by `rendering.settle()`, which scoring calls,
            instead of at once; a device other than the CPU then need not be waited for.

    Attributes:
        rendering: the pictures (N, C, H, W), the same as RGB for scorers (N, 3, H, W), and features.

    Raises:
        PictureError: a picture is not finite; the message names its sample and the stratum where that began.
    """

    def __init__(
        self,
        generator: Generator,
        codes: Tensor,
        *,
        condition: Tensor | None = None,
        index: Tensor | None = None,
        noise: int = 0,
        maps: Mapping[int, Tensor] | None = None,
        precision: str = "fp32",
        features: Collection[int] = (),
        restarts: Collection[int] = (),
        units: Sequence[UnitEdit] = (),
        styles: Mapping[int, Tensor] | None = None,
        tolerant: bool = False,
        late: bool = False,
    ) -> None:
        card = generator.card
        check_shape(codes, "N L D", where="codes passed to render", L=card.layers, D=card.code_size)
        self.generator, self.precision, self.tolerant = generator, precision, tolerant
        self._waits = generator.device.type == "cpu" or not late
        self._wanted, self._codes, self._styles = frozenset(features), codes, styles
        self._units = by_stratum(generator, units)
        self._inputs = Inputs(
            codes.shape[0],
            condition,
            torch.arange(codes.shape[0]) if index is None else index,
            noise,
            maps or {},
        )
        self._states: dict[int, State] = {}
        collected: dict[int, Tensor] = {}
        with autocast(generator.device, precision):
            state = self._begun()
            position = 0
            with dropped_rows_named(generator, state, codes, 0):
                for stop in sorted({*restarts, len(generator.strata)}):
                    state = advance(
                        generator, state, codes, position, stop, collected, self._wanted, styles, self._units
                    )
                    self._states[stop] = state
                    position = stop
                last = self._states[position] if position in restarts else self._states.pop(position)
                images = finished(generator, last, codes.shape[0])
        self.rendering = self._rendering(images, collected, codes, units_set=bool(self._units))

    def edited(
        self, codes: Tensor, layers: Collection[int], styles: Mapping[int, Tensor] | None = None
    ) -> Rendering:
        """Render the same batch with other codes at the given layers, or with moved styles.

        It restarts from the last stored state before the first stratum that reads one of these layers.

        Args:
            codes: (N, L, D), equal to the original codes at all other layers.
            layers: layers at which they differ, or whose styles are moved.
            styles: stratum -> what is added to its style (C_s,) or (N, C_s); an edit in space s. None for
                that of the pass, from which it may differ at the given layers alone.

        Raises:
            LayerError: no stratum reads the layers, or no state is stored before them.
            PictureError: a picture is not finite.
        """
        generator = self.generator
        styles = self._styles if styles is None else styles
        n = self.rendering.images.shape[0]
        check_shape(
            codes, "N L D", where="edited codes", N=n, L=generator.card.layers, D=generator.card.code_size
        )
        begin = first_reader(generator, layers)
        restarts = [s for s in self._states if s <= begin]
        if not restarts:
            raise LayerError(
                f"no state is stored at or before stratum {begin}, where layers {sorted(layers)} begin"
            )
        start = max(restarts)
        features = {s: x for s, x in self.rendering.features.items() if s < start}
        before, end = self._states[start], len(generator.strata)
        with (
            autocast(generator.device, self.precision),
            dropped_rows_named(generator, before, codes, start),
        ):
            state = advance(generator, before, codes, start, end, features, self._wanted, styles, self._units)
            images = finished(generator, state, codes.shape[0])
        return self._rendering(images, features, codes, start, units_set=bool(self._units))

    def with_units(self, units: Sequence[UnitEdit]) -> Rendering:
        """Render the same batch with units of feature maps set, besides those that are set already.

        It restarts from the last state stored right after the first stratum with such a unit, or before.

        Args:
            units: units that are set, in their order.

        Raises:
            UserError: a stratum or a unit does not exist.
            LayerError: no state is stored before or right after that stratum.
            PictureError: a picture is not finite.
        """
        generator, codes = self.generator, self._codes
        edits = by_stratum(generator, units)
        first = min(edits, default=len(generator.strata) - 1)
        restarts = [s for s in self._states if s <= first + 1]
        if not restarts:
            raise LayerError(
                f"no state is stored at or before stratum {first + 1}, after which units are set"
            )
        start, end = max(restarts), len(generator.strata)
        features = {s: x for s, x in self.rendering.features.items() if s < start}
        before = self._states[start]
        with (
            autocast(generator.device, self.precision),
            dropped_rows_named(generator, before, codes, start),
        ):
            state = with_units(generator, start - 1, before, edits)
            if start - 1 in edits and start - 1 in self._wanted and state.x is not None:
                features[start - 1] = state.x
            both = {s: (*self._units.get(s, ()), *edits.get(s, ())) for s in {*self._units, *edits}}
            state = advance(generator, state, codes, start, end, features, self._wanted, self._styles, both)
            images = finished(generator, state, codes.shape[0])
        return self._rendering(images, features, codes, start, units_set=bool(both))

    def _begun(self) -> State:
        return begun(self.generator, self._inputs)

    def _rendering(
        self,
        images: Tensor,
        features: dict[int, Tensor],
        codes: Tensor,
        start: int = 0,
        *,
        units_set: bool = False,
    ) -> Rendering:
        """Return the rendering of codes from stratum `start` on, and check that the pictures are finite."""
        pictures = images.float()
        rgb = to_rgb(pictures, self.generator.card.background)
        made: dict[str, Any] = {"composed": True, "pictures": pictures, "precision": self.precision}
        if self._waits:
            finite = finite_rows(images)
        elif self.tolerant:
            finite = rows_that_are_finite(images)
        else:
            refuse = partial(self._refuse, images, codes, start, units_set=units_set)
            doubt = Doubt(images, refuse)
            return Rendering(rgb, features, doubt=doubt, **made)
        if finite is None:
            return Rendering(rgb, features, **made)
        if not self.tolerant:
            self._refuse(images, codes, start, units_set=units_set)
        filled = {s: fill_nonfinite(x, finite, 0.0) for s, x in features.items()}
        rgb, pictures = (fill_nonfinite(x, finite, PLACEHOLDER) for x in (rgb, pictures))
        made["pictures"] = pictures
        return Rendering(rgb, filled, finite=finite, **made)

    def _refuse(self, images: Tensor, codes: Tensor, start: int, *, units_set: bool) -> None:
        """Refuse pictures that are not finite; say in which stratum that began.

        Raises:
            PictureError: a picture is not finite.
        """
        finite = finite_rows(images)
        if finite is None:
            return
        if units_set:
            where = "units of its feature maps were set, perhaps too far from their usual values"
        else:
            with autocast(self.generator.device, self.precision):
                state = self._states[start] if start else self._begun()
                where = locate_nonfinite(self.generator, state, codes, start, first_nonfinite(finite))
        raise nonfinite_error(self.generator, finite, self._inputs.index, where)


def render(
    generator: Generator,
    codes: Tensor,
    *,
    condition: Tensor | None = None,
    index: Tensor | None = None,
    noise: int = 0,
    precision: str = "fp32",
    units: Sequence[UnitEdit] = (),
) -> Tensor:
    """Render codes. Gradients flow to the codes. `Pass` also gives features and restarts.

    Args:
        generator: generator to render with.
        codes: (N, L, D).
        condition: from the generator's sample(), or None.
        index: absolute index of each sample (N,), for fresh noise; default 0, 1, ...
        noise: seed of fresh noise.
        precision: fp32, bf16 or fp16.
        units: units of feature maps that are switched off or painted in.

    Returns:
        The generator's pictures (N, C, H, W), C channels as its card says, nominally in [0, 1], not clamped.
        `Rendering.images` of a `Pass` holds them as RGB.

    Raises:
        ShapeError: the codes have another shape.
        UserError: a stratum or a unit does not exist.
        PictureError: a picture is not finite.
    """
    return Pass(
        generator, codes, condition=condition, index=index, noise=noise, precision=precision, units=units
    ).rendering.pictures
