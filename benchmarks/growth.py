"""Measure how processor time and peak memory of each stage grow with the number of samples.

A network of 267 parameters makes pictures of 16 px from z of 512 numbers; `hue` and a function score
them, 467 concepts in all. Each stage is a command of its own, so its peak memory is that of its process. What
matters is that memory does not grow, and that time grows no faster than the samples.

python benchmarks/growth.py --samples 5000,50000 --out runs/growth
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

WIDTH, PIXELS, CONCEPTS = 512, 16, 453  # `hue` has 14 more concepts
STAGES = ("synthesize", "learn", "rescore", "edit", "report")


class Small(nn.Module):
    """Map z (N, 2, 16, 16) to images (N, 3, 16, 16) in [-1, 1], by 267 parameters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(2, 12, 3, padding=1), nn.Tanh(), nn.Conv2d(12, 3, 1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """Return images."""
        return self.body(z)


def scores(images: Tensor) -> Tensor:
    """Return fixed random combinations of the pixels, (N, 453)."""
    return images.flatten(1) @ _weights().to(images.device)


@cache
def _weights() -> Tensor:
    return torch.randn(3 * PIXELS * PIXELS, CONCEPTS, generator=torch.Generator().manual_seed(0))


def config_of(
    samples: int, learner: str, options: dict[str, Any], moved: int, resamples: int
) -> dict[str, Any]:
    """Return the config of a run.

    Args:
        samples: number of probing samples.
        learner: name of the learner.
        options: its config.
        moved: number of verification samples.
        resamples: how often boundaries are learnt again.
    """
    here = str(Path(__file__).resolve())
    concepts = [{"name": f"c{i:03d}", "level": "attribute"} for i in range(CONCEPTS)]
    network = {"target": f"{here}:Small", "latent": {"size": WIDTH, "shape": [2, PIXELS, PIXELS]}}
    return {
        "generator": {"use": "module", "with": network},
        "scorers": [
            {"use": "hue"},
            {"use": "callable", "as": "mixed", "with": {"target": f"{here}:scores", "concepts": concepts}},
        ],
        "boundary": {"use": learner, "with": options},
        "synthesis": {"samples": samples, "batch_size": 64},
        "rescoring": {
            "samples": moved,
            "layers": ["all"],
            "null_directions": 10,
            "learning_resamples": resamples,
        },
        "editing": {"samples": 2, "steps": 3},
        "device": "cpu",
        "engine": {"workers": 1},
    }


class Measured(NamedTuple):
    """Hold what a command took: seconds of the processor, and its peak memory in MB."""

    seconds: float
    megabytes: float


def measure(command: list[str]) -> Measured:
    """Run a command and return what it took.

    Raises:
        RuntimeError: it failed.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[3:5])} ended with status {process.returncode}")
    return Measured(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def grow(folder: Path, config: dict[str, Any], stages: Sequence[str]) -> dict[str, Measured]:
    """Make a run stage by stage and return what each stage took."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config))
    command, found = [sys.executable, "-c", "from ganstrata.cli.entry import main; main()"], {}
    for stage in stages:
        more = ["--config", str(file)] if stage == STAGES[0] else []
        found[stage] = measure([*command, stage, str(folder), *more, "--quiet"])
        print(f"  {stage:<12}{found[stage].seconds:9.1f} s{found[stage].megabytes:9.0f} MB", flush=True)
    return found


def size_of(folder: Path) -> tuple[float, int]:
    """Return the megabytes and the number of files in a folder."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 2**20, len(files)


def main() -> None:
    """Measure runs of several sizes, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", default="5000,50000", help="numbers of samples")
    parser.add_argument("--out", type=Path, default=Path("runs/growth"), help="folder of the runs")
    parser.add_argument("--learner", default="soft_conditional", help="name of the learner")
    parser.add_argument("--options", default="{}", help="its config, as JSON")
    parser.add_argument("--moved", type=int, default=32, help="verification samples")
    parser.add_argument("--resamples", type=int, default=12, help="how often boundaries are learnt again")
    parser.add_argument("--stages", default=",".join(STAGES), help="stages to measure, the first ones")
    parser.add_argument("--keep", action="store_true", help="keep the runs")
    chosen = parser.parse_args()
    stages = chosen.stages.split(",")
    sizes = [int(number) for number in chosen.samples.split(",")]
    found = {}
    for n in sizes:
        print(f"{n} samples; load {os.getloadavg()[0]:.1f}", flush=True)
        folder = chosen.out / str(n)
        options = json.loads(chosen.options)
        config = config_of(n, chosen.learner, options, chosen.moved, chosen.resamples)
        found[n] = grow(folder, config, stages)
        megabytes, files = size_of(folder)
        page = folder / "report.html"
        report = f"; report.html {page.stat().st_size / 2**20:.1f} MB" if page.exists() else ""
        print(f"  {megabytes:.0f} MB in {files} files{report}", flush=True)
        if not chosen.keep:
            shutil.rmtree(folder)
    print("\nCPU s / peak MB | " + " | ".join(map(str, sizes)))
    print("--- |" * (len(sizes) + 1))
    for stage in stages:
        cells = [f"{found[n][stage].seconds:.1f} / {found[n][stage].megabytes:.0f}" for n in sizes]
        print(" | ".join([stage, *cells]))


if __name__ == "__main__":
    main()
