"""Measure pictures per second from a seed to a stored score, against bare networks and another procedure.

Four questions, for StyleGAN at 256 px with random weights, and category and attribute of one wideresnet18:

- How much of the stage `synthesize` is generator and scorers' networks? Both run in this process, in turns;
  the bare networks run nothing else, on pictures that are prepared already.
- How much faster is it than the procedure of reference_procedure.py? Each command runs in a process of its
  own, start included, with two numbers of pictures, whose difference gives the time of a further picture.
  The other procedure checks nothing, so our own checks of plugins are off but in the last case.
- How long does re-scoring of one boundary and of two take, against the other procedure, which has one sign of
  the step and no null directions? In this process, in turns, with and without both.
- How does time grow with samples, boundaries and layer sets? On the bundled rooms, small.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import scorer_models
import torch
from checkpoints import make
from ganstrata.core.config.reading import validate
from ganstrata.core.probing import stage as synthesis
from ganstrata.core.runs.begin import begin_run
from ganstrata.core.runs.engines.run_engine import RunEngine
from ganstrata.core.runs.facts import facts_of
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.core.runs.progress import Progress
from ganstrata.core.strata.stepping import advance, begun
from ganstrata.plugins.scorers.networks.resnet import ResNet
from measure import arguments, clock_of, machine, turns
from reference_procedure import Procedure

PARTS = ("share", "commands", "rescoring", "growth")
GOALS = {"share": 0.97, "whole command": 1.3, "further picture": 2.0, "further picture, bf16": 3.0}
Seconds = dict[str, list[float]]


def written(folder: Path, *, tiny: bool) -> dict[str, Any]:
    """Write the networks to a folder, and return the config of a run with them."""
    generator = make("stylegan", folder, tiny=tiny)
    path, weights = scorer_models.places("wideresnet18", folder)
    return {
        "generator": {"use": "stylegan", "with": {"checkpoint": str(generator)}},
        "scorers": [
            {"use": "category", "with": {"checkpoint": str(path)}},
            {"use": "attribute", "with": {"checkpoint": str(path), "weights": str(weights)}},
        ],
        "device": "cpu",
        "engine": {"workers": 1},
        "boundary": {"use": "ridge", "with": {"positives": 2, "negatives": 2}},  # not learnt here
        "rescoring": {"layers": ["all"]},
    }


def procedure(config: Mapping[str, Any]) -> Procedure:
    """Return the other procedure with the networks of a config."""
    shape, pooling = scorer_models.PLACES["wideresnet18"]
    network = ResNet(shape, max_pool=pooling)
    options = config["scorers"][1]["with"]
    stored = torch.load(options["checkpoint"], weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): tensor for name, tensor in stored.items()})
    network.eval()

    class Both(torch.nn.Module):
        """Give class scores and features, in one pass."""

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            kept: list[torch.Tensor] = []
            hook = network.fc.register_forward_pre_hook(lambda _, given: kept.append(given[0]))
            logits = network(x)
            hook.remove()
            return logits, kept[0].flatten(1)

    generator = Path(config["generator"]["with"]["checkpoint"])
    return Procedure(generator, Both(), np.load(options["weights"]))


def stage_of(prepared: Prepared, folder: Path) -> Callable[[], object]:
    """Return a function that runs the stage `synthesize` in a new run directory, without a process start."""
    facts, numbers = facts_of(prepared), count()

    def run() -> object:
        out = folder / f"run{next(numbers)}"
        out.mkdir()
        current = begin_run(out, prepared.config, facts).run
        current.save()
        with RunEngine(prepared) as engine:
            synthesis.synthesize(current, engine, Progress(quiet=True))
        return current

    return run


def bare_of(prepared: Prepared, pictures: int) -> Callable[[], object]:
    """Return a function that runs only the networks: the strata, and the scorers' network, batch by batch."""
    generator, (scorer, *_) = prepared.generator, prepared.scorers.values()
    network = next(iter(scorer_networks(scorer)))
    ready = torch.rand(prepared.batch, 3, 224, 224).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> object:
        for start in range(0, pictures, prepared.batch):
            latents = generator.sample(prepared.batch, 0, start, ganstrata.Stream.PROBING)
            codes = generator.broadcast(generator.map(latents.z))
            state = begun(generator, ganstrata.Inputs(prepared.batch, None, latents.index, 0))
            state = advance(generator, state, codes, 0, len(generator.strata), {}, ())
            generator.finish(state)
            network(ready)
        return None

    return run


def scorer_networks(holder: object, depth: int = 4) -> list[torch.nn.Module]:
    """Return the networks that a scorer holds, at any depth."""
    if isinstance(holder, torch.nn.Module):
        return [holder]
    parts = getattr(holder, "__dict__", {}).values() if depth else ()
    return [network for part in parts for network in scorer_networks(part, depth - 1)]


