"""Measure the generator against held-out renders, with the scorers that ship with it.

    python -m recipes.rooms.measure --checkpoint bundled:rooms --held-out build/rooms/held_out \\
        --out build/rooms/quality.json

Generated pictures are rounded to 8 bits, like the rendered ones. The ordinary plugins score everything.
Targets and verdicts stand beside the numbers. Noise is fresh for every sample, as in training. The plugin's
default uses one pattern for all, by which alone a network can recognise generated pictures: how well is
measured too.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import torch
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.plugins.scorer import Scorer
from ganstrata.plugins.scorers.bundles import to_size
from ganstrata.plugins.scorers.scenes import SIZE
from numpy.typing import NDArray

from .quality import FURNITURE, kid, ks_distance, precision_recall, shows
from .two_sample_test import two_sample_test

TARGETS = {"factor": 0.15, "furniture": 0.85, "share": 0.15, "sure": 0.90}
SURE = 0.9  # probability above which the category network counts as sure
FINENESS = 0.02  # of probabilities and shares: the least spread that counts as variation

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Scored:
    """Hold a set of pictures with the scorers' answers and the features of the category network."""

    pictures: Pixels  # (N, H, W, 3)
    scores: dict[str, Array]  # by scorer/concept, (N,)
    features: Array  # (N, 256)

    def of(self, scorer: str) -> tuple[tuple[str, ...], Array]:
        """Return a scorer's concepts and their scores (N, C)."""
        ids = [name for name in self.scores if name.startswith(f"{scorer}/")]
        return tuple(name.split("/")[1] for name in ids), np.stack(
            [self.scores[name] for name in ids], axis=1
        )


def load_scorers(checkpoint: str = "bundled:rooms") -> dict[str, Scorer]:
    """Load the scorers that read factors off pictures, by name, on the CPU."""
    reading = {
        name: ganstrata.load_scorer(name, device="cpu", checkpoint=checkpoint)
        for name in ("layout", "category", "attribute", "segmentation")
    }
    return {**reading, "hue": ganstrata.load_scorer("hue", device="cpu")}


@torch.inference_mode()
def generate(generator: ganstrata.Generator, n: int, *, seed: int, batch: int = 100) -> Pixels:
    """Generate the first n samples of the verification stream, (N, H, W, 3), 8 bits."""
    blocks = []
    for start in range(0, n, batch):
        latents = generator.sample(min(batch, n - start), seed, start, ganstrata.Stream.VERIFICATION)
        codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
        blocks.append(
            to_pixels(ganstrata.render(generator, codes, condition=latents.condition, index=latents.index))
        )
    return np.concatenate(blocks)


@torch.inference_mode()
def score(pictures: Pixels, scorers: dict[str, Scorer], *, batch: int = 100) -> Scored:
    """Score pictures (N, H, W, 3) with all scorers."""
    network = scorers["category"].model.network  # type: ignore[attr-defined]
    columns, features = [], []
    for start in range(0, len(pictures), batch):
        images = (
            torch.from_numpy(np.array(pictures[start : start + batch])).permute(0, 3, 1, 2).float() / 255.0
        )
        rendering = ganstrata.Rendering(images)
        columns.append(torch.cat([scorer.score(rendering) for scorer in scorers.values()], dim=1))
        features.append(network.features(to_size(images, SIZE)))
    table = torch.cat(columns).double().numpy()
    names = [f"{name}/{concept.name}" for name, scorer in scorers.items() for concept in scorer.concepts]
    scores = {name: table[:, i] for i, name in enumerate(names)}
    scores["layout/line_seen"] = (~np.isnan(scores["layout/wall_line"])).astype(np.float64)
    return Scored(np.asarray(pictures), scores, torch.cat(features).double().numpy())


