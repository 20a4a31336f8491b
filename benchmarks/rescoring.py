"""Compare re-scoring with shared baselines and prefix reuse to the naive order.

The naive order is the loop one would write first: for every boundary, layer set and sign, render the
unedited and the edited images in full and score both. Here the baseline of a batch is rendered and scored
once, and an edited image starts at the first stratum that reads one of its layers. Both must give the same
effects. Images are counted, and how often a stratum was applied to an image.

With --family stylegan, or another family of checkpoints.py, measure instead what moving each layer of a
network of the published size costs, in FLOPs as torch counts them and in seconds, and the ratio of our order
to the naive ones. Scorers are left out there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import torch
from checkpoints import FAMILIES, make
from ganstrata.core.config.reading import validate
from ganstrata.core.plugins.records import Inputs
from ganstrata.core.randomness import Use, normals
from ganstrata.core.rescoring.cost import Costs, flops, naive_work, shared_work, strata_work
from ganstrata.core.runs.malloc import keep_freed_memory
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.core.strata.composition import Pass, first_reader
from ganstrata.core.strata.moves import edit_direction, move
from measure import alternate, arguments, machine, table

SIGNS = (1.0, -1.0)
CONFIG: dict[str, Any] = {
    "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
    "scorers": [
        {"use": name, "with": {"checkpoint": "bundled:rooms"}}
        for name in ("layout", "category", "attribute", "segmentation")
    ]
    + [{"use": "hue"}],
    "boundary": {"use": "linear_svm"},
    "device": "cpu",
}


class Bench:
    """Hold one batch of codes, B unit directions, and counts of images and strata."""

    def __init__(self, prepared: Prepared, boundaries: int, batch: int, distance: float) -> None:
        self.prepared, self.generator, self.distance = prepared, prepared.generator, distance
        g = self.generator
        self.codes = g.broadcast(g.map(g.sample(batch, 0, 0, ganstrata.Stream.VERIFICATION).z))
        raw = normals(0, ganstrata.Stream.NULL, Use.LATENT, range(boundaries), g.card.code_size)
        self.normals = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        self.images = self.strata = 0

    def count(self, strata: int) -> None:
        """Count one batch that passed this number of strata."""
        self.images += len(self.codes)
        self.strata += strata * len(self.codes)

    def edits(self, normal: np.ndarray) -> Sequence[tuple[tuple[int, ...], torch.Tensor]]:
        """Yield layers and moved codes for every layer set and sign."""
        scale = self.generator.layer_scale
        fields = [(layers, edit_direction(normal, layers, scale)) for layers in self.prepared.sets.values()]
        return [
            (layers, move(self.codes, field, sign * self.distance))
            for layers, field in fields
            for sign in SIGNS
        ]

    def naive(self) -> np.ndarray:
        """Compute mean changes (B, S x 2, C) in the naive order."""
        g, score, every = self.generator, self.prepared.score, len(self.generator.strata)
        self.images = self.strata = 0
        effects = []
        for normal in self.normals:
            for _, codes in self.edits(normal):
                before = score(ganstrata.Rendering(ganstrata.render(g, self.codes)))
                after = score(ganstrata.Rendering(ganstrata.render(g, codes)))
                self.count(every)
                self.count(every)
                effects.append(np.nanmean(after - before, axis=0))
        return np.array(effects)

    def shared(self, *, reuse: bool) -> np.ndarray:
        """Compute the same with one baseline, with or without prefix reuse."""
        g, score, every = self.generator, self.prepared.score, len(self.generator.strata)
        self.images = self.strata = 0
        starts = {layers: first_reader(g, layers) for layers in self.prepared.sets.values()}
        baseline = Pass(g, self.codes, restarts=set(starts.values()))
        before = score(baseline.rendering)
        self.count(every)
        effects = []
        for normal in self.normals:
            for layers, codes in self.edits(normal):
                after = score(
                    baseline.edited(codes, layers)
                    if reuse
                    else ganstrata.Rendering(ganstrata.render(g, codes))
                )
                self.count(every - starts[layers] if reuse else every)
                effects.append(np.nanmean(after - before, axis=0))
        return np.array(effects)


def single_layers(family: str, rounds: int) -> None:
    """Print the cost of each layer's edit, and ratios by numbers of boundaries, null directions and signs."""
    with tempfile.TemporaryDirectory() as folder:
        generator = ganstrata.load_generator(
            FAMILIES[family].plugin, checkpoint=str(make(family, Path(folder))), device="cpu"
        )
    latents = generator.sample(1, 0, 0, ganstrata.Stream.VERIFICATION)
    codes, layers = (
        generator.broadcast(generator.map(latents.z, latents.condition), latents.condition),
        range(generator.card.layers),
    )
    starts = [first_reader(generator, [layer]) for layer in layers]
    strata, _ = strata_work(generator, Inputs(1, latents.condition, latents.index, 0), codes, flops, {})
    whole = partial(Pass, generator, codes, condition=latents.condition, index=latents.index)
    baseline = whole(restarts=set(starts))
    cases = {"full pass": whole} | {
        f"layer {layer}": partial(baseline.edited, codes, [layer]) for layer in layers
    }
    seconds = alternate(cases, rounds)
    print(
        f"\n{FAMILIES[family].words}, one sample\n  {'':<9}  {'GFLOPs':>8}  {'ratio':>6}  {'ms':>8}  "
        f"{'ratio':>6}"
    )
    for name, start in zip(cases, [0, *starts], strict=True):
        work = sum(strata[start:])
        values = (
            work / 1e9,
            work / sum(strata),
            1000.0 * seconds[name],
            seconds[name] / seconds["full pass"],
        )
        print("  {:<9}  {:>8.2f}  {:>6.2f}  {:>8.0f}  {:>6.2f}".format(name, *values))
    # Differences of the edits' times: from a layer on they sum to the time of its edit.
    timed = [seconds[f"layer {layer}"] for layer in layers]
    kinds = {
        "FLOPs": Costs(strata, 0.0, "FLOPs"),
        "seconds": Costs((*(a - b for a, b in pairwise(timed)), timed[-1]), 0.0, "seconds"),
    }
    print(
        "\nOur order over a naive one that makes the unedited images anew for each direction, or for each "
        "edit"
    )
    print(
        f"  {'boundaries, null, signs':<24}  {'direction, FLOPs':>16}  {'seconds':>7}  {'edit, FLOPs':>11}  "
        f"{'seconds':>7}"
    )
    for boundaries, null, signs in ((1, 0, 1), (50, 0, 1), (10, 20, 2)):
        used, numbers = np.ones((boundaries, len(layers)), dtype=np.int64), []
        for per_edit in (False, True):
            for unit, costs in kinds.items():
                begins = starts if unit == "FLOPs" else list(layers)
                ours = shared_work(costs, begins, signs * used, used[0], null, 1)
                edits = 2 * len(layers) * (signs * boundaries + null) * costs.edited()
                numbers.append(
                    ours
                    / (
                        edits
                        if per_edit
                        else naive_work(costs, 1, len(layers), boundaries, null, signs=signs)
                    )
                )
        print(
            f"  {f'{boundaries}, {null}, {signs}':<24}"
            + "  {:>16.2f}  {:>7.2f}  {:>11.2f}  {:>7.2f}".format(*numbers)
        )