def share(config: Mapping[str, Any], pictures: int, rounds: int, folder: Path) -> float:
    """Print and return the share of the stage that its networks take by themselves."""
    settings = {**config, "synthesis": {"samples": pictures}, "checks": False}
    prepared = prepare(validate(settings, "benchmark"))
    cases = {"networks alone": bare_of(prepared, pictures), "stage `synthesize`": stage_of(prepared, folder)}
    seconds = turns(cases, rounds)
    bare, whole = seconds.values()
    ratios = [a / b for a, b in zip(bare, whole, strict=True)]
    print(f"\nSeed to stored score, {pictures} pictures in batches of {prepared.batch}, {rounds} rounds")
    for name, values in seconds.items():
        print(f"  {name:<20} {1000.0 * statistics.median(values) / pictures:>9.1f} ms per picture")
    print(
        f"  share of the networks: {min(ratios):.3f} / {statistics.median(ratios):.3f} / {max(ratios):.3f} "
        f"(goal: {GOALS['share']})"
    )
    return statistics.median(ratios)


def commands(config: Mapping[str, Any], few: int, many: int, rounds: int, folder: Path) -> dict[str, float]:
    """Print and return how much faster whole commands and further pictures are than the other procedure."""
    file = folder / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    numbers = count()

    def ours(pictures: int, precision: str, *, checks: bool = False) -> list[str]:
        out = str(folder / f"command{next(numbers)}")
        more = [f"synthesis.samples={pictures}", f"precision={precision}", f"checks={json.dumps(checks)}"]
        sets = [word for each in more for word in ("--set", each)]
        return ["-m", "ganstrata.cli.main", "synthesize", out, "--config", str(file), *sets, "--quiet"]

    cases: dict[str, Callable[[int], list[str]]] = {
        "other procedure": lambda pictures: [__file__, "--procedure", str(file), "--pictures", str(pictures)],
        "ganstrata": lambda pictures: ours(pictures, "fp32"),
        "ganstrata, bf16": lambda pictures: ours(pictures, "bf16"),
        "ganstrata, checks": lambda pictures: ours(pictures, "fp32", checks=True),
    }
    seconds: dict[str, dict[int, list[float]]] = {name: {few: [], many: []} for name in cases}
    for _ in range(rounds):
        for pictures in (few, many):
            for name, case in cases.items():
                seconds[name][pictures].append(processor_seconds(case(pictures)))
    medians = {name: {n: statistics.median(v) for n, v in each.items()} for name, each in seconds.items()}
    further = {name: (each[many] - each[few]) / (many - few) for name, each in medians.items()}
    print(
        f"\nWhole commands, processor seconds, {rounds} rounds\n  {'':<18}{few:>8}{many:>8}  further picture"
    )
    for name, each in medians.items():
        print(f"  {name:<18}{each[few]:>8.2f}{each[many]:>8.2f}  {further[name]:>15.3f}")
    other, plainly, low, checked = medians.values()
    slow, fast, fastest, _ = further.values()
    result = {
        "whole command": other[many] / plainly[many],
        "further picture": slow / fast,
        "further picture, bf16": slow / fastest,
    }
    result["whole command, bf16"] = other[many] / low[many]
    result["whole command, plugins checked"] = other[many] / checked[many]
    for name, ratio in result.items():
        goal = f" (goal: {GOALS[name]})" if name in GOALS else ""
        print(f"  {name}: {ratio:.2f} times as fast{goal}")
    return result


