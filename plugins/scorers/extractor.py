"""Segment pictures by a trained extractor, which reads the generator's feature maps and not the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field
from torch import Tensor

from ...core.checkpoints import locate, read_checkpoint
from ...core.plugins.base import PluginConfig
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Segmenter
from ...core.semantics.extractor_file import extractor_of

if TYPE_CHECKING:
    import torch

    from ...core.plugins.generator import Generator


class ExtractorScorer(Segmenter):
    """Label pixels by an extractor of `ganstrata segment train`; each class is a concept.

    It reads the feature maps of the generator for which it was trained, and refuses any other.
    """

    class Config(PluginConfig):
        """Set the extractor."""

        checkpoint: str = Field(
            examples=["segmentation/extractor.safetensors"],
            description="file that `ganstrata segment train` wrote",
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        checkpoint = read_checkpoint(locate(config.checkpoint, "extractor"))
        self.extractor = extractor_of(checkpoint, device)
        self.checkpoint = checkpoint.sha256
        self.features = self.extractor.strata
        self.concepts = tuple(Concept(name, "object", threshold=0.02) for name in self.extractor.classes)

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator other than the one whose feature maps the extractor reads.

        Raises:
            UserError: it is another; the message names what differs.
        """
        self.extractor.check_generator(generator)

    def logits(self, rendering: Rendering) -> Tensor:
        """Return logits (N, M, H, W) at the size of the labels of training, computed once per rendering."""
        return rendering.once(
            ("extractor", self.checkpoint), lambda: self.extractor.logits(rendering.features)
        )
