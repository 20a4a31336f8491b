"""Show the scorers' answers on generated rooms, picture by picture: a sheet and a table.

    python -m recipes.rooms.answers --out docs/scorers-measured

Each picture stands beside its surface map with the wall line. This only collects answers; a person writes
down what is seen (docs/scorers-measured.md).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any, NamedTuple, cast

import ganstrata
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .factors import LABELS
from .measure import Pixels, generate, load_scorers

SEED, COUNT = 96, 96  # other pictures than those measured and those named
COLUMNS = 8
GAP, TITLE = 4, 11
LARGEST = 400_000  # bytes of the sheet
COLOURS = {
    "left_wall": (200, 120, 120), "right_wall": (120, 120, 200), "frontal_wall": (200, 200, 120),
    "floor": (150, 110, 70), "ceiling": (235, 235, 235), "window": (130, 220, 255), "curtain": (255, 0, 255),
    "bed": (0, 160, 0), "pillow": (255, 255, 255), "sofa": (0, 90, 200), "table": (120, 60, 10),
    "chair": (255, 140, 0), "lamp": (255, 230, 0), "painting": (0, 220, 200),
    "cabinet": (80, 40, 80), "television": (20, 20, 20), "rug": (160, 230, 160), "clutter": (255, 0, 0),
}  # fmt: skip


class Answers(NamedTuple):
    """Hold scores by name (N,), and the class of each pixel (N, H, W)."""

    scores: dict[str, NDArray[np.float64]]
    labels: NDArray[np.int64]


@torch.inference_mode()
def ask(pictures: Pixels, checkpoint: str = "bundled:rooms") -> Answers:
    """Compute the answers of all scorers on pictures (N, H, W, 3)."""
    scorers = load_scorers(checkpoint)
    rendering = ganstrata.Rendering(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255.0)
    scores = {}
    for name, scorer in scorers.items():
        columns = [f"{name}/{concept.name}" for concept in scorer.concepts]
        scores |= dict(zip(columns, scorer.score(rendering).double().numpy().T, strict=True))
    layout, segmentation = (cast("Any", scorers[name]) for name in ("layout", "segmentation"))
    scores["layout/support"] = layout.extra(rendering)[:, 0].double().numpy()
    return Answers(scores, segmentation.labels(rendering).numpy())


def sheet(pictures: Pixels, answers: Answers) -> Image.Image:
    """Draw numbered pictures, each beside its surface map.

    The wall line is drawn into the map's upper and lower edge.
    """
    size = pictures.shape[1]
    palette = np.array([COLOURS[name] for name in LABELS], np.uint8)
    width, height = 2 * size + GAP, size + TITLE
    page = Image.new("RGB", (COLUMNS * width, -(-len(pictures) // COLUMNS) * height), "white")
    draw = ImageDraw.Draw(page)
    for i, picture in enumerate(pictures):
        x, y = (i % COLUMNS) * width, (i // COLUMNS) * height
        draw.text((x + 1, y - 1), str(i), fill="black")
        page.paste(Image.fromarray(picture), (x, y + TITLE))
        page.paste(Image.fromarray(palette[answers.labels[i]]), (x + size, y + TITLE))
        line = answers.scores["layout/wall_line"][i]
        if not np.isnan(line):
            column = x + size + (size - 1) / 2.0 + line * size / 2.0
            for start, end in ((0, 7), (size - 8, size - 1)):
                draw.line((column, y + TITLE + start, column, y + TITLE + end), fill="black")
    return page


def save(page: Image.Image, path: Path) -> None:
    """Save a JPEG of at most LARGEST bytes, with the colours at full resolution."""
    for quality in (92, 85, 75, 60, 40):
        page.save(path, quality=quality, subsampling=0, optimize=True)
        if path.stat().st_size <= LARGEST:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", default="bundled:rooms", help="of the generator")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, required=True, help="folder for generated.jpg and generated.csv")
    args = parser.parse_args()
    torch.set_num_threads(1)
    generator = ganstrata.load_generator("stylegan2", device="cpu", checkpoint=args.checkpoint)
    pictures = generate(generator, args.count, seed=args.seed)
    answers = ask(pictures)
    args.out.mkdir(parents=True, exist_ok=True)
    save(sheet(pictures, answers), args.out / "generated.jpg")
    with (args.out / "generated.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("number", *answers.scores))
        rows = np.stack(list(answers.scores.values()), axis=1)
        writer.writerows(
            (i, *("" if np.isnan(v) else f"{v:.3f}" for v in row)) for i, row in enumerate(rows.tolist())
        )
    print(
        f"{args.out / 'generated.jpg'}: {len(pictures)} rooms of seed {args.seed}, "
        f"weights {generator.card.sha256[:12]}"
    )


if __name__ == "__main__":
    main()
