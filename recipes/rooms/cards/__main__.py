"""Write the model cards beside the weights, from measured numbers and training logs.

    python -m recipes.rooms.cards --weights weights --quality build/rooms/quality.json \\
        --training build/rooms/generator --scorers build/rooms/scorers --data build/rooms/train \\
        --held-out build/rooms/held_out --named recipes/rooms/named/outcome.json \\
        --machine "2 cores of an Intel Xeon (Sapphire Rapids), no GPU"

This module contains no number: what is missing from the logs is stated as missing on the card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import ganstrata
import torch

from ..measure import generate
from ..render import grid
from .generator import generator_card
from .scorers import scenes_card, surfaces_card

LARGEST_GRID = 600 * 1024
LARGEST = 12 * 2**20


def save_grid(path: Path, *, seed: int) -> None:
    """Save 8 x 8 samples, at most LARGEST_GRID bytes: fewer colours where full ones take more."""
    generator = ganstrata.load_generator("stylegan2", device="cpu", checkpoint=str(path))
    page = grid(generate(generator, 64, seed=seed), 8, 1)
    out = path.with_suffix(".png")
    page.save(out, optimize=True)
    colours = 256
    while out.stat().st_size > LARGEST_GRID and colours >= 32:
        page.quantize(colours).save(out, optimize=True)
        colours //= 2


def check_size(weights: Path) -> int:
    """Count the bytes of everything in the folder.

    Raises:
        ValueError: more than the package may hold.
    """
    total = sum(file.stat().st_size for file in weights.iterdir() if file.is_file())
    if total > LARGEST:
        raise ValueError(f"{weights} holds {total / 2**20:.1f} MiB, more than {LARGEST // 2**20}")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m recipes.rooms.cards", description=__doc__.splitlines()[0]
    )
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
