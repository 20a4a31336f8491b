"""What the numbers say, in sentences: written by rule from the intervals, never by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..plugins.records import Boundary
from ..rescoring.hierarchy import Hierarchy
from ..statistics import LEAST_NULL
from ..strata.layers import show_layers

PAPER = {"layout": "bottom", "category": "lower", "attribute": "upper", "colour": "top"}
SURE = 0.95


def peaks(hierarchy: Hierarchy, asked: Sequence[str]) -> list[str]:
    """For each level: at which layer group its effect peaks, how surely, and what the paper found.

    Args:
        hierarchy: of the variation factors.
        asked: levels of all boundaries; those without a variation factor are named too.
    """
    sentences = []
    for m, level in enumerate(hierarchy.levels):
        shares = hierarchy.groups.value[m]
        if not hierarchy.group_names or math.isnan(shares[0]):
            sentences.append(f"{level.capitalize()}: no single layer moves it upwards.")
            continue
        best = int(shares.argmax())
        group, share = hierarchy.group_names[best], float(shares[best])
        low, high, often = (
            float(hierarchy.groups.low[m, best]),
            float(hierarchy.groups.high[m, best]),
            float(hierarchy.peak[m, best]),
        )
        sure = f"in {100 * often:.0f} % of resamplings" + (
            "" if often >= SURE else ", so this is not settled"
        )
        expected = PAPER.get(level)
        if expected is None or expected not in hierarchy.group_names:
            verdict = ""
        elif expected == group:
            verdict = " This is where the paper's generators have it."
        else:
            verdict = f" The paper's generators have it at the {expected} layers: not so here."
        sentences.append(
            f"{level.capitalize()} peaks at the {group} layers with {share:.2f} of its effect [{low:.2f}, {high:.2f}], {sure}.{verdict}"
        )
    for name, curve in zip(hierarchy.factors, hierarchy.concept_curve.value, strict=True):
        unknown = [layer for layer, value in enumerate(curve) if math.isnan(value)]
        if unknown:
            many = (
                f"layers {show_layers(unknown)}, which are"
                if len(unknown) > 1
                else f"layer {unknown[0]}, which is"
            )
            sentences.append(
                f"{name} has no score in any sample that is moved at {many} left out of its share and depth."
            )
    missing = [level for level in dict.fromkeys(asked) if level not in hierarchy.levels]
    sentences += [
        f"{level.capitalize()}: none of its concepts is a variation factor here, so nothing is said of its place."
        for level in missing
    ]
    return sentences


def order(hierarchy: Hierarchy) -> list[str]:
    """In which order the mean depths come, and which neighbours are told apart."""
    known = [m for m in range(len(hierarchy.levels)) if not math.isnan(float(hierarchy.depth.value[m]))]
    ranked = sorted(known, key=lambda m: float(hierarchy.depth.value[m]))
    if not ranked:
        return ["There is no variation factor whose depth could be told."]
    listed = ", ".join(
        f"{hierarchy.levels[m]} {float(hierarchy.depth.value[m]):.2f} [{float(hierarchy.depth.low[m]):.2f}, {float(hierarchy.depth.high[m]):.2f}]"
        for m in ranked
    )
    pairs = hierarchy.orders.pairs
    sentences = [f"Mean depths, from the first layer to the last: {listed}."]
    for a, b in pairwise(ranked):
        chance, p = float(hierarchy.earlier[a, b]), float(hierarchy.orders.corrected[a, b])
        first, second = hierarchy.levels[a], hierarchy.levels[b]
        tested = f"{100 * chance:.1f} % of resamplings (p {p:.2g}" + (
            f", corrected for {pairs} pairs)" if pairs > 1 else ")"
        )
        if p < 1.0 - SURE:
            sentences.append(f"{first.capitalize()} sits before {second} in {tested}.")
        else:
            sentences.append(
                f"{first.capitalize()} and {second} are not told apart: {first} comes first in {tested}."
            )
    wanted = [level for level in PAPER if level in [hierarchy.levels[m] for m in ranked]]
    found = [hierarchy.levels[m] for m in ranked if hierarchy.levels[m] in PAPER]
    if len(wanted) > 2:
        same = "is" if wanted == found else "is not"
        sentences.append(f"The paper's order, {', '.join(wanted)}, {same} the order of these depths.")
    return sentences


def null_gaps(gaps: Mapping[str, int], directions: int) -> list[str]:
    """Which p values rest on fewer null directions than there are, and which concepts have none for that reason.

    Args:
        gaps: of boundaries by name, how many null directions have a defined effect on their concept.
        directions: how many there are.
    """
    rest = "the others leave the concept without a score in every sample"
    said = []
    for name, count in gaps.items():
        if count >= LEAST_NULL:
            said.append(f"{name}: p rests on {count} of {directions} null directions; {rest}.")
        else:
            few = (
                f"{count} of {directions} null directions has"
                if count
                else f"none of {directions} null directions has"
            )
            needed = f"a defined effect on it, and {LEAST_NULL} are needed for a p value"
            said.append(f"{name}: {few} {needed}; {rest}, so it cannot be a variation factor.")
    return said


def fewer_extremes(boundaries: Iterable[Boundary]) -> list[str]:
    """Which boundaries were learnt from fewer extremes than were asked for, because classes could not supply them."""
    said = []
    for boundary in boundaries:
        facts = next(iter(boundary.facts.get("layers", ())), boundary.facts)
        short = [
            f"{facts.get(end, 0)} of {facts[f'{end}_asked']} {end}"
            for end in ("positives", "negatives")
            if facts.get(end, 0) < facts.get(f"{end}_asked", 0)
        ]
        if short and not boundary.given:
            said.append(
                f"{boundary.name}: learnt from {' and '.join(short)}; its classes are too small, or score the same, to supply all."
            )
    return said


def left_out(stages: Mapping[str, Mapping[str, Any]], samples: int) -> list[str]:
    """What was left out because pictures are not finite; nothing if all are.

    >>> left_out({"synthesize": {"nonfinite": 6}, "rescore": {"nonfinite": 0}}, 320)
    ['The pictures of 6 of 320 samples are not finite (NaN or infinity): they have no scores, and nothing was learnt from them.']
    """
    count, pairs, edits = (
        int(stages.get(name, {}).get("nonfinite", 0)) for name in ("synthesize", "rescore", "edit")
    )
    said = []
    if count:
        are = "is" if count == 1 else "are"
        said.append(
            f"The pictures of {count} of {samples} samples {are} not finite (NaN or infinity): they have no scores, and nothing was learnt from them."
        )
    if pairs or edits:
        said.append(
            f"So are {pairs} pairs of pictures in re-scoring, which count nowhere, and {edits} of the strips' pictures, which are grey."
        )
    return said


def not_relearnt(missing: Mapping[str, Mapping[str, Any]], resamples: int) -> list[str]:
    """Which boundaries some of the resamplings did not give, how many, and why.

    Args:
        missing: by the boundary's name, `resamplings` and the `reason` of the last of them, as the stage `learn` records it.
        resamples: how many resamplings there were.
    """
    said = []
    for name, row in missing.items():
        count, reason = int(row["resamplings"]), str(row["reason"])
        rest = (
            "its interval over the learning rests on the others"
            if resamples - count >= 2
            else "it has no interval over the learning"
        )
        said.append(
            f"{name}: {count} of {resamples} resamplings of the samples gave no boundary, so {rest}. The reason: {reason}."
        )
    return said


def found(factors: Sequence[str], candidates: int, rate: float) -> str:
    """How many concepts are variation factors."""
    if not factors:
        return f"None of {candidates} concepts is a variation factor at a false discovery rate of {rate:g}."
    verb = "is a variation factor" if len(factors) == 1 else "are variation factors"
    return f"{len(factors)} of {candidates} concepts {verb} at a false discovery rate of {rate:g}; the strongest is {factors[0]}."
