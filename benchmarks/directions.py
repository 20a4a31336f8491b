"""Rank boundary learners by the effects and side effects of their directions.

    python benchmarks/directions.py --out docs/directions --page docs/directions.md

Every registered learner, also of other distributions, gets the same codes and scores. Its boundaries are
moved on the same fresh samples by the same steps, and compared with the same random directions. Learners of
w+ need style-mixed codes: they take part with --mixing. A learner that names its directions itself is
represented, for each concept, by the direction that correlates best with its scores.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import yaml
from directions_numbers import STEPS, Floats, by_concept, q_values, summarise
from directions_page import Board, Row, write
from ganstrata.core.boundaries.hyperplane import boundary_of
from ganstrata.core.boundaries.null_directions import random_directions
from ganstrata.core.boundaries.selection import Extremes, accuracy, select_extremes
from ganstrata.core.config.reading import read_config
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.errors import DataError, GanstrataError
from ganstrata.core.plugins.contracts import BoundaryLearner
from ganstrata.core.plugins.records import Boundaries, Concept
from ganstrata.core.plugins.registry import registry
from ganstrata.core.probing.concept_stats import summarise as describe
from ganstrata.core.randomness import Stream
from ganstrata.core.rescoring.results import concept_units
from ganstrata.core.runs.loading import build
from ganstrata.core.runs.malloc import keep_freed_memory
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.core.strata.moves import edit_direction, move
from measure import alternate, machine
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
BASELINE = "linear_svm"
SHARE = 0.2  # share of all samples that are positives, and negatives, if a learner has these fields
NEEDED = {"sklearn": {"estimator": "sklearn.linear_model:SGDClassifier"}}
"""Options without which a learner cannot be built."""
VARIANTS = ("linear_svm:{loss: hinge}", "linear_svm:{C: 0.001}", "ridge:{alpha: 1000}")
"""Beside the registered names as they come: the paper's loss, and two that fit less closely."""


class Entry(NamedTuple):
    """Represent a learner with its options."""

    label: str
    use: str
    options: dict[str, Any]


class Sampled(NamedTuple):
    """Hold what all learners share: probing samples, and samples that no learner is given."""

    prepared: Prepared
    columns: list[int]  # of the B concepts that are learnt
    w: NDArray[np.float32]  # (N, D)
    codes: NDArray[np.float32] | None  # (N, L, D), where styles are mixed
    scores: NDArray[np.float32]  # (N, B)
    classes: NDArray[np.int64] | None  # (N,), where a generator draws several
    spread: float
    unit: Floats  # (B,), what a change is divided by
    fresh: tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.float32]]  # w, codes, scores

    @property
    def concepts(self) -> list[Concept]:
        """Return the B concepts."""
        return [self.prepared.concepts[j] for j in self.columns]


def entries(asked: Sequence[str]) -> list[Entry]:
    """Parse learners from `name` or `name:{option: value}`."""
    entries = []
    for text in asked:
        use, _, written = text.partition(":")
        given = yaml.safe_load(written) if written else {}
        if not isinstance(given, dict):
            raise SystemExit(f"--learners {text}: write options as name:{{option: value}}")
        options = {**NEEDED.get(use, {}), **given}
        shown = (
            f"{key}: {str(value).rpartition(':')[2]}" for key, value in options.items()
        )  # the name in a dotted path
        entries.append(Entry(", ".join([use, *shown]), use, options))
    return entries


def registered() -> list[str]:
    """Return the names of all registered learners, and the variants."""
    return [*dict.fromkeys(info.name for info in registry().infos("boundary")), *VARIANTS]


@torch.inference_mode()
def sample(config: RunConfig, fresh: int) -> Sampled:
    """Draw, render and score the config's samples and additional ones, as a run does."""
    prepared = prepare(config)
    n = config.synthesis.samples
    kept: dict[str, list[Any]] = {"w": [], "codes": [], "scores": [], "classes": []}
    for start in range(0, n + fresh, prepared.batch):
        latents, w, codes = prepared.draw(start, Stream.PROBING)
        kept["w"].append(w.cpu().numpy())
        kept["scores"].append(
            prepared.score(prepared.render(codes, latents.condition, latents.index, Stream.PROBING).rendering)
        )
        if config.synthesis.mixing > 0.0:
            kept["codes"].append(codes.cpu().numpy())
        if latents.condition is not None and latents.condition.ndim == 1:
            kept["classes"].append(latents.condition.cpu().numpy())
    w, codes_, scores, classes = (
        np.concatenate(parts)[: n + fresh] if parts else None for parts in kept.values()
    )
    assert w is not None
    assert scores is not None
    spread, rows = describe(prepared, scores[:n], w[:n])
    columns = [j for j in prepared.chosen if rows[j].varies]
    unit = concept_units([rows[j] for j in columns])
    scores = scores[:, columns]
    first, rest = (None if codes_ is None else codes_[part] for part in (slice(n), slice(n, None)))
    several = classes is not None and len(np.unique(classes[:n])) > 1
    drawn_classes = classes[:n].astype(np.int64) if classes is not None and several else None
    return Sampled(
        prepared, columns, w[:n], first, scores[:n], drawn_classes, spread, unit, (w[n:], rest, scores[n:])
    )


