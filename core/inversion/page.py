"""Build the page of inverted pictures: what was wanted, what the generator makes, and how far they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray
from torch import Tensor

from ..decimals import number, significant
from ..figures.pages import asset, data_uri, framed
from ..figures.pictures import Pixels, opaque, read_stored, reduced, to_pixels
from ..figures.sheets import enlarged
from ..messages import quantity
from ..runs.inversions import CODES, INDEX, WEIGHTS
from ..storage.disk import read_bytes
from .curves import loss_chart
from .job import InversionJob
from .results import PictureResult, filled_in, picture_names
from .target import Target

PAGE = "inversion.html"
AMPLIFIED = 4  # how many times the difference of two pictures is shown
SMALLEST, LARGEST = 160, 320  # pixels of the longer side of a picture on the page

VERBS = {
    "inversion": "Inverted",
    "colourise": "Colourised",
    "inpaint": "Inpainted",
    "super-resolve": "Super-resolved",
    "denoise": "Denoised",
    "restoration": "Restored",
}
"""What was done, by kind of command."""


@dataclass(frozen=True)
class Shown:
    """Hold a picture on the page."""

    image: str
    head: str
    words: str


@dataclass(frozen=True)
class View:
    """Hold all that the page says of one picture."""

    name: str
    source: str
    pictures: tuple[Shown, ...]
    chart: Markup
    measures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def inversion_page(job: InversionJob, results: Sequence[PictureResult], folder: Path) -> str:
    """Return the page as HTML, one file that needs no network.

    Args:
        job: what was done.
        results: what was found, by picture.
        folder: where the PNG of the pictures lie.
    """
    made: list[Pixels] = [read_stored(read_bytes(folder / picture_names(one.name)[1])) for one in job.targets]
    views = [_view(job, i, result, made[i]) for i, result in enumerate(results)]
    method, card = job.method, job.method.generator.card
    heads, rows = _table(job, results)
    values = {
        "title": f"{VERBS.get(job.kind, job.kind)}: {card.source}",
        "verb": VERBS.get(job.kind, job.kind),
        "is_inversion": job.kind == "inversion",
        "model": card.source,
        "count": quantity(len(views), "picture"),
        "lead": _lead(job, results),
        "views": views,
        "heads": heads,
        "rows": rows,
        "steps": [
            (step.name, step.inverter.step, ", ".join(f"{key} {value}" for key, value in step.fields.items()))
            for step in method.steps
        ],
        "distance": method.rule.name,
        "network": "" if method.rule.network is None else method.rule.network.name,
        "seed": method.seed,
        "notes": job.notes,
        "amplified": AMPLIFIED,
        "fingerprint": method.generator.fingerprint,
        "index": INDEX,
        "codes": CODES,
        "weights": WEIGHTS if any(result.inversion.weights for result in results) else "",
        "folder": folder.name or str(folder),
        "floor": job.method.rule.floor,
        "shown": {shown.head for view in views for shown in view.pictures},
    }
    return framed(__package__, "inversion.html.j2", values, asset(__package__, "inversion.css"))


def _view(job: InversionJob, i: int, result: PictureResult, made: Pixels) -> View:
    """Return what the page says of picture i."""
    one = job.targets[i]
    wanted = to_pixels(one.picture[None])[0]
    if job.kind == "inversion":
        shown = [
            _shown(wanted, "Target", ""),
            _shown(made, "Reconstruction", f"PSNR {number(result.measures['psnr'], 1)} dB"),
            _shown(difference(made, wanted), "Difference", f"{AMPLIFIED} times"),
        ]
    else:
        shown = [_shown(given_pixels(one.observed, one.known), "Given", _size_in_words(one.observed))]
        near = result.measures.get("psnr_to_truth")
        words = "" if near is None else f"PSNR to the truth {number(near, 1)} dB"
        shown.append(_shown(made, "Restored", words))
        pixels = torch.from_numpy(opaque(made).copy()).movedim(-1, 0) / 255.0  # a read one is not writable
        if (filled := filled_in(one, pixels)) is not None:
            shown.append(_shown(to_pixels(filled[None])[0], "Filled in", "given pixels stay"))
    if one.truth is not None:
        truth = to_pixels(one.truth[None])[0]
        shown += [
            _shown(truth, "Truth", ""),
            _shown(difference(made, truth), "Difference from truth", f"{AMPLIFIED} times"),
        ]
    measures = tuple((head, _value(name, result)) for name, head in _columns(job, [result]))
    chart = Markup(loss_chart(result.curves, one.name))
    return View(one.name, one.source, tuple(shown), chart, measures, _crop(one) + one.notes)


def _crop(one: Target) -> tuple[str, ...]:
    """Return a sentence on the part of the file's picture that is used; none if it is used as it was."""
    fit = one.facts.get("fit")
    if fit is None or (one.facts["width"], one.facts["height"]) == tuple(fit["placed"][2:]):
        return ()
    return (f"crop {fit['words']}, of {one.facts['width']} x {one.facts['height']} px",)


