"""Check the promises of a generator: samples, pictures, edits, gradients, precision, placement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

import torch
from torch import Tensor

from ..core.conformance import random_state
from ..core.conformance.networks import check_evaluation_mode
from ..core.conformance.passes import (
    BATCH_TOLERANCE,
    REPEAT_TOLERANCE,
    batch_fault,
    check_range,
    check_same,
    check_size,
    check_unmodified,
    distance,
    watched_pictures,
)
from ..core.plugins.contracts import Generator
from ..core.plugins.finiteness import finite_rows
from ..core.plugins.records import Inputs, Latents
from ..core.randomness import Stream
from ..core.strata.composition import Pass, advance, begun, first_reader
from . import second_device
from .any_plugin import declared, json_config, missing_file
from .kit import DoesNotApply, NotConforming, check
from .subject import Subject

SAMPLES = 3
EDITED_LAYERS = 5  # layers at which edits are tried, because each needs passes of its own
AUTOCAST_TOLERANCE = 0.05  # mean difference in bfloat16, relative to the range: it has 8 binary digits


@check("generator")
def declarations_are_complete(subject: Subject) -> None:
    """It is built from its config, and card, strata, groups and fingerprint are as the contract says."""
    declared(subject)


@check("generator")
def config_is_strict(subject: Subject) -> None:
    """Its Config refuses unknown options, and survives being written as JSON and read again."""
    json_config(subject)


@check("generator")
def card_says_where_it_comes_from(subject: Subject) -> None:
    """Its card states the source and the licence, or a hash of the weights that came from a file."""
    card = _generator(subject).card
    if card.sha256 or card.weights:
        return
    missing = [name for name in ("licence", "source") if getattr(card, name) in ("", "unknown")]
    if missing:
        given = ", ".join(f'{name}="..."' for name in missing)
        raise NotConforming(f"the card states no {' and no '.join(missing)}: write ModelCard(..., {given})")
    if "checkpoint" in subject.plugin_class.Config.model_fields:
        raise NotConforming(
            "its weights come from a file, and the card names neither: write ModelCard(..., sha256=...) with "
            "the SHA-256 of the file, or weights=... with a hash of the tensors"
        )


@check("generator")
def networks_are_in_evaluation_mode(subject: Subject) -> None:
    """None of its networks is in training mode."""
    check_evaluation_mode(_generator(subject))


@check("generator")
def samples_follow_from_seed_and_index(subject: Subject) -> None:
    """Sample i of a seed and a stream is the same whenever it is drawn, and other seeds give others."""
    generator = _generator(subject)
    whole, again = (_sampled(generator, SAMPLES, 0) for _ in range(2))
    if not _equal(whole, again):
        raise NotConforming("sample() gives other samples when it is called again with the same arguments")
    if not _equal(_rows(whole, 1), _sampled(generator, SAMPLES - 1, 1)):
        raise NotConforming(
            "sample(n, seed, start, stream) gives other samples 1, 2, ... when it starts at 1 than when it "
            "starts at 0; a sample may depend on the seed, the stream and its index only"
        )
    for changed, other in (
        ("seed", generator.sample(SAMPLES, 1, 0, Stream.PROBING)),
        ("stream", generator.sample(SAMPLES, 0, 0, Stream.VERIFICATION)),
    ):
        if torch.equal(whole.z, other.z):
            raise NotConforming(f"sample() gives the same samples with another {changed}")


@check("generator")
def global_random_state_is_untouched(subject: Subject) -> None:
    """Nothing draws from the global random numbers of torch, numpy or Python."""
    generator = _generator(subject)
    with torch.no_grad(), random_state.unchanged(subject.owner, "making pictures"):
        watched_pictures(generator, SAMPLES, 0)


@check("generator")
def pictures_are_as_the_card_says(subject: Subject) -> None:
    """Pictures are finite floats of the card's size and channels, nominally in [0, 1]."""
    generator = _generator(subject)
    images = _images(generator, SAMPLES, 0)
    check_size(generator, images.shape[2], images.shape[3])
    if finite_rows(images) is not None:
        raise NotConforming(f"of {SAMPLES} pictures some are not finite (NaN or infinity)")
    if generator.judges_range:
        check_range(images, subject.owner)


@check("generator")
def picture_can_be_made_again(subject: Subject) -> None:
    """A sample gives the same picture again, also after other samples, and in a generator built anew."""
    generator = _generator(subject)
    first = _images(generator, 1, 0)
    _images(generator, 1, 1)
    check_same(first, _images(generator, 1, 0), _span(first), subject.owner)
    other = _images(cast("Generator", subject.build()), 1, 0)
    difference = distance(first, other, _span(first))
    if not difference <= REPEAT_TOLERANCE:
        raise NotConforming(
            f"built again from the same config it makes another picture: it differs by {difference:.2g} of "
            "the range. Weights must come from a file, or from a generator of random numbers that is seeded "
            "from the config"
        )


