"""Describe the measured quality on the generator's card: targets, misses, and what other renders reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..measure import TARGETS
from .text import lines_of


def quality_text(quality: dict[str, Any], named: Path | None, sha256: str) -> list[str]:
    """Return the measured quality with its targets, and say which are missed.

    Raises:
        ValueError: the names given by eye are about other weights.
    """
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
