"""Measure how features of classes lie on the unit sphere, and write tables, a chart and a page of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from markupsafe import Markup

from ...errors import UserError
from ...figures.figure import Figure
from ...figures.matrices import heat
from ...figures.pages import framed
from ...messages import listed, quantity
from ...runs.lock import results_of
from ...runs.progress import Progress
from ...statistics import Floats
from ...storage.csv_tables import Row, Table
from ...storage.json_values import JsonObject
from ...storage.result_folder import index_text, replace_folder
from ..agreement import Measured, relative_gap
from ..learning.folder import open_segmentation
from ..record import record_of
from ..subject import Subject
from .centres import class_centres
from .evaluation import Evaluation, evaluate
from .evaluation_tables import in_words, numbers, three
from .geometry import IN_ALL, MOST, PER_IMAGE, FairPools, closest_to_itself, cosine_matrix, fair_sampling
from .quality import Quality, quality_of

INDEX = "geometry.json"
PAGE = "geometry.html"
CENTRES = "class centres"


@dataclass(frozen=True)
class GeometryRequest:
    """Say how much to draw.

    Attributes:
        per_image: pixels of a class from one picture, T1.
        in_all: pixels of a class in all, T2, a multiple of T1.
        most: pictures after which classes that are rarely large enough are given up.
        centres: pictures whose pixels make the class centres; 3000 in the paper.
        images: new pictures on which class centres and extractor are measured.
    """

    per_image: int = PER_IMAGE
    in_all: int = IN_ALL
    most: int = MOST
    centres: int = 768
    images: int = 1000


@dataclass(frozen=True)
class Geometry:
    """Hold what was measured.

    Attributes:
        request: what was asked.
        subject: generator and teacher.
        extractor: name of the extractor.
        pools: features drawn in fair sampling.
        cosines: mean cosine of the features of two classes, (M, M); NaN for classes without any.
        evaluation: overlaps of the labels of extractor and class centres with the teacher's.
        quality: qualities of both, with intervals.
        gap: relative gap of the class centres to the extractor, of the per-image mean IoU.
    """

    request: GeometryRequest
    subject: Subject
    extractor: str
    pools: FairPools
    cosines: Floats
    evaluation: Evaluation
    quality: Quality
    gap: Measured


def measure_geometry(
    folder: Path,
    out: Path,
    request: GeometryRequest | None = None,
    *,
    device: str | None = None,
    progress: Progress | None = None,
) -> Geometry:
    """Measure the features that the extractor of a segmentation folder reads, and write the result.

    Args:
        folder: a finished segmentation folder with a teacher.
        out: folder of the results, new, empty, or of an earlier call.
        request: how much to draw.
        device: device to compute on; None for that of the folder's config.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: the folder or the numbers do not fit, or `out` holds other files; nothing was written.
    """
    request, progress = request or GeometryRequest(), progress or Progress(quiet=True)
    if request.in_all < request.per_image or request.in_all % request.per_image:
        raise UserError(
            f"{request.in_all} pixels in all are not a multiple of {request.per_image} per image, "
            f"such as {20 * request.per_image}"
        )
    with results_of(out, INDEX, "ganstrata segment geometry"):
        found = _measured(folder, request, device, progress)
        replace_folder(out, INDEX, files_of(found))
    return found


def _measured(folder: Path, request: GeometryRequest, device: str | None, progress: Progress) -> Geometry:
    """Measure what `measure_geometry` writes."""
    subject, extractor = open_segmentation(folder, device, progress)
    samples = replace(subject.samples, strata=extractor.strata)
    name = folder.resolve().name
    name = f"{name} (extractor)" if name == CENTRES else name
    with progress.stage("sample fairly", total=request.most) as bar:
        pools = fair_sampling(samples, request.per_image, request.in_all, request.most, bar)
    with progress.stage("centres", total=request.centres) as bar:
        centres = class_centres(samples, subject.made_for, request.centres, bar)
    with progress.stage("evaluate", total=request.images) as bar:
        both = {name: extractor, CENTRES: centres}
        evaluation = evaluate(samples, both, request.images, layerwise=False, progress=bar)
    quality = quality_of(evaluation, seed=samples.seed)
    gap = relative_gap(quality.scores[CENTRES].mean_per_image, quality.scores[name].mean_per_image)
    return Geometry(request, subject, name, pools, cosine_matrix(pools), evaluation, quality, gap)


def files_of(found: Geometry) -> dict[str, bytes]:
    """Return the content of every file by name."""
    chart = cosine_chart(found)
    files = {f"{name}.csv": table.csv.encode() for name, table in tables(found).items()}
    files["cosines.svg"] = chart.file.encode()
    page = framed(
        __package__,
        "geometry.html.j2",
        {
            "found": found,
            "model": found.subject.generator.card.source,
            "sentences": sentences(found),
            "rows": tables(found)["centres"].rows,
            "chart": Markup(chart.inline),
        },
    )
    files[PAGE] = page.encode()
    return files | {INDEX: index_text(as_data(found), files)}


def cosine_chart(found: Geometry) -> Figure:
    """Draw the matrix of mean cosines; the largest of each row is bold."""
    known = np.isfinite(np.diagonal(found.cosines))
    names = [name for name, there in zip(found.pools.classes, known, strict=True) if there]
    values = found.cosines[known][:, known]
    return heat(
        "cosines",
        names,
        names,
        values,
        values == values.max(axis=1, keepdims=True) if len(names) else np.zeros((0, 0), dtype=bool),
        description="Mean cosine of the features of two classes. Bold: the class that a row is most like.",
        entry="cosine",
        axes=("class", "other_class"),
        mark="largest_of_row",
    )


def tables(found: Geometry) -> dict[str, Table]:
    """Return all tables by the name of their file, without the extension."""
    pools, e = found.pools, found.evaluation
    mine = closest_to_itself(found.cosines)
    matrix: list[Row] = [
        [name, *row] for name, row in zip(pools.classes, found.cosines.tolist(), strict=True)
    ]
    each: list[Row] = [
        [
            name,
            int(pools.counts[m]),
            bool(pools.counts[m] >= pools.in_all),
            bool(mine[m]) if pools.counts[m] else None,
            *numbers(found.quality.scores[CENTRES].per_image.part(m)),
            *numbers(found.quality.scores[found.extractor].per_image.part(m)),
        ]
        for m, name in enumerate(e.classes)
    ]
    rows: list[Row] = [
        [name, e.images, *numbers(s.mean_per_image), *numbers(s.mean_pooled), *numbers(s.accuracy)]
        for name, s in found.quality.scores.items()
    ]
    return {
        "cosines": Table(("class", *pools.classes), matrix),
        "classes": Table(
            (
                *("class", "pixels", "full", "most_like_itself"),
                *three("centres_iou_per_image"),
                *three("extractor_iou_per_image"),
            ),
            each,
        ),
        "centres": Table(
            (
                *("classifier", "images"),
                *three("miou_per_image"),
                *three("miou_pooled"),
                *three("pixel_accuracy"),
            ),
            rows,
        ),
    }


def sentences(found: Geometry) -> list[str]:
    """Say what was found."""
    pools, mine = found.pools, closest_to_itself(found.cosines)
    known = pools.counts > 0
    strange = _names(pools.classes, known & ~mine)
    said = [
        f"{int((known & mine).sum())} of {quantity(int(known.sum()), 'class', 'classes')} are on average "
        "more similar to themselves than to any other"
        + (f"; not so: {listed(strange, 30)}." if strange else ".")
    ]
    if pools.unfilled:
        said.append(
            f"Fewer than {pools.in_all} pixels after {quantity(pools.images, 'picture')}, as they rarely "
            f"cover {pools.per_image} pixels of one: {listed(pools.unfilled, 30)}."
        )
    scores = found.quality.scores
    said += [
        f"By {name}: mIoU {in_words(s.mean_per_image)} per image, {in_words(s.mean_pooled)} pooled, "
        f"{in_words(s.accuracy)} of the pixels."
        for name, s in scores.items()
    ]
    value, low, high = (100 * x for x in numbers(found.gap))
    gap = f"{value:+.1f} % [{low:+.1f}, {high:+.1f}]"
    return [*said, f"Relative to {found.extractor}, the per-image mIoU of class centres is {gap}."]


def _names(classes: Sequence[str], chosen: np.ndarray) -> list[str]:
    return [name for name, there in zip(classes, chosen, strict=True) if there]


def as_data(found: Geometry) -> JsonObject:
    """Return all numbers as plain data."""
    request, pools = found.request, found.pools
    gap, low, high = (None if np.isnan(x) else x for x in numbers(found.gap))
    return {
        **record_of(found.subject, {x.name: x.extractor for x in found.evaluation.readings}),
        "extractor": found.extractor,
        "per_image": request.per_image,
        "in_all": request.in_all,
        "most": request.most,
        "images_sampled": pools.images,
        "images_of_centres": request.centres,
        "images_evaluated": request.images,
        "unfilled": list(pools.unfilled),
        "gap": {"value": gap, "low": low, "high": high},
        **{name: table.records for name, table in tables(found).items()},
        "sentences": sentences(found),
    }
