"""Measure what the encoder is worth as the start of a search: 50 steps from it against 500 from the mean.

    python -m recipes.rooms.encoder_start --held-out build/rooms/held_out --out build/rooms/start.json
    python -m recipes.rooms.encoder_start --card weights/rooms.encoder.md --out build/rooms/start.json

The first call measures, and adds to what the file has already; the second puts a table into the card.
Pictures are held-out renders, and samples of the generator whose codes the encoder has not seen. What is
searched is one code per layer (step `w+` with its defaults but the steps).
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import torch
from ganstrata.core.checkpoints import locate
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.encoders.quality import psnr
from ganstrata.core.inversion.perceptual_named import perceptual_named
from ganstrata.core.inversion.rendering import Renderer
from ganstrata.core.plugins.inverter import Inversion, InversionTask, Inverter
from ganstrata.core.randomness import Stream, noise_seed
from ganstrata.core.runs.loading import build
from torch import Tensor

BATCH = 16
HEADING = "## As the start of a search"


def step(name: str, **fields: object) -> Inverter:
    """Build a step of an inversion."""
    return build("inverter", name, fields, device="cpu")  # type: ignore[return-value]


def searched(
    generator: ganstrata.Generator,
    pictures: Tensor,
    start: Inverter,
    steps: int,
    rule: DistanceRule,
    precision: str,
) -> tuple[list[float], list[float]]:
    """Return PSNR in dB and distance of each picture after so many steps from a start."""
    decibels: list[float] = []
    distances: list[float] = []
    for at in range(0, len(pictures), BATCH):
        wanted = pictures[at : at + BATCH]
        index = torch.arange(at, at + len(wanted))
        noise = noise_seed(0, Stream.EDITING)
        distance = rule.to(wanted)
        task = InversionTask(
            generator, wanted, index, Renderer(generator, index, noise, precision=precision), distance
        )
        found: Inversion = start.invert(task, None)
        if steps:
            found = step("w+", steps=steps).invert(task, found)
        with torch.no_grad():
            made = Renderer(generator, index, noise)(found)
            decibels += psnr(made.images, wanted).tolist()
            distances += distance(made).tolist()
    return decibels, distances


def with_table(card: str, results: dict[str, Any]) -> str:
    """Return the card with a table of the results, in place of an older one.

    Raises:
        SystemExit: the results are of another encoder.
    """
    if results["encoder"] not in card:
        raise SystemExit(f"the card is of another encoder than the results, {results['encoder']}")
    count = min(len(part["psnr"]) for part in results["starts"].values())
    rows = [
        f"| {kind} | {start.partition(':')[0]} | {start.partition(':')[2]} | "
        f"{np.mean(part['psnr']):.2f} | {np.mean(part['distance']):.4f} |"
        for name, part in results["starts"].items()
        for kind, start in [name.split(" ")]
    ]
    lines = [
        HEADING,
        "",
        f"{count} held-out renders and as many samples, searched by `w+` with `{results['distance']}` in "
        f"{results['precision']}:",
        "",
        "| pictures | start | steps | PSNR (dB) | distance |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "",
    ]
    before, _, after = card.partition("## Training")
    return before.partition(HEADING)[0] + "\n".join(lines) + "## Training" + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--card", type=Path, help="card that gets the results of --out; nothing is measured")
    parser.add_argument("--pictures", type=int, default=200, help="of each kind")
    parser.add_argument("--encoder", default="bundled:rooms")
    parser.add_argument("--perceptual", default="auto", help="none for pixels alone")
    parser.add_argument("--starts", default="mean:0,mean:50,mean:500,encoder:0,encoder:50,encoder:500")
    parser.add_argument("--precision", default="fp32", help="of the search; results are measured in fp32")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.card is not None:
        args.card.write_text(with_table(args.card.read_text(), json.loads(args.out.read_text())))
        return
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    rule = DistanceRule(network=perceptual_named(args.perceptual, generator))
    renders = np.array(np.load(args.held_out / "images.npy", mmap_mode="r")[: args.pictures])
    latents = generator.sample(args.pictures, 0, 0, Stream.VALIDATION)
    codes = generator.broadcast(generator.map(latents.z))
    kinds = {
        "renders": torch.from_numpy(renders).permute(0, 3, 1, 2).float() / 255.0,
        "samples": ganstrata.render(
            generator, codes, index=latents.index, noise=noise_seed(0, Stream.EDITING)
        ).detach(),
    }
    encoder = hashlib.sha256(locate(args.encoder, "encoder").read_bytes()).hexdigest()
    facts = {"distance": rule.name, "encoder": encoder, "precision": args.precision}
    results: dict[str, Any] = {**facts, "starts": {}}
    if args.out.exists():
        results = json.loads(args.out.read_text())
        if any(results[key] != value for key, value in facts.items()):
            raise SystemExit(
                f"{args.out} has results of another distance, encoder or precision; give another --out"
            )
    for text in args.starts.split(","):
        name, _, steps = text.partition(":")
        start = step(name, **({"checkpoint": args.encoder} if name == "encoder" else {}))
        for kind, pictures in kinds.items():
            decibels, distances = searched(generator, pictures, start, int(steps), rule, args.precision)
            results["starts"][f"{kind} {text}"] = {"psnr": decibels, "distance": distances}
            print(
                f"{kind}, {text}: {np.mean(decibels):.2f} dB, distance {np.mean(distances):.4f}", flush=True
            )
            args.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
