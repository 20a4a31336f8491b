"""Measure what reading a segmentation costs: the order of contraction and enlargement, training, closed form.

1. Logits of one picture from StyleGAN2's feature maps, contracted before they are enlarged (ganstrata) and
   after (as other projects do), each in a process of its own: seconds, and peak memory beyond the maps.
2. What a training on the bundled rooms spends on generator, teacher and extractor, in each phase of the
   paper's schedule and in all: pictures per second over those of the generator, and of generator and teacher.
3. With --quality N: the closed form against gradient descent on N pictures, in seconds and mIoU.

    python benchmarks/segmentation.py --sizes 256,1024
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import ganstrata
import torch
import torch.nn.functional as F
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.feature_maps import choose_strata
from ganstrata.core.semantics.heads import LSE, enlarge
from ganstrata.core.semantics.learning.closed_form import ClosedFormSettings, solve_closed_form
from ganstrata.core.semantics.learning.schedule import EPOCHS, PHASES
from ganstrata.core.semantics.learning.training import Trainer, TrainingSettings
from ganstrata.core.semantics.learning.whitened import WhitenedSettings, solve_whitened
from ganstrata.core.semantics.measuring.evaluation import evaluate
from ganstrata.core.semantics.measuring.quality import quality_of
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.semantics.teacher import Teacher
from ganstrata.core.strata.composition import render
from measure import arguments, clock_of, machine, turns

CLASSES = 16
WIDTHS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}
OUTPUT = {256: 256, 1024: 512}  # pixels of the logits, as in the paper
WHITENED = 2048  # pictures, the default of the config
ORDERS = ("contract first", "enlarge first")


def shapes(size: int) -> list[tuple[int, int]]:
    """Return channels and side of StyleGAN2's feature maps: 13 at 256 pixels, 17 at 1024."""
    sides = [side for side in WIDTHS if side <= size]
    return [(WIDTHS[side], side) for side in sides for _ in range(1 if side == 4 else 2)]


