"""Write the model cards beside the weights, from measured numbers and training logs.

    python -m recipes.rooms.cards --weights weights --quality build/rooms/quality.json --training build/rooms/generator \\
        --scorers build/rooms/scorers --data build/rooms/train --held-out build/rooms/held_out --named recipes/rooms/named/outcome.json \\
        --machine "2 cores of an Intel Xeon (Sapphire Rapids), no GPU"

No number stands here: what is missing from the logs is missing from the card, and said to be.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import torch
from ganstrata.core.checkpoints import read_checkpoint

from .measure import TARGETS, generate
from .render import grid
from .render import render as render_room
from .train_generator import MAPPING_LAYERS, MIXING, R1_EVERY, R1_GAMMA, W_DIM

LARGEST_GRID = 600 * 1024
LARGEST = 12 * 2**20


def duration(seconds: float) -> str:
    """Hours and minutes.

    >>> duration(11181), duration(520)
    ('3 h 06 min', '9 min')
    """
    hours, minutes = divmod(round(seconds / 60.0), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def lines_of(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head), *rows)]


def counts(path: Path) -> dict[str, Any]:
    """Parameters (without buffers), bytes and hash of a checkpoint."""
    checkpoint = read_checkpoint(path)
    kept = ("running_", "num_batches", "resample_filter", "noise_const", "w_avg")
    numbers = sum(
        tensor.numel()
        for name, tensor in checkpoint.tensors.items()
        if not any(part in name for part in kept)
    )
    shapes = {name: tuple(tensor.shape) for name, tensor in checkpoint.tensors.items()}
    return {
        "parameters": numbers,
        "bytes": path.stat().st_size,
        "sha256": checkpoint.sha256,
        "settings": checkpoint.settings,
        "shapes": shapes,
    }


def seed_of(folder: Path) -> int:
    """The seed that a set of renders was made with, found by rendering its first picture again.

    Raises:
        ValueError: none of the first hundred seeds gives this picture.
    """
    first = np.load(folder / "images.npy", mmap_mode="r")[0]
    for seed in range(100):
        for independent in (False, True):
            if np.array_equal(render_room(seed, 0, first.shape[0], independent=independent)[0], first):
                return seed
    raise ValueError(f"{folder} was rendered by other code, or with a seed above 99")


def header(title: str, what: str, facts: list[tuple[str, ...]]) -> list[str]:
    """Title, a sentence and a table of facts."""
    return [f"# {title}", "", what, "", *lines_of(facts, ("", "")), ""]


def common(found: dict[str, Any], path: Path, machine: str) -> list[tuple[str, ...]]:
    """The facts that every card has."""
    return [
        ("file", f"`{path.name}`, {found['bytes'] / 2**20:.2f} MiB, float16 safetensors"),
        ("sha256", f"`{found['sha256']}`"),
        ("parameters", f"{found['parameters']:,}"),
        ("machine", machine),
        ("licence", "MIT, weights and data"),
    ]


def data_facts(args: argparse.Namespace) -> list[tuple[str, ...]]:
    """What was trained on, what was held out."""
    sets = [np.load(folder / "images.npy", mmap_mode="r") for folder in (args.data, args.held_out)]
    return [
        (
            "training data",
            f"{len(sets[0]):,} rooms of `recipes/rooms/render.py`, seed {seed_of(args.data)}; no photographs, no people",
        ),
        ("held-out data", f"{len(sets[1]):,} other rooms, seed {seed_of(args.held_out)}"),
    ]


def generator_card(args: argparse.Namespace) -> str:
    """rooms.generator.md.

    Raises:
        ValueError: the quality was measured on other weights.
    """
    path = args.weights / "rooms.generator.safetensors"
    found, quality = counts(path), json.loads(args.quality.read_text())
    if quality["about"]["sha256"] != found["sha256"]:
        raise ValueError(f"{args.quality} was measured on other weights than {path}: measure again")
    with (args.training / "progress.csv").open(newline="") as file:
        log = [(int(size), int(seen), float(seconds)) for size, seen, _, _, _, seconds in csv.reader(file)]
    # Training may have gone on after these weights were written.
    exported = found["settings"].get("images_seen")
    log = [row for row in log if exported is not None and row[1] <= exported]
    if not log or log[-1][1] != exported:
        raise ValueError(
            f"{args.training / 'progress.csv'} does not tell of the {exported} images that {path} has seen: export again"
        )
    ends = {size: (seen, seconds) for size, seen, seconds in log}
    stages = ", ".join(
        f"{size} px up to {seen:,} ({duration(seconds)})" for size, (seen, seconds) in ends.items()
    )
    blocks = sorted(
        int(name.split(".b")[1].split(".")[0]) for name in found["shapes"] if name.endswith("conv1.bias")
    )
    widths = "-".join(str(found["shapes"][f"synthesis.b{size}.conv1.bias"][0]) for size in blocks)
    size = blocks[-1]
    text = header(
        "rooms.generator",
        f"A style-based generator of furnished rooms at {size} px: bedrooms, living rooms and dining rooms as a procedural renderer draws them. "
        "Loaded by the `stylegan2` plugin as `bundled:rooms`.",
        [
            *common(found, path, args.machine),
            (
                "architecture",
                f"StyleGAN2 with skip RGB, z = w = {W_DIM}, {MAPPING_LAYERS} mapping layers, channels {widths} from 4 to {size} px",
            ),
            ("layers", f"{2 * len(blocks)} codes"),
            *data_facts(args),
            (
                "training",
                f"non-saturating logistic loss, R1 (gamma {R1_GAMMA:g} at 64 px, every {R1_EVERY} steps), style mixing {MIXING:g}, EMA, bf16",
            ),
            ("seed", f"{args.seed}"),
            ("images seen", f"{log[-1][1]:,}, grown: {stages}"),
            ("wall time", f"{duration(log[-1][2])} of training, on a machine shared with other work"),
        ],
    )
    text += ["![64 samples](rooms.generator.png)", "", *quality_text(quality, args.named, found["sha256"])]
    text += [
        "## Intended use and limits",
        "",
        "For demonstrations and tests of methods that read and edit generators: small, quick on a CPU, with a known ground truth.",
        "It knows boxes of furniture in one kind of room and nothing else. It is no model of real rooms, and nothing about",
        "photographs follows from it. Two pairs of factors are correlated by design: daylight with indoor light (-0.5), and a wooden",
        "floor with dining rooms (0.6); the generator learns these correlations too. How it was made: `recipes/rooms/README.md`.",
    ]
    return "\n".join(text) + "\n"


def quality_text(quality: dict[str, Any], named: Path | None, sha256: str) -> list[str]:
    """The measured quality with its targets, and what is missed, plainly."""
    about, targets = quality["about"], list(quality["targets"])
    if named is not None and named.exists():
        outcome = json.loads(named.read_text())
        if outcome["sha256"] != sha256:
            raise ValueError(f"{named} is about other weights: name again")
        row = {
            "name": f"{outcome['pictures']} samples named by eye as by the network",
            "value": outcome["right"],
            "met": outcome["met"],
            "note": "",
        }
        targets.append({**row, "target": f">= {outcome['target']}"})
    missed = [row for row in targets if not row["met"]]
    how = f"{about['samples']:,} samples (seed {about['seed']}, noise {about['noise']})"
    text = [
        "## Quality",
        "",
        f"{how} against {about['samples']:,} held-out renders, read by the bundled scorers.",
    ]
    text += ["", *lines_of([_target_row(row) for row in targets], ("measured", "target", "found", ""))]
    if missed:
        named_ones = "; ".join(
            f"{row['name']} {row['value']:.3f}" + (f" ({row['note']})" if row["note"] else "")
            for row in missed
        )
        text += ["", f"**Missed:** {named_ones}."]
        beyond = [
            f"{row['factor']} {row['distance']:.2f}"
            for row in quality["factors"]
            if row["distance"] > TARGETS["factor"]
        ]
        text += [f"Factors beyond a distance of {TARGETS['factor']}: {', '.join(beyond)}."] if beyond else []
    else:
        text += ["", "All targets are met."]
    if named is None or not named.exists():
        text += ["", "Naming by eye has not been done for these weights."]
    pairs = [
        ("told apart by a small network (0.5 = not at all)", "apart", "accuracy"),
        ("k-NN precision (k = 3)", "neighbours", "precision"),
    ]
    pairs += [
        ("k-NN recall (k = 3)", "neighbours", "recall"),
        ("KID x 1000, mean", "kid", "mean"),
        ("KID x 1000, sd over subsets", "kid", "sd"),
    ]
    rows = []
    for label, key, part in pairs:
        times = 1000.0 if key == "kid" else 1.0
        rows.append(
            (label, *(f"{times * quality[key][which][part]:.3f}" for which in ("generated", "other_renders")))
        )
    rows.insert(
        1,
        (
            "told apart where all samples share one noise (`noise: const`)",
            f"{quality['apart']['generated_const_noise']['accuracy']:.3f}",
            "",
        ),
    )
    text += [
        "",
        "Beside them what other held-out renders reach, in the features of the category network:",
        "",
    ]
    text += lines_of(rows, ("against held-out renders", "samples", "other renders"))
    furniture = [
        (name, f"{quality['generated']['categories'][name]['furniture']:.3f}", f"{row['furniture']:.3f}")
        for name, row in quality["rendered"]["categories"].items()
    ]
    text += [
        "",
        "Share of each category in which the segmentation shows its furniture over 2 % of the picture:",
        "",
    ]
    text += lines_of(furniture, ("category", "samples", "held-out renders"))
    worst = [
        (row["factor"], *(f"{row[key]:.3f}" for key in ("distance", "rounded", "generated", "rendered")))
        for row in quality["factors"][:16]
    ]
    text += ["", "The factors that lie farthest from the renders' (Kolmogorov-Smirnov):", ""]
    text += [
        *lines_of(
            worst, ("factor", "distance", "shares rounded to 2 %", "mean of samples", "mean of renders")
        ),
        "",
    ]
    return text


def _target_row(row: dict[str, Any]) -> tuple[str, ...]:
    note = f" ({row['note']})" if row["note"] else ""
    return row["name"] + note, row["target"], f"{row['value']:.3f}", "met" if row["met"] else "**missed**"


def scorer_facts(
    args: argparse.Namespace, part: str, architecture: str
) -> tuple[list[tuple[str, ...]], dict[str, Any], dict[str, Any]]:
    """The facts of a scorer's card, what its checkpoint holds, and what was measured."""
    path = args.weights / f"rooms.{part}.safetensors"
    found, logged = counts(path), json.loads((args.scorers / f"{part}.json").read_text())
    facts = [*common(found, path, args.machine), ("architecture", architecture), *data_facts(args)]
    facts += [
        (
            "training",
            "AdamW, one cycle of the rate, bf16; pictures are bent, blurred or sharpened, and grained",
        )
    ]
    facts += [
        ("seed", str(logged["seed"])),
        ("images seen", f"{logged['pictures_seen']:,}"),
        ("wall time", duration(logged["seconds"])),
    ]
    return facts, found, logged


