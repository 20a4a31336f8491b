"""Find single style channels that belong to a concept, or act on one class of pixels (StyleSpace)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ...core.errors import ConfigError, DataError, Fault
from ...core.messages import quantity
from ...core.plugins.base import owner_of
from ...core.plugins.boundary import STYLES, Boundary
from ...core.plugins.generator import Generator
from ...core.plugins.records import Concept
from ...core.plugins.scorer import Segmenter
from ...core.probing.samples import scored_generator
from ...core.storage.rows import Rows, blocks, rows_at
from .asked import Asked
from .channels import Channel, ChannelLearner, ChannelSettings, Styles
from .drawn import Drawing
from .localised import RARE, class_shares, localised_channels
from .nested import UsedScorer, built_scorer

METHOD = "channel"  # first part of the names of directions
NARROW = 1e-3  # least standard deviation among exemplars that the score divides by, in those of all samples


class StyleChannels(ChannelLearner):
    """Find channels that set exemplars of a concept apart, or channels whose gradients lie on a class.

    Without a segmenter, the `exemplars` samples with the highest scores of a concept rank the channels u by

        score_u = |mean(n_u)| / std(n_u),    n_u = (s_u - mu_u) / sigma_u

    over the exemplars, with mean mu_u and standard deviation sigma_u over all samples. The concept is the
    target of its first `channels` channels, and the exemplars give their sense. With one, see `localised`.

    It is not a supervised learner: there, each concept has one boundary, which is judged by how well it
    separates high from low scores. A single channel does not; several channels of one concept move it in
    different ways, and re-scoring tells which of them do.

    Source: Wu, Lischinski and Shechtman, "StyleSpace analysis: disentangled controls for StyleGAN image
    generation", CVPR 2021.
    """

    class Config(ChannelSettings):
        """Set how channels are found, and how many."""

        channels: int = Field(
            default=3, ge=1, le=10_000, description="directions for each concept, or for each class"
        )
        exemplars: int = Field(
            default=20, ge=2, le=1_000_000, description="highest scores of a concept; the paper: 10 to 30"
        )
        segmenter: UsedScorer | None = Field(
            default=None,
            examples=[{"use": "segmentation", "with": {"checkpoint": "bundled:rooms"}}],
            description="a scorer that labels pixels: then channels are found that act on one of its "
            "classes, and scores are not used",
        )
        pictures: int = Field(
            default=32, ge=RARE, le=1_000_000, description="of which gradients are taken; the paper: 1000"
        )
        resolution: int = Field(
            default=16, ge=2, le=128, description="rows and columns of a map of gradients; the paper: 32"
        )
        discount: float = Field(
            default=2.0,
            ge=1.0,
            le=4.0,
            description="power of the area by which overlaps are divided; higher ones favour small classes",
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self._segmenter: Segmenter | None = None
        if config.segmenter is not None:
            scorer = built_scorer(config.segmenter, device)
            if not isinstance(scorer, Segmenter):
                reason = f"{owner_of(scorer)} labels no pixels; take one that does, such as segmentation"
                raise ConfigError(
                    "config of boundary 'style_channels'", [Fault(("segmenter", "use"), reason)]
                )
            self._segmenter = scorer
            self.checkpoint, self.packages = scorer.checkpoint, scorer.packages

    def check(self, samples: int) -> None:
        """Refuse a run in which half of the samples or more would be exemplars.

        Raises:
            DataError: there are too few samples.
        """
        least = 2 * self.config.exemplars
        if self._segmenter is None and samples < least:
            raise DataError(
                f"{quantity(samples, 'sample')} are too few for {self.config.exemplars} exemplars of a "
                f"concept; raise synthesis.samples to {least}, or give fewer exemplars"
            )

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without such styles, or one that the segmenter does not fit.

        Raises:
            UserError: it has no styles, or the segmenter refuses it.
            LayerError: a layer does not exist.
            DataError: no style channel counts.
        """
        super().check_generator(generator)
        if self._segmenter is not None:
            scored_generator(generator, self._segmenter, seed=0, batch=1)  # which checks that they fit

    def expected(self, concepts: int) -> int:
        """Return the most channels that learn() returns: so many for each concept, or for each class."""
        each = concepts if self._segmenter is None else len(self._segmenter.concepts)
        return each * self.config.channels

    def layer_sets(self, generator: Generator, concepts: int) -> int:
        """Return the number of layers of the channels; each channel moves one."""
        return min(self.expected(concepts), len({channel.layer for channel in self.channels(generator)}))

    def directions(self, styles: Styles, asked: Asked) -> Iterator[Boundary]:
        """Return the channels. Scores rank them if there is no segmenter.

        Raises:
            DataError: no channel varies, or none acts on one class alone.
            UserError: the generator passes no gradients to its styles.
        """
        generator = asked.generator
        channels = [channel for channel in self.channels(generator) if styles.varies(channel)]
        if not channels:
            raise DataError("no style channel of these layers varies between the samples")
        if self._segmenter is None:
            return self._of_concepts(styles, channels, asked.scores, asked.concepts, generator)
        drawing = Drawing(generator, self.config.pictures, asked.seed, asked.precision, asked.on_share)
        return self._of_classes(styles, channels, drawing)

    def _of_concepts(
        self,
        styles: Styles,
        channels: Sequence[Channel],
        scores: Rows,
        concepts: Sequence[Concept],
        generator: Generator,
    ) -> Iterator[Boundary]:
        """Yield the channels of each concept, the one with the highest score first.

        Raises:
            DataError: no concept has enough samples with a score.
        """
        columns = [c.position for c in channels]
        chosen = exemplars(scores, self.config.exemplars)
        shown = rows_at(styles.values, np.concatenate([np.zeros(0, np.int64), *chosen.values()]))  # (., S)
        tables = {}
        for j, values in zip(chosen, np.split(shown, max(len(chosen), 1)), strict=False):
            tables[j] = exemplar_scores((values[:, columns] - styles.mean[columns]) / styles.sd[columns])
        if not tables:
            raise DataError(
                f"no concept has {2 * self.config.exemplars} samples with a score; give fewer exemplars"
            )
        ranked = {j: np.argsort(-np.abs(t), kind="stable")[: self.config.channels] for j, t in tables.items()}
        # A channel is one direction, so it belongs to the concept for which its score is highest.
        owner: dict[int, int] = {}
        for j, order in ranked.items():
            for k in order.tolist():
                if k not in owner or abs(tables[j][k]) > abs(tables[owner[k]][k]):
                    owner[k] = j
        for j, order in ranked.items():
            for rank, k in enumerate(order.tolist(), start=1):
                if owner[k] != j:
                    continue
                score = float(tables[j][k])
                facts = {"score": round(abs(score), 4), "rank": rank, "exemplars": self.config.exemplars}
                boundary = direction(styles, channels[k], generator, math.copysign(1.0, score), facts)
                yield replace(boundary, concept=concepts[j].name, level=concepts[j].level)

    def _of_classes(
        self, styles: Styles, channels: Sequence[Channel], drawing: Drawing
    ) -> Iterator[Boundary]:
        """Yield the channels of each class, those that act on it in most pictures first.

        Raises:
            DataError: there are none.
            UserError: the generator passes no gradients to its styles.
        """
        assert self._segmenter is not None
        config = self.config
        table = class_shares(drawing, self._segmenter, channels, config.resolution, config.discount)
        found = localised_channels(table)
        if not found:
            raise DataError(
                f"none of {quantity(len(channels), 'channel')} acts on one class of "
                f"{owner_of(self._segmenter)} alone in {config.pictures} pictures; give more pictures, other "
                "layers, or another segmenter"
            )
        counts: dict[int, int] = {}
        for one in found:
            counts[one.label] = counts.get(one.label, 0) + 1
            if counts[one.label] <= config.channels:
                facts = {
                    "class": self._segmenter.concepts[one.label].name,
                    "share": round(one.share, 4),
                    "ahead": round(one.ahead, 4),
                    "pictures": one.pictures,
                }
                yield direction(styles, channels[one.channel], drawing.generator, 1.0, facts)