def factor_distances(generated: Scored, rendered: Scored) -> list[dict[str, Any]]:
    """Return the Kolmogorov-Smirnov distance per factor, worst first.

    `rounded` is the distance after rounding probabilities and shares to FINENESS. It ignores whether an
    absent class has no pixel at all or one, which the plain distance counts in full.
    """
    rows = []
    for name, a in generated.scores.items():
        b = rendered.scores[name]
        distance = ks_distance(a, b)
        rounded = (
            distance
            if name.startswith(("attribute/", "layout/"))
            else ks_distance(np.round(a / FINENESS), np.round(b / FINENESS))
        )
        rows.append(
            {
                "factor": name,
                "distance": distance,
                "rounded": rounded,
                "generated": float(np.nanmean(a)),
                "rendered": float(np.nanmean(b)),
            }
        )
    return sorted(rows, key=lambda row: -row["distance"])


def category_table(scored: Scored) -> dict[str, Any]:
    """Return the share of each category, how sure the network is, and whether the furniture is there."""
    categories, probability = scored.of("category")
    classes, shares = scored.of("segmentation")
    likeliest = probability.argmax(axis=1)
    rows = {}
    for i, name in enumerate(categories):
        chosen = likeliest == i
        furniture = shows(shares[chosen], classes, name) if chosen.any() else np.zeros(1, bool)
        rows[name] = {"share": float(chosen.mean()), "furniture": float(furniture.mean())}
    return {"categories": rows, "sure": float((probability.max(axis=1) > SURE).mean())}


def targets_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the targets of quality, one per line."""
    table, rows = result["generated"], []
    for scorer in dict.fromkeys(row["factor"].split("/")[0] for row in result["factors"]):
        worst = next(row for row in result["factors"] if row["factor"].startswith(f"{scorer}/"))
        name, distance = f"KS distance, worst of {scorer}", worst["distance"]
        rows.append(
            (name, f"<= {TARGETS['factor']}", distance, distance <= TARGETS["factor"], worst["factor"])
        )
    for name, row in table["categories"].items():
        what = " and ".join(FURNITURE[name])
        rows.append(
            (
                f"{name} shows its {what}",
                f">= {TARGETS['furniture']}",
                row["furniture"],
                row["furniture"] >= TARGETS["furniture"],
                "",
            )
        )
    for name, row in table["categories"].items():
        rows.append(
            (f"share of {name}", f">= {TARGETS['share']}", row["share"], row["share"] >= TARGETS["share"], "")
        )
    rows.append(
        (
            f"category sure (p > {SURE})",
            f">= {TARGETS['sure']}",
            table["sure"],
            table["sure"] >= TARGETS["sure"],
            "",
        )
    )
    return [{"name": a, "target": b, "value": c, "met": bool(d), "note": e} for a, b, c, d, e in rows]


def measure(
    generated: Scored, rendered: Scored, others: Scored, *, passes: int = 8, subset: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compute all numbers; `others` are further held-out renders, which show what two equal sets reach."""
    pairs = {"generated": generated, "other_renders": others}
    # The kernel of KID is made for features of about unit size.
    unit = np.sqrt(np.square(rendered.features).mean())
    factors = factor_distances(generated, rendered)
    result: dict[str, Any] = {
        "factors": factors,
        "calibration": factor_distances(others, rendered)[0],
        "factors_beyond_target": sum(row["distance"] > TARGETS["factor"] for row in factors),
        "generated": category_table(generated),
        "rendered": category_table(rendered),
        "apart": {
            name: two_sample_test(x.pictures, rendered.pictures, passes=passes, seed=seed)._asdict()
            for name, x in pairs.items()
        },
        "kid": {
            name: kid(x.features / unit, rendered.features / unit, size=subset, seed=seed)._asdict()
            for name, x in pairs.items()
        },
        "neighbours": {
            name: precision_recall(x.features, rendered.features)._asdict() for name, x in pairs.items()
        },
    }
    return {**result, "targets": targets_of(result)}


