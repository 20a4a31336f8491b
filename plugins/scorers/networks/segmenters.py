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

from ....core.errors import CheckpointError
from ....core.records import Rendering
from .huggingface import HubConfig, Loaded, installed, load, place, unique

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


def labelled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """The class with the highest of the logits (N, M, h, w), read at another size: (N, H, W).

    Picture by picture: with 150 classes the enlarged planes of a batch would fill the memory.
    """
    if tuple(logits.shape[-2:]) == size:
        return logits.max(dim=1).indices
    enlarged = (F.interpolate(one[None], size=size, mode="bilinear", align_corners=False) for one in logits)
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
            share = output.class_queries_logits.float().softmax(dim=-1)[..., :-1]  # (N, Q, M): the last is "no object"
            masks = output.masks_queries_logits.float().sigmoid()  # (N, Q, h, w)
            return torch.einsum("nqm,nqhw->nmhw", share, masks).clamp(min=1e-8).log()

        return rendering.once(("segmentation", self.sha256), compute)

    def labels(self, rendering: Rendering) -> Tensor:
        """The likeliest class of each pixel of the pictures, (N, H, W)."""
        size = (int(rendering.images.shape[-2]), int(rendering.images.shape[-1]))
        return rendering.once(("segmentation labels", self.sha256), lambda: labelled(self.logits(rendering), size))


def load_hub_segmenter(config: HubConfig, device: torch.device) -> HubSegmenter:
    """A model from a folder or the hub.

    Raises:
        CheckpointError: no such model, or one that does not segment.
    """
    library = installed()
    with_queries = library.models.auto.modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES
    kind = "AutoModelForUniversalSegmentation" if _model_type(library, config) in with_queries else "AutoModelForSemanticSegmentation"
    loaded = load(kind, config, device)
    names = loaded.labels()
    if len(names) == ADE20K and all(re.fullmatch(r"(?i)label_\d+", name) for name in names):
        table = json.loads((LABELS / "ade20k150.json").read_text(encoding="utf-8"))
        names = unique(table["classes"])
    return HubSegmenter(loaded, names)


def _model_type(library: Any, config: HubConfig) -> str:
    try:
        found = library.AutoConfig.from_pretrained(
            place(config), local_files_only=not config.download, trust_remote_code=False, revision=config.revision or "main"
        )
    except CheckpointError:
        raise
    except Exception:
        return ""  # load() says what is wrong
    return str(found.model_type)