@check("generator")
def batch_does_not_change_a_picture(subject: Subject) -> None:
    """A sample gives the same picture alone and in a batch."""
    generator = _generator(subject)
    with torch.no_grad():
        together, latents, _ = watched_pictures(generator, SAMPLES, 0)
        alone, single, _ = watched_pictures(generator, 1, SAMPLES - 1)
    difference = distance(together[-1:], alone, _span(together))
    if not difference <= BATCH_TOLERANCE:
        raise NotConforming(batch_fault(generator, latents, single, difference))


@check("generator")
def inputs_are_left_alone(subject: Subject) -> None:
    """No method writes into what it is given, nor later into what it has returned."""
    generator = _generator(subject)
    with torch.no_grad():
        _, _, exchanged = watched_pictures(generator, 1, 0)
        watched_pictures(generator, 1, 1)
    check_unmodified(exchanged, subject.owner)


@check("generator")
def edit_changes_nothing_before_its_layer(subject: Subject) -> None:
    """The states before the first stratum that reads layer l do not depend on the code of layer l."""
    generator = _generator(subject)
    latents, codes = _codes(generator)
    for layer in _some_layers(generator, first=1):
        stop = first_reader(generator, (layer,))
        with torch.no_grad():
            before = _state_tensors(generator, latents, codes, stop)
            after = _state_tensors(generator, latents, _edited(codes, layer), stop)
        for name, x in before.items():
            if distance(x, after[name], _span(x)) > REPEAT_TOLERANCE:
                raise NotConforming(
                    f"another code of layer {layer} changes {name} before stratum {stop} "
                    f"('{generator.strata[stop].name}'), the first that reads this layer; strata may use "
                    "the code that they are given, and nothing else of the codes"
                )


@check("generator")
def edit_equals_a_full_pass(subject: Subject) -> None:
    """An edit that restarts in the middle gives the picture that a full pass with its codes gives."""
    generator = _generator(subject)
    latents, codes = _codes(generator)
    layers = _some_layers(generator)
    with torch.no_grad():
        restarts = {first_reader(generator, (layer,)) for layer in layers}
        unedited = _pass(generator, codes, latents, restarts=restarts)
        for layer in layers:
            edited = _edited(codes, layer)
            whole = _pass(generator, edited, latents).rendering.pictures
            _pass(generator, codes.flip(0), latents)  # what is not in the State is overwritten
            restarted = unedited.edited(edited, (layer,)).pictures
            difference = distance(whole, restarted, _span(whole))
            if difference > REPEAT_TOLERANCE:
                raise NotConforming(
                    f"an edit of layer {layer} that restarts from the state before its stratum differs by "
                    f"{difference:.2g} of the range from a full pass; everything that a later stratum needs "
                    "must be in the State, and no method may write into one"
                )


@check("generator")
def every_layer_matters(subject: Subject) -> None:
    """Another code at any one layer gives another picture."""
    generator = _generator(subject)
    latents, codes = _codes(generator)
    with torch.no_grad():
        base = _pass(generator, codes, latents).rendering.pictures
        idle = [
            layer
            for layer in range(generator.card.layers)
            if torch.equal(base, _pass(generator, _edited(codes, layer), latents).rendering.pictures)
        ]
    if idle:
        raise NotConforming(
            f"the code of layer {idle[0]} has no influence on the picture; strata must compute with the code "
            "that they are given, and layers that nothing reads must not be in card.layers"
        )


@check("generator")
def gradients_reach_the_codes(subject: Subject) -> None:
    """A picture can be differentiated by the code of every layer."""
    generator = _generator(subject)
    latents, codes = _codes(generator)
    codes.requires_grad_(True)
    with torch.enable_grad():
        pictures = _pass(generator, codes, latents).rendering.pictures
        energy = pictures.float().square().sum()
        gradient = (
            torch.autograd.grad(energy, codes)[0] if energy.requires_grad else torch.zeros_like(codes)
        )  # (N, L, D)
    norms = gradient.flatten(2).norm(dim=(0, 2))  # (L,)
    dead = [layer for layer, norm in enumerate(norms.tolist()) if not 0.0 < norm < float("inf")]
    if dead:
        raise NotConforming(
            f"no finite gradient reaches the code of layer {dead[0]}; avoid .detach(), .data, "
            "torch.no_grad(), .numpy() and rounding between the codes and the picture"
        )


@check("generator")
def autocast_is_close(subject: Subject) -> None:
    """Pictures in bfloat16 are close to those in float32."""
    generator = _generator(subject)
    latents, codes = _codes(generator)
    with torch.no_grad():
        exact, low = (
            _pass(generator, codes, latents, precision=precision).rendering.pictures.float()
            for precision in ("fp32", "bf16")
        )
    difference = float((exact - low).abs().mean()) / _span(exact)
    if not difference <= AUTOCAST_TOLERANCE:
        raise NotConforming(
            f"in bfloat16 pictures differ by {difference:.2g} of the range on average; compute what needs "
            "precision (normalisation, mapping) under torch.autocast(self.device.type, enabled=False)"
        )