def exemplars(scores: Rows, count: int) -> dict[int, NDArray[np.int64]]:
    """Return the rows of the highest scores of each concept, without samples that have none.

    Args:
        scores: (N, C), NaN where undefined; they are read once, block by block.
        count: number of rows.

    Returns:
        By column, (count,), the highest first; no entry if fewer than twice as many samples have a score.

    >>> exemplars(np.array([[0.1], [np.nan], [0.9], [0.5]], dtype=np.float32), 1)
    {0: array([2])}
    """
    columns = scores.shape[1]
    known = np.zeros(columns, dtype=np.int64)
    best, rows = np.full((count, columns), np.nan), np.zeros((count, columns), dtype=np.int64)
    for here, (block,) in blocks(scores):
        known += (~np.isnan(block)).sum(axis=0)
        both = np.concatenate([best, block])  # (count + n, C); the earlier of equal scores comes first
        numbers = np.concatenate([rows, np.repeat(np.arange(here.start, here.stop)[:, None], columns, 1)])
        order = np.argsort(-both, axis=0, kind="stable")[:count]  # NaN comes last
        best, rows = np.take_along_axis(both, order, 0), np.take_along_axis(numbers, order, 0)
    return {j: rows[:, j] for j in range(columns) if known[j] >= 2 * count}


def exemplar_scores(normalised: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return mean / standard deviation of each channel over the exemplars, (K,), with its sign.

    Args:
        normalised: styles of the exemplars in standard deviations from the mean of all samples, (E, K).

    >>> exemplar_scores(np.array([[1.0, -1.0], [3.0, 1.0]])).round(2)
    array([1.41, 0.  ])
    """
    values = np.asarray(normalised, dtype=np.float64)
    return np.asarray(values.mean(axis=0) / np.maximum(values.std(axis=0, ddof=1), NARROW))


def direction(
    styles: Styles, channel: Channel, generator: Generator, sign: float, facts: Mapping[str, Any]
) -> Boundary:
    """Return a channel as a direction, whose hyperplane is at the mean of the samples.

    Args:
        styles: styles of the samples.
        channel: the channel.
        generator: the generator.
        sign: 1, or -1 for lower values.
        facts: how it was found.
    """
    normal = np.zeros(styles.values.shape[1])
    normal[channel.position] = sign
    return Boundary.unlabelled(
        f"{METHOD}/{channel.label}",
        normal,
        generator,
        offset=-sign * float(styles.mean[channel.position]),
        space=STYLES,
        layers=(channel.layer,),
        facts={**styles.facts(channel, generator), **facts},
    )