def _columns(job: InversionJob, results: Sequence[PictureResult]) -> list[tuple[str, str]]:
    """Return names and heads of the measures that there are."""
    heads = {
        "psnr": "PSNR, dB",
        "ms_ssim": "MS-SSIM",
        "perceptual": "perceptual distance",
        "psnr_to_truth": "PSNR to the truth, dB",
    }
    there = {name for result in results for name in result.measures}
    return [(name, head) for name, head in heads.items() if name in there]


def _value(name: str, result: PictureResult) -> str:
    value = result.measures.get(name)
    if value is None or name == "perceptual":
        return significant(value, 3)
    return number(value, 3 if name == "ms_ssim" else 1)


def _table(job: InversionJob, results: Sequence[PictureResult]) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the table of numbers."""
    columns = _columns(job, results)
    heads = ["picture", *(head for _, head in columns), "distance at first", "at last", "s per picture"]
    rows = []
    for one, result in zip(job.targets, results, strict=True):
        ends = [float(losses[k]) for k in (0, -1) for _, losses in [*result.curves[:1], *result.curves[-1:]]]
        first, last = (ends[0], ends[-1]) if ends else (None, None)
        rows.append(
            [
                one.name,
                *(_value(name, result) for name, _ in columns),
                significant(first, 3),
                significant(last, 3),
                number(result.seconds, 1),
            ]
        )
    return heads, rows


def _lead(job: InversionJob, results: Sequence[PictureResult]) -> str:
    """Return the sentence under the heading."""
    name, words = "psnr", "PSNR"
    if job.kind != "inversion":
        words = "PSNR to what was given"
    if all("psnr_to_truth" in result.measures for result in results):
        name, words = "psnr_to_truth", "PSNR to the truth"
    values = [result.measures[name] for result in results]
    mean = math.fsum(values) / len(values)
    spread = f", {number(min(values), 1)} to {number(max(values), 1)}" if len(values) > 1 else ""
    steps = ", then ".join(step.name for step in job.method.steps)
    return f"By {steps}. {words} {number(mean, 1)} dB{' in the mean' if spread else ''}{spread}."


def _shown(picture: Pixels, head: str, words: str) -> Shown:
    return Shown(data_uri(reduced(enlarged(opaque(picture), SMALLEST), LARGEST)), head, words)


def given_pixels(observed: Tensor, known: Tensor | None) -> Pixels:
    """Return a given picture (h, w, 3); unknown pixels are grey."""
    shown = observed if known is None else observed * known + 0.5 * (1.0 - known)
    pixels: Pixels = to_pixels(shown[None])[0]
    return pixels


def difference(picture: Pixels, wanted: Pixels) -> Pixels:
    """Return |picture - wanted| (H, W, 3), several times, on black."""
    far: NDArray[np.int16] = np.abs(opaque(picture).astype(np.int16) - opaque(wanted).astype(np.int16))
    return np.clip(far * AMPLIFIED, 0, 255).astype(np.uint8)


def _size_in_words(x: Tensor) -> str:
    return f"{x.shape[-1]} x {x.shape[-2]} px"