def table(result: dict[str, Any]) -> str:
    """Return all numbers as a table to read."""
    lines = [f"{'target':42} {'wanted':>8} {'found':>8}"]
    for row in result["targets"]:
        lines.append(
            f"{row['name']:42} {row['target']:>8} {row['value']:8.3f}  "
            f"{'met' if row['met'] else 'MISSED'}  {row['note']}"
        )
    lines += [
        "",
        f"{'factor, by distance':30} {'distance':>8} {'rounded':>9} {'generated':>9} {'rendered':>9}",
    ]
    for row in result["factors"]:
        lines.append(
            f"{row['factor']:30} {row['distance']:8.3f} {row['rounded']:9.3f} "
            f"{row['generated']:9.3f} {row['rendered']:9.3f}"
        )
    lines += [
        "",
        f"two sets of renders: worst distance {result['calibration']['distance']:.3f} "
        f"({result['calibration']['factor']})",
    ]
    lines += ["", f"{'':30} {'generated':>10} {'renders':>10}"]
    for name, row in result["rendered"]["categories"].items():
        lines.append(
            f"{name + ' furniture':30} {result['generated']['categories'][name]['furniture']:10.3f} "
            f"{row['furniture']:10.3f}"
        )
    for name, row in result["rendered"]["categories"].items():
        lines.append(
            f"{name + ' share':30} {result['generated']['categories'][name]['share']:10.3f} "
            f"{row['share']:10.3f}"
        )
    pairs = [
        ("told apart from renders", "apart", "accuracy", 1),
        ("KID x 1000", "kid", "mean", 1000),
        ("  its sd", "kid", "sd", 1000),
    ]
    pairs += [("precision", "neighbours", "precision", 1), ("recall", "neighbours", "recall", 1)]
    for label, key, part, factor in pairs:
        lines.append(
            f"{label:30} {factor * result[key]['generated'][part]:10.3f} "
            f"{factor * result[key]['other_renders'][part]:10.3f}"
        )
    if "generated_const_noise" in result["apart"]:
        lines.append(
            f"{'told apart, one noise for all':30} "
            f"{result['apart']['generated_const_noise']['accuracy']:10.3f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="bundled:rooms", help="generator: a file, or bundled:rooms")
    parser.add_argument(
        "--held-out", type=Path, required=True, help="rendered rooms that nothing was trained on"
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=5000,
        help="generated pictures, and rendered ones; twice as many renders are needed",
    )
    parser.add_argument("--noise", default="fresh", choices=("fresh", "const", "none"), help="of the samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    n = args.samples
    renders = np.load(args.held_out / "images.npy", mmap_mode="r")
    if len(renders) < 2 * n:
        parser.error(f"{args.held_out} holds {len(renders)} pictures; {2 * n} are needed")
    generator = ganstrata.load_generator(
        "stylegan2", device="cpu", checkpoint=args.checkpoint, noise=args.noise
    )
    fixed = ganstrata.load_generator("stylegan2", device="cpu", checkpoint=args.checkpoint, noise="const")
    scorers = load_scorers()
    sets = [generate(generator, n, seed=args.seed), renders[:n], renders[n : 2 * n]]
    print(f"pictures made, {time.monotonic() - began:.0f} s", flush=True)
    scored = [score(pictures, scorers) for pictures in sets]
    print(f"scored, {time.monotonic() - began:.0f} s", flush=True)
    result = measure(*scored, seed=args.seed)
    result["apart"]["generated_const_noise"] = two_sample_test(
        generate(fixed, n, seed=args.seed), sets[1], seed=args.seed
    )._asdict()
    about = {
        "checkpoint": args.checkpoint,
        "sha256": generator.card.sha256,
        "scorers": {name: scorer.checkpoint for name, scorer in scorers.items() if scorer.checkpoint},
        "samples": n,
        "noise": args.noise,
        "seed": args.seed,
        "seconds": round(time.monotonic() - began),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"about": about, **result}, indent=2) + "\n")
    print(table(result))


if __name__ == "__main__":
    main()
