"""Train the scorers' networks on rendered rooms: scenes (category, attributes) and surfaces.

    python -m recipes.rooms.train_scorers scenes --data build/rooms/train --held-out build/rooms/held_out \\
        --out build/rooms/scorers
    python -m recipes.rooms.train_scorers surfaces ...

Pictures are blurred, sharpened, grained and bent, so that the networks work on generated rooms, which are
softer than rendered ones and ring at edges.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ganstrata.plugins.scorers.layout import wall_line
from ganstrata.plugins.scorers.scenes import SceneNetwork
from ganstrata.plugins.scorers.surfaces import SurfaceNetwork
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from .factors import CATEGORIES, LABELS

ATTRIBUTES = ("indoor_lighting", "daylight", "wood", "cluttered_space", "vivid_walls", "curtains")
WALLS = tuple(LABELS.index(name) for name in ("left_wall", "right_wall", "frontal_wall"))
CLUTTERED = 0.02  # share of the picture at which a room counts as wholly cluttered
DRAPED = 0.004  # share above which curtains are seen
BATCH = 64


class Rooms:
    """Hold rendered rooms with their ground truth."""

    def __init__(self, folder: Path) -> None:
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")
        factors = np.load(folder / "factors.npz")
        self.category = factors["category"].astype(np.int64)
        self.factors = {name: factors[name] for name in factors.files}

    def pictures(self, chosen: NDArray[np.int64]) -> Tensor:
        """Return pictures (n, 3, 64, 64) in [0, 1]."""
        return torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2).float() / 255.0

    def maps(self, chosen: NDArray[np.int64]) -> Tensor:
        """Return labels (n, 64, 64)."""
        return torch.from_numpy(self.labels[chosen]).long()

    def attributes(self, chosen: NDArray[np.int64], maps: Tensor) -> Tensor:
        """Return the amount of each attribute in [0, 1], (n, 6)."""

        def share(name: str) -> Tensor:
            return (maps == LABELS.index(name)).float().mean(dim=(1, 2))

        factor = {
            name: torch.from_numpy(self.factors[name][chosen])
            for name in ("indoor_light", "daylight", "wood", "saturation")
        }
        columns = (
            factor["indoor_light"],
            factor["daylight"],
            factor["wood"],
            (share("clutter") / CLUTTERED).clamp(max=1.0),
            (factor["saturation"] - 0.08) / 0.42,
            (share("curtain") > DRAPED).float(),
        )
        return torch.stack(columns, dim=1)


def augment(x: Tensor) -> Tensor:
    """Change pictures as a generator might have made them: bent, soft or ringing, grained."""
    n, size = x.shape[0], x.shape[-1]
    bend = F.interpolate(
        torch.randn(n, 2, 5, 5) * 0.012, size=(size, size), mode="bicubic", align_corners=True
    )
    identity = F.affine_grid(torch.eye(2, 3).expand(n, -1, -1), [n, 3, size, size], align_corners=False)
    bent = F.grid_sample(x, identity + bend.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.5, bent, x)
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = torch.empty(n, 1, 1, 1).uniform_(-1.0, 0.9)  # below zero sharpens
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.6, x + amount * (soft - x), x)
    coarse = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
    x = torch.where(torch.rand(n, 1, 1, 1) < 0.2, coarse, x)
    blotches = F.interpolate(torch.randn(n, 3, 8, 8), size=(size, size), mode="bicubic", align_corners=False)
    x = x + torch.rand(n, 1, 1, 1) * 0.03 * blotches + torch.rand(n, 1, 1, 1) * 0.04 * torch.randn_like(x)
    return x.clamp(0.0, 1.0)


def loss_of(
    part: str, network: nn.Module, x: Tensor, category: Tensor, maps: Tensor, attributes: Tensor
) -> Tensor:
    """Compute the cross-entropies of one batch."""
    if part == "surfaces":
        return F.cross_entropy(network(x).float(), maps)
    logits, margins = network(x)
    return (
        F.cross_entropy(logits.float(), category)
        + F.binary_cross_entropy_with_logits(margins.float(), attributes) * 2.0
    )


def train(part: str, rooms: Rooms, *, pictures: int, seed: int, out: Path) -> tuple[nn.Module, float]:
    """Train with AdamW and a rate that rises and falls once, in bf16; continue after an interruption.

    Returns:
        the network, and the seconds of its training.
    """
    torch.manual_seed(seed)
    network: nn.Module = (
        SceneNetwork(len(CATEGORIES), len(ATTRIBUTES)) if part == "scenes" else SurfaceNetwork(len(LABELS))
    )
    network = network.to(memory_format=torch.channels_last)
    steps = pictures // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.1)
    first, spent, running, state = 0, 0.0, 0.0, out / f"{part}.state.pt"
    if state.exists():
        saved = torch.load(state, weights_only=True)
        first, spent = saved["step"], saved["seconds"]
        for owner, name in ((network, "network"), (optimiser, "optimiser"), (schedule, "schedule")):
            owner.load_state_dict(saved[name])
    rng = np.random.default_rng([seed, first])
    began = time.monotonic()
    for step in range(first, steps):
        chosen = np.sort(rng.integers(0, len(rooms.images), BATCH))
        maps = rooms.maps(chosen)
        x = augment(rooms.pictures(chosen)).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(
                part,
                network,
                x,
                torch.from_numpy(rooms.category[chosen]),
                maps,
                rooms.attributes(chosen, maps),
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        running += (loss.item() - running) * 0.02
        if (step + 1) % 250 == 0:
            seen = (step + 1) * BATCH
            speed = (step + 1 - first) * BATCH / (time.monotonic() - began)
            print(f"{part}: {seen} pictures, loss {running:.4f}, {speed:.0f}/s", flush=True)
            parts = {
                "network": network.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
            }
            torch.save(
                {**parts, "step": step + 1, "seconds": spent + time.monotonic() - began},
                state.with_suffix(".part"),
            )
            state.with_suffix(".part").replace(state)
    torch.save(network.state_dict(), out / f"{part}.pt")
    state.unlink(missing_ok=True)
    return network.eval(), spent + time.monotonic() - began


@torch.inference_mode()
def measure_scenes(network: nn.Module, rooms: Rooms) -> dict[str, Any]:
    """Measure accuracy, and for each attribute AUC (truth above 0.5) and correlation, on held-out rooms."""
    n = len(rooms.images)
    logits, margins, truth = [], [], []
    for block in np.split(np.arange(n), range(500, n, 500)):
        a, b = network(rooms.pictures(block))
        logits.append(a), margins.append(b), truth.append(rooms.attributes(block, rooms.maps(block)))
    guess, margin, true = (
        torch.cat(logits).argmax(1).numpy(),
        torch.cat(margins).numpy(),
        torch.cat(truth).numpy(),
    )
    accuracy = {name: float((guess == i)[rooms.category == i].mean()) for i, name in enumerate(CATEGORIES)}
    return {
        "pictures": n,
        "accuracy": float((guess == rooms.category).mean()),
        "accuracy_per_category": accuracy,
        "auc": {
            name: float(roc_auc_score(true[:, i] > 0.5, margin[:, i])) for i, name in enumerate(ATTRIBUTES)
        },
        "correlation": {
            name: float(np.corrcoef(true[:, i], 1.0 / (1.0 + np.exp(-margin[:, i])))[0, 1])
            for i, name in enumerate(ATTRIBUTES)
        },
    }


@torch.inference_mode()
def measure_surfaces(network: nn.Module, rooms: Rooms) -> dict[str, Any]:
    """Measure pixel accuracy, IoU per class, and layout against the true map, on held-out rooms."""
    n, m = len(rooms.images), len(LABELS)
    confusion = torch.zeros(m, m, dtype=torch.long)
    lines, truths = [], []
    for block in np.split(np.arange(n), range(250, n, 250)):
        maps, labels = rooms.maps(block), network(rooms.pictures(block)).argmax(1)
        confusion += torch.bincount((maps * m + labels).flatten(), minlength=m * m).view(m, m)
        lines.append(wall_line(labels, WALLS)[0])
        truths.append(wall_line(maps, WALLS)[0])
    line, truth = torch.cat(lines), torch.cat(truths)
    both = ~line.isnan() & ~truth.isnan()
    error = (line - truth)[both].abs() * maps.shape[-1] / 2.0
    iou = confusion.diag() / (confusion.sum(0) + confusion.sum(1) - confusion.diag()).clamp(min=1)
    return {
        "pictures": n,
        "pixel_accuracy": float(confusion.diag().sum() / confusion.sum()),
        "mean_iou": float(iou.mean()),
        "iou": {name: round(float(v), 4) for name, v in zip(LABELS, iou, strict=True)},
        "layout_error_pixels": {
            "mean": float(error.mean()),
            "median": float(error.median()),
            "p95": float(error.quantile(0.95)),
        },
        "layout_defined": {
            "truth": float((~truth.isnan()).float().mean()),
            "agreement": float((line.isnan() == truth.isnan()).float().mean()),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("scenes", "surfaces"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=600_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    network, seconds = train(
        args.part, Rooms(args.data), pictures=args.pictures, seed=args.seed, out=args.out
    )
    measure = measure_scenes if args.part == "scenes" else measure_surfaces
    facts = {
        "seed": args.seed,
        "pictures_seen": args.pictures,
        "seconds": round(seconds),
        **measure(network, Rooms(args.held_out)),
    }
    (args.out / f"{args.part}.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