LIMITS = [
    "",
    "## Intended use and limits",
    "",
    "For reading rooms that the recipe's renderer drew or that the bundled generator made; on any other picture its answers mean nothing.",
    "The numbers above are measured on renders. On generated rooms there is no truth to measure against: the quality of",
    "the generator's card, and 48 samples named by eye, say how far they can be trusted there.",
]


def scenes_card(args: argparse.Namespace) -> str:
    """rooms.scenes.md."""
    facts, found, logged = scorer_facts(
        args, "scenes", "five 3x3 convolutions (32 to 128 channels), mean and maximum, two linear heads"
    )
    n = f"{logged['pictures']:,}"
    categories = ", ".join(found["settings"]["categories"])
    what = f"Names rooms ({categories}) and reads attributes off them. Shared by the `category` and `attribute` plugins."
    text = header("rooms.scenes", what, facts)
    each = ", ".join(f"{name} {value:.4f}" for name, value in logged["accuracy_per_category"].items())
    text += [
        "## Quality",
        "",
        f"On {n} held-out renders: category accuracy **{logged['accuracy']:.4f}** ({each}).",
        "",
    ]
    rows = [
        (name, f"{value:.4f}", f"{logged['correlation'][name]:.3f}") for name, value in logged["auc"].items()
    ]
    text += lines_of(rows, ("attribute", "AUC (truth above a half)", "correlation of probability with truth"))
    return "\n".join(text + LIMITS) + "\n"


