"""Open a folder of annotations with the generator that makes its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ...config.reading import validate_annotate
from ...config.segment_schema import AnnotateConfig
from ...device import auto_batch, resolve_device, resolve_precision
from ...errors import ConfigError, Fault, RunError, UserError
from ...figures.pictures import Pixels, png, to_pixels
from ...plugins.generator import Generator
from ...randomness import Stream
from ...runs.prepare import PluginBuilder
from ...storage.disk import write_bytes
from ..extractor import MadeFor
from ..feature_maps import choose_strata
from ..heads import LSE
from ..learning.annotated import annotated, draw_samples
from ..learning.few_shot import check_annotated
from ..samples import LabelledSamples
from ..teacher import Teacher
from ..unlabelled import Unlabelled
from .annotations import INDEX, Annotations
from .mask_heads import labels_of_heads
from .masks import label_png


@dataclass(frozen=True)
class Atelier:
    """Hold a folder of annotations with the generator that makes its pictures.

    Attributes:
        annotations: the folder.
        samples: generator and classes; its labels mean nothing.
        config: config of the folder.
    """

    annotations: Annotations
    samples: LabelledSamples
    config: AnnotateConfig

    @staticmethod
    def open(path: Path, device: str | None = None) -> Atelier:
        """Open a folder, and build the generator of its pictures.

        Raises:
            RunError: it is not one, is damaged, or its generator has changed.
        """
        folder = Annotations.open(path)
        data = dict(folder.config) | ({} if device is None else {"device": device})
        config = validate_annotate(data, str(path / INDEX))
        samples = samples_of(config, str(path / INDEX), folder.legend.names, folder.seed)
        here = MadeFor.of(samples.generator)
        if (here.fingerprint, here.checkpoint) != (folder.made_for.fingerprint, folder.made_for.checkpoint):
            raise RunError(
                f"the pictures in {path} were made by another generator, or by other weights; put back the "
                "checkpoint that its annotations.json names, or annotate again in another folder"
            )
        return Atelier(folder, samples, config)

    def annotated(self, *, resize: bool = False) -> tuple[tuple[int, ...], list[Tensor], Tensor]:
        """Return the annotated samples, their feature maps (N, c_s, h_s, w_s) and their labels (N, H, W).

        Raises:
            UserError: nothing is annotated, or a mask cannot be read.
            DataError: feature maps are not finite.
        """
        masks = self.annotations.masks(resize=resize)
        maps, _ = annotated(self.samples, tuple(masks))
        labels = torch.from_numpy(np.stack(list(masks.values()))).to(self.samples.generator.device)
        check_annotated(labels, len(self.annotations.legend.names))
        return tuple(masks), maps, labels

    def drawn(self, index: Sequence[int]) -> tuple[list[Tensor], Pixels]:
        """Return the feature maps and the pictures (N, H, W, C) of samples of one batch."""
        drawn = draw_samples(self.samples, index, Stream.TRAINING)
        return drawn.maps, to_pixels(drawn.rendering.pictures)

    def write_pictures(self, index: Sequence[int], heads: Sequence[LSE]) -> None:
        """Write pictures to paint on, and their current labels if there are heads."""
        size = self.annotations.size
        for start in range(0, len(index), self.samples.batch):
            some = index[start : start + self.samples.batch]
            maps, pictures = self.drawn(some)
            for n, i in enumerate(some):
                write_bytes(self.annotations.file("sample", i), png(pictures[n]))
                if heads:
                    labels = labels_of_heads(heads, [x[n : n + 1] for x in maps], size)[0].cpu().numpy()
                    write_bytes(
                        self.annotations.file("labels", i), label_png(labels, self.annotations.legend)
                    )


def samples_of(config: AnnotateConfig, source: str, classes: Sequence[str], seed: int) -> LabelledSamples:
    """Build the generator of a config, with classes in place of a teacher."""
    device = resolve_device(config.device)
    generator = cast(
        "Generator",
        PluginBuilder(source, device, config.checks).build("generator", config.generator, ("generator",)),
    )
    try:
        strata = choose_strata(generator.strata, config.extractor.strata)
    except UserError as error:
        raise ConfigError(source, [Fault(("extractor", "strata"), str(error))]) from None
    size = config.training.batch_size
    return unlabelled_samples(
        generator,
        classes,
        strata,
        seed,
        None if size == "auto" else size,
        resolve_precision(config.precision, device),
    )


def unlabelled_samples(
    generator: Generator,
    classes: Sequence[str],
    strata: tuple[int, ...],
    seed: int,
    batch: int | None = None,
    precision: str = "fp32",
) -> LabelledSamples:
    """Return samples of a generator, with classes in place of a teacher; `batch` None suits the device."""
    card, device = generator.card, generator.device
    return LabelledSamples(
        generator,
        Teacher(Unlabelled(classes, device)),
        strata,
        batch or auto_batch(card.height, device, card.width),
        seed,
        precision,
    )
