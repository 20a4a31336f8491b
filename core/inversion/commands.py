"""Do what `ganstrata invert` asks for, from pictures to the page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..decimals import number as in_decimals
from ..decimals import significant
from ..plugins.generator import Generator
from ..plugins.scorer import Scorer
from ..runs.progress import Progress
from ..storage.json_values import JsonObject, JsonValue
from .degradation import Degradation
from .distance import DistanceRule
from .encoders.encoder_file import bundled_encoder
from .folder import invert_into
from .invert import Method, condition_of
from .job import InversionJob
from .page import PAGE
from .perceptual_named import perceptual_named
from .photographs import Pictures, find_pictures
from .request import InvertRequest
from .restoration import Restoration, degraded_targets
from .results import PictureResult
from .source import open_source
from .steps import BEST, Options, check_options, chosen_names, chosen_steps, options_of
from .target import Target
from .target_reading import Picture, Targets, read_targets

ENCODER = "encoder"  # the step that asks a network
INVERSION, RESTORATION = "inversion", "restoration"  # the second from Python, whatever was lost
FOLDERS = {
    INVERSION: "inverted",
    "colourise": "colourised",
    "inpaint": "inpainted",
    "super-resolve": "super-resolved",
    "denoise": "denoised",
}
"""Kinds of commands, and the folders that they write by default."""


@dataclass(frozen=True)
class Finished:
    """Hold what a command did.

    Attributes:
        folder: the folder that it wrote.
        targets: the pictures.
        results: what was found for each.
    """

    folder: Path
    targets: tuple[Target, ...]
    results: tuple[PictureResult, ...]

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / PAGE

    @property
    def lines(self) -> list[str]:
        """A line of measures for each picture."""
        return [
            f"{one.name}: {_words(result)}" for one, result in zip(self.targets, self.results, strict=True)
        ]


def _words(result: PictureResult) -> str:
    """Return the measures of a picture in words."""
    measures = result.measures
    words = [f"PSNR {in_decimals(measures['psnr'], 1)} dB", f"MS-SSIM {in_decimals(measures['ms_ssim'], 3)}"]
    if "perceptual" in measures:
        words.append(f"perceptual distance {significant(measures['perceptual'], 3)}")
    if "psnr_to_truth" in measures:
        words.append(f"PSNR to the truth {in_decimals(measures['psnr_to_truth'], 1)} dB")
    return ", ".join(words)


def perform(
    request: InvertRequest,
    kind: str = INVERSION,
    restoration: Restoration | None = None,
    *,
    run: Path | None = None,
    generator: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Finished:
    """Invert or restore pictures into a folder.

    Args:
        request: what the user asked for.
        kind: `inversion`, or the restoration: `colourise` and so on.
        restoration: how the pictures were degraded; None for an inversion.
        run: run whose generator is used; or else
        generator: a checkpoint, with options.
        device: device to compute on; None for that of the run, or auto.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: something does not fit; nothing was written.
        GanstrataError: a plugin or a checkpoint does not fit, or a search failed. What is done is kept.
    """
    find_pictures(request.pictures)  # before the generator is loaded, which takes longer
    if restoration is not None:
        restoration.check_mask(has_masks=bool(request.masks))
    source = open_source(run, generator, device)
    method = method_of(
        source.generator,
        request.embed,
        request.refine,
        request.settings,
        perceptual=request.perceptual,
        seed=source.seed if request.seed is None else request.seed,
        class_index=request.class_index,
        scorers=source.scorers,
        degradation=None if restoration is None else restoration.degradation,
    )
    pictures = targets_of(
        list(request.pictures),
        method,
        restoration,
        crop=request.crop,
        masks=list(request.masks) or None,
        resize_mask=request.resize_mask,
    )
    job = job_of(method, pictures, kind, crop=request.crop, batch=request.batch)
    out = request.place(FOLDERS[kind])
    return Finished(out, job.targets, invert_into(job, out, progress))


def targets_of(
    pictures: Picture | Sequence[Picture] | Pictures,
    method: Method,
    restoration: Restoration | None,
    *,
    crop: str,
    masks: Picture | Sequence[Picture] | None,
    resize_mask: bool,
) -> Targets:
    """Take the pictures of a command, degraded ones if something is lost.

    Raises:
        DataError, UserError: see `read_targets` and `degraded_targets`.
    """
    generator = method.generator
    if restoration is None:
        return read_targets(pictures, generator, crop=crop, masks=masks, resize_mask=resize_mask)
    return degraded_targets(
        pictures, generator, restoration, crop=crop, masks=masks, resize_mask=resize_mask, seed=method.seed
    )


def job_of(method: Method, pictures: Targets, kind: str, *, crop: str, batch: int | None) -> InversionJob:
    """Return the task of a command; a folder of it is continued by the same command alone."""
    targets = pictures.targets
    command = command_of(method, targets, crop=crop, kind=kind)
    return InversionJob(method, targets, kind, command, batch, pictures.notes)


def method_of(
    generator: Generator,
    embed: str | None,
    refine: Sequence[str] | None,
    settings: Sequence[str] | Options,
    *,
    perceptual: str,
    seed: int,
    class_index: int | None,
    scorers: Mapping[str, Scorer] | None = None,
    degradation: Degradation | None = None,
    origin: str = "options",
) -> Method:
    """Return how pictures are inverted, with everything checked for which no picture is needed.

    Args:
        generator: generator of the codes.
        embed: name of the first step; None for the default.
        refine: names of the others; None for the default.
        settings: texts `NAME.FIELD=VALUE`, or fields by name.
        perceptual: name of what pictures are compared by besides pixels.
        seed: seed of all that is drawn.
        class_index: class of the pictures; None without.
        scorers: those of the run, which `perceptual` may name.
        degradation: what lies between the generator and the given pictures.
        origin: where fields by name are from, for messages.

    Raises:
        UserError: steps, fields, weights or the class do not fit.
    """
    bundled = bundled_encoder(generator)
    names = chosen_names(generator, embed, refine, BEST if bundled is None else ENCODER)
    options: Options
    if isinstance(settings, Mapping):
        options = settings
    else:
        options, origin = options_of(names, settings), "--set"
    if names[0] == ENCODER and bundled is not None:  # named, so that its file is in what results stand on
        options = {**options, ENCODER: {"checkpoint": bundled, **options.get(ENCODER, {})}}
    weights = check_options(names, options, origin)
    steps = chosen_steps(generator, names, options)
    network = None
    if weights.perceptual and (degradation is None or degradation.compares_features):
        network = perceptual_named(perceptual, generator, scorers)
    floor = 0.0 if degradation is None else degradation.floor
    rule = DistanceRule(weights.pixel, weights.perceptual, weights.ms_ssim, network, degradation, floor)
    condition_of(generator, class_index, 1)
    return Method(generator, steps, rule, seed, class_index)


def command_of(method: Method, targets: Sequence[Target], **asked: JsonValue) -> JsonObject:
    """Return what a folder is continued by: the same pictures by name, steps, distance and seed.

    The pictures themselves may change, and the code: what depends on them is computed again then.

    Args:
        method: how they are inverted.
        targets: the pictures.
        asked: what else the user asked for.
    """
    return {
        "pictures": [one.name for one in targets],
        "generator": method.generator.fingerprint,
        "steps": [step.name for step in method.steps],
        "fields": {step.name: contents_as_json(step.fields) for step in method.steps},
        "distance": method.rule.name,
        "seed": method.seed,
        "class": method.class_index,
        "masks": [one.known is not None for one in targets],
        **asked,
    }


def contents_as_json(fields: Mapping[str, Any]) -> JsonObject:
    """Return fields as JSON holds them."""
    plain: JsonObject = json.loads(json.dumps(fields, default=str))
    return plain
