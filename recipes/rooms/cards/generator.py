"""Write the card of the generator: its training, and its measured quality."""

from __future__ import annotations

import argparse
import csv
import json

from ..train_generator import MAPPING_LAYERS, MIXING, R1_EVERY, R1_GAMMA, W_DIM
from .facts import common, counts, data_facts
from .quality import quality_text
from .text import duration, header

LIMITS = [
    "## Intended use and limits",
    "",
    "For demonstrations and tests of methods that read and edit generators: "
    "small, quick on a CPU, with a known ground truth.",
    "It knows boxes of furniture in one kind of room and nothing else. "
    "It is no model of real rooms, and nothing about",
    "photographs follows from it. Two pairs of factors are correlated by design: "
    "daylight with indoor light (-0.5), and a wooden",
    "floor with dining rooms (0.6); the generator learns these correlations too. "
    "How it was made: `recipes/rooms/README.md`.",
]


def generator_card(args: argparse.Namespace) -> str:
    """Write rooms.generator.md.

    Raises:
        ValueError: the quality was measured on other weights.
    """
    path = args.weights / "rooms.generator.safetensors"
    weights, quality = counts(path), json.loads(args.quality.read_text())
    if quality["about"]["sha256"] != weights["sha256"]:
        raise ValueError(f"{args.quality} was measured on other weights than {path}: measure again")
    with (args.training / "progress.csv").open(newline="") as file:
        log = [(int(size), int(seen), float(seconds)) for size, seen, _, _, _, seconds in csv.reader(file)]
    # Training may have gone on after these weights were written.
    exported = weights["settings"].get("images_seen")
    log = [row for row in log if exported is not None and row[1] <= exported]
    if not log or log[-1][1] != exported:
        raise ValueError(
            f"{args.training / 'progress.csv'} does not tell of the {exported} images that {path} has seen: "
            "export again"
        )
    ends = {size: (seen, seconds) for size, seen, seconds in log}
    stages = ", ".join(
        f"{size} px up to {seen:,} ({duration(seconds)})" for size, (seen, seconds) in ends.items()
    )
    blocks = sorted(
        int(name.split(".b")[1].split(".")[0]) for name in weights["shapes"] if name.endswith("conv1.bias")
    )
    widths = "-".join(str(weights["shapes"][f"synthesis.b{size}.conv1.bias"][0]) for size in blocks)
    size = blocks[-1]
    text = header(
        "rooms.generator",
        f"A style-based generator of furnished rooms at {size} px: bedrooms, living rooms and dining rooms "
        "as a procedural renderer draws them. Loaded by the `stylegan2` plugin as `bundled:rooms`.",
        [
            *common(weights, path, args.machine),
            (
                "architecture",
                f"StyleGAN2 with skip RGB, z = w = {W_DIM}, {MAPPING_LAYERS} mapping layers, "
                f"channels {widths} from 4 to {size} px",
            ),
            ("layers", f"{2 * len(blocks)} codes"),
            *data_facts(args),
            (
                "training",
                f"non-saturating logistic loss, R1 (gamma {R1_GAMMA:g} at 64 px, every {R1_EVERY} steps), "
                f"style mixing {MIXING:g}, EMA, bf16",
            ),
            ("seed", f"{args.seed}"),
            ("images seen", f"{log[-1][1]:,}, grown: {stages}"),
            ("wall time", f"{duration(log[-1][2])} of training, on a machine shared with other work"),
        ],
    )
    text += ["![64 samples](rooms.generator.png)", "", *quality_text(quality, args.named, weights["sha256"])]
    return "\n".join(text + LIMITS) + "\n"
