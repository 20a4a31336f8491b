"""Hostile tables of samples, lists of names, and votes."""

from __future__ import annotations

import json

import numpy as np
from hostile_safetensors import hostile_json


def table(rng: np.random.Generator) -> bytes:
    """A table of samples."""
    columns = int(10 ** rng.uniform(0, 4))
    rows = int(10 ** rng.uniform(0, 5 if columns < 10 else 1))
    cells = [
        "1",
        "",
        "nan",
        "1e39",
        "x" * 2000,
        '"',
        '"a\n"',
        "\x00",
        "\x1b",
        "9" * 5000,
        "-1",
        "0x1",
        "1_0",
        "١",
    ]
    cell = cells[rng.integers(len(cells))] if rng.random() < 0.5 else "1"
    if len(cell) > 10:
        columns, rows = min(columns, 10), min(rows, 1000)
    heading = ["index", *(f"c{i}" for i in range(columns))]
    if rng.random() < 0.3:
        heading[rng.integers(len(heading))] = ["c1", "", "a/b", "a,b", "n" * 200_000, "\x1b[2J", "index"][
            rng.integers(7)
        ]
    body = "".join(f"{i}{f',{cell}' * columns}\n" for i in range(rows))
    return (",".join(heading) + "\n" + body).encode("utf-8", "surrogatepass")


def names(rng: np.random.Generator) -> bytes:
    """A list of boundaries, or of labels."""
    pieces = [
        "(wood, w): a.npy",
        "(" + " " * 4000,
        "a" + " " * 5000 + "b",
        "(a, " * 900,
        "x" * 9000,
        "DISABLE",
        "(\x1b, q): \x00",
        "(a,w):" + ":" * 3000,
        "\ufeff",
    ]
    return "\n".join(pieces[rng.integers(len(pieces))] for _ in range(int(10 ** rng.uniform(0, 3)))).encode()


def ballot(rng: np.random.Generator) -> bytes:
    """Votes, or the key of a study."""
    content = {
        "format": ["ganstrata study votes 1", "ganstrata study key 1"][rng.integers(2)],
        "study": "abcdefgh",
        "rater": "0" * 16,
    }
    content |= {
        key: hostile_json(rng)
        for key in ("saved", "votes", "questions", "groups", "amounts", "seed", "run", "generator")
        if rng.random() < 0.7
    }
    text = json.dumps(content).encode()
    return text if rng.random() < 0.8 else text[:-2] + b"[" * int(10 ** rng.uniform(1, 6))
