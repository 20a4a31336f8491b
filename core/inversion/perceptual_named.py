"""Find the perceptual distance that a text names.

- `auto`: the first scorer that has feature maps, or what is bundled with a bundled generator; else none.
- `none`: no perceptual distance.
- `NAME`: the scorer of this name in the run.
- `NAME:CHECKPOINT`: the scorer plugin NAME on a checkpoint or a model of the hub's kind.
- `lpips:vgg:TRUNK:HEADS`, `lpips:alex:TRUNK:HEADS`: LPIPS on the files of torchvision and of its authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from ..checkpoints import BUNDLED
from ..errors import UserError, nearest
from ..messages import listed, shown, visible
from ..plugins.generator import Generator
from ..plugins.registry import registry
from ..plugins.scorer import Scorer
from ..runs.loading import build
from .lpips import KINDS, load_lpips
from .perceptual import Perceptual, has_feature_stages, scorer_distance

AUTO, NONE, LPIPS = "auto", "none", "lpips"
BUNDLED_SCORER = "attribute"  # whose network is bundled beside generators
SOURCES = ("checkpoint", "model")  # fields of scorers that name their network


def perceptual_named(
    text: str, generator: Generator, scorers: Mapping[str, Scorer] | None = None
) -> Perceptual | None:
    """Return the perceptual distance that a text names; None if it names none.

    Args:
        text: see the module.
        generator: its size and device are used.
        scorers: those of the run, by alias.

    Raises:
        UserError: nothing has this name, or it cannot compare photographs.
        CheckpointError: a file is missing, or is not of this kind.
    """
    known, card = scorers or {}, generator.card
    if text == NONE:
        return None
    if text == AUTO:
        return _automatic(generator, known)
    kind, _, rest = text.partition(":")
    if text in known:
        return scorer_distance(known[text], _words(text, known[text]), card.height, card.width)
    if kind == LPIPS:
        return _lpips(text, generator)
    if not rest or kind not in {info.name for info in registry().infos("scorer")}:
        raise UserError(_unknown(text, known))
    options = {_source_field(kind): rest}
    scorer = cast("Scorer", build("scorer", kind, options, device=str(generator.device)))
    return scorer_distance(scorer, _words(kind, scorer), card.height, card.width)


def _automatic(generator: Generator, scorers: Mapping[str, Scorer]) -> Perceptual | None:
    card = generator.card
    for alias, scorer in scorers.items():
        if not scorer.features and has_feature_stages(scorer, card.height, card.width):
            return scorer_distance(scorer, _words(alias, scorer), card.height, card.width)
    source = str(getattr(generator.config, "checkpoint", ""))
    if source.startswith(BUNDLED):
        return perceptual_named(f"{BUNDLED_SCORER}:{source}", generator)
    return None


def _lpips(text: str, generator: Generator) -> Perceptual:
    parts = text.split(":", 3)
    if len(parts) != 4 or parts[1] not in KINDS or not all(parts):
        raise UserError(
            f"perceptual distance {shown(text)}: write lpips:vgg:TRUNK:HEADS or lpips:alex:TRUNK:HEADS, with "
            "TRUNK the file of torchvision's network (vgg16 or alexnet) and HEADS that of LPIPS 0.1 "
            "(vgg.pth or alex.pth)"
        )
    card = generator.card
    return load_lpips(parts[1], parts[2], parts[3], generator.device, card.height, card.width)


def _source_field(name: str) -> str:
    """Return the field of a scorer's config that names its network.

    Raises:
        UserError: it has none.
    """
    fields = registry().info("scorer", name).load().Config.model_fields
    field = next((field for field in SOURCES if field in fields), None)
    if field is None:
        raise UserError(
            f"scorer '{name}' has no network that a checkpoint could be given for; "
            "attribute, category and image_classifier have"
        )
    return field


def _words(name: str, scorer: Scorer) -> str:
    """Return what a scorer is called in tables: its name, and the file or bundle of its network."""
    source = next((str(getattr(scorer.config, f)) for f in SOURCES if getattr(scorer.config, f, None)), "")
    if source and not source.startswith(BUNDLED):
        source = Path(source).name
    return f"{name} {visible(source)}".strip()


def _unknown(text: str, scorers: Mapping[str, Scorer]) -> str:
    names = sorted(scorers)
    run = f"the scorers of the run ({listed(names, 10)}), " if names else ""
    near = nearest(text, [*names, AUTO, NONE, LPIPS])
    return (
        f"perceptual distance {shown(text)} is unknown.{near} It is one of "
        f"auto, none, {run}NAME:CHECKPOINT for another scorer with a network, such as "
        "attribute:bundled:rooms, or lpips:vgg:TRUNK:HEADS"
    )
