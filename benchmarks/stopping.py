"""Compare re-scoring that stops early with all samples: the work of both, and whether results agree.

Makes two runs of one config that differ in rescoring.adaptive alone, or compares existing ones.
The rooms config takes several minutes for each.

python benchmarks/stopping.py examples/rooms.yaml --out runs/stopping
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ganstrata
import numpy as np
from ganstrata.core.config.reading import read_config
from ganstrata.core.plugins.records import LEVELS
from ganstrata.core.rescoring.cost import counted
from ganstrata.core.rescoring.hierarchy import Hierarchy, hierarchy_of
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from measure import machine


def hierarchy(rescored: Effects, rows: list[int]) -> Hierarchy:
    """Return levels and factors by layer, of the given boundaries."""
    changes = rescored.changes[rows][:, rescored.single_layers(), 0]  # (F, L, K)
    names, levels = ([getattr(rescored.boundaries[i], field) for i in rows] for field in ("name", "level"))
    return hierarchy_of(
        changes, names, levels, LEVELS, rescored.groups, bootstrap=rescored.bootstrap, seed=rescored.seed
    )


def compare(full: Run, few: Run) -> None:
    """Print the work, the seconds and the decisions of the two runs."""
    all_, stopped = read_effects(full), read_effects(few)
    work = counted(prepare(few.config, batch=few.batch), stopped)
    stages = [run.manifest["stages"]["rescore"] for run in (full, few)]
    print(
        f"work          {work.done / work.full:.3f} of all samples, {work.done / work.naive:.3f} "
        f"of the naive order ({work.unit})"
    )
    print(f"all samples   {work.full / work.naive:.3f} of the naive order")
    print(
        f"images        {stages[1]['images'] / stages[0]['images']:.3f} ({stages[1]['images']} of "
        f"{stages[0]['images']})"
    )
    print(
        f"seconds       {stages[1]['seconds'] / stages[0]['seconds']:.3f} ({stages[1]['seconds']:.0f} of "
        f"{stages[0]['seconds']:.0f})"
    )
    for name, s in (
        ("all", [stopped.all_set]),
        ("other sets", [s for s in range(len(stopped.sets)) if s != stopped.all_set]),
    ):
        sizes, counts = np.unique(stopped.used[:, s], return_counts=True)
        print(
            f"{name:<13} "
            f"{', '.join(f'{count} at {size} samples' for size, count in zip(sizes, counts, strict=True))}"
        )
    same = all_.factors == stopped.factors
    print(
        f"factors       {same.sum()} of {len(same)} decisions agree; {all_.factors.sum()} and "
        f"{stopped.factors.sum()} found"
    )
    for i in np.flatnonzero(~same):
        print(
            f"              {all_.boundaries[i].name}: {all_.factors[i]} with all samples, "
            f"{stopped.factors[i]} when stopped"
        )
    rows = np.arange(len(same))
    decisions = [r.q[rows, :, 0, r.own] < r.rate for r in (all_, stopped)]
    others = np.arange(len(stopped.sets)) != stopped.all_set
    print(
        f"q at other sets {(decisions[0] == decisions[1])[:, others].mean():.3f} of the decisions agree "
        "(q below the rate)"
    )
    both = [i for i in all_.ranking() if all_.factors[i] and stopped.factors[i]]
    if not both or not all_.single_layers():
        return
    a, b = hierarchy(all_, both), hierarchy(stopped, both)
    peaks = a.groups.value.argmax(axis=1) == b.groups.value.argmax(axis=1)
    print(f"peaks         {peaks.sum()} of {len(peaks)} levels peak in the same group")
    for kind, names, one, other in (
        ("level", a.levels, a.depth, b.depth),
        ("factor", a.factors, a.concept_depth, b.concept_depth),
    ):
        for name, x, low, high, y, lower, higher in zip(
            names, one.value, one.low, one.high, other.value, other.low, other.high, strict=True
        ):
            print(
                f"depth {kind:<7} {name:<28} {x:6.2f} [{low:.2f}, {high:.2f}] with all, {y:6.2f} "
                f"[{lower:.2f}, {higher:.2f}] stopped"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, help="config of both runs")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs `full` and `stopped`")
    options = parser.parse_args()
    runs = []
    config = read_config(options.config)
    for name, adaptive in (("full", False), ("stopped", True)):
        asked = config.model_copy(
            update={"rescoring": config.rescoring.model_copy(update={"adaptive": adaptive})}
        )
        runs.append(ganstrata.run(asked, options.out / name, quiet=False))
    print(machine())
    compare(*runs)


if __name__ == "__main__":
    main()
