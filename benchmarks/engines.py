"""Measure how much faster two workers of an engine are than one, in turns within one process.

python benchmarks/engines.py [--engines local,ray] [--rounds 5] [--tasks 24]

A task renders and scores one batch of the bundled network. Workers are begun anew for each turn, before it is
measured: two clusters of Ray in one process would share its processors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

from ganstrata.core.config.reading import validate
from ganstrata.core.randomness import Stream
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.malloc import keep_freed_memory
from ganstrata.core.runs.prepare import Prepared, prepare

CONFIG: dict[str, Any] = {
    "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
    "scorers": [{"use": "attribute", "with": {"checkpoint": "bundled:rooms"}}],
    "synthesis": {"samples": 4096, "batch_size": 32},
    "device": "cpu",
    "checks": False,
}


def batch(prepared: Prepared, start: int) -> int:
    """Render and score the batch that begins at a sample."""
    import torch

    with torch.inference_mode():
        latents, _, codes = prepared.draw(start, Stream.PROBING)
        rendering = prepared.render(codes, latents.condition, latents.index, Stream.PROBING).rendering
        prepared.score(rendering)
    return start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="local,ray")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=24)
    options = parser.parse_args()
    keep_freed_memory()  # as the command does: one worker of `local` is this process
    for name in options.engines.split(","):
        tasks = [32 * i for i in range(options.tasks)]
        seconds: dict[int, list[float]] = {1: [], 2: []}
        loads = []
        for _ in range(options.rounds):
            for workers, measured in seconds.items():
                config = validate(CONFIG | {"engine": {"use": name, "workers": workers}}, "benchmark")
                with RunEngine(prepare(config)) as engine:
                    list(engine.map(batch, tasks))  # to begin the workers, and to warm up
                    began = time.monotonic()
                    assert sorted(engine.map(batch, tasks)) == tasks
                    measured.append(time.monotonic() - began)
            loads.append(os.getloadavg()[0])
        ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
        print(
            f"{name}: {options.tasks} tasks in {statistics.median(seconds[1]):.2f} s with one worker, "
            f"{statistics.median(seconds[2]):.2f} s with two: {statistics.median(ratios):.2f} times "
            f"({min(ratios):.2f} to {max(ratios):.2f} in {options.rounds} rounds; load {min(loads):.1f} to "
            f"{max(loads):.1f})"
        )


if __name__ == "__main__":
    main()
