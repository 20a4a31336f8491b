"""Draw and score what all learners share: probing samples, and samples that no learner is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..boundaries.targets import distances
from ..config.schema import RunConfig
from ..errors import DataError
from ..plugins.boundary import STYLES, Boundary
from ..plugins.records import Concept
from ..probing.concept_stats import spread_of, summarise
from ..randomness import Stream
from ..rescoring.results import concept_units
from ..runs.progress import Progress
from ..strata.scored_generator import ScoredGenerator
from ..strata.styles import styles_of

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """Hold samples as they were drawn and scored: N for learning, and N' fresh ones after them.

    Attributes:
        w: (N + N', D).
        codes: (N + N', L, D) where styles are mixed, else empty.
        scores: of all concepts, (N + N', C).
        classes: (N + N',) where a generator draws classes, else empty.
        styles: (N + N', S) in space s, else empty.
        count: N.
    """

    w: Floats
    codes: Floats
    scores: Floats
    classes: NDArray[np.int64]
    styles: Floats
    count: int


@torch.inference_mode()
def draw(scored: ScoredGenerator, config: RunConfig, fresh: int, progress: Progress) -> Drawn:
    """Draw, render and score the samples of a config and fresh ones after them, as a run does.

    If the config learns in s, the styles with which pictures are made are kept too. Samples whose picture is
    not finite are left out.
    """
    n = config.synthesis.samples
    total = n + fresh
    kept: dict[str, list[NDArray[np.generic]]] = {
        "w": [],
        "codes": [],
        "scores": [],
        "classes": [],
        "styles": [],
    }
    finite = []
    with progress.stage("samples", total=total) as step:
        for start in range(0, total, scored.batch):
            latents, w, codes = scored.draw(start, Stream.PROBING)
            passed = scored.render(codes, latents.condition, latents.index, Stream.PROBING)
            kept["w"].append(w.float().cpu().numpy())
            kept["scores"].append(scored.score(passed.rendering))
            if config.synthesis.mixing > 0.0:
                kept["codes"].append(codes.float().cpu().numpy())
            if config.learning.space == STYLES:
                kept["styles"].append(styles_of(scored.generator, codes).cpu().numpy())
            if latents.condition is not None and latents.condition.ndim == 1:
                kept["classes"].append(latents.condition.cpu().numpy().astype(np.int64))
            mask = passed.rendering.finite
            finite.append(np.ones(len(w), dtype=bool) if mask is None else mask.cpu().numpy())
            step(min(scored.batch, total - start))
    rows = np.flatnonzero(np.concatenate(finite)[:total])
    parts = {name: np.concatenate(batches)[rows] for name, batches in kept.items() if batches}
    return Drawn(
        w=parts["w"].astype(np.float32),
        codes=parts.get("codes", np.empty(0)).astype(np.float32),
        scores=parts["scores"].astype(np.float32),
        classes=parts.get("classes", np.empty(0)).astype(np.int64),
        styles=parts.get("styles", np.empty(0)).astype(np.float32),
        count=int((rows < n).sum()),
    )


@dataclass(frozen=True)
class Sampled:
    """Hold the samples of a comparison by what they are for.

    Attributes:
        w: to learn from, (N, D), or in space s the styles, (N, S).
        codes: (N, L, D) where styles are mixed, else None; None in space s.
        scores: of the B concepts, (N, B).
        classes: (N,) where a generator draws several, else None.
        fresh_w: given to no learner, (N', D) or (N', S).
        fresh_codes: (N', L, D), or None.
        fresh_scores: (N', B).
        concepts: the B concepts that are learnt.
        columns: columns of the B concepts, then of further judges, among all concepts, (C,).
        unit: what a change of each of the C columns is divided by, (C,).
        spread: standard deviation of w or of the styles, the unit of a step.
        styles: whether the space is s.
    """

    w: Floats
    codes: Floats | None
    scores: Floats
    classes: NDArray[np.int64] | None
    fresh_w: Floats
    fresh_codes: Floats | None
    fresh_scores: Floats
    concepts: tuple[Concept, ...]
    columns: tuple[int, ...]
    unit: NDArray[np.float64]
    spread: float
    styles: bool


def sampled(
    scored: ScoredGenerator, drawn: Drawn, chosen: Sequence[int], judges: Sequence[Sequence[str]]
) -> Sampled:
    """Select what is compared: the chosen concepts that vary.

    A further judge of a concept is learnt by nobody and is not a side effect: it only judges.

    Args:
        scored: gives the concepts of all columns.
        drawn: the samples.
        chosen: columns of the concepts that the config selects.
        judges: groups of names of concepts that mean the same; the first of each is learnt.

    Raises:
        DataError: no concept is left that varies, or a judged concept does not vary.
    """
    n = drawn.count
    spread, rows = summarise(scored, drawn.scores[:n], drawn.w[:n])
    names = [concept.name for concept in scored.concepts]
    further = [names.index(name) for group in judges for name in group[1:]]
    learnt = [j for j in chosen if rows[j].varies and j not in further]
    firsts = [names.index(group[0]) for group in judges]
    for j in (*firsts, *further):
        if not rows[j].varies:
            raise DataError(f"'{names[j]}' does not vary among these samples, so nothing can be judged by it")
    for j in firsts:
        if j not in learnt:
            raise DataError(
                f"judges: '{names[j]}' is learnt by nobody, because `concepts` of the config leaves it out"
            )
    if not learnt:
        raise DataError("no concept that the config selects varies among these samples")
    columns = (*learnt, *further)
    styles = drawn.styles.size > 0
    latents = drawn.styles if styles else drawn.w
    codes = drawn.codes if drawn.codes.size and not styles else None
    several = drawn.classes.size > 0 and len(np.unique(drawn.classes[:n])) > 1
    return Sampled(
        w=latents[:n],
        codes=None if codes is None else codes[:n],
        scores=drawn.scores[:n][:, learnt],
        classes=drawn.classes[:n] if several else None,
        fresh_w=latents[n:],
        fresh_codes=None if codes is None else codes[n:],
        fresh_scores=drawn.scores[n:][:, learnt],
        concepts=tuple(scored.concepts[j] for j in learnt),
        columns=columns,
        unit=concept_units([rows[j] for j in columns]),
        spread=spread_of(latents[:n]) if styles else spread,
        styles=styles,
    )


def distances_of(boundary: Boundary, w: Floats, codes: Floats | None) -> NDArray[np.float64]:
    """Return the signed distances of samples from a boundary (N,): of codes, if it has a normal per layer.

    Args:
        boundary: the boundary.
        w: (N, D), or styles (N, S).
        codes: (N, L, D) where styles are mixed, else None: every layer has w.
    """
    return distances(boundary, codes if codes is not None and boundary.normal.ndim == 2 else w)
