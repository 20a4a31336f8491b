"""Measure whether intervals cover other probing samples, in runs that differ in the seed alone.

Each run has its own probing and verification samples. The spread of the effects over the runs is compared
with what the intervals of each run imply, and the intervals that miss the mean of all runs are counted.
Then the boundaries of all runs are moved on one set of samples, which no run had. The spread of their
effects there comes from learning alone, and is compared with the learning error of each run.

Only the set `all` is moved, against the fewest null directions. Scorers that are not asked for are left
out, with their concepts. An interrupted study continues where it stopped. 16 runs of the rooms config, as
below, take 40 minutes of one core.

python benchmarks/learning_intervals.py examples/rooms.yaml --out runs/learning --samples 64 \\
    --scorers category attribute colour
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ganstrata.core.boundaries.learning_variance import learning_error
from ganstrata.core.config.reading import read_config
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.pipeline.perform import perform
from ganstrata.core.randomness import Stream
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.strata.moves import edit_direction, move
from measure import machine
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STAGES = ("synthesize", "learn", "rescore")
COMMON = 128  # number of samples on which the boundaries of all runs are moved
NULL = 3  # number of null directions; decisions are not of interest here


def configured(config: RunConfig, seed: int, samples: int, scorers: Sequence[str]) -> RunConfig:
    """Return the config of one run: seed, samples, the set `all`, and the requested scorers and concepts."""
    raw = config.model_dump(mode="json", by_alias=True)
    raw["synthesis"]["seed"] = seed
    raw["rescoring"] |= {
        "layers": ["all"],
        "null_directions": NULL,
        "samples": samples or raw["rescoring"]["samples"],
        "adaptive": False,
    }
    raw["engine"]["workers"] = 1
    kept = scorers or [scorer["as"] for scorer in raw["scorers"]]

    def belongs(concept: str) -> bool:
        return concept.partition("/")[0] in (*kept, "*")

    raw["scorers"] = [scorer for scorer in raw["scorers"] if scorer["as"] in kept]
    raw["concepts"]["include"] = [pattern for pattern in raw["concepts"]["include"] if belongs(pattern)]
    raw["conditions"] = [
        c for c in raw["conditions"] if all(belongs(name) for name in (c["edit"], *c["keep"]))
    ]
    return RunConfig.model_validate(raw)


@torch.inference_mode()
def on_common_samples(run: Run, seed: int, file: Path) -> Floats:
    """Return changes (B, COMMON) of own concepts on verification samples of another seed, kept in a file."""
    if file.is_file():
        kept: Floats = np.load(file)
        return kept
    config = run.config
    config = config.model_copy(update={"synthesis": config.synthesis.model_copy(update={"seed": seed})})
    prepared, rescored = prepare(config, batch=run.batch), read_effects(run)
    layers, scale = prepared.sets["all"], prepared.generator.layer_scale
    changes = np.full((len(rescored.boundaries), COMMON), np.nan)
    for start in range(0, COMMON, prepared.batch):
        latents, _, codes = prepared.draw(start, Stream.VERIFICATION)
        baseline = prepared.render(codes, latents.condition, latents.index, Stream.VERIFICATION, [layers])
        scores, stop = prepared.score(baseline.rendering), min(start + prepared.batch, COMMON)
        for i, boundary in enumerate(rescored.boundaries):
            moved = move(codes, edit_direction(boundary.normal, layers, scale), rescored.step)
            edited = prepared.score(baseline.edited(moved, layers))
            changes[i, start:stop] = (edited - scores)[: stop - start, rescored.own[i]]
    np.save(file, changes)
    return changes


def row(name: str, runs: Sequence[Effects], common: Sequence[Floats]) -> dict[str, Any]:
    """Summarise one boundary's effect on its own concept over the runs that have it, in the concept's units.

    Args:
        name: of the boundary.
        runs: all of them.
        common: of each run, the changes on common samples, (B, K).

    Returns:
        the mean over the runs and the standard deviation among them; the standard error that the runs imply
        (root of the mean square), over verification samples and over both; how many of each interval miss the
        mean over the runs; and the standard deviation on common samples, beside the learning error that the
        runs imply.
    """
    results: list[list[float]] = []
    same: list[Floats] = []
    for rescored, changes in zip(runs, common, strict=True):
        if name not in rescored.boundaries.names:
            continue
        i = rescored.boundaries.names.index(name)
        j, effects = int(rescored.own[i]), rescored
        at, unit = (i, rescored.all_set, 0, j), max(rescored.concepts[j].sd, rescored.concepts[j].least)
        tables = (
            effects.mean,
            effects.error,
            effects.low,
            effects.high,
            effects.low_total,
            effects.high_total,
        )
        same.append(changes[i] / unit)
        results.append(
            [*(float(table[at]) / unit for table in tables), float(rescored.learning_error[i]) / unit]
        )
    mean, error, low, high, low_total, high_total, learning = np.array(results).T
    centre = float(mean.mean())
    return {
        "concept": name,
        "runs": len(mean),
        "mean": centre,
        "spread": float(mean.std(ddof=1)),
        "implied": float(np.sqrt(np.mean(error**2))),
        "implied_total": float(np.sqrt(np.mean(error**2 + learning**2))),
        "learning_spread": learning_error(np.stack(same))[0],
        "implied_learning": float(np.sqrt(np.mean(learning**2))),
        "misses": int(((centre < low) | (centre > high)).sum()),
        "misses_total": int(((centre < low_total) | (centre > high_total)).sum()),
        "effects": mean.tolist(),
        "errors": error.tolist(),
        "learning_errors": learning.tolist(),
    }


def shown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the result as a table."""
    lines = [
        "| concept | mean effect, sd | spread over runs | / implied, verification | / implied, both | "
        "misses, verification | misses, both "
        "| spread on common samples | implied learning error |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        ratios = (r["spread"] / r["implied"], r["spread"] / r["implied_total"])
        cells = (
            f"{r['mean']:.3f}",
            f"{r['spread']:.3f}",
            *(f"{x:.2f}" for x in ratios),
            r["misses"],
            r["misses_total"],
            f"{r['learning_spread']:.4f}",
            f"{r['implied_learning']:.4f}",
        )
        lines.append(f"| {r['concept']} | {' | '.join(str(cell) for cell in cells)} |")
    total = sum(r["runs"] for r in rows)
    missed = [sum(r[field] for r in rows) for field in ("misses", "misses_total")]
    lines.append(
        f"| all | | | | | {missed[0]} of {total}: {missed[0] / total:.1%} | {missed[1]} of {total}: "
        f"{missed[1] / total:.1%} | | |"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, help="config of all runs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and result.json")
    parser.add_argument("--seeds", type=int, default=16, help="number of runs")
    parser.add_argument(
        "--samples",
        type=int,
        default=0,
        help="number of verification samples of each run; default: the config's",
    )
    parser.add_argument("--scorers", nargs="*", default=[], help="names of the scorers to keep; default: all")
    options = parser.parse_args()
    config, runs = read_config(options.config), []
    for seed in range(options.seeds):
        asked = configured(config, seed, options.samples, options.scorers)
        runs.append(
            perform(
                asked,
                options.out / f"seed-{seed:02d}",
                STAGES,
                source=str(options.config),
                progress=Progress(quiet=False),
            )
        )
    rescored = [read_effects(run) for run in runs]
    names = list(dict.fromkeys(name for one in rescored for name in one.boundaries.names))
    common = [
        on_common_samples(run, options.seeds, options.out / f"common-{seed:02d}.npy")
        for seed, run in enumerate(runs)
    ]
    rows = [row(name, rescored, common) for name in names]
    (options.out / "result.json").write_text(
        json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", encoding="utf-8"
    )
    print(machine())
    print(shown(rows))


if __name__ == "__main__":
    main()