def built(entry: Entry, sampled: Sampled) -> BoundaryLearner:
    """Build the learner, with the common share of extremes if its config has these fields.

    Raises:
        GanstrataError: it cannot be had, or not for these samples.
    """
    fields = registry().boundary(entry.use).Config.model_fields
    common = {name: SHARE for name in ("positives", "negatives") if name in fields}
    learner = cast(
        "BoundaryLearner",
        build("boundary", entry.use, {**common, **entry.options}, device=str(sampled.prepared.device)),
    )
    learner.check(len(sampled.w))
    if learner.layerwise and sampled.codes is None:
        raise DataError("learns a boundary per layer, which needs style-mixed codes: --mixing 0.5")
    return learner


def learn(learner: BoundaryLearner, sampled: Sampled) -> Boundaries:
    """Learn a boundary for each concept, in order.

    Raises:
        DataError: a boundary of another shape, or one that is not finite.
    """
    latents = sampled.codes if learner.layerwise and sampled.codes is not None else sampled.w
    more: dict[str, Any] = (
        {"classes": sampled.classes} if learner.within_classes and sampled.classes is not None else {}
    )
    generator, seed = sampled.prepared.generator, sampled.prepared.config.synthesis.seed
    boundaries = learner.learn(
        latents, sampled.scores, sampled.concepts, generator=generator, seed=seed, **more
    )
    card = generator.card
    for boundary in boundaries:
        if (
            boundary.normal.shape not in ((card.code_size,), (card.layers, card.code_size))
            or not np.isfinite(boundary.normal).all()
        ):
            raise DataError(
                f"its boundary '{boundary.name}' has shape {boundary.normal.shape}, or is not finite"
            )
    if not boundaries:
        raise DataError("it found no direction")
    by_name = {boundary.concept: boundary for boundary in boundaries}
    if all(concept.name in by_name for concept in sampled.concepts):
        return Boundaries(by_name[concept.name] for concept in sampled.concepts)
    return matched(boundaries, sampled)


def matched(boundaries: Boundaries, sampled: Sampled) -> Boundaries:
    """Return, for each concept, the direction whose distances correlate best with its probing scores.

    Either sign is allowed. The boundary is placed so that half of the samples lie on either side.
    """
    chosen = []
    projected = np.stack([distances(sampled.w, sampled.codes, boundary.normal) for boundary in boundaries])
    for concept, scores in zip(sampled.concepts, sampled.scores.T, strict=True):
        known = ~np.isnan(scores)
        agreement = np.array([np.corrcoef(values[known], scores[known])[0, 1] for values in projected])
        best = int(np.nanargmax(np.abs(agreement)))
        sign = 1.0 if agreement[best] >= 0.0 else -1.0
        middle = float(np.median(sign * projected[best][known]))
        facts = {"matched": boundaries[best].name, "correlation": float(agreement[best])}
        chosen.append(
            boundary_of(concept, sign * boundaries[best].normal, -middle, sampled.prepared.generator, facts)
        )
    return Boundaries(chosen)


def distances(
    w: NDArray[np.float32], codes: NDArray[np.float32] | None, normal: NDArray[np.float32], offset: Any = 0.0
) -> Floats:
    """Return signed distances (N,); those of a normal per layer are averaged over layers."""
    if normal.ndim == 1:
        return np.asarray(w @ normal + float(np.mean(offset)), dtype=np.float64)
    source = np.broadcast_to(w[:, None], (len(w), *normal.shape)) if codes is None else codes
    return np.asarray(
        (np.einsum("nld,ld->nl", source, normal) + np.asarray(offset)).mean(axis=1), dtype=np.float64
    )


def accuracies(boundaries: Boundaries, sampled: Sampled) -> Floats:
    """Return the share of the extremes of the fresh samples on the right side, (B,)."""
    w, codes, scores = sampled.fresh
    rows = []
    for boundary, column in zip(boundaries, scores.T, strict=True):
        ends = select_extremes(
            column,
            Extremes(positives=SHARE, negatives=SHARE, train_share=0.5),
            concept=boundary.concept,
            seed=0,
        )
        there, labels = (
            np.concatenate([ends.train, ends.held_out]),
            np.concatenate([ends.train_labels, ends.held_out_labels]),
        )
        score = accuracy(distances(w, codes, boundary.normal, boundary.offset)[there], labels)
        rows.append(np.nan if score is None else score)
    return np.array(rows)


@torch.inference_mode()
def moved(sampled: Sampled, moves: Sequence[tuple[NDArray[np.float32], float]]) -> NDArray[np.float32]:
    """Return the changes in sd by each (normal, step in sd of w) on verification samples, (M, K, B)."""
    prepared, samples = sampled.prepared, sampled.prepared.config.rescoring.samples
    layers = range(prepared.generator.card.layers)
    changes = np.empty((len(moves), samples, len(sampled.columns)), dtype=np.float32)
    for start in range(0, samples, prepared.batch):
        latents, _, codes = prepared.draw(start, Stream.VERIFICATION)
        baseline = prepared.render(codes, latents.condition, latents.index, Stream.VERIFICATION, [layers])
        scores = prepared.score(baseline.rendering)
        here = min(prepared.batch, samples - start)
        for m, (normal, step) in enumerate(moves):
            field = edit_direction(normal, layers, prepared.generator.layer_scale)
            edited = prepared.score(baseline.edited(move(codes, field, step * sampled.spread), layers))
            changes[m, start : start + here] = (edited - scores)[:here, sampled.columns] / sampled.unit
    return changes