def surfaces_card(args: argparse.Namespace) -> str:
    """rooms.surfaces.md."""
    facts, found, logged = scorer_facts(
        args,
        "surfaces",
        "feature pyramid at 32, 16 and 8 px with global context; 2x2 squares as channels on the way in and out",
    )
    settings = found["settings"]
    walls = ", ".join(settings["walls"])
    what = f"Labels each pixel with one of {len(settings['classes'])} classes; layout is read off the meeting lines of {walls}."
    text = header("rooms.surfaces", what + " Shared by the `segmentation` and `layout` plugins.", facts)
    error, defined = logged["layout_error_pixels"], logged["layout_defined"]
    measured = [
        ("pixel accuracy", f"{logged['pixel_accuracy']:.4f}"),
        ("mean IoU", f"{logged['mean_iou']:.4f}"),
        ("layout error, mean", f"{error['mean']:.2f} px"),
        ("layout error, median", f"{error['median']:.2f} px"),
        ("layout error, 95th percentile", f"{error['p95']:.2f} px"),
        ("pictures with a wall-wall line", f"{defined['truth']:.3f}"),
        ("agreement on whether there is one", f"{defined['agreement']:.4f}"),
    ]
    text += [
        "## Quality",
        "",
        f"On {logged['pictures']:,} held-out renders:",
        "",
        *lines_of(measured, ("", "")),
        "",
    ]
    ranked = sorted(logged["iou"].items(), key=lambda item: item[1])
    text += lines_of([(name, f"{value:.3f}") for name, value in ranked], ("class, worst first", "IoU"))
    return "\n".join(text + LIMITS) + "\n"


