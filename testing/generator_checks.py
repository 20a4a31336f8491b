"""Check the promises of a generator: samples, pictures, precision, placement."""

from __future__ import annotations

from typing import cast

import torch

from ..core.conformance import random_state
from ..core.conformance.passes import (
    BATCH_TOLERANCE,
    REPEAT_TOLERANCE,
    batch_fault,
    check_range,
    check_same,
    check_size,
    check_unmodified,
    span_of,
    watched_pictures,
)
from ..core.plugins.finiteness import finite_rows
from ..core.plugins.generator import Generator
from ..core.plugins.records import Latents
from ..core.randomness import Stream
from . import second_device
from .kit import NotConforming
from .leftovers import left_behind
from .rendered import SAMPLES, codes_of, difference, generator_of, pictures_of, rendered, sampled
from .subject import Subject

AUTOCAST_TOLERANCE = 0.05  # mean difference in bfloat16, relative to the range: it has 8 binary digits


def card_says_where_it_comes_from(subject: Subject) -> None:
    """Its card states the source and the licence, or a hash of the weights that came from a file."""
    generator = generator_of(subject)
    card = generator.card
    if card.sha256 or card.weights:
        return
    reads_file = "checkpoint" in type(generator).Config.model_fields
    missing = [name for name in ("licence", "source") if getattr(card, name) in ("", "unknown")]
    if missing:
        given = ", ".join(f'{name}="..."' for name in missing)
        hashed = ", or sha256=... with the SHA-256 of its checkpoint" if reads_file else ""
        raise NotConforming(
            f"the card states no {' and no '.join(missing)}: write ModelCard(..., {given}){hashed}"
        )
    if reads_file:
        raise NotConforming(
            "its weights come from a file, and the card does not say which: write ModelCard(..., sha256=...) "
            "with the SHA-256 of the file, or weights=... with a hash of the tensors"
        )


def samples_follow_from_seed_and_index(subject: Subject) -> None:
    """Sample i of a seed and a stream is the same whenever it is drawn, and other seeds give others."""
    generator = generator_of(subject)
    whole = sampled(generator)
    if not _equal(whole, sampled(generator)):
        raise NotConforming(
            "sample() gives other samples when it is called again with the same arguments; draw them from a "
            "generator of random numbers that is seeded from (seed, stream, index), as the inherited "
            "sample() does"
        )
    if not _equal(_rows(whole, 1), sampled(generator, SAMPLES - 1, 1)):
        raise NotConforming(
            "sample(n, seed, start, stream) gives other samples 1, 2, ... when it starts at 1 than when it "
            "starts at 0; a sample may depend on the seed, the stream and its index only"
        )
    for changed, other in (
        ("seed", generator.sample(SAMPLES, 1, 0, Stream.PROBING)),
        ("stream", generator.sample(SAMPLES, 0, 0, Stream.VERIFICATION)),
    ):
        if torch.equal(whole.z, other.z):
            raise NotConforming(
                f"sample() gives the same samples with another {changed}; seed the random numbers from "
                "(seed, stream, index), all three"
            )


def pictures_can_be_made(subject: Subject) -> None:
    """Codes become finite pictures, one for each sample, with the channels of the card."""
    if finite_rows(pictures_of(generator_of(subject))) is not None:
        raise NotConforming(
            f"of {SAMPLES} pictures some are not finite (NaN or infinity); look for a division by zero, a "
            "root or logarithm of a negative number, and weights that were not loaded"
        )


def global_random_state_is_untouched(subject: Subject) -> None:
    """Nothing draws from the global random numbers of torch, numpy or Python."""
    generator = generator_of(subject)
    with random_state.unchanged(subject.owner, "making pictures"):
        pictures_of(generator)


def pictures_are_as_the_card_says(subject: Subject) -> None:
    """Pictures have the card's size, and are nominally in [0, 1]."""
    generator = generator_of(subject)
    images = pictures_of(generator)
    check_size(generator, images.shape[2], images.shape[3])
    if finite_rows(images) is not None:
        raise NotConforming("pictures with NaN or infinity have no range")
    if generator.judges_range:
        check_range(images, subject.owner)


