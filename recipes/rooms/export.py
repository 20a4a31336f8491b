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
    """One checkpoint; floating point tensors become float16, but for the statistics of normalisation."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() and "running_" not in name else tensor).contiguous() for name, tensor in state.items()
    }
    save_file(tensors, path, metadata={SETTINGS: json.dumps({**COMMON, **settings})})
    print(f"{path}: {path.stat().st_size / 2**20:.2f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", type=Path)
    parser.add_argument("--scorers", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.generator is not None:
        state = torch.load(args.generator / "state.pt", weights_only=True, map_location="cpu")
        write(state["average"], {"architecture": "stylegan2"}, args.out / "rooms.generator.safetensors")
    if args.scorers is not None:
        state = torch.load(args.scorers / "scenes.pt", weights_only=True)
        settings: dict[str, Any] = {"architecture": scenes.ARCHITECTURE, "categories": list(CATEGORIES), "attributes": list(ATTRIBUTES)}
        write(state, settings, args.out / "rooms.scenes.safetensors")
        state = torch.load(args.scorers / "surfaces.pt", weights_only=True)
        settings = {"architecture": surfaces.ARCHITECTURE, "classes": list(LABELS), "walls": [LABELS[i] for i in WALLS]}
        write(state, settings, args.out / "rooms.surfaces.safetensors")


if __name__ == "__main__":
    main()