def save_grid(path: Path, *, seed: int) -> None:
    """8 x 8 samples, at most LARGEST_GRID bytes: fewer colours where full ones take more."""
    generator = ganstrata.load_generator("stylegan2", device="cpu", checkpoint=str(path))
    page = grid(generate(generator, 64, seed=seed), 8, 1)
    out = path.with_suffix(".png")
    page.save(out, optimize=True)
    colours = 256
    while out.stat().st_size > LARGEST_GRID and colours >= 32:
        page.quantize(colours).save(out, optimize=True)
        colours //= 2


def check_size(weights: Path) -> int:
    """Bytes of everything in the folder.

    Raises:
        ValueError: more than the package may hold.
    """
    total = sum(file.stat().st_size for file in weights.iterdir() if file.is_file())
    if total > LARGEST:
        raise ValueError(f"{weights} holds {total / 2**20:.1f} MiB, more than {LARGEST // 2**20}")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument(
        "--quality", type=Path, help="what measure wrote; without it the generator's card is left alone"
    )
    parser.add_argument(
        "--training", type=Path, default=Path("build/rooms/generator"), help="folder with progress.csv"
    )
    parser.add_argument(
        "--scorers",
        type=Path,
        help="folder with scenes.json and surfaces.json; without it their cards are left alone",
    )
    parser.add_argument("--data", type=Path, default=Path("build/rooms/train"))
    parser.add_argument("--held-out", type=Path, default=Path("build/rooms/held_out"))
    parser.add_argument("--named", type=Path, help="outcome.json of naming")
    parser.add_argument("--seed", type=int, default=0, help="that the generator was trained with")
    parser.add_argument("--machine", required=True, help="in words")
    args = parser.parse_args()
    torch.set_num_threads(1)
    try:
        if args.quality is not None:
            (args.weights / "rooms.generator.md").write_text(generator_card(args))
            save_grid(
                args.weights / "rooms.generator.safetensors",
                seed=json.loads(args.quality.read_text())["about"]["seed"],
            )
        if args.scorers is not None:
            (args.weights / "rooms.scenes.md").write_text(scenes_card(args))
            (args.weights / "rooms.surfaces.md").write_text(surfaces_card(args))
        print(f"{args.weights}: {check_size(args.weights) / 2**20:.2f} MiB")
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
