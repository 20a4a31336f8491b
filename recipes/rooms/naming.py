"""Name generated rooms by eye with the label hidden, then compare with the category network.

    python -m recipes.rooms.naming sheet --checkpoint bundled:rooms --out recipes/rooms/named
    (look at grid.png and write bedroom, living_room or dining_room after each number in list.csv)
    python -m recipes.rooms.naming compare --checkpoint bundled:rooms --out recipes/rooms/named

The sheet has the same number of pictures of each category, by the network's most likely answer however
unsure, in random order. Only `compare` writes down the network's answers.
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
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .factors import CATEGORIES
from .measure import generate, load_scorers

COUNT = 48
COLUMNS = 8
SCALE = 3
MARGIN = 14  # pixels above each picture for its number
TARGET = 0.8
SHORT = {"b": "bedroom", "l": "living_room", "d": "dining_room"}

Pixels = NDArray[np.uint8]


def choose(categories: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return shuffled indices of `count` pictures, the same number of each category.

    Args:
        categories: categories of a pool of pictures (N,).
        count: number of pictures, divisible by the number of categories.
        seed: seed of the order.

    Raises:
        ValueError: the pool holds too few of a category.
    """
    each = count // len(CATEGORIES)
    places = [np.flatnonzero(categories == i)[:each] for i in range(len(CATEGORIES))]
    few = [name for name, chosen in zip(CATEGORIES, places, strict=True) if len(chosen) < each]
    if few:
        raise ValueError(f"fewer than {each} of {len(categories)} pictures are taken for {', '.join(few)}")
    return np.random.default_rng(seed).permutation(np.concatenate(places))


@torch.inference_mode()
def answers(pictures: Pixels) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the most likely category of each picture (N,), and its probability (N,)."""
    scorer = load_scorers()["category"]
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255.0
    probability = scorer.score(ganstrata.Rendering(images)).double().numpy()
    return probability.argmax(axis=1), probability.max(axis=1)


def sheet(pictures: Pixels) -> Image.Image:
    """Draw numbered, enlarged pictures."""
    size = pictures.shape[1] * SCALE
    rows = -(-len(pictures) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * (size + 4), rows * (size + MARGIN + 4)), "white")
    draw = ImageDraw.Draw(page)
    for i, picture in enumerate(pictures):
        x, y = (i % COLUMNS) * (size + 4), (i // COLUMNS) * (size + MARGIN + 4)
        draw.text((x + 2, y + 1), str(i + 1), fill="black")
        page.paste(Image.fromarray(picture).resize((size, size), Image.Resampling.NEAREST), (x, y + MARGIN))
    return page


def read_list(path: Path, count: int) -> list[str]:
    """Read the names of pictures 1 .. count; first letters are enough.

    Raises:
        ValueError: a number is missing or named twice, or a name is none of the categories.
    """
    named: dict[int, str] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            number, name = int(row["number"]), row["name"].strip().lower()
            name = SHORT.get(name, name)
            if name not in CATEGORIES:
                raise ValueError(
                    f"{path}: picture {number} is named '{name}', which is none of {', '.join(CATEGORIES)}"
                )
            if number in named:
                raise ValueError(f"{path}: picture {number} is named twice")
            named[number] = name
    if sorted(named) != list(range(1, count + 1)):
        raise ValueError(f"{path}: expected the numbers 1 to {count}, each once")
    return [named[i + 1] for i in range(count)]


def compare(named: list[str], network: list[str]) -> dict[str, Any]:
    """Return the agreement with the network, overall and by its category, and the confusion table."""
    right = [a == b for a, b in zip(named, network, strict=True)]
    per = {
        name: [r for r, category in zip(right, network, strict=True) if category == name]
        for name in CATEGORIES
    }
    share = sum(right) / len(right)
    return {
        "pictures": len(right),
        "right": share,
        "target": TARGET,
        "met": share >= TARGET,
        "right_per_category": {name: sum(r) / len(r) for name, r in per.items() if r},
        "differences": [
            {"number": i + 1, "by_eye": named[i], "by_network": network[i]}
            for i, same in enumerate(right)
            if not same
        ],
    }


def _pictures(checkpoint: str, seed: int, pool: int) -> tuple[Pixels, str]:
    """Return the pictures of the sheet in order, and the hash of the weights that made them."""
    generator = ganstrata.load_generator("stylegan2", device="cpu", checkpoint=checkpoint)
    made = generate(generator, pool, seed=seed)
    return made[choose(answers(made)[0], COUNT, seed)], generator.card.sha256


def make_sheet(checkpoint: str, out: Path, *, seed: int, pool: int) -> None:
    """Write grid.png, an empty list.csv, and the hash of their weights."""
    pictures, sha256 = _pictures(checkpoint, seed, pool)
    sheet(pictures).save(out / "grid.png", optimize=True)
    rows = "".join(f"{i + 1},\n" for i in range(COUNT))
    (out / "list.csv").write_text("number,name\n" + rows)
    about = {"sha256": sha256, "seed": seed, "pool": pool, "count": COUNT}
    (out / "sheet.json").write_text(json.dumps(about, indent=2) + "\n")
    for stale in ("outcome.csv", "outcome.json"):
        (out / stale).unlink(missing_ok=True)
    print(
        f"Look at {out / 'grid.png'} and fill in {out / 'list.csv'}: "
        "bedroom, living_room or dining_room (or b, l, d)."
    )


def make_outcome(checkpoint: str, out: Path) -> dict[str, Any]:
    """Compare the filled list with the network, and write outcome.csv and outcome.json.

    Raises:
        ValueError: the weights are not those of the sheet, or the list is not filled in.
    """
    about = json.loads((out / "sheet.json").read_text())
    named = read_list(out / "list.csv", about["count"])
    pictures, sha256 = _pictures(checkpoint, about["seed"], about["pool"])
    if sha256 != about["sha256"]:
        raise ValueError(
            f"{out / 'grid.png'} was made from other weights ({about['sha256'][:12]}) "
            f"than {checkpoint} ({sha256[:12]}); make a new sheet"
        )
    places, sure = answers(pictures)
    network = [CATEGORIES[i] for i in places]
    outcome = {**compare(named, network), "sha256": sha256, "seed": about["seed"]}
    with (out / "outcome.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("number", "by_eye", "by_network", "probability", "right"))
        for i, (eye, says, p) in enumerate(zip(named, network, sure, strict=True)):
            writer.writerow((i + 1, eye, says, f"{p:.3f}", int(eye == says)))
    (out / "outcome.json").write_text(json.dumps(outcome, indent=2) + "\n")
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("sheet", "compare"))
    parser.add_argument("--checkpoint", default="bundled:rooms")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--seed", type=int, default=48, help="of pictures and order; other pictures than measured"
    )
    parser.add_argument("--pool", type=int, default=300, help="pictures to choose from")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        if args.step == "sheet":
            make_sheet(args.checkpoint, args.out, seed=args.seed, pool=args.pool)
        else:
            print(json.dumps(make_outcome(args.checkpoint, args.out), indent=2))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
