"""Count what a run of the paper's size costs: FLOPs, bytes, disk; nothing of it is timed.

The run: 500,000 samples; categories and attributes of one wideresnet18, 467 concepts; boundaries of the 102
attributes; re-scoring at all layers and at each layer, with 500 samples, 20 random directions and the
backward step at all layers. One picture of each family goes through its network while torch counts the FLOPs
of convolutions and matrix products, and how many bytes its operations read and write if each reads its
inputs and writes its outputs once. The time on a GPU follows from stated rates of one, of which stated shares
are assumed to be used. It is an estimate by counting, not a measurement: not even the pictures are computed,
since tensors without values are enough to count.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import ganstrata
import numpy as np
import scorer_models
import torch
from checkpoints import FAMILIES, make
from ganstrata.core.plugins.records import Inputs
from ganstrata.core.rescoring.cost import Costs, flops, shared_work, strata_work
from ganstrata.core.runs.loading import build
from ganstrata.core.strata.composition import first_reader
from ganstrata.plugins.scorers.networks.resnet import ResNet
from measure import arguments
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SAMPLES, ATTRIBUTES, CONCEPTS = 500_000, 102, 467
MOVED, NULL = 500, 20  # samples of re-scoring, random directions
SIDE = 224  # pixels of the scorers' network
WITHOUT_VALUES = FakeTensorMode(allow_non_fake_inputs=True)
FAMILIES_SHOWN = ("pggan", "stylegan", "stylegan2", "biggan-deep", "stylegan3-t", "r3gan")


@dataclass(frozen=True)
class Rates:
    """Hold what a GPU can do at most, and which shares of it are assumed to be used.

    Attributes:
        words: the precision, as the table names it.
        operations: FLOP/s of its tensor cores, without sparsity.
        used: share of them that convolutions of these shapes reach.
        traffic: bytes per second of its memory.
        reached: share of them that operations on feature maps reach.
        narrower: bytes of a number over those of float32.
    """

    words: str
    operations: float
    used: float
    traffic: float = 3.35e12
    reached: float = 0.5
    narrower: float = 1.0

    def seconds(self, operations: float, traffic: float) -> float:
        """Return the time of work that is limited by arithmetic or by memory, whichever is slower."""
        return max(
            operations / (self.operations * self.used),
            traffic * self.narrower / (self.traffic * self.reached),
        )


# An H100 SXM by its data sheet. Convolutions in float32 run on tensor cores as TF32, torch's default.
GPU = (Rates("fp32", 495e12, 0.1), Rates("bf16", 989e12, 0.1, narrower=0.5))


class _Traffic(TorchDispatchMode):
    """Count the bytes that operations read and write; views move none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        storages = {x.untyped_storage()._cdata for x in given}
        fresh = [x for x in made if x.untyped_storage()._cdata not in storages]
        in_place = func._schema.is_mutable
        if fresh or in_place:
            self.bytes += sum(x.nbytes for x in (*given, *(made if in_place else fresh)))
        return result


def traffic(function: Any) -> float:
    """Return how many bytes the operations of a function move."""
    with torch.no_grad(), _Traffic() as mode:
        function()
    return float(mode.bytes)


@dataclass(frozen=True)
class Counted:
    """Hold the work of one picture of a family.

    Attributes:
        words: the family and its size.
        code: numbers in a code w.
        costs: FLOPs of each stratum and of scoring.
        bytes: that the generator and the scorers' network move for one picture; weights are read once for
            many pictures, and not counted.
        starts: stratum at which each layer set restarts, `all` first.
    """

    words: str
    code: int
    costs: Costs
    bytes: float
    starts: tuple[int, ...]

    @property
    def operations(self) -> float:
        """FLOPs of one picture with its scores."""
        return sum(self.costs.strata) + self.costs.scoring


