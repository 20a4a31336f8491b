"""Dissect a generator in memory, from plugins that are built already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..device import auto_batch
from ..errors import UserError
from ..plugins.arguments import require
from ..plugins.generator import Generator
from ..plugins.scorer import Segmenter
from ..runs.progress import Progress
from ..semantics.feature_maps import Choice, choose_strata
from ..semantics.samples import LabelledSamples
from ..semantics.teacher import Teacher
from .curves import measure_curves
from .forecast import forecast
from .request import COUNTS, PERMUTATIONS, DissectRequest, Threshold
from .result import Dissection
from .units import measure_units


def dissect(
    generator: Generator,
    segmenter: Segmenter,
    *,
    strata: Choice | Sequence[int] = "all",
    classes: Sequence[str] | None = None,
    samples: int = 1000,
    threshold: Threshold = "iqr",
    permutations: int = PERMUTATIONS,
    counts: Sequence[int] = COUNTS,
    curve_samples: int = 128,
    random_sets: int = 12,
    curve_stratum: int | None = None,
    ablate: Literal["zero", "mean"] = "zero",
    seed: int = 0,
    batch: int | None = None,
    quiet: bool = True,
) -> Dissection:
    """Find out which units detect which class, and what switching them off or painting them in does.

    Level and class of a unit are chosen on `samples` pictures. On as many others its pooled IoU is measured:
    pixels where it is on and that are of the class, divided by those of which one holds. It is compared with
    that of the class's masks permuted among pictures.

    Args:
        generator: generator whose feature maps are dissected.
        segmenter: scorer that labels pixels.
        strata: `all` feature maps, `last_of_resolution`, or numbers of strata.
        classes: classes of the segmenter to look for; the others become one, background. None for all.
        samples: pictures that choose, and number of those that measure; at least 2.
        threshold: `iqr`, `iou`, or the share of pixels, in (0, 1), above the level.
        permutations: permutations of the masks, at least 19.
        counts: sizes of the unit sets of the curves, rising; empty for none.
        curve_samples: new pictures of the curves, at least 8.
        random_sets: random unit sets of each size, at least 3.
        curve_stratum: stratum of the curves; None for the one whose units detect most classes.
        ablate: what ablated units are set to: `zero`, or their `mean`.
        seed: seed of samples, permutations and random sets.
        batch: pictures in one pass; None chooses it for the device.
        quiet: whether to show no progress.

    Raises:
        UserError: an argument is out of range, or the segmenter refuses the generator.
        DataError: a feature map is not finite.
        PictureError: a picture is not finite.

    Source: Bau et al., "GAN Dissection", ICLR 2019; Bau et al., PNAS 117, 2020. The chance level is ours.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> segmenter = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
        >>> found = ganstrata.dissect(generator, segmenter, strata=[6], samples=32, counts=[])
        >>> len(found.detectors()) > 20
        True
    """
    require("dissect()", "generator", generator, Generator, "ganstrata.load_generator")
    require("dissect()", "segmenter", segmenter, Segmenter, "ganstrata.load_scorer")
    segmenter.check_generator(generator)
    card = generator.card
    drawn = LabelledSamples(
        generator,
        Teacher.of(segmenter, classes),
        choose_strata(generator.strata, strata),
        auto_batch(card.height, generator.device, card.width) if batch is None else batch,
        seed,
    )
    request = DissectRequest(
        samples=samples,
        threshold=threshold,
        permutations=permutations,
        counts=tuple(counts),
        curve_samples=curve_samples,
        random_sets=random_sets,
        curve_stratum=curve_stratum,
        ablate=ablate,
    )
    return dissected(drawn, request, Progress(quiet=quiet))


def dissected(samples: LabelledSamples, request: DissectRequest, progress: Progress) -> Dissection:
    """Dissect the strata of samples, as `dissect` does.

    Raises:
        UserError: the curves' stratum is not among them, or has too few units for a set.
        DataError: a feature map is not finite.
        PictureError: a picture is not finite.
    """
    if request.curve_stratum not in (None, *samples.strata):
        raise UserError(
            f"curve_stratum {request.curve_stratum} is not among the strata that are dissected, "
            f"{', '.join(map(str, samples.strata))}"
        )
    _check_counts(samples, request)
    progress.say(forecast(request, samples))
    units = measure_units(samples, request, progress)
    curves = measure_curves(samples, units, request, progress)
    return Dissection(units, curves, request, samples.generator.card.source)


def _check_counts(samples: LabelledSamples, request: DissectRequest) -> None:
    """Refuse sets of as many units as there are; the default sizes are cut to those that fit.

    Raises:
        UserError: a set is too large for every stratum that may get curves.
    """
    most = max(m.channels for m in samples.maps if request.curve_stratum in (None, m.stratum)) - 1
    too_large = [k for k in request.counts if k > most]
    if too_large and request.counts != COUNTS:
        where = "the strata" if request.curve_stratum is None else f"stratum {request.curve_stratum}"
        raise UserError(
            f"counts: {too_large[0]} units at once are too many; at most {most} of {where} can be set"
        )
