"""Semantic segmentation networks behind one face: classes, logits, labels."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ....core.checkpoints import Checkpoint
from ....core.errors import CheckpointError
from ....core.plugins.records import Rendering
from ....core.text import shown
from ..surfaces import ARCHITECTURE, load_surfaces
from .faces import is_face_parser, load_face_parser
from .huggingface import HubConfig, Loaded, installed, load, place, unique
from .planar import LabelOrder, is_planar, load_planar

LABELS = Path(__file__).resolve().parents[1] / "labels"
ADE20K = 150  # classes of SceneParse150; a model of so many without names of its own has these


class SegmentationModel(Protocol):
    """A loaded segmentation network."""

    @property
    def classes(self) -> tuple[str, ...]:
        """One per plane of the logits."""
        ...

    @property
    def sha256(self) -> str:
        """Of its weights."""
        ...

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, M, h, w) at the network's own resolution, computed once per rendering."""
        ...

    def labels(self, rendering: Rendering) -> Tensor:
        """The likeliest class of each pixel (N, H, W), computed once per rendering."""
        ...


def load_checkpoint_segmenter(
    checkpoint: Checkpoint, device: torch.device, label_order: LabelOrder | None = None
) -> SegmentationModel:
    """The network of a file, whichever it is.

    Args:
        checkpoint: a surface network of this project, a planar network of LSUN-room or a face parser of CelebAMask-HQ.
        device: where it is to run.
        label_order: what the planes of a planar network are; default: as it was published.

    Raises:
        CheckpointError: it is none of them, or does not fit its kind.
    """
    planar = is_planar(checkpoint.tensors)
    if label_order is not None and not planar:
        raise CheckpointError(
            f"label_order is for planar networks of LSUN-room, and {checkpoint.path} is none"
        )
    if planar:
        return load_planar(checkpoint, device, label_order or "network")
    if is_face_parser(checkpoint.tensors):
        return load_face_parser(checkpoint, device)
    found = checkpoint.settings.get("architecture")
    if found == ARCHITECTURE:
        return load_surfaces(checkpoint, device)
    named = "no architecture" if found is None else shown(found)
    raise CheckpointError(
        f"{checkpoint.path} is no segmentation network that is read here: its header names {named}. "
        f"Read are surface networks of this project ('{ARCHITECTURE}'), planar networks of LSUN-room (model.resnet.* and model.planar_seg.*), "
        "face parsers of CelebAMask-HQ (conv1.conv1.0.weight to final.weight), and, under `model:` of the scorer segmentation, models of transformers"
    )


def labelled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The class with the highest of the logits (N, M, h, w), read at another size: (N, H, W).

    Picture by picture: with 150 classes the enlarged planes of a batch would fill the memory.
    """
    if tuple(logits.shape[-2:]) == size:
        return logits.max(dim=1).indices
    # Slices of a batch keep its layout in memory; a picture with a new first axis does not, and is then enlarged four times as slowly.
    enlarged = (
        F.interpolate(one, size=size, mode="bilinear", align_corners=False) for one in torch.split(logits, 1)
    )
    return torch.cat([planes.max(dim=1).indices for planes in enlarged])


@dataclass(frozen=True)
class HubSegmenter:
    """A semantic segmentation model of the transformers library.

    Models that answer queries (Mask2Former, MaskFormer) give class probabilities and masks per query;
    a pixel's score for a class is their sum of products (Cheng et al. 2021, section 3.4), of which
    the logarithm is given.
    """

    loaded: Loaded
    classes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of config, preparation and weights."""
        return self.loaded.sha256

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, M, h, w), computed once per rendering; h and w are the network's own."""

        def compute() -> Tensor:
            output: Any = self.loaded.network(pixel_values=self.loaded.prepare(rendering.images))
            if not hasattr(output, "class_queries_logits"):
                found: Tensor = output.logits
                return found.float()
            share = output.class_queries_logits.float().softmax(dim=-1)[
                ..., :-1
            ]  # (N, Q, M): the last is "no object"
            masks = output.masks_queries_logits.float().sigmoid()  # (N, Q, h, w)
            return torch.einsum("nqm,nqhw->nmhw", share, masks).clamp(min=1e-8).log()

        return rendering.once(("segmentation", self.sha256), compute)

    def labels(self, rendering: Rendering) -> Tensor:
        """The likeliest class of each pixel of the pictures, (N, H, W)."""
        size = (int(rendering.images.shape[-2]), int(rendering.images.shape[-1]))
        return rendering.once(
            ("segmentation labels", self.sha256), lambda: labelled(self.logits(rendering), size)
        )


def load_hub_segmenter(config: HubConfig, device: torch.device) -> HubSegmenter:
    """A model from a folder or the hub.

    Raises:
        CheckpointError: no such model, or one that does not segment.
    """
    library = installed()
    with_queries = library.models.auto.modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES
    kind = (
        "AutoModelForUniversalSegmentation"
        if _model_type(library, config) in with_queries
        else "AutoModelForSemanticSegmentation"
    )
    loaded = load(kind, config, device)
    names = loaded.labels()
    if len(names) == ADE20K and all(re.fullmatch(r"(?i)label_\d+", name) for name in names):
        table = json.loads((LABELS / "ade20k150.json").read_text(encoding="utf-8"))
        names = unique(table["classes"])
    return HubSegmenter(loaded, names)


def _model_type(library: Any, config: HubConfig) -> str:
    try:
        found = library.AutoConfig.from_pretrained(
            place(config),
            local_files_only=not config.download,
            trust_remote_code=False,
            revision=config.revision or "main",
        )
    except CheckpointError:
        raise
    except Exception:
        return ""  # load() says what is wrong
    return str(found.model_type)