def feature_maps_have_the_size_of_their_stratum(subject: Subject) -> None:
    """Each feature map is as wide and high as its stratum declares, and its margins beyond that."""
    generator = generator_of(subject)
    latents, strata = sampled(generator, 1), generator.strata
    wanted = [s for s, stratum in enumerate(strata) if stratum.is_feature]
    with torch.no_grad():
        maps = rendered(generator, codes_of(generator, latents), latents, features=wanted).rendering.features
    for s, x in maps.items():
        width, height, margin = strata[s].size, strata[s].height, strata[s].margin
        if x.ndim != 4 or x.shape[2:] == (height + 2 * margin, width + 2 * margin):
            continue
        real = f"size={x.shape[3] - 2 * margin}"
        if (x.shape[2], height) != (x.shape[3], width):
            real += f", height={x.shape[2] - 2 * margin}"
        raise NotConforming(
            f"stratum {s} ('{strata[s].name}') declares {width} x {height} pixels"
            f"{f' with a margin of {margin}' if margin else ''}, but its State.x has the shape "
            f"{tuple(x.shape)}: write Stratum(..., {real}), or is_feature=False if it is no feature map"
        )


def picture_can_be_made_again(subject: Subject) -> None:
    """A sample gives the same picture again, also after other samples, and in a generator built anew."""
    generator = generator_of(subject)
    first = pictures_of(generator, 1, 0)
    pictures_of(generator, 1, 1)
    check_same(first, pictures_of(generator, 1, 0), span_of(first), subject.owner)
    apart = difference(first, pictures_of(cast("Generator", subject.build()), 1, 0))
    if not apart <= REPEAT_TOLERANCE:
        raise NotConforming(
            f"built again from the same config it makes another picture: it differs by {apart:.2g} of the "
            f"range, {REPEAT_TOLERANCE:g} is allowed. Weights must come from a file, or from a generator of "
            "random numbers that is seeded from the config"
        )


def batch_does_not_change_a_picture(subject: Subject) -> None:
    """A sample gives the same picture alone and in a batch."""
    generator = generator_of(subject)
    with torch.no_grad():
        together, latents, _ = watched_pictures(generator, SAMPLES, 0, may_write=True)
        alone, single, _ = watched_pictures(generator, 1, SAMPLES - 1, may_write=True)
    apart = difference(together[-1:], alone)
    if not apart <= BATCH_TOLERANCE:
        raise NotConforming(batch_fault(generator, latents, single, apart))


def inputs_are_left_alone(subject: Subject) -> None:
    """No method writes into what it is given, nor later into what it has returned."""
    generator = generator_of(subject)
    with torch.no_grad():
        _, _, exchanged = watched_pictures(generator, 1, 0)
        watched_pictures(generator, 1, 1)
    check_unmodified(exchanged, subject.owner)


def autocast_is_close(subject: Subject) -> None:
    """Pictures in bfloat16 are close to those in float32."""
    generator = generator_of(subject)
    latents = sampled(generator)
    codes = codes_of(generator, latents)
    with torch.no_grad():
        exact, low = (
            rendered(generator, codes, latents, precision=precision).rendering.pictures.float()
            for precision in ("fp32", "bf16")
        )
    apart = float((exact - low).abs().mean()) / span_of(exact)
    if not apart <= AUTOCAST_TOLERANCE:
        raise NotConforming(
            f"in bfloat16 pictures differ by {apart:.2g} of the range on average, {AUTOCAST_TOLERANCE:g} is "
            "allowed; compute what needs precision (normalisation, mapping) under "
            "torch.autocast(self.device.type, enabled=False)"
        )


def everything_is_on_its_device(subject: Subject) -> None:
    """On another device it makes pictures there, and mixes no devices."""
    _ = subject.built
    generator = cast("Generator", subject.build())
    second_device.try_generator(generator, left_behind(generator, subject.build_for))


def _equal(a: Latents, b: Latents) -> bool:
    """Return whether latents and conditions are the same."""
    if (a.condition is None) != (b.condition is None):
        return False
    conditions = a.condition is None or b.condition is None or torch.equal(a.condition, b.condition)
    return torch.equal(a.z, b.z) and conditions


def _rows(latents: Latents, start: int) -> Latents:
    condition = None if latents.condition is None else latents.condition[start:]
    return Latents(latents.z[start:], condition, latents.index[start:])
