"""Compare ways of inverting on rooms that the generator did not make: reconstruction, edits, seconds.

python benchmarks/inversion.py --run runs/rooms --out inversion.json

The pictures are renders of the rooms recipe with seed 2, whose factors are known and which no network was
trained on. Each case is `EMBED>STEP>STEP`, with fields as `STEP:field=value,field=value`. For each:

- reconstruction: PSNR, MS-SSIM, and the perceptual distance by the named network;
- score error: how far the scores of the reconstruction are from those of the given picture, root mean square
  over concepts that vary, in sd of the scores of samples;
- code distance: Mahalanobis distance over all layers, 1 for samples;
- faithfulness: mean change of the own score along the run's verified boundaries, over that of samples;
- seconds: of the processor per picture, in batches, which other programs do not change much.

Intervals are 95 %, over pictures. `--own N` inverts N of the generator's own pictures as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import torch
from ganstrata import Rendering
from ganstrata.core.inversion.commands import method_of
from ganstrata.core.inversion.invert import Inverted, Method, invert_batch
from ganstrata.core.inversion.target import Target
from ganstrata.core.inversion.trust.code_distance import CodeCloud, cloud_of
from ganstrata.core.inversion.trust.edits import EditTrust, compare_edits
from ganstrata.core.inversion.trust.faithfulness import RESAMPLINGS
from ganstrata.core.inversion.trust.measure import code_trust, inverted, sample_pictures
from ganstrata.core.rescoring.results import concept_units
from ganstrata.core.runs.inversion_rows import joined
from ganstrata.core.runs.inversions import StoredInversion
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.session import Finished, open_finished_run
from ganstrata.core.statistics import bootstrap_means, bootstrap_weights, interval
from measure import machine
from numpy.typing import NDArray
from torch import Tensor

RENDERED = 2  # seed of the pictures; the networks were trained on renders of seed 1
CASES = (
    "mean>w",
    "mean>w+",
    "best",
    "best>z",
    "best>w",
    "best>w+",
    "best>w+>noise",
    "best>w>pivotal",
    "encoder",
    "encoder>w+:steps=50",
    "encoder>w+",
    "encoder>in_domain",
    "encoder>pivotal",
)
Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Case:
    """Hold a way of inverting: its steps and their fields."""

    name: str
    steps: tuple[str, ...]
    fields: dict[str, dict[str, Any]]

    @staticmethod
    def parse(text: str) -> Case:
        """Read `EMBED>STEP:field=value,field=value`."""
        steps, fields = [], {}
        for part in text.split(">"):
            name, _, given = part.partition(":")
            steps.append(name)
            fields[name] = {}
            for one in filter(None, given.split(",")):
                key, _, value = one.partition("=")
                fields[name][key] = json.loads(value)
        return Case(text, tuple(steps), fields)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Hold what one case gave for N pictures; arrays are (N,)."""

    case: str
    psnr: Floats
    ms_ssim: Floats
    perceptual: Floats
    score_error: Floats
    code_distance: Floats
    seconds: float
    edits: EditTrust | None
    losses: dict[str, list[float]]


def main() -> None:
    """Invert the pictures by every case, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", type=Path, default=Path("runs/rooms"), help="made of examples/rooms.yaml if missing"
    )
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--cases", default=";".join(CASES), help="separated by ;")
    parser.add_argument("--batch", type=int, default=20, help="pictures at once")
    parser.add_argument("--samples", type=int, default=200, help="that edits are compared with")
    parser.add_argument("--own", type=int, default=0, help="of the generator's own pictures to invert by w+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON with all numbers")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(machine())
    if not (arguments.run / "run.json").is_file():
        ganstrata.run(Path(__file__).parents[1] / "examples/rooms.yaml", arguments.run)
    images = renders(arguments.pictures)
    found = []
    with open_finished_run(arguments.run, "cpu", writes=False, progress=Progress(quiet=True)) as finished:
        generator = finished.engine.prepared.generator
        cloud = cloud_of(generator)
        for text in arguments.cases.split(";"):
            case = Case.parse(text)
            first, *others = case.steps
            try:
                method = method_of(
                    generator,
                    first,
                    others or ["none"],
                    case.fields,
                    perceptual="auto",
                    seed=0,
                    class_index=None,
                )
            except ganstrata.UserError as error:
                print(f"{text} left out: {error}", flush=True)
                continue
            one = measured(case, method, images, finished, cloud, arguments.batch, arguments.samples)
            found.append(one)
            head = "" if len(found) > 1 else f"Compared by {method.rule.name}\n{heads()}\n"
            print(f"{head}{row(one)}", flush=True)
        if arguments.own:
            own(generator, arguments.own, arguments.batch)
    if arguments.out:
        arguments.out.write_text(json.dumps([as_data(one) for one in found], indent=1), encoding="utf-8")


def renders(count: int) -> Tensor:
    """Return renders of rooms (N, 3, 64, 64) in [0, 1] that no network has seen."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from recipes.rooms.render import render

    pictures = np.stack([render(RENDERED, i)[0] for i in range(count)])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255.0


