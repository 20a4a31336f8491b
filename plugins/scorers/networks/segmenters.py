"""Load semantic segmentation networks of any kind, with one interface: classes, logits, labels."""

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
from ....core.messages import shown
from ....core.plugins.records import Rendering, StatedAccuracy
from ...shared.huggingface import HubConfig, Loaded, installed, load, model_source, unique
from ..surfaces import ARCHITECTURE, load_surfaces
from .faces import is_face_parser, load_face_parser
from .planar import LabelOrder, is_planar, load_planar

LABELS = Path(__file__).resolve().parents[1] / "labels"
ADE20K = 150  # classes of SceneParse150, which a model with this number of unnamed classes has


class SegmentationModel(Protocol):
    """Describe a loaded segmentation network."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, one per plane of the logits."""
        ...

    @property
    def sha256(self) -> str:
        """Hash of the weights."""
        ...

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, h, w) at the resolution of the network, computed once per rendering."""
        ...

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the most probable class of each pixel, (N, H, W), computed once per rendering."""
        ...


def load_checkpoint_segmenter(
    checkpoint: Checkpoint, device: torch.device, label_order: LabelOrder | None = None
) -> SegmentationModel:
    """Load a segmentation network of any kind that is stored as a file.

    Args:
        checkpoint: a surface network of this project, a planar network of LSUN-room or a face parser of
            CelebAMask-HQ.
        device: on which it runs.
        label_order: of the planes of a planar network; default: as published.

    Raises:
        CheckpointError: the kind is unknown, or tensors do not fit it.
    """
    planar = is_planar(checkpoint.tensors)
    if label_order is not None and not planar:
        raise CheckpointError(
            f"label_order is for planar networks of LSUN-room, and {checkpoint.path} is not one"
        )
    if planar:
        return load_planar(checkpoint, device, label_order or "network")
    if is_face_parser(checkpoint.tensors):
        return load_face_parser(checkpoint, device)
    stored = checkpoint.settings.get("architecture")
    if stored == ARCHITECTURE:
        return load_surfaces(checkpoint, device)
    named = "no architecture" if stored is None else shown(stored)
    raise CheckpointError(
        f"{checkpoint.path} is not a segmentation network of a known kind: its header names {named}. "
        f"Known are surface networks of this project ('{ARCHITECTURE}'), "
        "planar networks of LSUN-room (model.resnet.* and model.planar_seg.*), "
        "face parsers of CelebAMask-HQ (conv1.conv1.0.weight to final.weight), "
        "and, under `model:` of the scorer segmentation, models of transformers"
    )


def stated_accuracy(sha256: str) -> StatedAccuracy | None:
    """Return how right the labels of a network are, from labels/accuracy.json; None if it is not known.

    Args:
        sha256: hash of its weights.
    """
    table = json.loads((LABELS / "accuracy.json").read_text(encoding="utf-8"))
    return StatedAccuracy(**table[sha256]) if sha256 in table else None


def labelled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize logits (N, M, h, w) to another size and return the class with the highest one, (N, H, W).

    Images are processed one by one: with 150 classes the enlarged planes of a batch would fill the memory.
    """
    if tuple(logits.shape[-2:]) == size:
        return logits.max(dim=1).indices
    # Slices of a batch keep its memory layout. An image with a new first axis does not, and is then enlarged
    # four times as slowly.
    enlarged = (
        F.interpolate(one, size=size, mode="bilinear", align_corners=False) for one in torch.split(logits, 1)
    )
    return torch.cat([class_logits.max(dim=1).indices for class_logits in enlarged])


@dataclass(frozen=True)
class HubSegmenter:
    """Run a semantic segmentation model of the transformers library.

    Models with queries (Mask2Former, MaskFormer) give class probabilities p_qm and masks s_q(x) per query q.
    The score of class m at pixel x is sum_q p_qm s_q(x), and its logarithm is returned.

    Source: Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation", 2021,
    section 3.4.
    """

    loaded: Loaded
    classes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hash of config, preparation and weights."""
        return self.loaded.sha256

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, h, w) at the resolution of the network, computed once per rendering."""

        def compute() -> Tensor:
            output: Any = self.loaded.network(pixel_values=self.loaded.prepare(rendering.images))
            if not hasattr(output, "class_queries_logits"):
                logits: Tensor = output.logits
                return logits.float()
            classes = output.class_queries_logits.float().softmax(dim=-1)  # (N, Q, M + 1)
            classes = classes[..., :-1]  # (N, Q, M), without "no object"
            masks = output.masks_queries_logits.float().sigmoid()  # (N, Q, h, w)
            return torch.einsum("nqm,nqhw->nmhw", classes, masks).clamp(min=1e-8).log()

        return rendering.once(("segmentation", self.sha256), compute)

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the most probable class of each pixel of the images, (N, H, W)."""
        size = (int(rendering.images.shape[-2]), int(rendering.images.shape[-1]))
        return rendering.once(
            ("segmentation labels", self.sha256), lambda: labelled(self.logits(rendering), size)
        )


def load_hub_segmenter(config: HubConfig, device: torch.device) -> HubSegmenter:
    """Load a model from a folder or the hub.

    Raises:
        CheckpointError: no such model, or one that does not segment.
    """
    library = installed()
    with_queries = library.models.auto.modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES
    auto_class = (
        "AutoModelForUniversalSegmentation"
        if _model_type(library, config) in with_queries
        else "AutoModelForSemanticSegmentation"
    )
    loaded = load(auto_class, config, device)
    names = loaded.labels()
    if len(names) == ADE20K and all(re.fullmatch(r"(?i)label_\d+", name) for name in names):
        table = json.loads((LABELS / "ade20k150.json").read_text(encoding="utf-8"))
        names = unique(table["classes"])
    return HubSegmenter(loaded, names)


def _model_type(library: Any, config: HubConfig) -> str:
    """Return the type of a model by its config, or "" if it cannot be read."""
    try:
        settings = library.AutoConfig.from_pretrained(
            model_source(config),
            local_files_only=not config.download,
            trust_remote_code=False,
            revision=config.revision or "main",
        )
    except CheckpointError:
        raise
    except Exception:
        return ""  # load() reports what is wrong
    return str(settings.model_type)
