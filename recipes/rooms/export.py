"""Write trained networks as the package's safetensors, in half precision, with their settings in the header.

python -m recipes.rooms.export --generator build/rooms/generator --scorers build/rooms/scorers --out weights
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from ganstrata.core.checkpoints import SETTINGS
from ganstrata.plugins.scorers import scenes, surfaces
from safetensors.torch import save_file

from .factors import CATEGORIES, LABELS
from .train_scorers import ATTRIBUTES, WALLS

COMMON = {"licence": "MIT", "source": "bundled:rooms"}


def write(state: dict[str, torch.Tensor], settings: dict[str, Any], path: Path) -> None:
    """Write one checkpoint; floating point tensors become float16, except the statistics of normalisation."""
    tensors = {
        name: (
            tensor.half() if tensor.is_floating_point() and "running_" not in name else tensor
        ).contiguous()
        for name, tensor in state.items()
    }
    save_file(tensors, path, metadata={SETTINGS: json.dumps({**COMMON, **settings})})
    path.chmod(0o644)  # save_file() lets nobody else read it
    print(f"{path}: {path.stat().st_size / 2**20:.2f} MiB")


def export(generator: Path | None, scorers: Path | None, out: Path) -> None:
    """Write rooms.generator from state.pt, rooms.scenes and rooms.surfaces from their folder, if given."""
    out.mkdir(parents=True, exist_ok=True)
    if generator is not None:
        state = torch.load(generator / "state.pt", weights_only=True, map_location="cpu")
        seen, _, seconds = state["counters"]
        settings: dict[str, Any] = {
            "architecture": "stylegan2",
            "images_seen": seen,
            "training_seconds": round(seconds),
        }
        write(state["average"], settings, out / "rooms.generator.safetensors")
    if scorers is not None:
        state = torch.load(scorers / "scenes.pt", weights_only=True)
        settings = {
            "architecture": scenes.ARCHITECTURE,
            "categories": list(CATEGORIES),
            "attributes": list(ATTRIBUTES),
        }
        write(state, settings, out / "rooms.scenes.safetensors")
        state = torch.load(scorers / "surfaces.pt", weights_only=True)
        settings = {
            "architecture": surfaces.ARCHITECTURE,
            "classes": list(LABELS),
            "walls": [LABELS[i] for i in WALLS],
        }
        write(state, settings, out / "rooms.surfaces.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--scorers", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    export(args.generator, args.scorers, args.out)


if __name__ == "__main__":
    main()
