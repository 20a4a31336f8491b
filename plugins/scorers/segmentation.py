"""Score the share of the image that each class of surface or object covers."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ...core.checkpoints import locate, read_checkpoint
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Segmenter
from ..shared.huggingface import LIBRARY, HubConfig
from .networks.planar import LabelOrder
from .networks.segmenters import (
    SegmentationModel,
    load_checkpoint_segmenter,
    load_hub_segmenter,
    stated_accuracy,
)


class Segmentation(Segmenter):
    """Label the pixels of images by a segmentation network; each class is a concept.

    Supported are semantic segmentation models of the transformers library (SegFormer, UPerNet, BEiT, DPT,
    Mask2Former), and files with surface networks of this project, planar networks of LSUN-room or face
    parsers of CelebAMask-HQ. The kind of a file is recognised by the names of its tensors.
    """

    class Config(HubConfig):
        """Set the network: either a checkpoint or a model of the transformers library."""

        checkpoint: str | None = Field(
            default=None,
            examples=["bundled:rooms"],
            description="bundled:rooms, or a file: a surface network, a planar network of LSUN-room, "
            "a face parser of CelebAMask-HQ",
        )
        model: str = Field(default="", description="or a transformers model: a local folder, or a hub id")
        label_order: LabelOrder | None = Field(
            default=None,
            description="for planar networks: order of the labels, as in the published network (default) "
            "or in LSUN's toolkit",
        )

        @model_validator(mode="after")
        def _check_source(self) -> Segmentation.Config:
            if bool(self.checkpoint) == bool(self.model):
                raise ValueError("needs either `checkpoint` or `model`")
            return self

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.model: SegmentationModel
        if config.checkpoint:
            checkpoint = read_checkpoint(locate(config.checkpoint, "surfaces"))
            self.model = load_checkpoint_segmenter(checkpoint, device, config.label_order)
        else:
            hub = load_hub_segmenter(config, device)
            self.packages, self.input_size = LIBRARY, hub.loaded.prepare.input_size
            self.model = hub
        self.checkpoint = self.model.sha256
        self.accuracy = stated_accuracy(self.checkpoint)
        self.concepts = tuple(Concept(name, "object", threshold=0.02) for name in self.model.classes)

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, h, w), a plane per class, at the resolution of the network."""
        return self.model.logits(rendering)

    def labels(self, rendering: Rendering) -> Tensor:
        """Return the class of each pixel, (N, H, W); `layout` on the same network shares the result."""
        return self.model.labels(rendering)
