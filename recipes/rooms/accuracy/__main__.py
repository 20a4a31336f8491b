"""Measure the scorers against the ground truth of rendered rooms that nothing else used.

    python -m recipes.rooms.accuracy --out docs/scorers-measured --page docs/scorers-measured.md

Writes every table as CSV and the reliability curves as SVG and CSV, and puts the tables between two marks
of the page. The same seed gives the same numbers.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import torch

from ..measure import load_scorers
from ..render import render_set
from ..train_scorers import Rooms
from .curves import curves
from .hue import hue_tables
from .probabilities import attribute_tables, category_tables
from .readings import read
from .surfaces import layout_tables, segmentation_tables
from .tables import markdown, put, resampled

SEED = 3  # training used 1, the model cards 2


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m recipes.rooms.accuracy", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--count", type=int, default=12_000, help="rooms that are rendered and read")
    parser.add_argument("--seed", type=int, default=SEED, help="of the rooms")
    parser.add_argument("--checkpoint", default="bundled:rooms", help="of the scorers")
    parser.add_argument("--out", type=Path, required=True, help="folder for CSV and SVG")
    parser.add_argument("--page", type=Path, help="page whose tables are renewed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        render_set(Path(folder), args.count, args.seed, 64, workers=1)
        rooms = Rooms(Path(folder))
        readings = read(rooms, load_scorers(args.checkpoint), seed=args.seed)
        weights = resampled(args.count, args.seed)
        tables = [*category_tables(readings), *attribute_tables(readings), *layout_tables(readings, weights)]
        tables += [*segmentation_tables(readings, weights), *hue_tables(readings, rooms.images)]
    pictures, numbers = curves(readings)
    args.out.mkdir(parents=True, exist_ok=True)
    for table in tables + numbers:
        with (args.out / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([table.columns, *table.rows])
    for name, picture in pictures.items():
        (args.out / f"{name}.svg").write_text(picture, encoding="utf-8")
    text = "\n".join(markdown(table) for table in tables)
    if args.page is not None:
        put(args.page, text)
    print(text)
    print(f"{args.count} rooms of seed {args.seed}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
