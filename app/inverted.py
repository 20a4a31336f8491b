"""Keep inverted pictures: those that are made here, and those of folders that the command names."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..core.decimals import number, significant
from ..core.editing.sources import Source, source_of
from ..core.errors import UserError
from ..core.figures.pictures import Pixels, read_picture
from ..core.inversion.invert import Method
from ..core.inversion.results import picture_names
from ..core.inversion.stoppable import StoppableResult
from ..core.inversion.target import Target
from ..core.plugins.generator import Generator
from ..core.plugins.inverter import Inversion
from ..core.runs.inversion_file import codes_bytes
from ..core.runs.inversions import CODES, StoredInversion, read_inversion
from ..core.runs.prepare import Prepared
from ..core.storage.disk import read_bytes
from .sessions import Kept

MOST_AT_START = 40  # pictures of folders, which leaves room for those that are made here
POINTS = 200  # of a curve, at most

MEANINGS = {
    "psnr": ("PSNR", "dB", 1, "How near the pixels are. Higher is nearer: 6 dB more are half the error."),
    "ms_ssim": ("MS-SSIM", "", 3, "How alike the structures are, at several scales. 1: equal."),
    "psnr_to_truth": ("PSNR to the truth", "dB", 1, "How near the pixels are to those of the whole picture."),
}
"""Measures: name, unit, decimals, and what the number means."""


@dataclass(frozen=True)
class Judgement:
    """Hold what is kept of a picture that was inverted here: how, what was wanted, and what was found."""

    method: Method
    target: Target
    outcome: StoppableResult


def kept_source(generator: Generator, inversion: Inversion, name: str, seed: int) -> Source:
    """Return an inverted picture as a source of edits.

    Args:
        generator: its generator.
        inversion: one picture, on the CPU.
        name: of the picture, which is safe as a file name.
        seed: seed of fresh noise.

    Raises:
        DataError: the picture is made of several codes.
    """
    index = torch.zeros(1, dtype=torch.int64)
    content = codes_bytes(inversion, index, [name], generator=generator.fingerprint, seed=seed)
    digest = hashlib.sha256(content).hexdigest()
    device = generator.device
    here = Inversion(
        inversion.codes.to(device),
        None if inversion.condition is None else inversion.condition.to(device),
        noise={s: maps.to(device) for s, maps in inversion.noise.items()},
        weights=tuple({key: x.to(device) for key, x in one.items()} for one in inversion.weights),
        mixture=inversion.mixture,
    )
    # Its origin is not a folder that a command could have named.
    origin = Path(f"inverted in the app: {name}")
    return source_of(StoredInversion(origin, (name,), here, index, seed, (), digest))


def facts_of(judgement: Judgement, trust: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a picture that was inverted here, as plain data."""
    found, target = judgement.outcome.found, judgement.target
    network = judgement.method.rule.network
    return {
        "kind": "inverted",
        "stopped": judgement.outcome.stopped,
        "measures": measures_in_words(found.measures, None if network is None else network.name),
        "curves": [{"step": curve.step, "losses": thinned(curve.losses.tolist())} for curve in found.curves],
        "distance": judgement.method.rule.name,
        "steps": [step.name for step in judgement.method.steps],
        "seconds": found.seconds,
        "notes": [str(target.facts.get("fit", {}).get("words", "")), *target.notes],
        "trust": dict(trust),
    }


def measures_in_words(measures: Mapping[str, float], network: str | None) -> list[dict[str, str]]:
    """Return each measure with its value in words and its meaning."""
    rows = []
    for name, value in measures.items():
        if not math.isfinite(value):
            continue
        if name in MEANINGS:
            words, unit, digits, meaning = MEANINGS[name]
            rows.append(
                {"words": words, "value": f"{number(value, digits)} {unit}".strip(), "meaning": meaning}
            )
        elif name == "perceptual":
            by = f" for {network}" if network else ""
            meaning = f"How different the pictures are{by}. 0: equal."
            rows.append({"words": "Perceptual distance", "value": significant(value, 3), "meaning": meaning})
    return rows


def thinned(losses: Sequence[float]) -> list[list[float]]:
    """Return step and loss of at most POINTS points of a curve, the last one among them.

    >>> thinned([3.0, 2.0])
    [[0, 3.0], [1, 2.0]]
    """
    stride = -(-len(losses) // POINTS)
    places = [*range(0, len(losses) - 1, stride), len(losses) - 1] if losses else []
    return [[i, losses[i]] for i in places]


def from_folders(prepared: Prepared, folders: Sequence[Path]) -> tuple[tuple[Kept, ...], tuple[str, ...]]:
    """Read the inverted pictures of folders.

    Returns:
        The first MOST_AT_START pictures, and a remark if there are more.

    Raises:
        GanstrataError: a folder cannot be read, or is of another generator.
    """
    kept: list[Kept] = []
    for folder in folders:
        stored = read_inversion(folder, prepared.generator)
        source, place = source_of(stored), stored.path.parent
        for row, name in enumerate(stored.names):
            record = stored.records[row] if stored.records else {}
            target = place / picture_names(name)[0]
            there = stored.path.name == CODES and target.is_file()
            kept.append(Kept(name, source.rows([row]), _facts(record), target if there else None))
    remarks: tuple[str, ...] = ()
    if len(kept) > MOST_AT_START:
        remarks = (
            f"--codes: there are {len(kept)} pictures; a tab begins with the first {MOST_AT_START} of them",
        )
    return tuple(kept[:MOST_AT_START]), remarks


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a picture of a folder."""
    measures, notes = record.get("measures"), record.get("notes")
    numbers = {
        str(name): float(value)
        for name, value in (measures if isinstance(measures, Mapping) else {}).items()
        if isinstance(value, int | float)
    }
    return {
        "kind": "inverted",
        "stopped": False,
        "measures": measures_in_words(numbers, None),
        "curves": [],
        "notes": [str(note) for note in notes] if isinstance(notes, list) else [],
        "trust": None,
    }


def target_of(path: Path) -> Pixels:
    """Return the wanted picture of a folder (H, W, 3).

    Raises:
        GanstrataError: it cannot be read any more.
    """
    try:
        return read_picture(read_bytes(path))
    except OSError as error:
        raise UserError(f"cannot read {path.name} any more: {error.strerror or error}") from None
