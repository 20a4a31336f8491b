"""Write conclusions as sentences, by rule, from estimates and their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ..decimals import percent, significant
from ..messages import listed, quantity
from ..plugins.boundary import Boundary
from ..rescoring.found import FoundDirection, found_directions
from ..rescoring.hierarchy import Hierarchy
from ..rescoring.naming import named_by_chance
from ..rescoring.null_comparison import NO_NULL
from ..rescoring.results import Effects
from ..runs.manifest import NotRelearnt
from ..runs.stages import Stage
from ..statistics import LEAST_NULL
from ..strata.layers import show_layers
from .undecided import POWER, Undecided

# The layer group where the paper finds each level (fig. 3a).
PAPER = {"layout": "bottom", "category": "lower", "attribute": "upper", "colour": "top"}
CONFIDENCE = 0.95
MEANINGS = 12  # directions whose meanings a command prints
WHOLE = 0.9995  # a share from here on is all of it, as far as the samples show


def peaks(hierarchy: Hierarchy, levels: Sequence[str]) -> list[str]:
    """Say for each level at which layer group its effect peaks, how certain that is, and what the paper has.

    Args:
        hierarchy: hierarchy of the variation factors.
        levels: levels of all boundaries, to name those without a variation factor.
    """
    sentences = []
    for m, level in enumerate(hierarchy.levels):
        shares = hierarchy.groups.value[m]
        if not hierarchy.group_names or math.isnan(shares[0]):
            sentences.append(f"{level.capitalize()}: no single layer moves it upwards.")
            continue
        best = int(shares.argmax())
        group, share = hierarchy.group_names[best], float(shares[best])
        low, high = float(hierarchy.groups.low[m, best]), float(hierarchy.groups.high[m, best])
        agreeing = float(hierarchy.peak[m, best])
        certainty = f"in {percent(agreeing, 0)} of resamplings" + (
            "" if agreeing >= CONFIDENCE else ", which leaves its place open"
        )
        expected = PAPER.get(level)
        if expected is None or expected not in hierarchy.group_names:
            verdict = ""
        elif expected == group:
            verdict = " The paper's generators have it there too."
        else:
            verdict = f" The paper's generators have it at the {expected} layers instead."
        # An interval from 1 to 1 would claim to know what the samples merely did not show.
        amount = (
            "alone: in the samples taken no layer of another group raises it"
            if low >= WHOLE
            else f"with {share:.2f} of its effect [{low:.2f}, {high:.2f}]"
        )
        sentences.append(f"{level.capitalize()} peaks at the {group} layers {amount}, {certainty}.{verdict}")
    for name, curve in zip(hierarchy.factors, hierarchy.concept_curve.value, strict=True):
        unknown = [layer for layer, value in enumerate(curve) if math.isnan(value)]
        if unknown:
            places = (
                f"layers {show_layers(unknown)}, which are"
                if len(unknown) > 1
                else f"layer {unknown[0]}, which is"
            )
            sentences.append(
                f"{name} has no score in any sample edited at {places} left out of its share and depth."
            )
    missing = [level for level in dict.fromkeys(levels) if level not in hierarchy.levels]
    sentences += [
        f"{level.capitalize()}: none of its concepts is a variation factor here, so its place is unknown."
        for level in missing
    ]
    return sentences


def order(hierarchy: Hierarchy) -> list[str]:
    """Say in which order the mean depths come, and which neighbouring levels differ significantly."""
    known = [m for m in range(len(hierarchy.levels)) if not math.isnan(float(hierarchy.depth.value[m]))]
    ranked = sorted(known, key=lambda m: float(hierarchy.depth.value[m]))
    if not ranked:
        return ["No variation factor has a known depth."]
    depth = hierarchy.depth
    listed = ", ".join(
        f"{hierarchy.levels[m]} {depth.value[m]:.2f} [{depth.low[m]:.2f}, {depth.high[m]:.2f}]"
        for m in ranked
    )
    pairs = hierarchy.orders.pairs
    sentences = [f"Mean depths in layers, counted from 0: {listed}."]
    for a, b in pairwise(ranked):
        share, p = float(hierarchy.earlier[a, b]), float(hierarchy.orders.corrected[a, b])
        first, second = hierarchy.levels[a], hierarchy.levels[b]
        test = f"{percent(share)} of resamplings (p {significant(p)}" + (
            f", corrected for {quantity(pairs, 'pair')})" if pairs > 1 else ")"
        )
        if p < 1.0 - CONFIDENCE:
            sentences.append(f"{first.capitalize()} comes before {second} in {test}.")
        else:
            sentences.append(
                f"{first.capitalize()} and {second} do not differ significantly: "
                f"{first} comes first in {test}."
            )
    expected = [level for level in PAPER if level in [hierarchy.levels[m] for m in ranked]]
    observed = [hierarchy.levels[m] for m in ranked if hierarchy.levels[m] in PAPER]
    if len(expected) > 2:
        verb = "is" if expected == observed else "is not"
        sentences.append(f"The paper's order, {', '.join(expected)}, {verb} the order of these depths.")
    return sentences


def of_own_layers(effects: Effects) -> list[str]:
    """Name the variation factors that say nothing of other layers, because they move their own alone."""
    factors = effects.ranking()
    names = [effects.boundaries[i].name for i in factors if effects.factors[i] and not effects.free[i]]
    if not names:
        return []
    they, their = ("it moves", "its") if len(names) == 1 else ("they move", "their")
    return [f"Left out of this, because {they} layers of {their} own alone: {listed(names)}."]


def null_gaps(gaps: Mapping[str, int], directions: int) -> list[str]:
    """Name the boundaries whose null distribution lacks some null directions, and say what follows.

    Args:
        gaps: by boundary, the number of null directions with a defined effect on its concept.
        directions: number of null directions.
    """
    reason = "the others leave the concept without a score in every sample"
    sentences = []
    for name, count in gaps.items():
        if count >= LEAST_NULL:
            sentences.append(f"{name}: p rests on {count} of {directions} null directions; {reason}.")
        else:
            few = (
                f"{count} of {directions} null directions has"
                if count
                else f"none of {directions} null directions has"
            )
            needed = f"a defined effect on it, and a p value needs {LEAST_NULL}"
            sentences.append(f"{name}: {few} {needed}; {reason}, so it cannot be a variation factor.")
    return sentences


def more_samples(rows: Iterable[Undecided]) -> list[str]:
    """Say how many verification samples each boundary whose effect is not known would need.

    >>> more_samples([Undecided("layout/wall_line", used=128, needed=1100)])[0]
    'layout/wall_line: not known with 128 samples. About 1,100 would show such an effect in 4 of 5 runs.'
    """
    return [
        f"{row.name}: not known with {row.used:,} samples. "
        f"About {row.needed:,} would show such an effect in {POWER * 5:.0f} of 5 runs."
        for row in rows
    ]


def fewer_extremes(boundaries: Iterable[Boundary]) -> list[str]:
    """Name the boundaries that were learnt from fewer extremes than requested, and say why."""
    sentences = []
    for boundary in boundaries:
        facts = next(iter(boundary.facts.get("layers", ())), boundary.facts)
        short = [
            f"{facts.get(end, 0)} of {facts[f'{end}_asked']} {end}"
            for end in ("positives", "negatives")
            if facts.get(end, 0) < facts.get(f"{end}_asked", 0)
        ]
        if short and not boundary.given:
            sentences.append(
                f"{boundary.name}: learnt from {' and '.join(short)}, "
                "because a class is too small or many of its scores are equal."
            )
    return sentences


def limited_samples(boundaries: Iterable[Boundary]) -> list[str]:
    """Say that boundaries were learnt from some of the samples only, where the learner's config says so.

    The facts `samples` and `samples_of` are what a learner gives then.
    """
    facts = [next(iter(each.facts.get("layers", ())), each.facts) for each in boundaries if not each.given]
    limited = [(one["samples"], one["samples_of"]) for one in facts if "samples_of" in one]
    if not limited:
        return []
    most, whole = max(limited)
    return [
        f"Boundaries were learnt from at most {most} of {whole} samples, drawn at random: the learner's "
        "`samples` allows no more."
    ]


def left_out(nonfinite: Mapping[Stage, int], samples: int) -> list[str]:
    """Say how many samples, pairs and strip pictures were left out because a picture is not finite.

    Args:
        nonfinite: number of pictures that are not finite, by the stage that made them.
        samples: number of samples.

    >>> print(left_out({"synthesize": 6}, 320)[0].split(":")[0])
    The pictures of 6 of 320 samples are not finite (NaN or infinity)
    """
    count, pairs, edits = (nonfinite.get(name, 0) for name in ("synthesize", "rescore", "edit"))
    sentences = []
    if count:
        verb = "is" if count == 1 else "are"
        sentences.append(
            f"The pictures of {count} of {samples} samples {verb} not finite (NaN or infinity): "
            "they have no scores, and nothing was learnt from them."
        )
    if pairs or edits:
        sentences.append(
            f"Pictures that are not finite: {quantity(pairs, 'pair')} in re-scoring, which were left out, "
            f"and {quantity(edits, 'picture')} of the strips, which are grey."
        )
    return sentences


def not_relearnt(missing: Mapping[str, NotRelearnt], resamples: int) -> list[str]:
    """Name the boundaries that some resamplings of the samples could not learn, and say why.

    Args:
        missing: by the name of the boundary.
        resamples: number of resamplings.
    """
    sentences = []
    for name, row in missing.items():
        count = row.resamplings
        consequence = (
            "its interval over the learning rests on the others"
            if resamples - count >= 2
            else "it has no interval over the learning"
        )
        sentences.append(
            f"{name}: {count} of {resamples} resamplings of the samples gave no boundary, so {consequence}. "
            f"The reason: {row.reason}."
        )
    return sentences


def without_null() -> str:
    """Say that nothing was compared with chance, and why.

    >>> print(without_null().split(" there")[0])
    Without null directions (rescoring.null_directions: 0)
    """
    return f"{NO_NULL[0].upper()}{NO_NULL[1:]}."


def factors_of(effects: Effects, candidates: int, nouns: tuple[str, str]) -> str:
    """Return the sentence of `factor_summary`, or `without_null` where nothing was tested.

    Args:
        effects: of a run.
        candidates: number of boundaries.
        nouns: what one and several candidates are called.
    """
    if not effects.has_null:
        return without_null()
    return factor_summary(effects.factor_names, candidates, effects.rate, nouns)


def factor_summary(
    factors: Sequence[str], candidates: int, rate: float, nouns: tuple[str, str] = ("concept", "concepts")
) -> str:
    """Say how many of the candidate concepts are variation factors, and name the strongest.

    Args:
        factors: names of the variation factors, strongest first.
        candidates: number of boundaries.
        rate: false discovery rate.
        nouns: what one and several candidates are called; see `wording.nouns`.

    >>> factor_summary(["sefa/3"], 8, 0.05, ("direction", "directions"))
    '1 of 8 directions is a variation factor at a false discovery rate of 0.05; the strongest is sefa/3.'
    """
    tested = f"at a false discovery rate of {rate:g}"
    of = quantity(candidates, *nouns)
    if not factors:
        return f"None of {of} is a variation factor {tested}."
    verb = "is a variation factor" if len(factors) == 1 else "are variation factors"
    return f"{len(factors)} of {of} {verb} {tested}; the strongest is {factors[0]}."


def naming_summary(named: int, directions: int, by_chance: int, null: int, rate: float) -> str:
    """Say how many directions found without labels are named, and how many null directions would be.

    Args:
        named: directions that move a concept beyond chance.
        directions: all directions.
        by_chance: null directions that the same rule names; see `named_by_chance`.
        null: all null directions.
        rate: false discovery rate.

    >>> print(naming_summary(6, 8, 0, 12, 0.05).split("; ")[1])
    the same rule names 0 of 12 null directions.
    """
    verb, has = ("moves a concept", "has") if named == 1 else ("move concepts", "have")
    return (
        f"{named} of {quantity(directions, 'direction')} found without labels {verb} beyond chance, at a "
        f"false discovery rate of {rate:g} over all directions and concepts, and so {has} "
        f"a meaning in words; the same rule names {by_chance} of {quantity(null, 'null direction')}."
    )


def summary_of_names(effects: Effects, found: Sequence[FoundDirection]) -> str:
    """Return the sentence of `naming_summary` for directions from `found_directions`."""
    if not effects.has_null:
        of = quantity(len(found), "direction")
        return f"None of {of} found without labels has a meaning in words: {NO_NULL}."
    named = sum(direction.is_named for direction in found)
    return naming_summary(named, len(found), *named_by_chance(effects), effects.rate)


def meanings(effects: Effects, most: int = MEANINGS) -> list[str]:
    """Say what directions found without labels mean: how many have a name, then a line for each of these.

    Args:
        effects: of any boundaries; without such directions there is nothing to say.
        most: named directions to show; the number of others is said.
    """
    found = found_directions(effects)
    if not found:
        return []
    named = [direction for direction in found if direction.is_named]
    unnamed = [direction.name for direction in found if not direction.is_named]
    width = max((len(direction.name) for direction in named[:most]), default=0)
    lines = [
        summary_of_names(effects, found),
        *(f"  {direction.name.ljust(width)}  {direction.words}" for direction in named[:most]),
    ]
    if len(named) > most:
        lines.append(f"  and {len(named) - most} more")
    if unnamed:
        lines.append(f"  unnamed: {listed(unnamed)}")
    return lines