def compare(config: RunConfig, asked: Sequence[Entry], *, fresh: int, rounds: int) -> Board:
    """Learn and move all boundaries."""
    sampled = sample(config, fresh)
    learners, kept, left = {}, {}, {}
    for entry in asked:
        try:
            learners[entry.label] = built(entry, sampled)
            kept[entry.label] = learn(learners[entry.label], sampled)
        except Exception as error:  # the other learners continue, whatever one does wrong
            learners.pop(entry.label, None)
            left[entry.label] = (
                str(error) if isinstance(error, GanstrataError) else f"{type(error).__name__}: {error}"
            )
    if not kept:
        raise SystemExit(
            "no learner is left:\n" + "\n".join(f"  {label}: {reason}" for label, reason in left.items())
        )
    seconds = alternate(
        {label: partial(learn, learner, sampled) for label, learner in learners.items()}, rounds, warm=False
    )
    settings, count = config.rescoring, len(sampled.columns)
    chance = random_directions(
        sampled.prepared.generator, settings.null_directions, config.synthesis.seed, layerwise=False
    )
    around = [step for step in STEPS if step]
    moves = [
        (boundary.normal, step) for boundaries in kept.values() for boundary in boundaries for step in around
    ]
    measured = moved(sampled, [*moves, *((normal, STEPS[-1]) for normal in chance)]).astype(np.float64)
    changes = np.zeros((len(kept), count, len(STEPS), settings.samples, count))
    changes[:, :, [STEPS.index(step) for step in around]] = measured[: len(moves)].reshape(
        len(kept), count, len(around), settings.samples, count
    )
    null = measured[len(moves) :]
    right = np.stack([accuracies(boundaries, sampled) for boundaries in kept.values()])
    single = {
        name: values[0] for name, values in by_concept(changes, null, np.ones((1, settings.samples))).items()
    } | {"accuracy": right}
    rows = []
    for label, boundaries in kept.items():
        along = np.array(
            [
                distances(sampled.w, sampled.codes, boundary.normal).std() / sampled.spread
                for boundary in boundaries
            ]
        )
        facts, normals = (
            [boundary.facts for boundary in boundaries],
            [boundary.normal for boundary in boundaries],
        )
        rows.append(
            Row(label, learners[label].supervised, normals, along, 1000.0 * seconds[label] / count, facts)
        )
    estimates = summarise(changes, null, right, resamplings=settings.bootstrap, seed=config.synthesis.seed)
    baseline = list(kept).index(BASELINE) if BASELINE in kept else 0
    return Board(
        rows,
        sampled.concepts,
        single,
        q_values(changes, null),
        estimates,
        left,
        baseline,
        settings.false_discovery_rate,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--learners",
        nargs="+",
        metavar="NAME[:{OPTIONS}]",
        help="learners; default: all that are registered, and some variants",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=ROOT / "examples/rooms.yaml",
        help="generator, scorers and concepts; default: the demo's",
    )
    parser.add_argument("--samples", type=int, default=4000, help="number of probing samples (4000)")
    parser.add_argument(
        "--fresh", type=int, default=1000, help="number of samples for accuracy, given to no learner (1000)"
    )
    parser.add_argument("--verify", type=int, default=96, help="number of verification samples (96)")
    parser.add_argument("--null", type=int, default=20, help="number of random directions (20)")
    parser.add_argument(
        "--mixing",
        type=float,
        default=0.0,
        help="share of samples that mix two styles, for learners of w+ (0)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of fitting; the median time counts (3)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything (0)")
    parser.add_argument("--out", type=Path, help="folder for CSV and SVG")
    parser.add_argument("--page", type=Path, help="page whose tables are replaced")
    options = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    keep_freed_memory()
    warnings.simplefilter("ignore")  # estimators that stop early
    began = time.process_time()
    changes = (
        *(
            f"synthesis.{name}={value}"
            for name, value in (
                ("samples", options.samples),
                ("seed", options.seed),
                ("mixing", options.mixing),
            )
        ),
        *(
            f"rescoring.{name}={value}"
            for name, value in (
                ("samples", options.verify),
                ("null_directions", options.null),
                ("layers", "[all]"),
            )
        ),
        # Required, but not used.
        f"boundary={{use: mean_difference, with: {{positives: {SHARE}, negatives: {SHARE}}}}}",
        "conditions=[]",
    )
    config = read_config(options.config, changes)
    board = compare(
        config, entries(options.learners or registered()), fresh=options.fresh, rounds=options.rounds
    )
    print(write(board, options.out, options.page))
    print(f"{machine()}\n{time.process_time() - began:.0f} s of processor time")


if __name__ == "__main__":
    main()
