"""Train an encoder, in memory or into a file, and continue a training that was stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...device import resolve_precision
from ...errors import UserError
from ...messages import listed
from ...plugins.arguments import require
from ...plugins.generator import Generator
from ...plugins.scorer import Scorer
from ...runs.lock import locked
from ...runs.progress import Progress
from ...storage.json_values import JsonObject
from ...storage.paths import user_path
from ...storage.training_state import TrainingState, read_state, save_state
from ..perceptual import Perceptual, scorer_distance
from .encoder import Encoder
from .folder import INDEX, STATE, WHAT, begin, check_out, finish, folder_of, forget
from .learn import Material, learn_encoder
from .real import read_real
from .request import EncoderRequest, LossWeights
from .training import Trainer

KEEP = 60.0  # seconds of training that a killed process loses at most


def train_encoder(
    generator: Generator,
    out: Path | str | None = None,
    *,
    size: Literal["small", "base"] = "small",
    space: Literal["auto", "z", "w", "layers", "w+"] = "auto",
    pictures: int = 200_000,
    minutes: float | None = None,
    batch: int = 32,
    learning_rate: float = 5e-4,
    weights: Mapping[str, float] | None = None,
    perceptual: Scorer | Perceptual | None = None,
    mixing: float = 0.5,
    progressive: bool = False,
    real: Path | str | NDArray[np.uint8] | None = None,
    crop: str = "centre",
    real_share: float = 0.5,
    real_from: float = 0.5,
    seed: int = 0,
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    quiet: bool = True,
) -> Encoder:
    """Train a network that answers pictures with codes of a generator, as `ganstrata encoder train` does.

    It learns from samples of the generator, whose codes are known: they are drawn, learnt from and forgotten.
    Real pictures may join, whose codes are not known, but whose reconstructions are compared with them.

    Args:
        generator: generator of the codes.
        out: file NAME.safetensors to write, with NAME.md (card) and NAME.csv (log); a training that was
            stopped continues there. None to write nothing.
        size: `small`, or `base` with ten times the parameters.
        space: space of the codes; `auto` is w+, or z where the generator has no w.
        pictures: pictures to learn from.
        minutes: time after which the training ends early, with its schedule scaled to fit.
        batch: pictures in a step.
        learning_rate: of Adam, at its highest.
        weights: weights of parts of the loss that differ from those of `LossWeights`: latent, pixel,
            perceptual, deltas, reciprocity, joint.
        perceptual: network of the perceptual distance, or a scorer that has one; None for none.
        mixing: share of the samples with two styles.
        progressive: whether the changes per layer are switched on one by one.
        real: folder of pictures, file .npy (M, H, W, 3) of 8 bits, or such an array.
        crop: how pictures of a folder are fitted to the generator; see `ganstrata.read_pictures`.
        real_share: share of real pictures in a step, once they take part.
        real_from: share of the training after which they do.
        seed: seed of parameters and samples.
        precision: fp32, bf16 or fp16; auto is fp32.
        quiet: whether to show no progress.

    Raises:
        UserError: an argument is not allowed, or does not fit the generator.
        RunError: the file exists, or an unfinished training there was begun with something else.
        DataError: the loss is not finite.

    Sources: Tov et al., "Designing an Encoder for StyleGAN Image Manipulation", SIGGRAPH 2021; Zhu et al.,
    "In-Domain GAN Inversion for Real Image Editing", ECCV 2020; Pidhorskyi et al., "Adversarial Latent
    Autoencoders", CVPR 2020.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> encoder = ganstrata.train_encoder(generator, pictures=4, batch=2, perceptual=None)
        >>> encoder.architecture.space, encoder.architecture.rows
        ('w+', 10)
    """
    require("train_encoder()", "generator", generator, Generator, "ganstrata.load_generator")
    request = EncoderRequest(
        size=size,
        space=space,
        pictures=pictures,
        batch=batch,
        learning_rate=learning_rate,
        weights=weights_of(weights or {}),
        mixing=mixing,
        progressive=progressive,
        real_share=real_share,
        real_from=real_from,
        minutes=minutes,
        seed=seed,
        precision=resolve_precision(precision, generator.device),
    )
    return train_as_asked(
        generator,
        None if out is None else user_path(out),
        request,
        perceptual=perceptual,
        real=real,
        crop=crop,
        progress=Progress(quiet=quiet),
    )


def train_as_asked(
    generator: Generator,
    out: Path | None,
    request: EncoderRequest,
    *,
    perceptual: Scorer | Perceptual | None,
    real: Path | str | NDArray[np.uint8] | None,
    crop: str,
    progress: Progress,
) -> Encoder:
    """Train an encoder, or continue a training; for arguments and errors see `train_encoder`.

    Args:
        generator: generator of the codes.
        out: the file to write, or None.
        request: how it is trained.
        perceptual: network of the perceptual distance, or a scorer that has one; None for none.
        real: real pictures, or None.
        crop: how they are fitted to the generator.
        progress: where progress is shown.
    """
    if out is not None:
        check_out(out)
    card = generator.card
    if isinstance(perceptual, Scorer):
        perceptual = scorer_distance(perceptual, perceptual.name, card.height, card.width)
    material = Material(perceptual)
    if real is not None:
        found = read_real(real, generator, crop)
        material = replace(
            material, real=found.learnt, held_out=found.held_out, words=found.words, digest=found.digest
        )
    if out is None:
        return learn_encoder(generator, request, material, progress).encoder
    return train_into(out, generator, request, material, progress)


def weights_of(given: Mapping[str, float]) -> LossWeights:
    """Return the default weights of the loss with others in their place.

    Raises:
        UserError: there is no part of such a name.
    """
    known = list(LossWeights.__dataclass_fields__)
    if unknown := [name for name in given if name not in known]:
        raise UserError(
            f"the loss of an encoder has no part {listed(unknown)}; its parts are {listed(known, 6)}"
        )
    return LossWeights(**given)


def train_into(
    out: Path, generator: Generator, request: EncoderRequest, material: Material, progress: Progress
) -> Encoder:
    """Train an encoder into a file, or continue where an earlier call stopped.

    Args:
        out: the file, NAME.safetensors.
        generator: generator of the codes.
        request: how it is trained.
        material: what it learns from besides samples.
        progress: where progress is shown.

    Raises:
        RunError: as for `train_encoder`, or another process trains there.
    """
    folder = folder_of(out)
    with locked(folder, INDEX, WHAT):
        made_from: JsonObject = {
            "encoder": request.as_data(),
            "generator": {
                "fingerprint": generator.fingerprint,
                "plugin": generator.name,
                "options": generator.config.model_dump(mode="json"),
            },
            "perceptual": "" if material.perceptual is None else material.perceptual.name,
            "real pictures": material.digest,
        }
        begin(folder, made_from)
        saved = time.monotonic()

        def keep(trainer: Trainer, rows: Sequence[Sequence[float]]) -> None:
            nonlocal saved
            if time.monotonic() - saved > KEEP:
                save_state(
                    folder / STATE, TrainingState(trainer.state(), trainer.position, rows, trainer.seconds)
                )
                saved = time.monotonic()

        stored = read_state(folder / STATE)
        try:
            learnt = learn_encoder(generator, request, material, progress, stored=stored, keep=keep)
        except UserError:  # nothing was learnt: the name is free for another training
            if stored is None:
                forget(folder)
            raise
        finish(out, learnt)
    with suppress(OSError):  # empty, unless somebody has put something there
        folder.rmdir()
    return learnt.encoder
