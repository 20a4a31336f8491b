"""Render one picture again and again while it is edited, and compute only what an edit changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import torch
from torch import Tensor

from ..device import autocast
from ..errors import DataError, UserError
from ..messages import quantity
from ..plugins.records import Inputs, Rendering, State
from ..plugins.shapes import check_shape
from ..randomness import noise_seed
from ..runs.prepare import Prepared
from ..strata.composition import Pass, first_reader
from ..strata.displacements import added_styles
from ..strata.moves import move_jointly
from ..strata.stepping import advance, begun
from ..strata.truncation import centre_of_codes, truncated_by
from ..strata.tuned import tuned
from .directions import EditPart
from .sources import Source

CENTRE = "centre of codes"


@dataclass(frozen=True)
class EditedCodes:
    """Hold all on which an edited picture depends besides its source.

    Attributes:
        codes: codes with the moves of all parts (1, L, D).
        styles: stratum -> what is added to its style (C_s,), by parts that move styles.
    """

    codes: Tensor
    styles: Mapping[int, Tensor]


@dataclass(frozen=True)
class _Kept:
    """Hold a pass over an edit, with the strata before which it has states."""

    edit: EditedCodes
    passed: Pass
    restarts: frozenset[int]


@dataclass(frozen=True)
class _Reached:
    """Hold the state of an edit before a stratum."""

    edit: EditedCodes
    stratum: int
    state: State


class LivePicture:
    """Render one picture at changing edits, with the states before the strata that an edit begins at.

    While one part is dragged, a frame costs only the strata from the first one on that reads its layers. What
    is kept never changes a picture: it has the same bits whatever was rendered before it.

    Args:
        prepared: plugins of the run.
        source: the picture, one row of a Source.

    Raises:
        ShapeError: the source has several pictures, or codes of another shape.
    """

    def __init__(self, prepared: Prepared, source: Source) -> None:
        card = prepared.generator.card
        check_shape(source.codes, "1 L D", where="codes of a live picture", L=card.layers, D=card.code_size)
        self.prepared, self.source = prepared, source
        (self._batch,) = source.batches(1)
        self._read = frozenset(s.reads for s in prepared.generator.strata if s.reads is not None)
        self._kept: _Kept | None = None
        self._last: tuple[EditedCodes, Rendering] | None = None
        self._reached: _Reached | None = None

    @torch.inference_mode()
    def render(
        self,
        parts: Sequence[EditPart],
        amounts: Sequence[float],
        moving: int | None = None,
        truncation: float = 1.0,
    ) -> Rendering:
        """Render the picture, moved along all parts together.

            c' = m + t (c - m) + sum_i a_i scale n_i        each n_i at its own layers

        Args:
            parts: directions to move along; none for the unedited picture.
            amounts: a_i, one for each part, in steps of the run.
            moving: part that is dragged: the next pictures will differ in its amount alone.
            truncation: t, on top of the truncation of the run; 1 changes nothing, 0 gives the mean picture.

        Returns:
            The picture, with the feature maps that scorers read.

        Raises:
            UserError: an amount or the truncation is not finite, or their number is not that of the parts.
            DataError: a truncation other than 1, and the codes of this generator have no mean.
            PictureError: the picture is not finite.
        """
        edit = self.edited_codes(parts, amounts, truncation)
        if self._last is not None and not self._changed(self._last[0], edit):
            return self._last[1]
        with tuned(self.prepared.generator, self._batch.weights):
            rendering = self._rendered(edit, parts, None if moving is None else parts[moving])
        self._last = edit, rendering
        return rendering

    @torch.inference_mode()
    def preview(
        self,
        parts: Sequence[EditPart],
        amounts: Sequence[float],
        moving: int | None = None,
        most: int = 64,
        truncation: float = 1.0,
    ) -> Tensor | None:
        """Render a smaller picture, which a generator with skip connections has before it is done.

        It is the picture that the RGB layers up to a size add up to. Layers behind them have no part in it.

        Args:
            parts: as for `render`.
            amounts: as for `render`.
            moving: as for `render`.
            most: longer side of the largest picture that is small enough, in pixels.
            truncation: as for `render`.

        Returns:
            The picture (1, C, h, w), nominally in [0, 1]. None if this generator has none as small as that,
            if it is not finite, or if nothing of the part that is moved would be seen in it.

        Raises:
            UserError, DataError: as `render`.
        """
        edit = self.edited_codes(parts, amounts, truncation)
        generator, card = self.prepared.generator, self.prepared.generator.card
        stop = len(list(takewhile(lambda s: max(s.size, s.height) <= most, generator.strata)))
        begin = 0 if moving is None else self._begin(parts[moving])
        if max(card.height, card.width) <= most or begin is None or begin >= stop:
            return None
        with (
            tuned(generator, self._batch.weights),
            autocast(generator.device, self.prepared.precision),
        ):
            state = self._advanced(self._state(edit, begin), edit, begin, stop)
            if state.rgb is None or state.rgb.shape[1] != card.channels:
                return None
            picture = generator.finish(state).float()
        is_small = max(picture.shape[2:]) <= most
        return picture if is_small and bool(torch.isfinite(picture).all()) else None

    @torch.inference_mode()
    def codes(self, parts: Sequence[EditPart], amounts: Sequence[float], truncation: float = 1.0) -> Tensor:
        """Return the codes (1, L, D) of an edit, which then need no moves.

        Args:
            parts: as for `render`.
            amounts: as for `render`.
            truncation: as for `render`.

        Raises:
            UserError: as `render`; or parts move style channels, which no codes say.
            DataError: as `render`.
        """
        if any(part.in_styles for part in parts):
            raise UserError(
                "this edit moves style channels, which no codes hold; take its moves back, or use boundaries "
                "that move codes"
            )
        return self.edited_codes(parts, amounts, truncation).codes

    @torch.inference_mode()
    def edited_codes(
        self, parts: Sequence[EditPart], amounts: Sequence[float], truncation: float = 1.0
    ) -> EditedCodes:
        """Return codes and styles with the moves of all parts; the arguments are those of `render`."""
        if len(amounts) != len(parts):
            raise UserError(
                f"{quantity(len(parts), 'part')} of an edit and {quantity(len(amounts), 'amount')}"
            )
        for name, value in (
            *((part.name, amount) for part, amount in zip(parts, amounts, strict=True)),
            ("truncation", truncation),
        ):
            if not math.isfinite(value):
                raise UserError(f"{name}: {value} is not a finite number")
        # Always with the same strides, on which the last bits of a product may depend.
        codes = self._truncated(truncation).contiguous()
        if parts:
            codes = move_jointly(codes, [part.direction for part in parts], list(amounts))
        moved = [(p.displacement, a) for p, a in zip(parts, amounts, strict=True) if p.in_styles]
        displacements, steps = [d for d, _ in moved], [a for _, a in moved]
        return EditedCodes(codes, added_styles(displacements, steps, self.prepared.device))

    def _truncated(self, factor: float) -> Tensor:
        """Return the codes of the picture (1, L, D), nearer to their mean."""
        codes = self._batch.codes
        if factor == 1.0:
            return codes
        if self._centre is None:
            raise DataError(
                f"truncation {factor:g} is impossible with this generator: "
                "its broadcast() is not a truncation towards a point; give truncation 1"
            )
        return truncated_by(codes, self._centre.to(codes), factor)

    @cached_property
    def _centre(self) -> Tensor | None:
        """The point (1, L, D) towards which truncation pulls; without a condition all pictures share it."""
        prepared, condition = self.prepared, self._batch.condition
        if condition is not None:
            return centre_of_codes(prepared.generator, condition, prepared.seed)
        if CENTRE not in prepared.memory:
            prepared.memory[CENTRE] = centre_of_codes(prepared.generator, None, prepared.seed)
        centre: Tensor | None = prepared.memory[CENTRE]
        return centre

    def _begin(self, part: EditPart) -> int | None:
        """Return the first stratum that reads a layer of a part; None if none does."""
        return first_reader(self.prepared.generator, part.layers) if self._read & set(part.layers) else None

    def _changed(self, before: EditedCodes, after: EditedCodes) -> set[int]:
        """Return the layers, of those that strata read, at which two edits differ in any bit."""
        integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[after.codes.element_size()]
        differ = (before.codes.view(integer) != after.codes.view(integer)).any(dim=2)[0]  # (L,)
        layers = {layer for layer, is_other in enumerate(differ.tolist()) if is_other}
        for s in {*before.styles, *after.styles}:
            one, other = before.styles.get(s), after.styles.get(s)
            if one is None or other is None or not torch.equal(one, other):
                layers.add(self.prepared.generator.strata[s].reads or 0)
        return layers & self._read

    def _rendered(self, edit: EditedCodes, parts: Sequence[EditPart], moving: EditPart | None) -> Rendering:
        """Render an edit, from a state that is kept if one is near enough."""
        kept = self._kept
        if kept is not None:
            changed = self._changed(kept.edit, edit)
            if not changed:
                return kept.passed.rendering
            first = first_reader(self.prepared.generator, changed)
            nearest = max((s for s in kept.restarts if s <= first), default=0)
            # A part that is dragged is worth a full pass, after which each frame is quick.
            wanted = None if moving is None else self._begin(moving)
            if nearest > 0 and (wanted is None or nearest >= wanted):
                return kept.passed.edited(edit.codes, changed, edit.styles)
        begins = {self._begin(part): part.layers for part in parts}
        begins.pop(None, None)
        batch = self._batch
        passed = self.prepared.render(
            edit.codes,
            batch.condition,
            batch.index,
            self.source.stream,
            begins.values(),
            strict=True,
            maps=batch.noise,
            seed=self.source.noise_seed,
            styles=edit.styles,
        )
        self._kept = _Kept(edit, passed, frozenset(s for s in begins if s is not None))
        return passed.rendering

    def _state(self, edit: EditedCodes, begin: int) -> State:
        """Return the state before a stratum, which is kept for the next edit that is the same so far."""
        reached = self._reached
        if reached is not None and reached.stratum == begin:
            changed = self._changed(reached.edit, edit)
            if not changed or first_reader(self.prepared.generator, changed) >= begin:
                return reached.state
        batch, prepared = self._batch, self.prepared
        seed = prepared.seed if self.source.noise_seed is None else self.source.noise_seed
        noise = noise_seed(seed, self.source.stream)
        inputs = Inputs(1, batch.condition, batch.index, noise, batch.noise)
        state = self._advanced(begun(prepared.generator, inputs), edit, 0, begin)
        self._reached = _Reached(edit, begin, state)
        return state

    def _advanced(self, state: State, edit: EditedCodes, start: int, stop: int) -> State:
        """Run the strata start .. stop - 1."""
        return advance(self.prepared.generator, state, edit.codes, start, stop, {}, (), edit.styles)
