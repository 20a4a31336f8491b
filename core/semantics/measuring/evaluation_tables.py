"""Write a comparison of extractors as tables, sentences and plain data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...decimals import percent
from ...messages import listed, quantity
from ...storage.csv_tables import Row, Table
from ...storage.json_values import JsonObject, JsonValue
from ..agreement import Measured
from .comparison import Comparison
from .evaluation import Evaluation, Reading
from .quality import Quality

NEVER = "never among the teacher's labels"
NO_TRUTH = "agreement with the teacher is not accuracy"


def numbers(measured: Measured) -> tuple[float, float, float]:
    """Return one number with its 95 % interval: value, low, high."""
    low, high = measured.bounds
    return float(measured.value), float(low), float(high)


def three(name: str) -> tuple[str, str, str]:
    """Return the columns of a number with its interval.

    >>> three("miou_pooled")
    ('miou_pooled', 'miou_pooled_low', 'miou_pooled_high')
    """
    return name, f"{name}_low", f"{name}_high"


def tables(found: Comparison) -> dict[str, Table]:
    """Return all tables by the name of their file, without the extension."""
    return {
        "extractors": extractors_table(found.evaluation, found.quality),
        "classes": classes_table(found),
        "strata": strata_table(found),
        "table_1": table_1(found),
        "table_5": table_5(found),
    }


def extractors_table(evaluation: Evaluation, quality: Quality) -> Table:
    """Return a row per extractor: mean IoU per image and pooled, accuracy and gaps, with intervals."""
    rows: list[Row] = []
    for reading in evaluation.readings:
        scores, gap = quality.scores[reading.name], quality.gaps.get(reading.name)
        rows.append(
            [
                reading.name,
                reading.extractor.architecture.head,
                len(reading.extractor.heads),
                evaluation.images,
                int(evaluation.counted.sum()),
                *numbers(scores.mean_per_image),
                *numbers(scores.mean_pooled),
                *numbers(scores.accuracy),
                quality.best_nonlinear or None,
                *([np.nan] * 6 if gap is None else (*numbers(gap.per_image), *numbers(gap.pooled))),
            ]
        )
    return Table(
        (
            *("extractor", "head", "heads", "images", "classes"),
            *three("miou_per_image"),
            *three("miou_pooled"),
            *three("pixel_accuracy"),
            "compared_with",
            *three("gap_per_image"),
            *three("gap_pooled"),
        ),
        rows,
    )


def classes_table(found: Comparison) -> Table:
    """Return a row per class and extractor, with the teacher's own IoU on true labels where it is stated.

    A class that never occurs has empty cells and a reason.
    """
    e = found.evaluation
    shares = e.pixels.sum(axis=0) / max(e.pixels.sum(), 1)
    rows: list[Row] = []
    for m, name in enumerate(e.classes):
        with_it = int((e.pixels[:, m] > 0).sum())
        teacher = np.nan if found.stated is None else found.stated.iou.get(name, np.nan)
        for reading in e.readings:
            scores = found.quality.scores[reading.name]
            rows.append(
                [
                    name,
                    reading.name,
                    *numbers(scores.per_image.part(m)),
                    *numbers(scores.pooled.part(m)),
                    int(scores.per_image.count[m]),
                    with_it,
                    float(shares[m]),
                    teacher,
                    remark(found, m),
                ]
            )
    return Table(
        (
            *("class", "extractor"),
            *three("iou_per_image"),
            *three("iou_pooled"),
            *("images_compared", "images_with_class", "share_of_pixels", "teacher_iou_pooled", "remark"),
        ),
        rows,
    )


def remark(found: Comparison, m: int) -> str:
    """Return what must be said of a class; "" if nothing."""
    e = found.evaluation
    if not e.occurs[m]:
        return NEVER
    if e.background and m == 0:
        return "not in means"
    return ""


def strata_table(found: Comparison) -> Table:
    """Return a row per extractor, stratum and class: the IoU of what the stratum says by itself."""
    rows: list[Row] = []
    for reading in found.evaluation.readings:
        names = stratum_names(reading)
        for s, scores in found.quality.strata[reading.name].items():
            means = (*numbers(scores.mean_per_image), *numbers(scores.mean_pooled))
            rows.append([reading.name, s, names[s], "mean", *means])
            for m, name in enumerate(found.evaluation.classes):
                each = (*numbers(scores.per_image.part(m)), *numbers(scores.pooled.part(m)))
                rows.append([reading.name, s, names[s], name, *each])
    return Table(
        ("extractor", "stratum", "stratum_name", "class", *three("iou_per_image"), *three("iou_pooled")), rows
    )


def stratum_names(reading: Reading) -> Mapping[int, str]:
    """Return the names of the strata that an extractor reads, by number."""
    return {described.stratum: described.name for described in reading.extractor.architecture.maps}


def table_1(found: Comparison) -> Table:
    """Return the paper's table 1 in percent: mean IoU, and in brackets the gap to the best nonlinear one."""
    rows: list[Row] = []
    for reading in found.evaluation.readings:
        scores, gap = found.quality.scores[reading.name], found.quality.gaps.get(reading.name)
        rows.append(
            [
                reading.name,
                reading.extractor.architecture.head,
                *(
                    _percent(mean, each)
                    for mean, each in (
                        (scores.mean_per_image, None if gap is None else gap.per_image),
                        (scores.mean_pooled, None if gap is None else gap.pooled),
                    )
                ),
            ]
        )
    return Table(("extractor", "head", "mIoU per image, %", "mIoU pooled, %"), rows)