def processor_seconds(arguments: list[str]) -> float:
    """Run Python with these arguments; return the processor time of the process and its children."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    environment |= {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rescoring(
    config: Mapping[str, Any], samples: int, rounds: int, *, null: int, layerwise: bool
) -> dict[str, float]:
    """Print and return how much faster than the other procedure boundaries are moved and scored again.

    Args:
        config: of the networks.
        samples: number of pictures that are moved.
        rounds: repetitions.
        null: number of null directions of the case that has them.
        layerwise: whether each layer is moved by itself as well as all.
    """
    scorers = {each["use"]: each["with"] for each in config["scorers"]}
    generator = ganstrata.load_generator("stylegan", device="cpu", **config["generator"]["with"])
    loaded = {name: ganstrata.load_scorer(name, device="cpu", **options) for name, options in scorers.items()}
    other, size = procedure(config), generator.card.code_size
    normals = np.random.default_rng(0).standard_normal((2, size)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    names = [concept.name for concept in loaded["attribute"].concepts][:2]
    offset = np.zeros((), np.float32)
    boundaries = [
        ganstrata.Boundary(f"attribute/{name}", "attribute", normal, offset, "w", generator.fingerprint)
        for name, normal in zip(names, normals, strict=True)
    ]
    probed = ganstrata.probe(generator, loaded, samples=samples)
    result: dict[str, float] = {}

    def ours(some: int, *, signs: str, directions: int) -> Callable[[], object]:
        return lambda: ganstrata.rescore(
            generator,
            loaded,
            boundaries[:some],
            probed=probed,
            layers=["all", "each"] if layerwise else ["all"],
            samples=samples,
            distance=2.0,
            unit="raw",
            backward=signs,
            null_directions=directions,
        )

    for some in (1, 2):
        theirs = partial(other.rescore, samples, normals[:some], [0, 1][:some], 2.0, layerwise=layerwise)
        cases = {
            "other procedure": theirs,
            "one sign, no null": ours(some, signs="none", directions=0),
        }
        if null:
            cases[f"both signs, {null} null directions"] = ours(some, signs="all", directions=null)
        seconds = turns(cases, rounds, warm=False)
        base = statistics.median(seconds["other procedure"])
        where = "at all layers and layer by layer" if layerwise else "at all layers"
        print(f"\nRe-scoring: {samples} pictures, {some} of the boundaries, {where}")
        for name, values in seconds.items():
            ratio = base / statistics.median(values)
            result[f"{some}: {name}"] = ratio
            print(f"  {name:<32}{statistics.median(values):>9.2f} s {ratio:>6.2f} times as fast")
    return result


def growth(sizes: tuple[int, ...], verified: int) -> dict[str, list[float]]:
    """Print and return how seconds grow with samples, boundaries and layer sets, on the bundled rooms."""
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    scorer = ganstrata.load_scorer("hue", device="cpu")
    layers = [str(layer) for layer in range(generator.card.layers)]
    clock, curves = clock_of(), {"samples": [], "boundaries": [], "layer sets": []}

    def seconds(case: Callable[[], object]) -> float:
        began = clock()
        case()
        return clock() - began

    smallest = 32
    probed = ganstrata.probe(generator, scorer, samples=256)
    learner = ganstrata.load_learner("ridge", device="cpu", positives=0.2, negatives=0.2)
    found = ganstrata.learn(generator, probed, learner, resamples=0)

    def probing(samples: int) -> Callable[[], object]:
        return lambda: ganstrata.probe(generator, scorer, samples=samples)

    def verifying(boundaries: int, sets: int) -> Callable[[], object]:
        return lambda: ganstrata.rescore(
            generator,
            scorer,
            ganstrata.Boundaries(found[:boundaries]),
            probed=probed,
            layers=["all", *layers[: sets - 1]],
            samples=verified,
            backward="none",
            null_directions=3,
        )

    for size in sizes:
        curves["samples"].append(seconds(probing(smallest * size)))
        curves["boundaries"].append(seconds(verifying(size, 1)))
        curves["layer sets"].append(seconds(verifying(1, size)))
    print(
        f"\nGrowth, bundled rooms and hue: seconds (and over those of the first column)\n  {'':<34}", end=""
    )
    print("".join(f"{size:>14}" for size in sizes))
    words = {
        "samples": f"probe, times {smallest} samples",
        "boundaries": f"rescore {verified}, boundaries at `all`",
        "layer sets": f"rescore {verified}, layer sets, one boundary",
    }
    for axis, values in curves.items():
        cells = "".join(f"{value:>7.2f} ({value / values[0]:>4.1f})" for value in values)
        print(f"  {words[axis]:<34}{cells}")
    return curves


def main() -> None:
    options = arguments(
        __doc__,
        parts=("share,commands,growth", f"which, with commas between: {', '.join(PARTS)}"),
        rounds=(3, "repetitions of the share; the median counts"),
        repeats=(1, "repetitions of the commands"),
        pictures=(20, "pictures of a command, and of the share"),
        null=(20, "null directions of re-scoring with them; 0 for no such case"),
        layerwise=(0, "1 to move each layer by itself as well in re-scoring"),
        procedure=("", "run only the other procedure, with the networks of this config"),
    )
    if options.procedure:
        with tempfile.TemporaryDirectory() as folder:
            config = json.loads(Path(options.procedure).read_text(encoding="utf-8"))
            procedure(config).run(options.pictures, Path(folder))
        return
    unknown = set(options.parts.split(",")) - set(PARTS)
    if unknown:
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = written(folder, tiny=False)
        if "commands" in options.parts:
            commands(config, max(8, options.pictures * 2 // 5), options.pictures, options.repeats, folder)
        ganstrata.keep_freed_memory()
        if "share" in options.parts:
            share(config, options.pictures, options.rounds, folder)
        if "rescoring" in options.parts:
            rescoring(config, 8, options.repeats, null=options.null, layerwise=bool(options.layerwise))
        if "growth" in options.parts:
            growth((1, 2, 4, 8), 8)
    print(machine())


if __name__ == "__main__":
    main()
