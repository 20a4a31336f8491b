"""Factorise the weights of affine maps in closed form (SeFa)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from ...core.errors import DataError
from ...core.messages import quantity
from ...core.plugins.generator import Generator
from ...core.storage.rows import Rows
from ...core.strata.layers import layers_in_words
from .spectrum import Floats, rank_of, spectrum
from .unlabelled import ALL, Direction, Settings, UnlabelledLearner, check_dimensions

RANK = 1e-10  # share of the largest eigenvalue below which a direction changes no style
ToRGB = Literal["published", "all", "none"]


class Sefa(UnlabelledLearner):
    """Find the directions along which codes change the styles of the chosen layers most.

    With A the weights of their affine maps below each other, |A v|^2 over unit vectors v is largest for the
    eigenvectors of A^T A with the largest eigenvalues. No picture is made, and no sample is used.

    Source: Shen and Zhou, "Closed-form factorization of latent semantics in GANs", 2021 (SeFa).
    `genforce` is the normalisation of the authors' code, `rosinality` that of rosinality's StyleGAN2 and of
    MMGeneration. They differ from those in three ways. The eigenvectors come from a symmetric solver, hence
    in order; the authors' are not sorted. The filter of rosinality's code leaves the first ToRGB in, by its
    name; here all are left out. ProgressiveGAN and other networks whose first layer is linear in z count
    as one layer, whose weights are those of this first layer.
    """

    class Config(Settings):
        """Set the directions, the layers whose weights are factorised and moved, and how weights count."""

        normalisation: Literal["genforce", "rosinality"] = Field(
            default="genforce",
            description="`genforce`: weights of every style channel have length 1; `rosinality`: as they are",
        )
        to_rgb: ToRGB = Field(
            default="published",
            description="whose ToRGB counts: `all`, `none`, or as the normalisation was `published`: with "
            "genforce of layers that nothing else reads, with rosinality none",
        )

    config: Config
    from_samples = False
    method = "sefa"

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without weights at these layers, or with fewer directions.

        Raises:
            DataError: it has no weights of affine maps there, or they change fewer directions.
            LayerError: a layer does not exist.
        """
        super().check_generator(generator)
        check_dimensions(self.config.directions, generator)
        self._factorise(generator)

    def find(self, generator: Generator, latents: Rows, seed: int) -> Iterator[Direction]:
        """Return the eigenvectors, with eigenvalue and share of the trace."""
        values, vectors = self._factorise(generator)
        total = float(values.sum())
        for i in range(self.config.directions):
            value = float(values[i])
            yield Direction(str(i), vectors[i], {"eigenvalue": value, "share": value / total})

    def _factorise(self, generator: Generator) -> tuple[Floats, Floats]:
        """Return eigenvalues (D,) and eigenvectors (D, D), by row.

        Raises:
            DataError: there are no weights, or fewer directions change a style than are asked for.
        """
        layers = self.chosen_layers(generator)
        genforce = self.config.normalisation == "genforce"
        published: ToRGB = "published" if genforce else "none"
        to_rgb = published if self.config.to_rgb == "published" else self.config.to_rgb
        values, vectors = factorise(stacked_weights(generator, layers, to_rgb), unit_rows=genforce)
        rank = rank_of(values, RANK)
        if rank < self.config.directions:
            raise DataError(
                f"directions: {self.config.directions} are asked for, but only {rank} change the styles of "
                f"{layers_in_words(layers)}; ask for at most {rank}, or more layers"
            )
        return values, vectors


def stacked_weights(generator: Generator, layers: Sequence[int], to_rgb: ToRGB) -> Tensor:
    """Return the weights (R, D) of the affine maps that read these layers, below each other, in float64.

    Args:
        generator: gives `style_weights`.
        layers: numbers of layers.
        to_rgb: whose ToRGB counts: "published" is that of layers which nothing else reads.

    Raises:
        DataError: there are none.
    """
    strata = [(s, stratum) for s, stratum in enumerate(generator.strata) if stratum.reads is not None]
    read_by_others = {stratum.reads for _, stratum in strata if stratum.is_feature}
    rows, anywhere = [], False
    for s, stratum in strata:
        weights = generator.style_weights(s)  # (C_s, D)
        if weights is None:
            continue
        anywhere = True
        counts = to_rgb == "all" or (to_rgb == "published" and stratum.reads not in read_by_others)
        if stratum.reads in layers and (stratum.is_feature or counts):
            rows.append(weights.detach().double().cpu())
    if not anywhere:
        raise DataError(
            f"this generator ({generator.card.family}) gives no weights of affine maps to factorise; "
            "learn with pca, which needs none, or implement Generator.style_weights"
        )
    if not rows:
        raise DataError(
            f"layers: no affine map that counts reads {layers_in_words(layers)}; name other layers, "
            f"`{ALL}`, or set to_rgb: all"
        )
    return torch.cat(rows)


def factorise(weights: Tensor, *, unit_rows: bool) -> tuple[Floats, Floats]:
    """Return the eigenvalues (D,) of A^T A, descending, and its eigenvectors (D, D), by row.

    Args:
        weights: A (R, D), float64.
        unit_rows: whether every row is divided by its length first; rows of length 0 stay.

    Raises:
        DataError: all weights are 0, or some are not finite.

    >>> import numpy as np
    >>> weights = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 1.0]]).double()
    >>> values, vectors = factorise(weights, unit_rows=True)
    >>> values.tolist(), np.abs(vectors).tolist()
    ([2.0, 1.0], [[0.0, 1.0], [1.0, 0.0]])
    """
    if unit_rows:
        length = weights.norm(dim=1, keepdim=True)
        weights = weights / length.masked_fill(length == 0.0, 1.0)
    if not bool(weights.isfinite().all()) or not bool(weights.any()):
        raise DataError(
            f"{quantity(len(weights), 'row')} of affine weights are 0 or not finite, so they have no "
            "strongest direction; choose other layers"
        )
    return spectrum((weights.t() @ weights).numpy())
