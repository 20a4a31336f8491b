"""Hold a trained extractor: heads, the feature maps that they read, classes, and facts of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from ..messages import visible
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from .feature_maps import FeatureMap, cropped
from .heads import Head, HeadName, LayerWeights, Size, build_head

BACKGROUND = "background"


@dataclass(frozen=True)
class Architecture:
    """Describe the network of an extractor.

    Attributes:
        head: LSE, NSE-1 or NSE-2.
        maps: the feature maps that it reads, first stratum first.
        classes: names of the M classes, one per plane of the logits.
        size: height and width of the logits.
        background: whether the first class is "none of the others", which no mean IoU counts.
        layer_weights: LSE and NSE-1: whether the weights of strata were learnt.
        bias: LSE: whether there is a bias per class.
        kernel: NSE-1: width of its kernels.
    """

    head: HeadName
    maps: tuple[FeatureMap, ...]
    classes: tuple[str, ...]
    size: Size
    background: bool = False
    layer_weights: LayerWeights = "equal"
    bias: bool = False
    kernel: int = 1

    @property
    def strata(self) -> tuple[int, ...]:
        """Numbers of the strata whose feature maps are read."""
        return tuple(described.stratum for described in self.maps)

    def build(self) -> Head:
        """Build one head with fresh parameters."""
        return build_head(
            self.head,
            [described.channels for described in self.maps],
            len(self.classes),
            layer_weights=self.layer_weights,
            bias=self.bias,
            kernel=self.kernel,
        )


@dataclass(frozen=True)
class MadeFor:
    """Identify the generator whose feature maps an extractor reads.

    Attributes:
        fingerprint: identifier of its latent space.
        plugin: registered name of its plugin.
        options: config of its plugin.
        family: family by its card.
        resolution: size of its pictures in words, such as `64 px`.
        checkpoint: SHA-256 of its file, or "".
        truncation: truncation by its card.
    """

    fingerprint: str
    plugin: str
    options: Mapping[str, Any]
    family: str
    resolution: str
    checkpoint: str
    truncation: str

    @staticmethod
    def of(generator: Generator, plugin: str = "", options: Mapping[str, Any] | None = None) -> MadeFor:
        """Return the identity of a generator, with the plugin name and the config that build it."""
        card = generator.card
        return MadeFor(
            generator.fingerprint,
            plugin or generator.name,
            dict(options or {}),
            card.family,
            card.size_in_words,
            card.sha256,
            card.truncation,
        )

    def differences(self, generator: Generator) -> list[str]:
        """Say in words how a generator differs from this one; nothing if it is the same."""
        here = MadeFor.of(generator)
        return [
            f"{name} is {getattr(here, key) or 'unknown'}, not {visible(getattr(self, key) or 'unknown')}"
            for key, name in (
                ("family", "its family"),
                ("resolution", "the size of its pictures"),
                ("checkpoint", "the SHA-256 of its checkpoint"),
                ("fingerprint", "the fingerprint of its latent space"),
            )
            if getattr(here, key) != getattr(self, key)
        ]


@dataclass(frozen=True)
class Extractor:
    """Hold the K heads of an extractor; K > 1 is an ensemble.

    Attributes:
        architecture: of every head.
        heads: K networks.
        made_for: the generator whose feature maps they read.
        facts: teacher, schedule, measured quality: plain data for reports.
        sha256: SHA-256 of the file that it was read from; "" if it was read from none.
    """

    architecture: Architecture
    heads: Sequence[Head]
    made_for: MadeFor
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the M classes."""
        return self.architecture.classes

    @property
    def strata(self) -> tuple[int, ...]:
        """Numbers of the strata whose feature maps are read."""
        return self.architecture.strata

    def logits(self, features: Mapping[int, Tensor], size: Size | None = None) -> Tensor:
        """Return logits (N, M, H, W) of feature maps by stratum, with gradients if they are switched on.

        An ensemble gives the logarithm of the mean of its heads' class probabilities.

        Args:
            features: State.x after each stratum, (N, c_s, h, w) with margins, as in `Rendering.features`.
            size: height and width of the logits; None for that of training.

        Raises:
            ShapeError: a feature map is missing or has another shape.
        """
        maps = cropped(features, self.architecture.maps)
        size = size or self.architecture.size
        if len(self.heads) == 1:
            logits: Tensor = self.heads[0](maps, size)
            return logits
        return self.probabilities(maps, size).mean(0).clamp(min=1e-12).log()

    def probabilities(self, maps: Sequence[Tensor], size: Size) -> Tensor:
        """Return the class probabilities (K, N, M, H, W) of each head for cropped feature maps."""
        return torch.stack([head(maps, size).softmax(1) for head in self.heads])

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator other than the one whose feature maps the extractor reads.

        Raises:
            UserError: it is another; the message names what differs.
        """
        differences = self.made_for.differences(generator)
        if len(generator.strata) <= max(self.strata):
            differences.append(
                f"it has {len(generator.strata)} strata, and stratum {max(self.strata)} is read"
            )
        else:
            differences += [
                f"its stratum {described.stratum} is '{visible(generator.strata[described.stratum].name)}', "
                f"not '{visible(described.name)}'"
                for described in self.architecture.maps
                if generator.strata[described.stratum].name != described.name
            ]
        if differences:
            raise UserError(
                f"the extractor was trained for another generator than {owner_of(generator)}: "
                f"{'; '.join(differences[:3])}. Train one with `ganstrata segment train`"
            )