def _percent(mean: Measured, gap: Measured | None) -> str:
    if np.isnan(mean.value):
        return ""
    bracket = "" if gap is None or gap.value == 0.0 else f" ({100 * gap.value:+.1f})"
    return f"{100 * mean.value:.1f}{bracket}"


def table_5(found: Comparison) -> Table:
    """Return the paper's table 5: per-image averaged IoU of each class in percent, a row per extractor."""
    rows: list[Row] = []
    for reading in found.evaluation.readings:
        scores = found.quality.scores[reading.name]
        values = [round(100.0 * float(v), 2) for v in scores.per_image.value]
        mean = round(100.0 * float(scores.mean_per_image.value), 2)
        rows.append([reading.name, reading.extractor.architecture.head, *values, mean])
    return Table(("extractor", "head", *found.evaluation.classes, "mean"), rows)


def sentences(found: Comparison) -> list[str]:
    """Return what the numbers say, by rule, and what they do not say."""
    e, quality = found.evaluation, found.quality
    lines = [
        f"{name} agrees with the teacher by a mean IoU of {in_words(scores.mean_per_image)} per image and "
        f"{in_words(scores.mean_pooled)} pooled, over {quantity(int(e.counted.sum()), 'class', 'classes')} "
        f"and {quantity(e.images, 'picture')}."
        for name, scores in quality.scores.items()
    ]
    if not quality.best_nonlinear:
        lines.append("No nonlinear extractor was given, so there is no gap between linear and nonlinear.")
    for name, gap in quality.gaps.items():
        if name != quality.best_nonlinear:
            value, low, high = numbers(gap.per_image)
            lines.append(
                f"{name} is {abs(100 * value):.1f} % {'below' if value < 0 else 'above'} the best nonlinear "
                f"extractor, {quality.best_nonlinear} (per image, 95 % interval of the difference "
                f"{100 * low:+.1f} to {100 * high:+.1f} %)."
            )
    never = [name for name, occurs in zip(e.classes, e.occurs, strict=True) if not occurs]
    if never:
        lines.append(f"Without an IoU, because the teacher gives no pixel this label: {listed(never, 30)}.")
    lines.append(truth(found))
    if found.selection is not None:
        s = found.selection
        lines.append(
            f"At least one extractor reads {len(s.classes)} of "
            f"{quantity(len(s.classes) + len(s.left_out), 'class', 'classes')} with an IoU above "
            f"{100 * s.threshold:g} %, on {quantity(s.images, 'other picture')}"
            + (f"; left out: {listed(s.left_out, 30)}." if s.left_out else ".")
        )
    return lines


def truth(found: Comparison) -> str:
    """Return how far the teacher itself can be trusted."""
    stated = found.stated
    if stated is None:
        return f"How right the teacher is is not known, and {NO_TRUTH}."
    return (
        f"The teacher itself is right at {percent(stated.pixel_accuracy)} of the pixels, with a mean IoU "
        f"of {percent(stated.mean_iou)} pooled, as measured on {stated.measured_on}. How right it is on "
        f"the generator's pictures is not known, and {NO_TRUTH}."
    )


def in_words(measured: Measured) -> str:
    """Return a share with its interval in percent, such as `71.2 % [70.1, 72.3]`."""
    value, low, high = numbers(measured)
    if np.isnan(value):
        return "(undefined)"
    return percent(value) + ("" if np.isnan(low) else f" [{100 * low:.1f}, {100 * high:.1f}]")


def as_data(found: Comparison) -> JsonObject:
    """Return the comparison as plain data, for evaluation.json."""
    e, quality = found.evaluation, found.quality
    s = found.stated
    stated: JsonValue = (
        None
        if s is None
        else {
            "measured_on": s.measured_on,
            "pixel_accuracy": s.pixel_accuracy,
            "mean_iou_pooled": s.mean_iou,
            "iou_pooled": dict(s.iou),
        }
    )
    selection: JsonValue = (
        None
        if found.selection is None
        else {
            "threshold": found.selection.threshold,
            "images": found.selection.images,
            "classes": list(found.selection.classes),
            "left_out": list(found.selection.left_out),
        }
    )
    return {
        **found.record,
        "stated_accuracy": stated,
        "images": e.images,
        "classes": list(e.classes),
        "background": e.background,
        "never_in_labels": [n for n, occurs in zip(e.classes, e.occurs, strict=True) if not occurs],
        "best_nonlinear": quality.best_nonlinear or None,
        "extractors": {
            reading.name: {
                "head": reading.extractor.architecture.head,
                "strata": list(reading.extractor.strata),
                "trained": dict(reading.extractor.facts),
                "miou_per_image": _plain(quality.scores[reading.name].mean_per_image),
                "miou_pooled": _plain(quality.scores[reading.name].mean_pooled),
                "pixel_accuracy": _plain(quality.scores[reading.name].accuracy),
                "gap_per_image": _gap(found, reading.name, "per_image"),
                "gap_pooled": _gap(found, reading.name, "pooled"),
            }
            for reading in e.readings
        },
        "selection": selection,
        "sentences": sentences(found),
    }


def _gap(found: Comparison, name: str, kind: str) -> JsonValue:
    gap = found.quality.gaps.get(name)
    return None if gap is None else _plain(getattr(gap, kind))


def _plain(measured: Measured) -> JsonObject:
    names = ("value", "low", "high")
    return {k: None if np.isnan(v) else v for k, v in zip(names, numbers(measured), strict=True)}