@torch.inference_mode()
def main() -> None:
    options = arguments(
        __doc__,
        boundaries=(1, "directions to move along"),
        batch=(16, "images in one pass"),
        rounds=(3, "repetitions; the median counts"),
        distance=(2.0, "length of a step"),
        family=("", f"single layers of a network of the published size instead: {', '.join(FAMILIES)}"),
    )
    keep_freed_memory()
    if options.family:
        print(machine())
        single_layers(options.family, options.rounds)
        return
    bench = Bench(prepare(validate(CONFIG, "benchmark")), options.boundaries, options.batch, options.distance)
    orders = {
        "naive order": bench.naive,
        "shared baseline": lambda: bench.shared(reuse=False),
        "shared baseline and prefix reuse": lambda: bench.shared(reuse=True),
    }
    print(machine())
    print(
        f"{options.boundaries} boundaries, {len(bench.prepared.sets)} layer sets, both signs, "
        f"{options.batch} samples, all scorers"
    )
    width = max(len(name) for name in orders)
    print(f"\nWhat is computed\n  {'':<{width}}  {'images':>8}  {'ratio':>6}  {'strata':>8}  {'ratio':>6}")
    reference, images, strata = None, 1, 1
    for name, order in orders.items():
        effects = order()  # this also warms up
        if reference is None:
            reference, images, strata = effects, bench.images, bench.strata
        worst = float(np.nanmax(np.abs(effects - reference)))
        assert worst < 1e-3, f"{name} gives other effects: {worst}"
        print(
            f"  {name:<{width}}  {bench.images:>8}  {bench.images / images:>6.2f}  {bench.strata:>8}  "
            f"{bench.strata / strata:>6.2f}"
        )
    table(
        "What it costs",
        alternate(orders, options.rounds, warm=False),
        unit="per edited image",
        per=images / 2,
    )


if __name__ == "__main__":
    main()