def counted(name: str, folder: Path, scoring: tuple[float, float], *, tiny: bool = False) -> Counted:
    """Count one family; `scoring` has the FLOPs and bytes of the scorers' network for one picture."""
    family = FAMILIES[name]
    path = make(name, folder, tiny=tiny)
    options = {"checkpoint": str(path)}
    built = build("generator", family.plugin, options, device="cpu", check=False)
    generator = cast("ganstrata.Generator", built)
    path.unlink()
    latents = generator.sample(2, 0, 0, ganstrata.Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)

    classes = None
    if latents.condition is not None:  # as weights, whose values no operation has to know
        classes = torch.nn.functional.one_hot(
            latents.condition.long(), family.architecture(tiny).classes
        ).float()

    def first(n: int) -> tuple[Inputs, Tensor]:
        return Inputs(n, None if classes is None else classes[:n], latents.index[:n], 0), codes[:n]

    def render(n: int) -> float:
        def make_pictures() -> None:
            inputs, some = first(n)
            strata_work(generator, inputs, some, lambda function: (function(), 0.0), {})

        return traffic(make_pictures)

    with torch.no_grad(), WITHOUT_VALUES:
        strata, _ = strata_work(generator, *first(1), flops, {})
        one, two = render(1), render(2)  # the difference leaves out weights, which are read once for all
    layers = range(generator.card.layers)
    sets = [tuple(layers), *((layer,) for layer in layers if len(layers) > 1)]
    return Counted(
        family.words,
        generator.card.code_size,
        Costs(strata, scoring[0], "FLOPs"),
        two - one + scoring[1],
        tuple(first_reader(generator, at) for at in sets),
    )


def scorer_work() -> tuple[float, float]:
    """Return FLOPs and bytes of the scorers' network for one prepared picture."""
    shape, pooling = scorer_models.PLACES["wideresnet18"]
    network = ResNet(shape, max_pool=pooling).eval()

    def score(n: int) -> Tensor:
        return network(torch.zeros(n, 3, SIDE, SIDE))

    with torch.no_grad(), WITHOUT_VALUES:
        _, operations = flops(lambda: score(1))
        return operations, traffic(lambda: score(2)) - traffic(lambda: score(1))


def rescoring(of: Counted) -> float:
    """Return how many pictures with scores re-scoring is worth: its FLOPs over those of one."""
    sets = len(of.starts)
    used = np.full((ATTRIBUTES, sets), MOVED)
    used[:, 0] *= 2  # backwards too
    work = shared_work(of.costs, of.starts, used, np.full(sets, MOVED), NULL, MOVED)
    return work / of.operations


def hours(of: Counted, rates: Rates) -> tuple[float, float]:
    """Return GPU hours of synthesis with scores and of re-scoring."""
    each = rates.seconds(of.operations, of.bytes) / 3600.0
    return SAMPLES * each, rescoring(of) * each


def disk(of: Counted, samples: int = SAMPLES) -> Mapping[str, float]:
    """Return bytes of codes, of indices and of scores on the disk, not compressed."""
    return {"codes": 4.0 * samples * of.code, "indices": 8.0 * samples, "scores": 4.0 * samples * CONCEPTS}


def rows(all_counted: Iterable[Counted]) -> list[str]:
    """Return the table of costs, as the documentation has it."""
    lines = [
        "| | GFLOP, generator | GFLOP, with scorers | MB moved | re-scoring, in pictures "
        "| one H100, fp32, hours | one H100, bf16, hours | eight H100, bf16, hours | GB on disk |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for of in all_counted:
        generator = sum(of.costs.strata)
        times = {rates.words: hours(of, rates) for rates in GPU}
        cells = [
            f"{generator / 1e9:.1f}",
            f"{of.operations / 1e9:.1f}",
            f"{of.bytes / 1e6:.0f}",
            f"{round(rescoring(of), -3):,.0f}",
            *(f"{made:.2f} + {moved:.2f}" for made, moved in times.values()),
            f"{sum(times['bf16']) / 8.0:.2f}",
            f"{sum(disk(of).values()) / 1e9:.1f}",
        ]
        lines.append(f"| {of.words} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    options = arguments(
        __doc__,
        families=(",".join(FAMILIES_SHOWN), "which, with commas between"),
        tiny=(0, "1: tiny networks"),
    )
    scoring = scorer_work()
    with tempfile.TemporaryDirectory() as folder:
        found = [
            counted(name, Path(folder), scoring, tiny=bool(options.tiny))
            for name in options.families.split(",")
        ]
    print("\n".join(rows(found)))


if __name__ == "__main__":
    main()