def measured(
    case: Case,
    method: Method,
    images: Tensor,
    finished: Finished,
    cloud: CodeCloud,
    batch: int,
    samples: int,
) -> Measured:
    """Invert pictures (N, 3, H, W), and measure what was found."""
    given = [Target(str(i), "rendered", "", image, image) for i, image in enumerate(images)]
    found: list[Inverted] = []
    began = time.process_time()
    for start in range(0, len(given), batch):
        rows = range(start, min(start + batch, len(given)))
        found += invert_batch(method, [given[i] for i in rows], list(rows))
    seconds = (time.process_time() - began) / len(given)
    inversion = joined([one.inversion for one in found])
    edits = None
    if inversion.mixture is None:
        names = tuple(f"{i:04d}" for i in range(len(given)))
        stored = StoredInversion(Path("codes"), names, inversion, torch.arange(len(given)), 0, (), "")
        edits = compare_edits(finished, stored, samples=samples, progress=Progress(quiet=True))
    columns = {
        name: np.array([one.measures.get(name, np.nan) for one in found])
        for name in ("psnr", "ms_ssim", "perceptual")
    }
    return Measured(
        case.name,
        columns["psnr"],
        columns["ms_ssim"],
        columns["perceptual"],
        score_errors(finished, images, torch.stack([one.picture for one in found])),
        code_trust(cloud, inversion.codes).whole,
        seconds,
        edits,
        {
            curve.step: torch.stack([one.curves[k].losses for one in found]).mean(dim=0).tolist()
            for k, curve in enumerate(found[0].curves)
        },
    )


@torch.inference_mode()
def score_errors(finished: Finished, given: Tensor, made: Tensor, batch: int = 50) -> Floats:
    """Return the root mean squared difference of the scores of two sets of pictures, in sd, (N,)."""
    prepared, units = finished.engine.prepared, concept_units(finished.run.concepts)
    pieces = []
    for start in range(0, len(given), batch):
        pair = [x[start : start + batch] for x in (given, made.clamp(0.0, 1.0))]
        first, second = (prepared.score(Rendering(x, composed=True)) for x in pair)
        pieces.append(((second - first) / units) ** 2)
    return np.asarray(np.sqrt(np.nanmean(np.concatenate(pieces), axis=1)))


def own(generator: ganstrata.Generator, count: int, batch: int) -> None:
    """Invert the generator's own pictures in w+ with 500 steps, and print their PSNR."""
    for embed in ("mean", "best"):
        fields = {"w+": {"steps": 500}}
        method = method_of(generator, embed, ("w+",), fields, perceptual="auto", seed=0, class_index=None)
        values = []
        for start in range(0, count, batch):
            images = sample_pictures(generator, 0, start, min(batch, count - start))
            index = [10**6 + start + i for i in range(len(images))]
            values += [one.measures["psnr"] for one in inverted(method, images, index)]
        print(
            f"own pictures, {embed}>w+, 500 steps: PSNR {np.median(values):.1f} dB, least {min(values):.1f}"
        )


def heads() -> str:
    """Return the head of the table in Markdown."""
    names = ("case", "PSNR, dB", "MS-SSIM", "perceptual", "score error, sd", "code distance")
    names = (*names, "faithfulness", "s")
    return f"| {' | '.join(names)} |\n| --- |{' ---: |' * (len(names) - 1)}"


def row(one: Measured) -> str:
    """Return a row of the table in Markdown."""
    cells = [
        _mean(one.psnr, 1),
        _mean(one.ms_ssim, 3),
        _mean(one.perceptual, 3),
        _mean(one.score_error, 2),
        _mean(one.code_distance, 2),
    ]
    ratio = "–"
    if one.edits is not None:
        kept = one.edits.ratio
        ratio = f"{kept.value:.2f} [{kept.low:.2f}, {kept.high:.2f}]"
    return f"| {one.case} | {' | '.join(cells)} | {ratio} | {one.seconds:.2f} |"


def _mean(values: Floats, digits: int) -> str:
    """Return a mean over pictures with its 95 % interval."""
    low, high = interval(bootstrap_means(values, bootstrap_weights(len(values), RESAMPLINGS, 0)))
    return f"{np.nanmean(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def as_data(one: Measured) -> dict[str, Any]:
    """Return all numbers of a case as plain data."""
    data: dict[str, Any] = {
        field.name: value.tolist() if isinstance(value, np.ndarray) else value
        for field in dataclasses.fields(one)
        if (value := getattr(one, field.name)) is not one.edits
    }
    if one.edits is not None:
        data["ratio"] = dataclasses.asdict(one.edits.ratio)
        data["edits"] = {
            name: dataclasses.asdict(edit)
            for name, edit in zip(one.edits.names, one.edits.edits, strict=True)
        }
    return data


if __name__ == "__main__":
    main()