def resident(field: str) -> float:
    """Return VmRSS or VmHWM of this process in MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"{field} is not known here; memory is measured on Linux alone")


def one_order(order: str, size: int, rounds: int, threads: int) -> None:
    """Compute logits in one order; print the seconds of the best round, and peak MB beyond the maps."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    maps = [torch.randn(1, c, side, side) for c, side in shapes(size)]
    head, to = LSE([c for c, _ in shapes(size)], CLASSES), (OUTPUT[size], OUTPUT[size])

    def contract() -> torch.Tensor:
        return head(maps, to)

    def expand() -> torch.Tensor:
        everything = torch.cat([enlarge(x, to) for x in maps], dim=1)  # (1, F, H, W)
        return F.conv2d(everything, torch.cat(list(head.T), dim=1)[:, :, None, None])

    clock = clock_of()
    run, seconds = (contract if order == ORDERS[0] else expand), []
    with torch.inference_mode():
        F.conv2d(maps[0], head.T[0][:, :, None, None])  # loads what torch loads once
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins here
        for _ in range(rounds):
            began = clock()
            logits = run()
            seconds.append(clock() - began)
    found = [min(seconds), resident("VmHWM") - before, logits.flatten()[:: logits.numel() // 7][:7].tolist()]
    print(json.dumps(found))


def orders(sizes: list[int], threads: int, rounds: int) -> None:
    """Compare both orders in processes of their own."""
    for size in sizes:
        maps = sum(c * side * side for c, side in shapes(size)) * 4 / 2**20
        needed = 2.2 * sum(c for c, _ in shapes(size)) * OUTPUT[size] ** 2 * 4 / 2**20
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") / 2**20
        print(f"\nStyleGAN2 {size} px, {len(shapes(size))} maps of {maps:.0f} MB, {CLASSES} classes")
        found = {}
        for order in ORDERS:
            if order == ORDERS[1] and free < needed:
                print(f"{order:16} left out: it needs about {needed:.0f} MB, {free:.0f} MB are free")
                continue
            call = [sys.executable, __file__, "--order", order, "--sizes", str(size)]
            call += [
                "--rounds",
                str(rounds if order == ORDERS[0] else min(rounds, 2)),
                "--threads",
                str(threads),
            ]
            found[order] = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
            print(f"{order:16} {found[order][0]:8.3f} s {found[order][1]:8.0f} MB beyond the maps")
        if len(found) == 2:
            first, second = (found[order] for order in ORDERS)
            worst = max(abs(a - b) for a, b in zip(first[2], second[2], strict=True))
            print(
                f"{'ratio':16} {second[0] / first[0]:8.1f}   {second[1] / first[1]:8.1f}; "
                f"logits differ by at most {worst:.1e}"
            )


def rooms(strata: str = "all") -> LabelledSamples:
    """Return labelled samples of the bundled rooms."""
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    teacher = Teacher.of(ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu"))
    return LabelledSamples(generator, teacher, choose_strata(generator.strata, strata), 16)


def architecture(samples: LabelledSamples, *, bias: bool) -> Architecture:
    """Return the architecture of an LSE."""
    size = samples.generator.card.resolution
    return Architecture("LSE", samples.maps, samples.teacher.classes, (size, size), bias=bias)


def throughput(rounds: int) -> None:
    """Say what a training spends on generator, teacher and extractor, on 64 pictures of each phase."""
    samples = rooms()
    generator, images, batch = samples.generator, 64, samples.batch
    latents = generator.sample(batch, 0, 0, Stream.TRAINING)

    @torch.no_grad()
    def bare() -> None:
        for _ in range(images // batch):
            render(generator, generator.broadcast(generator.map(latents.z)))

    def labelled() -> None:
        for start in range(0, images, batch):
            samples.draw(start, Stream.TRAINING)

    def trained(epoch: int) -> None:
        """Train on 64 pictures from the beginning of an epoch on, of a training with 64 in each of its 50."""
        trainer = Trainer(samples, architecture(samples, bias=False), TrainingSettings(images * EPOCHS))
        trainer.position = images * epoch
        for taken in trainer.steps():
            if taken.step.stop == images * (epoch + 1):
                return

    begin = [0, *(end for _, _, end in PHASES)]
    phases = {f"{size} in a step": (start, end) for (size, _, end), start in zip(PHASES, begin, strict=False)}
    cases = {"generator": bare, "with teacher": labelled}
    cases |= {name: lambda epoch=start: trained(epoch) for name, (start, _) in phases.items()}
    seconds = {name: min(values) for name, values in turns(cases, rounds).items()}
    # Both last phases have 64 pictures in a step, and are one case.
    shares = {name: (end - start) / EPOCHS for name, (start, end) in phases.items()}
    shares[f"{PHASES[-1][0]} in a step"] = (EPOCHS - PHASES[1][2]) / EPOCHS
    whole = sum(share * seconds[name] for name, share in shares.items())
    print(f"\nBundled rooms, {images} pictures of 64 px in batches of {batch}, best of {rounds} rounds")
    print("                    ms per picture   pictures per second over those of")
    print("                                     the generator   generator and teacher")
    for name, value in {**seconds, "whole schedule": whole}.items():
        ratios = [seconds[other] / value for other in ("generator", "with teacher")]
        print(f"{name:16} {1000 * value / images:17.2f} {ratios[0]:17.2f} {ratios[1]:17.2f}")
    alone, both = seconds["generator"], seconds["with teacher"]
    for name, part in (("generator", alone), ("teacher", both - alone), ("extractor", whole - both)):
        print(f"share of {name:9} {100 * part / whole:6.0f} %")


def quality(images: int, measured: int) -> None:
    """Compare the closed form with gradient descent in seconds and mIoU."""
    samples = rooms()
    made_for = MadeFor.of(samples.generator, "stylegan2", {"checkpoint": "bundled:rooms"})
    extractors, seconds, clock = {}, {}, clock_of()
    solvers = {
        "lda": lambda: solve_closed_form(samples, ClosedFormSettings("lda")),
        "ridge": lambda: solve_closed_form(samples, ClosedFormSettings("ridge")),
        "whitened": lambda: solve_whitened(samples, WhitenedSettings(WHITENED)),
    }
    for method, solve in solvers.items():
        began = clock()
        head = solve().best.planes.head([described.channels for described in samples.maps])
        extractors[method] = Extractor(architecture(samples, bias=True), (head,), made_for)
        seconds[method] = clock() - began
    began = clock()
    trainer = Trainer(samples, architecture(samples, bias=False), TrainingSettings(images))
    for _ in trainer.steps():
        pass
    name = f"gradient, {images} pictures"
    extractors[name] = Extractor(architecture(samples, bias=False), (trainer.head,), made_for)
    seconds[name] = clock() - began
    scores = quality_of(evaluate(samples, extractors, measured, layerwise=False)).scores
    print(f"\nBundled rooms, mIoU in percent on {measured} new pictures")
    for name, score in scores.items():
        low, high = (100 * float(x) for x in score.mean_per_image.bounds)
        print(
            f"{name:28} {seconds[name]:7.0f} s   per image {100 * float(score.mean_per_image.value):5.1f} "
            f"[{low:.1f}, {high:.1f}]   pooled {100 * float(score.mean_pooled.value):5.1f}"
        )


def main() -> None:
    asked = arguments(
        __doc__,
        sizes=("256,1024", "pixels of the generators whose maps are made up"),
        quality=(0, "pictures of a gradient training to compare the closed form with; 0: none"),
        measured=(500, "pictures on which quality is measured"),
        order=("", "used by the script itself: one order, in its own process"),
    )
    sizes = [int(size) for size in asked.sizes.split(",")]
    if asked.order:
        one_order(asked.order, sizes[0], asked.rounds, asked.threads)
        return
    print(machine())
    orders(sizes, asked.threads, asked.rounds)
    throughput(asked.rounds)
    if asked.quality:
        quality(asked.quality, asked.measured)


if __name__ == "__main__":
    main()
