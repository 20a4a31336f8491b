"""Train an encoder from beginning to end, with a log and a curve of held-out quality."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ...device import for_inference
from ...errors import UserError
from ...plugins.base import owner_of
from ...plugins.generator import Generator
from ...randomness import Stream
from ...runs.progress import Progress, Step
from ...semantics.extractor import MadeFor
from ...storage.training_state import TrainingState
from ...strata.code_spaces import CodeSpace, SpaceName
from ..perceptual import Perceptual
from .encoder import Encoder
from .network import Architecture
from .pairs import PairSource
from .quality import Quality, held_out, measure
from .real import RealPictures
from .request import EncoderRequest
from .training import Taken, Trainer

ROWS = 25  # of the log
CURVE = 64  # held-out pictures of each kind in a row of the log
CLASSES = 8192  # samples whose classes say which ones the generator has
PARTS = ("latent", "pixel", "perceptual", "deltas", "reciprocity", "joint", "classes", "discriminator")
"""Parts of the loss that the log shows, of samples and real pictures together."""
COLUMNS = (
    "pictures",
    "loss",
    *PARTS,
    "held-out latent error",
    "held-out PSNR",
    "held-out PSNR of real pictures",
    "seconds",
)


@dataclass(frozen=True)
class Learnt:
    """Hold a trained encoder, and the log of its training.

    Attributes:
        encoder: the encoder, with its quality among its facts.
        rows: rows of the log, with COLUMNS.
    """

    encoder: Encoder
    rows: list[list[float]]


@dataclass(frozen=True)
class Material:
    """Hold what an encoder learns from besides the samples of its generator.

    Attributes:
        perceptual: perceptual distance; None for none.
        real: pictures to learn from that the generator did not make; None for none.
        held_out: pictures of the same kind to measure with.
        words: where they come from, for the card.
        digest: SHA-256 of their content.
    """

    perceptual: Perceptual | None = None
    real: RealPictures | None = None
    held_out: RealPictures | None = None
    words: str = ""
    digest: str = ""


def learn_encoder(
    generator: Generator,
    request: EncoderRequest,
    material: Material,
    progress: Progress,
    *,
    stored: TrainingState | None = None,
    keep: Callable[[Trainer, list[list[float]]], None] | None = None,
) -> Learnt:
    """Train an encoder for a generator.

    Args:
        generator: generator of the codes.
        request: how it is trained.
        material: what it learns from besides samples.
        progress: where progress is shown.
        stored: state to continue from.
        keep: called after each step with the trainer and the rows of the log, to store them.

    Raises:
        UserError: the space does not fit the generator.
        DataError: the loss is not finite.
    """
    classes = classes_of(generator, request.seed)
    space = CodeSpace.of(generator, space_for(generator, request), seed=request.seed)
    card = generator.card
    values = card.latent_size if space.mean is None else card.code_size
    architecture = Architecture(
        request.size, space.name, card.height, card.width, space.rows, values, len(classes)
    )
    source = PairSource(space, request.mixing, request.seed, request.precision)
    trainer = Trainer(
        source,
        architecture,
        request,
        classes=classes,
        perceptual=material.perceptual,
        real=material.real,
    )
    rows: list[list[float]] = []
    if stored is not None:
        trainer.restore(stored.tensors, stored.position, stored.seconds)
        rows = [list(row) for row in stored.rows]
    with progress.stage(
        "encoder", total=request.pictures, done=trainer.position, may_stop_early=request.minutes is not None
    ) as bar:
        _run(trainer, material, classes, rows, bar, keep)
    # What the file will hold is what is measured: parameters in half precision.
    network = for_inference(trainer.network.half().float(), generator.device)
    quality = measure(
        network,
        source,
        architecture.rows,
        samples=held_out(request.pictures),
        real=material.held_out,
        classes=classes,
    )
    facts = {
        "request": request.as_data(),
        "pictures": trainer.position,
        "seconds": round(trainer.seconds),
        "parameters": sum(p.numel() for p in network.parameters()),
        "perceptual": "" if material.perceptual is None else material.perceptual.name,
        "real pictures": {
            "count": 0 if material.real is None else material.real.count,
            "from": material.words,
            "digest": material.digest,
        },
        "quality": quality.as_data(),
    }
    options = generator.config.model_dump(mode="json", exclude_unset=True)
    made_for = MadeFor.of(generator, generator.name, options)
    encoder = Encoder(architecture, network, space.mean, space.sd, made_for, classes, facts)
    return Learnt(encoder, rows)


def _run(
    trainer: Trainer,
    material: Material,
    classes: tuple[int, ...],
    rows: list[list[float]],
    bar: Step,
    keep: Callable[[Trainer, list[list[float]]], None] | None,
) -> None:
    """Take all steps, and add to the rows of the log about ROWS times."""
    found: list[Taken] = []
    done = trainer.progress
    position = trainer.position
    for taken in trainer.steps():
        found.append(taken)
        bar(taken.position - position)
        position = taken.position
        if int(trainer.progress * ROWS) > int(done * ROWS) or trainer.progress >= 1.0:
            network = trainer.network.eval()
            quality = measure(
                network,
                trainer.source,
                trainer.active,
                samples=min(CURVE, held_out(trainer.settings.pictures)),
                real=material.held_out,
                classes=classes,
            )
            network.train()
            rows.append(row_of(found, quality, trainer.seconds))
            bar.note(f"loss {rows[-1][1]:.3f}, held-out {quality.psnr:.2f} dB")
            found = []
        done = trainer.progress
        if keep is not None:
            keep(trainer, rows)


def row_of(found: list[Taken], quality: Quality, seconds: float) -> list[float]:
    """Return a row of the log: means of the losses of some steps, and the quality after them."""
    told = [taken.losses for taken in found]

    def mean(name: str) -> float:
        values = [
            v for losses in told for key in (name, f"real {name}") if (v := losses.get(key)) is not None
        ]
        return float(np.mean(values)) if values else math.nan

    real = math.nan if quality.real_psnr is None else quality.real_psnr
    return [
        found[-1].position,
        mean("total"),
        *(mean(name) for name in PARTS),
        quality.latent,
        quality.psnr,
        real,
        round(seconds, 1),
    ]


def space_for(generator: Generator, request: EncoderRequest) -> SpaceName:
    """Return the space of the codes; `auto` is w+, or z without w, or the other of both kinds with one layer.

    Raises:
        UserError: a space per layer of a generator with one layer.
    """
    one = generator.card.layers == 1
    if request.space == "auto":
        if generator.space == "z":
            return "z"
        return "w" if one else "w+"
    if one and request.space in ("layers", "w+"):
        raise UserError(
            f"{owner_of(generator)} has one layer, so there is no code per layer; "
            f"use space {'w' if request.space == 'w+' else 'z'}"
        )
    return request.space


def classes_of(generator: Generator, seed: int) -> tuple[int, ...]:
    """Return the numbers of the classes of a generator's samples, rising; empty without classes.

    Raises:
        UserError: its conditions are neither classes (N,) nor weights of classes (N, Y).
    """
    first = generator.sample(1, seed, 0, Stream.TRAINING).condition
    if first is None:
        return ()
    if first.is_floating_point() and first.ndim == 2:
        return tuple(range(first.shape[1]))
    if first.ndim != 1 or first.is_floating_point():
        raise UserError(
            f"{owner_of(generator)} draws conditions of shape {tuple(first.shape)} and type {first.dtype}; "
            "an encoder tells classes (N,) or weights of classes (N, Y) only"
        )
    drawn = [
        generator.sample(1024, seed, start, Stream.TRAINING).condition for start in range(0, CLASSES, 1024)
    ]
    return tuple(sorted(set(torch.cat([part for part in drawn if part is not None]).cpu().tolist())))
