"""Ask of each class in which stratum it can be read, and at which layer it can be moved.

Reading is what one stratum of an extractor says by itself: the IoU of its labels with the teacher's. Moving
is the effect of the boundary of the class on its own score when one layer is moved, as re-scoring measured
it. Both have a place on the axis of layers: stratum s reads layer l. A stratum's feature map holds all that
the layers up to l made, so a class may be readable long after it was decided; moving says where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError, nearest
from ..messages import listed
from ..plugins.records import Stratum
from ..rescoring.null_comparison import NO_NULL
from ..rescoring.results import Effects
from ..semantics.agreement import Measured
from ..semantics.extractor import Extractor
from ..semantics.heads import Additive
from ..semantics.measuring.evaluation import Evaluation
from ..semantics.measuring.quality import Quality
from ..statistics import bootstrap_means, bootstrap_weights, interval

LEAST = 0.1  # IoU that must be exceeded for a class to count as read: the paper's threshold for classes


@dataclass(frozen=True)
class ReadAt:
    """Hold how well one stratum reads a class by itself.

    Attributes:
        layer: layer that the stratum reads; None if it reads none.
        stratum, name: number and name of the stratum.
        iou, low, high: per-image averaged IoU with its 95 % interval.
        is_best: whether it is the stratum that reads the class best, or cannot be told from it.
    """

    layer: int | None
    stratum: int
    name: str
    iou: float
    low: float
    high: float
    is_best: bool


@dataclass(frozen=True)
class MovedAt:
    """Hold what moving one layer along a class's boundary does to the score of the class.

    Attributes:
        layer: the layer.
        change, low, high: mean change in sd units with its 95 % interval.
        q: corrected p value.
        is_significant: whether the change is an increase, and q at most the run's rate.
        is_best: whether it is significant, and the layer that moves the class most or one that cannot be told
            from it.
    """

    layer: int
    change: float
    low: float
    high: float
    q: float
    is_significant: bool
    is_best: bool


@dataclass(frozen=True)
class ClassLayers:
    """Hold where a class is read, and where it is moved.

    Attributes:
        name: name of the class.
        concept: id of the run's concept of the class; "" if the run does not score it.
        iou: per-image averaged IoU of the whole extractor, with low and high.
        read: a row per stratum; empty if the class never occurs.
        moved: a row per layer; empty without a boundary.
        is_factor: whether its boundary is a variation factor, which is decided at all layers together.
        unread, unmoved: why there is no answer on one side; "" if there is one.
    """

    name: str
    concept: str
    iou: tuple[float, float, float]
    read: tuple[ReadAt, ...]
    moved: tuple[MovedAt, ...]
    is_factor: bool
    unread: str
    unmoved: str

    @property
    def read_layers(self) -> tuple[int, ...]:
        """Layers of the strata that read the class best; empty if it cannot be read."""
        rows = () if self.unread else self.read
        return tuple(sorted({row.layer for row in rows if row.is_best and row.layer is not None}))

    @property
    def moved_layers(self) -> tuple[int, ...]:
        """Layers that move the class most; empty if none moves it significantly."""
        return tuple(row.layer for row in self.moved if row.is_best) if not self.unmoved else ()


def scorer_of_classes(classes: Sequence[str], concepts: Sequence[str], alias: str | None) -> str:
    """Return the alias of the scorer whose concepts are the classes.

    Args:
        classes: names of the classes.
        concepts: ids of all concepts of the run, `alias/name`.
        alias: the alias that was asked for; None for the only one that scores some of the classes.

    Raises:
        UserError: there is none, or there are several.

    >>> scorer_of_classes(["bed", "sofa"], ["colour/red", "object/bed"], None)
    'object'
    """
    scored: dict[str, int] = {}
    for concept in concepts:
        scorer, name = concept.split("/", 1)
        scored[scorer] = scored.get(scorer, 0) + (name in classes)
    if alias is not None and alias not in scored:
        raise UserError(
            f"--scorer {alias}: the run has no such scorer.{nearest(alias, scored)} It has {listed(scored)}"
        )
    able = [name for name, count in scored.items() if count and alias in (None, name)]
    if not able:
        who = "no scorer of the run has" if alias is None else f"the scorer {alias} of the run has not"
        raise UserError(
            f"{who} any of the classes {listed(classes)} as a concept, so nothing says where they are moved. "
            "Make a run with the teacher among its scorers; examples/rooms_objects.yaml is one"
        )
    if len(able) > 1:
        raise UserError(
            f"several scorers of the run have these classes: {listed(able)}; choose with --scorer"
        )
    return able[0]


def check_answerable(extractor: Extractor, effects: Effects) -> None:
    """Refuse what cannot say where classes are read, or where they are moved.

    Raises:
        UserError: the extractor's strata say nothing by themselves, or the run moved no single layers.
    """
    if len(extractor.heads) > 1 or not isinstance(extractor.heads[0], Additive):
        what = "an ensemble" if len(extractor.heads) > 1 else extractor.architecture.head
        raise UserError(
            f"the strata of {what} say nothing by themselves, so it cannot be said where classes are read. "
            "Give a folder with one LSE or NSE-1"
        )
    if not effects.single_layers():
        raise UserError(
            "the run moved no single layers, so it cannot be said where classes are moved. "
            "Make a run with rescoring.layers: [all, each]"
        )


def read_and_moved(
    evaluation: Evaluation,
    quality: Quality,
    strata: Sequence[Stratum],
    effects: Effects,
    skipped: Mapping[str, str],
    alias: str,
) -> list[ClassLayers]:
    """Say of each class, without the background, where it is read and where it is moved.

    Args:
        evaluation: of one extractor, stratum by stratum.
        quality: its qualities.
        strata: strata of the generator.
        effects: effects of a run of the same generator.
        skipped: concept without a boundary -> reason.
        alias: scorer of the run whose concepts are the classes.
    """
    reading = evaluation.readings[0]
    scores = quality.scores[reading.name]
    rows = []
    for m, name in enumerate(evaluation.classes):
        if evaluation.background and m == 0:
            continue
        low, high = scores.per_image.part(m).bounds
        read = _read(quality, reading.name, strata, m) if evaluation.occurs[m] else ()
        concept = f"{alias}/{name}"
        known = concept in {c.id for c in effects.concepts}
        i = next((b for b, boundary in enumerate(effects.boundaries) if boundary.name == concept), None)
        moved = () if i is None else _moved(effects, i)
        is_factor = i is not None and bool(effects.factors[i])
        rows.append(
            ClassLayers(
                name=name,
                concept=concept if known else "",
                iou=(float(scores.per_image.value[m]), float(low), float(high)),
                read=read,
                moved=moved,
                is_factor=is_factor,
                unread=_unread(read),
                unmoved=_unmoved(
                    known, skipped.get(concept, ""), moved, is_factor, is_tested=effects.has_null
                ),
            )
        )
    return rows


def _unread(read: Sequence[ReadAt]) -> str:
    if not read:
        return "the teacher gives no pixel this label"
    best = max(row.iou for row in read)
    return "" if best > LEAST else f"no stratum reads it with an IoU above {100 * LEAST:.0f} %"


def _unmoved(known: bool, reason: str, moved: Sequence[MovedAt], is_factor: bool, *, is_tested: bool) -> str:
    if not known:
        return "the run does not score it"
    if not moved:
        return f"no boundary{': ' + reason if reason else ''}"
    if not is_tested:
        return NO_NULL
    if not is_factor:
        return "no significant effect: not even of all layers together"
    if not any(row.is_significant for row in moved):
        return "no significant layer: only all layers together move it"
    return ""


def _read(quality: Quality, name: str, strata: Sequence[Stratum], m: int) -> tuple[ReadAt, ...]:
    """Return how well each stratum reads class m; differences are resampled with the same pictures."""
    ious = {s: scores.per_image.part(m) for s, scores in quality.strata[name].items()}
    best = max(ious, key=lambda s: float(np.nan_to_num(ious[s].value, nan=-1.0)))
    rows = []
    for s, iou in ious.items():
        low, high = iou.bounds
        behind = Measured(
            ious[best].value - iou.value,
            ious[best].replicates - iou.replicates,
            np.minimum(ious[best].count, iou.count),
            -1.0,
        )
        rows.append(
            ReadAt(
                layer=strata[s].reads,
                stratum=s,
                name=strata[s].name,
                iou=float(iou.value),
                low=float(low),
                high=float(high),
                is_best=s == best or bool(behind.bounds[0] <= 0.0),
            )
        )
    return tuple(rows)


def _moved(effects: Effects, i: int) -> tuple[MovedAt, ...]:
    """Return what moving each layer along boundary i does to its own concept."""
    layers, own = effects.single_layers(), int(effects.own[i])
    unit = float(effects.units[own])
    value, low, high = (a[i, layers, 0, own] / unit for a in (effects.mean, effects.low, effects.high))
    q = effects.q[i, layers, 0, own]
    significant = (np.nan_to_num(q, nan=1.0) <= effects.rate) & (np.nan_to_num(value) > 0.0)
    changes = effects.changes[i, layers, 0]  # (L, K), sd units
    weights = bootstrap_weights(changes.shape[1], effects.bootstrap, effects.seed)
    best = int(np.where(significant, value, -np.inf).argmax())
    behind, _ = interval(bootstrap_means(changes[best] - changes, weights))  # (L,)
    return tuple(
        MovedAt(
            layer=layer,
            change=float(value[layer]),
            low=float(low[layer]),
            high=float(high[layer]),
            q=float(q[layer]),
            is_significant=bool(significant[layer]),
            is_best=bool(significant[layer]) and (layer == best or bool(behind[layer] <= 0.0)),
        )
        for layer in range(len(layers))
    )
