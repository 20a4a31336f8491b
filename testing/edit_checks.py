"""Check what edits rest on: strata that depend on their own layer alone, restarts, gradients and styles."""

from __future__ import annotations

import math

import torch

from ..core.conformance.passes import BATCH_TOLERANCE, REPEAT_TOLERANCE
from ..core.plugins.failures import one_line
from ..core.plugins.generator import Generator
from ..core.strata.composition import first_reader
from .kit import DoesNotApply, NotConforming
from .rendered import (
    codes_of,
    difference,
    edited,
    generator_of,
    rendered,
    sampled,
    some_layers,
    state_before,
)
from .subject import Subject

SLOPE_TOLERANCE = 1e-3  # share of the largest style by which the slope may be off, for rounding


def edit_changes_nothing_before_its_layer(subject: Subject) -> None:
    """The states before the first stratum that reads layer l do not depend on the code of layer l."""
    generator = generator_of(subject)
    layers = range(generator.card.layers)
    if len(layers) == 1:
        raise DoesNotApply("it has one layer")
    latents = sampled(generator)
    codes = codes_of(generator, latents)
    for layer in some_layers([layer for layer in layers if first_reader(generator, (layer,)) > 0]):
        stop = first_reader(generator, (layer,))
        with torch.no_grad():
            before = state_before(generator, latents, codes, stop)
            after = state_before(generator, latents, edited(codes, layer), stop)
        for name in {**before, **after}:
            if name in before and name in after and difference(before[name], after[name]) <= REPEAT_TOLERANCE:
                continue
            raise NotConforming(
                f"another code of layer {layer} changes {name} before stratum {stop} "
                f"('{generator.strata[stop].name}'), the first that reads this layer; strata may use "
                "the code that they are given, and nothing else of the codes"
            )


def edit_equals_a_full_pass(subject: Subject) -> None:
    """An edit that restarts in the middle gives the picture that a full pass with its codes gives."""
    generator = generator_of(subject)
    latents = sampled(generator)
    codes = codes_of(generator, latents)
    layers = some_layers(range(generator.card.layers))
    with torch.no_grad():
        restarts = {first_reader(generator, (layer,)) for layer in layers}
        unedited = rendered(generator, codes, latents, restarts=restarts)
        for layer in layers:
            changed = edited(codes, layer)
            whole = rendered(generator, changed, latents).rendering.pictures
            rendered(generator, codes.flip(0), latents)  # what is not in the State is overwritten
            apart = difference(whole, unedited.edited(changed, (layer,)).pictures)
            if not apart <= REPEAT_TOLERANCE:
                raise NotConforming(
                    f"an edit of layer {layer} that restarts from the state before its stratum differs by "
                    f"{apart:.2g} of the range from a full pass, {REPEAT_TOLERANCE:g} is allowed; everything "
                    "that a later stratum needs must be in the State, and no method may write into one"
                )


def every_layer_matters(subject: Subject) -> None:
    """Another code at any one layer gives another picture."""
    generator = generator_of(subject)
    latents = sampled(generator)
    codes = codes_of(generator, latents)
    with torch.no_grad():
        base = rendered(generator, codes, latents).rendering.pictures
        for layer in range(generator.card.layers):
            if torch.equal(base, rendered(generator, edited(codes, layer), latents).rendering.pictures):
                raise NotConforming(
                    f"the code of layer {layer} has no influence on the picture; strata must compute with "
                    "the code that they are given, and layers that nothing reads must not be in card.layers"
                )


