"""Take the principal components of codes, or of a feature map, as directions (GANSpace)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from sklearn.decomposition import IncrementalPCA

from ...core.device import auto_batch
from ...core.errors import DataError
from ...core.messages import quantity
from ...core.plugins.generator import Generator
from ...core.storage.rows import Rows, blocks
from ...core.strata.names import stratum_number
from .drawn import activations, draw
from .spectrum import Floats, Moments, rank_of, spectrum
from .unlabelled import Direction, Settings, UnlabelledLearner, check_dimensions

RANK = 1e-10  # share of the largest variance below which codes do not vary
REGRESSED = 10_000  # most fresh samples for the regression
BLOCK_BYTES = 2**28  # of activations, in float64, that one step of the incremental decomposition takes
MOST_ROWS = 2000


class Pca(UnlabelledLearner):
    """Find the directions in which codes w, or the activations of a stratum, vary most.

    The components of w are the eigenvectors of its covariance. Those of activations y have coordinates
    a = C (y - mean) / sd, and the direction of component i in w is row i of the least squares solution of
    a M = w - mean(w), on fresh samples.

    Source: Härkönen, Hertzmann, Lehtinen and Paris, "GANSpace: discovering interpretable GAN controls", 2020.
    Five things differ from the authors' code. The covariance of w is summed up exactly, where they use
    incremental PCA. The regression takes as many fresh samples as `samples`, at most 10,000, where they take
    at least as many. Its latents are w, and centred, also where theirs are z. `sd` is that of w along the
    direction, also for activations. Activations come from scikit-learn's incremental PCA, in blocks of
    256 MiB or 2,000 samples, the smaller; samples that fill no block of `directions` rows are left out.
    """

    class Config(Settings):
        """Set what is decomposed, and from how many samples."""

        samples: int = Field(
            default=0,
            ge=0,
            le=10_000_000,
            examples=[100_000],
            description="samples drawn for this alone, such as the paper's 1000000; 0 for the run's own",
        )
        stratum: str = Field(
            default="",
            examples=["b8.conv1"],
            description="name or number of the stratum whose activations are decomposed; empty for codes w",
        )

        @model_validator(mode="after")
        def _drawn(self) -> Pca.Config:
            if self.stratum and not self.samples:
                raise ValueError("activations of a stratum need samples of their own: set `samples` too")
            if self.samples and self.samples <= self.directions:
                raise ValueError(f"{self.samples} samples have fewer than {self.directions} components")
            return self

    config: Config
    method = "pca"

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.from_samples = config.samples == 0

    def check(self, samples: int) -> None:
        """Refuse fewer samples than directions, if those of the run are used.

        Raises:
            DataError: there are too few.
        """
        check_samples(self.config.directions, self.config.samples or samples)

    def check_generator(self, generator: Generator) -> None:
        """Refuse a generator without the layers or the stratum of the config.

        Raises:
            UserError: there is no such layer or stratum, or there are more directions than dimensions.
        """
        super().check_generator(generator)
        check_dimensions(self.config.directions, generator)
        if self.config.stratum:
            stratum_number(generator.strata, self.config.stratum)

    def find(self, generator: Generator, latents: Rows, seed: int) -> Iterator[Direction]:
        """Return the components, with standard deviation and share of the variance."""
        if self.config.stratum:
            return self._of_activations(generator, seed)
        return self._of_codes(generator, latents, seed)

    def _of_codes(self, generator: Generator, latents: Rows, seed: int) -> Iterator[Direction]:
        """Yield the components of w."""
        moments = Moments(generator.card.code_size)
        if self.config.samples:
            for _, w in draw(generator, range(self.config.samples), seed):
                moments.add(w.float().cpu().numpy())
        else:
            for _, (block,) in blocks(latents):
                moments.add(block)
        values, vectors = components(moments, self.config.directions)
        total = float(values.sum())
        for i in range(self.config.directions):
            facts = {
                "sd": float(np.sqrt(values[i])),
                "share": float(values[i]) / total,
                "drawn": moments.count,
            }
            yield Direction(str(i), vectors[i], facts, -float(moments.mean @ vectors[i]))

    def _of_activations(self, generator: Generator, seed: int) -> Iterator[Direction]:
        """Yield the directions in w of the components of a stratum's activations."""
        stratum, count = stratum_number(generator.strata, self.config.stratum), self.config.directions
        decomposition = decompose(generator, stratum, count, self.config.samples, seed)
        fresh = range(self.config.samples, self.config.samples + min(self.config.samples, REGRESSED))
        slopes, moments = regress(generator, stratum, decomposition, fresh, seed)
        covariance = moments.covariance[count:, count:]  # of w, (D, D)
        for i, slope in enumerate(slopes):
            length = float(np.linalg.norm(slope))
            if not length > 0.0:
                raise DataError(
                    f"component {i} of stratum {self.config.stratum} does not depend on the codes"
                )
            unit = slope / length
            facts = {
                "sd": float(np.sqrt(unit @ covariance @ unit)),
                "share": float(decomposition.explained_variance_ratio_[i]),
                "drawn": int(decomposition.n_samples_seen_),
            }
            yield Direction(str(i), unit, facts, -float(moments.mean[count:] @ unit))


