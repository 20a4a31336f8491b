"""Write the cards of the scorers' two networks."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .facts import common, counts, data_facts
from .text import duration, header, lines_of

LIMITS = [
    "",
    "## Intended use and limits",
    "",
    "For reading rooms that the recipe's renderer drew or that the bundled generator made; "
    "on any other picture its answers mean nothing.",
    "The numbers above are measured on renders. On generated rooms there is no truth "
    "to measure against: the quality of",
    "the generator's card, and 48 samples named by eye, say how far they can be trusted there.",
]


def scorer_facts(
    args: argparse.Namespace, part: str, architecture: str
) -> tuple[list[tuple[str, ...]], dict[str, Any], dict[str, Any]]:
    """Return the facts of a scorer's card, the content of its checkpoint, and its measurements."""
    path = args.weights / f"rooms.{part}.safetensors"
    weights, logged = counts(path), json.loads((args.scorers / f"{part}.json").read_text())
    facts = [*common(weights, path, args.machine), ("architecture", architecture), *data_facts(args)]
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
    return facts, weights, logged


def scenes_card(args: argparse.Namespace) -> str:
    """Write rooms.scenes.md."""
    facts, weights, logged = scorer_facts(
        args, "scenes", "five 3x3 convolutions (32 to 128 channels), mean and maximum, two linear heads"
    )
    n = f"{logged['pictures']:,}"
    categories = ", ".join(weights["settings"]["categories"])
    what = (
        f"Names rooms ({categories}) and reads attributes off them. "
        "Shared by the `category` and `attribute` plugins."
    )
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
    """Write rooms.surfaces.md."""
    facts, weights, logged = scorer_facts(
        args,
        "surfaces",
        "feature pyramid at 32, 16 and 8 px with global context; "
        "2x2 squares as channels on the way in and out",
    )
    settings = weights["settings"]
    walls = ", ".join(settings["walls"])
    what = (
        f"Labels each pixel with one of {len(settings['classes'])} classes; "
        f"layout is read off the meeting lines of {walls}. "
        "Shared by the `segmentation` and `layout` plugins."
    )
    text = header("rooms.surfaces", what, facts)
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