@check("generator")
def styles_are_those_of_the_strata(subject: Subject) -> None:
    """style(s, code) is what stratum s computes itself, and style_weights(s) has its shape."""
    generator = _generator(subject)
    styled = [s for s, stratum in enumerate(generator.strata) if stratum.style_width is not None]
    if not styled:
        raise DoesNotApply("no stratum has a style_width")
    latents, codes = _codes(generator)
    with torch.no_grad():
        base = _pass(generator, codes, latents).rendering.pictures
        for s in styled:
            width, layer = generator.strata[s].style_width, generator.strata[s].reads
            assert layer is not None
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
                    f"{(width, generator.card.code_size)} was expected"
                )
        still = {s: torch.zeros(1) for s in styled}
        unmoved = _pass(generator, codes, latents, restarts=(0,)).edited(
            codes, range(generator.card.layers), still
        )
    difference = distance(base, unmoved.pictures, _span(base))
    if difference > BATCH_TOLERANCE:
        raise NotConforming(
            f"strata that are given style(s, code) make a picture that differs by {difference:.2g} of the "
            "range from the one they make without; the two must be the same style"
        )


@check("generator")
def everything_is_on_its_device(subject: Subject) -> None:
    """On another device it makes pictures there, and mixes no devices."""
    second_device.try_generator(cast("Generator", subject.build()))


@check("generator")
def missing_file_is_named(subject: Subject) -> None:
    """A checkpoint that does not exist is reported as the user's mistake, by its name."""
    missing_file(subject)


def _generator(subject: Subject) -> Generator:
    return cast("Generator", subject.built)


def _sampled(generator: Generator, n: int, start: int) -> Latents:
    return generator.sample(n, 0, start, Stream.PROBING)


def _equal(a: Latents, b: Latents) -> bool:
    """Return whether latents and conditions are the same."""
    if (a.condition is None) != (b.condition is None):
        return False
    conditions = a.condition is None or b.condition is None or torch.equal(a.condition, b.condition)
    return torch.equal(a.z, b.z) and conditions


def _rows(latents: Latents, start: int) -> Latents:
    condition = None if latents.condition is None else latents.condition[start:]
    return Latents(latents.z[start:], condition, latents.index[start:])


def _images(generator: Generator, n: int, start: int) -> Tensor:
    """Return pictures (n, C, H, W)."""
    with torch.no_grad():
        return watched_pictures(generator, n, start)[0]


def _codes(generator: Generator) -> tuple[Latents, Tensor]:
    """Return samples and their codes (N, L, D), which own their memory."""
    with torch.no_grad():
        latents = _sampled(generator, SAMPLES, 0)
        return latents, generator.broadcast(
            generator.map(latents.z, latents.condition), latents.condition
        ).clone()


def _some_layers(generator: Generator, first: int = 0) -> list[int]:
    """Return at most `EDITED_LAYERS` layers, from `first` to the last one."""
    spaced = torch.linspace(first, generator.card.layers - 1, EDITED_LAYERS).round().int().tolist()
    return sorted({layer for layer in spaced if first <= layer})


def _edited(codes: Tensor, layer: int) -> Tensor:
    """Return codes (N, L, D) in which each sample has at one layer the code of another sample."""
    edited = codes.clone()
    edited[:, layer] = codes[:, layer].roll(1, 0)
    return edited


def _pass(
    generator: Generator,
    codes: Tensor,
    latents: Latents,
    *,
    precision: str = "fp32",
    restarts: Collection[int] = (),
) -> Pass:
    """Render codes (N, L, D) with the condition and the index of their samples."""
    return Pass(
        generator,
        codes,
        condition=latents.condition,
        index=latents.index,
        precision=precision,
        restarts=restarts,
    )


def _state_tensors(generator: Generator, latents: Latents, codes: Tensor, stop: int) -> Mapping[str, Tensor]:
    """Return the tensors of the state before a stratum, by name, after a whole pass with the same codes.

    What a plugin remembers of that pass shows in the state.
    """
    _pass(generator, codes, latents)
    state = begun(generator, Inputs(len(codes), latents.condition, latents.index))
    state = advance(generator, state, codes, 0, stop, {}, ())
    named = {"the feature map": state.x, "the picture so far": state.rgb}
    named |= {f"what is kept as '{name}'": x for name, x in state.kept.items()}
    return {name: x for name, x in named.items() if isinstance(x, Tensor)}


def _span(x: Tensor) -> float:
    """Return the width of the range of values, at least 1."""
    return max(1.0, float(x.max() - x.min())) if x.numel() else 1.0