def check_samples(directions: int, samples: int) -> None:
    """Refuse too few samples for so many components.

    Raises:
        DataError: there are not more samples than directions.
    """
    if samples <= directions:
        raise DataError(
            f"{quantity(samples, 'sample')} cannot have {quantity(directions, 'component')}; "
            f"more than {directions} are needed: raise synthesis.samples, or ask for fewer directions"
        )


def components(moments: Moments, count: int) -> tuple[Floats, Floats]:
    """Return variances (D,), descending, and principal components (D, D), by row.

    Raises:
        DataError: codes vary in fewer than `count` directions, or are not finite.
    """
    if not np.isfinite(moments.scatter).all():
        raise DataError("the codes to learn from hold NaN or infinity")
    values, vectors = spectrum(moments.covariance)
    rank = rank_of(values, RANK)
    if rank < count:
        raise DataError(
            f"directions: {count} are asked for, but the codes vary in only {rank}; ask for at most {rank}"
            if rank
            else "the codes do not vary, so they have no components"
        )
    return values, vectors


def decompose(generator: Generator, stratum: int, count: int, samples: int, seed: int) -> IncrementalPCA:
    """Return the incremental decomposition of activations, of which only one block is kept at a time.

    Args:
        generator: generator of the samples.
        stratum: number of the stratum.
        count: number of components.
        samples: number of samples.
        seed: seed of the learner.

    Raises:
        DataError: the stratum has fewer numbers than components, or varies in fewer directions.
    """
    decomposition = IncrementalPCA(n_components=count)
    kept: list[NDArray[np.float32]] = []
    for y, _ in _activations(generator, stratum, range(samples), seed):
        size = y.shape[1]  # F
        if size < count:
            raise DataError(f"directions: {count} are asked for, but stratum {stratum} has {size} numbers")
        kept.append(y)
        if sum(map(len, kept)) >= max(3 * count, min(MOST_ROWS, BLOCK_BYTES // (8 * size))):
            _fit(decomposition, kept)
            kept = []
    if sum(map(len, kept)) >= count:
        _fit(decomposition, kept)
    rank = rank_of(decomposition.explained_variance_, RANK)
    if rank < count:
        raise DataError(
            f"directions: {count} are asked for, but stratum {stratum} varies in only {rank}; ask for fewer, "
            "or name another stratum"
        )
    return decomposition


def _fit(decomposition: IncrementalPCA, parts: Sequence[NDArray[np.float32]]) -> None:
    """Add a block of activations, each part (n, F), to a decomposition."""
    with np.errstate(invalid="ignore"):  # shares of a variance of 0, which is refused later
        decomposition.partial_fit(np.concatenate(parts).astype(np.float64))


def regress(
    generator: Generator, stratum: int, decomposition: IncrementalPCA, samples: range, seed: int
) -> tuple[Floats, Moments]:
    """Return the least squares slopes (K, D) of w on K component coordinates, and the moments of both.

    Returns:
        M = Cov(a, a)^+ Cov(a, w), and the joint moments of a and w, (K + D).
    """
    count = decomposition.n_components_
    sd = np.sqrt(np.maximum(decomposition.explained_variance_, np.finfo(np.float64).tiny))
    moments = Moments(count + generator.card.code_size)
    for y, w in _activations(generator, stratum, samples, seed):
        moments.add(np.concatenate([decomposition.transform(y.astype(np.float64)) / sd, w], axis=1))
    covariance = moments.covariance
    slopes = np.linalg.lstsq(covariance[:count, :count], covariance[:count, count:], rcond=None)[0]
    return np.asarray(slopes), moments


def _activations(
    generator: Generator, stratum: int, samples: range, seed: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield activations (n, F) and codes w (n, D) of these samples, in batches that fit the device.

    Raises:
        DataError: an activation is not finite.
    """
    batch = auto_batch(generator.card.height, generator.device, generator.card.width)
    for latents, w in draw(generator, samples, seed, batch):
        y = activations(generator, stratum, latents, w, seed).cpu().numpy()
        if not np.isfinite(y).all():
            raise DataError(f"the output of stratum {stratum} holds NaN or infinity, so it has no components")
        yield y, w.float().cpu().numpy()
