"""Learn in style channels as they are and divided by their standard deviations, and compare effects with w.

Four sets of directions, from the same samples by one learner, move the same fresh samples at all layers:

    w          learnt from w
    s          learnt from styles s
    sigma a    learnt from u = (s - mean) / sigma as a, moved along sigma a: in StyleSpace's units of sigma
    a / sigma  learnt from u as a, moved along the normal in s of the same hyperplane

    python benchmarks/styles.py
"""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import ganstrata
import numpy as np
import torch
from ganstrata.core.config.reading import read_config
from ganstrata.core.probing.concept_stats import spread_of
from ganstrata.core.probing.samples import Samples, scored_generator
from ganstrata.core.probing.styles import styles_of_samples
from ganstrata.core.rescoring.measure import baseline_of
from ganstrata.core.rescoring.results import concept_units
from ganstrata.core.strata.displacements import displacement, edited
from ganstrata.core.strata.scored_generator import ScoredGenerator
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROOMS = Path(__file__).parent.parent / "examples" / "rooms.yaml"


class Variant(NamedTuple):
    """Hold directions (B, D) or (B, S), and the lengths of steps in their space."""

    name: str
    normals: Floats
    styles: bool
    spread: float
    distances: tuple[float, ...]


def unit_rows(rows: Floats) -> Floats:
    """Divide each row by its length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def variants(
    generator: ganstrata.Generator,
    samples: Samples,
    learner: ganstrata.BoundaryLearner,
    columns: list[int],
    distances: tuple[tuple[float, ...], tuple[float, ...]],
) -> list[Variant]:
    """Learn the four sets of directions; `distances` are those in w, and those in s."""
    styles = styles_of_samples(generator, samples.w, samples.codes, samples.condition)
    sigma = styles.std(axis=0, ddof=1).astype(np.float64)
    concepts = [samples.concepts[j] for j in columns]

    def learnt(latents: NDArray[np.float32]) -> Floats:
        found = learner.learn(latents, samples.scores[:, columns], concepts, generator=generator, seed=0)
        return np.stack([boundary.normal for boundary in found]).astype(np.float64)

    divided = learnt(((styles - styles.mean(axis=0)) / np.where(sigma > 0.0, sigma, 1.0)).astype(np.float32))
    inverse = np.where(sigma > 0.0, 1.0 / np.where(sigma > 0.0, sigma, 1.0), 0.0)
    in_w, in_s = distances
    spread = spread_of(styles)
    return [
        Variant("w", learnt(samples.w), styles=False, spread=samples.spread, distances=in_w),
        Variant("s", learnt(styles), styles=True, spread=spread, distances=in_s),
        Variant("sigma a", unit_rows(divided * sigma), styles=True, spread=spread, distances=in_s),
        Variant("a / sigma", unit_rows(divided * inverse), styles=True, spread=spread, distances=in_s),
    ]


@torch.inference_mode()
def measure(
    scored: ScoredGenerator, variant: Variant, columns: list[int], units: Floats, count: int
) -> list[str]:
    """Move `count` fresh samples along each direction by each distance, and return rows of the table."""
    generator, layers = scored.generator, range(scored.generator.card.layers)
    changes: dict[float, list[list[Floats]]] = {d: [[] for _ in columns] for d in variant.distances}
    pictures: dict[float, list[float]] = {d: [] for d in variant.distances}
    for start in range(0, count, scored.batch):
        base = baseline_of(scored, start, ganstrata.Stream.VERIFICATION, [layers])
        for i, normal in enumerate(variant.normals):
            unit = displacement(
                generator, normal, layers, generator.layer_scale, styles=variant.styles, length=variant.spread
            )
            for distance in variant.distances:
                moved = edited(base.rendered, base.codes, [unit], [distance], layers)
                changes[distance][i].append((scored.score(moved) - base.scores).astype(np.float64))
                apart = moved.images - base.rendered.rendering.images
                pictures[distance].append(float(apart.abs().mean()))
    rows = []
    for distance in variant.distances:
        means = np.stack([np.nanmean(np.concatenate(part), axis=0) for part in changes[distance]]) / units
        table = means[:, columns]  # (B, B): the change of concept j along direction i, in sd
        own = float(np.diag(table).mean())
        rest = table[~np.eye(len(columns), dtype=bool)].reshape(len(columns), -1)
        others = float(np.sqrt((rest**2).mean(axis=1)).mean())
        change = float(np.mean(pictures[distance]))
        effect = f"{own:.2f} | {others:.2f} | {others / own:.2f}"
        rows.append(f"| {variant.name} | {distance:g} | {effect} | {change:.3f} |")
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOMS, help="generator, scorers, concepts and learner")
    parser.add_argument("--samples", type=int, default=4000, help="probing samples")
    parser.add_argument("--verify", type=int, default=48, help="fresh samples that are moved")
    parser.add_argument("--batch", type=int, default=16, help="samples in one pass")
    parser.add_argument("--distances", type=float, nargs="+", default=[2.0, 4.0], help="steps in w")
    parser.add_argument("--style-distances", type=float, nargs="+", default=[2.0, 6.0, 12.0], help="in s")
    parser.add_argument("--extremes", type=int, default=1200, help="samples at each end")
    given = parser.parse_args()
    config = read_config(given.config)
    generator = ganstrata.load_generator(config.generator.use, device="cpu", **config.generator.options)
    scorers = {s.alias: ganstrata.load_scorer(s.use, device="cpu", **s.options) for s in config.scorers}
    options = config.boundary.options | {"positives": given.extremes, "negatives": given.extremes}
    learner = ganstrata.load_learner(config.boundary.use, device="cpu", **options)
    samples = ganstrata.probe(generator, scorers, samples=given.samples, batch=given.batch)
    columns = [
        j
        for j, concept in enumerate(samples.concepts)
        if samples.statistics[j].varies
        and any(fnmatchcase(concept.name, pattern) for pattern in config.concepts.include)
    ]
    scored = scored_generator(generator, scorers, seed=0, batch=given.batch)
    print("| directions | step | effect on target, sd | effect on others, sd | leak | change of pictures |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    distances = (tuple(given.distances), tuple(given.style_distances))
    units = concept_units(samples.statistics)
    for variant in variants(generator, samples, learner, columns, distances):
        print("\n".join(measure(scored, variant, columns, units, given.verify)), flush=True)


if __name__ == "__main__":
    main()