def gradients_reach_the_codes(subject: Subject) -> None:
    """A picture can be differentiated by the code of every layer."""
    generator = generator_of(subject)
    latents = sampled(generator)
    codes = codes_of(generator, latents).requires_grad_(True)
    with torch.enable_grad():
        energy = rendered(generator, codes, latents).rendering.pictures.float().square().sum()
        try:
            # Without a path from the codes there is no gradient, whatever else requires one.
            gradient = (
                torch.autograd.grad(energy, codes, allow_unused=True)[0] if energy.requires_grad else None
            )
        except RuntimeError as error:
            raise NotConforming(
                f"pictures cannot be differentiated by the codes: {one_line(error)}; compute without "
                "in-place operations (add_, mul_, x[...] = ), and with functions that have a derivative"
            ) from None
    norms = [0.0] * codes.shape[1] if gradient is None else gradient.norm(dim=(0, 2)).tolist()  # (L,)
    dead = [layer for layer, norm in enumerate(norms) if not 0.0 < norm < math.inf]
    if dead:
        raise NotConforming(
            f"no finite gradient reaches the code of layer {dead[0]}; avoid .detach(), .data, "
            "torch.no_grad(), .numpy() and rounding between the codes and the picture"
        )


def styles_are_those_of_the_strata(subject: Subject) -> None:
    """style(s, code) is what stratum s computes itself, and style_weights(s) is its slope."""
    generator = generator_of(subject)
    styled = [s for s, stratum in enumerate(generator.strata) if stratum.style_width is not None]
    if not styled:
        raise DoesNotApply("no stratum has a style_width")
    latents = sampled(generator)
    codes = codes_of(generator, latents)
    slopes = []
    with torch.no_grad():
        for s in styled:
            width, layer = generator.strata[s].style_width, generator.strata[s].reads
            if layer is None:
                raise NotConforming(
                    f"strata[{s}] has a style_width and reads no layer, so there is no code for its style; "
                    "give reads=..., or leave style_width out"
                )
            style = generator.style(s, codes[:, layer])
            if style is None or tuple(style.shape) != (len(codes), width):
                raise NotConforming(
                    f"style({s}, ...) gives {'nothing' if style is None else tuple(style.shape)}; "
                    f"strata[{s}].style_width asks for {(len(codes), width)}"
                )
            weights = generator.style_weights(s)
            if weights is not None and tuple(weights.shape) != (width, generator.card.code_size):
                raise NotConforming(
                    f"style_weights({s}) has the shape {tuple(weights.shape)}; "
                    f"{(width, generator.card.code_size)} was expected: style_width and card.code_size"
                )
            if weights is not None:
                slopes.append((s, codes[:, layer], style, weights))
        unmoved = {s: torch.zeros(1, device=codes.device) for s in styled}
        base = rendered(generator, codes, latents, restarts=(0,))
        given = base.edited(codes, range(generator.card.layers), unmoved)
    apart = difference(base.rendering.pictures, given.pictures)
    if not apart <= BATCH_TOLERANCE:
        raise NotConforming(
            f"strata that are given style(s, code) make a picture that differs by {apart:.2g} of the range "
            f"from the one they make without, {BATCH_TOLERANCE:g} is allowed; stratum() must compute with "
            "the style that it is given, and with style(s, code) if it is given none"
        )
    for slope in slopes:
        _check_slope(generator, *slope)


@torch.no_grad()
def _check_slope(
    generator: Generator, s: int, code: torch.Tensor, style: torch.Tensor, weights: torch.Tensor
) -> None:
    """Refuse weights (C_s, D) that are not the slope of the styles (N, C_s) of codes (N, D).

    An affine map changes by W d where its code changes by d, however far that is.

    Raises:
        NotConforming: they are not.
    """
    other = code.flip(0) + 1.0
    after = generator.style(s, other)
    assert after is not None
    expected = (other - code) @ weights.to(code).t()  # (N, C_s)
    change = after - style
    size = float(torch.maximum(expected.abs().max(), style.abs().max()))
    if not float((change - expected).abs().max()) <= SLOPE_TOLERANCE * size:
        raise NotConforming(
            f"style_weights({s}) is not the slope of style({s}, code): where a code changes by d, the style "
            "must change by the product of the weights and d. Are a learning rate multiplier, a gain or a "
            "factor 1/sqrt(D) left out?"
        )
