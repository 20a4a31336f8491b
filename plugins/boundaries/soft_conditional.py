"""Regress all scores on the codes, and hold each direction back where it would move the other concepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .common import Hyperplane, Learner, LinearFit, Samples, Settings
from .regression import FittedPlane, fit_scores
from .score_moments import ScoreMoments

STEP = 2.0  # the step in whose effects the penalty counts, in spreads of the codes: that of re-scoring


class SoftConditional(Learner):
    """Trade the effect on each concept against the side effects that regression predicts.

    With b_j the slope of concept j in standard deviations of its scores, from a ridge regression whose
    penalty is `shrinkage` times the mean variance of the codes, and t a step of two spreads of the codes:

        n_i = argmax over n of b_i.n    where |n|^2 + restraint sum_{j != i} (t b_j.n)^2 = 1
            ~ (I + restraint t^2 sum_{j != i} b_j b_j^T)^-1 b_i

    t b_j.n is how many standard deviations concept j is predicted to change. With `restraint: 0` n_i is the
    direction of the regression. As it grows, n_i becomes the conditional direction that keeps all other
    concepts of the run, which often has little effect left. So a boundary depends on which other concepts are
    learnt. The shrinkage keeps directions where codes vary and the generator responds. b_i is stored as the
    slope of the boundary, from which conditional directions of other concepts are made.

    Source: Hoerl and Kennard (1970) for the slopes; Yang, Shen and Zhou (IJCV 2021) for conditional
    directions. The compromise between the two is new here.
    """

    class Config(Settings):
        """Set both penalties, and the selection of samples that measure accuracy."""

        positives: int | float = Field(
            default=0.2, gt=0, description="highest scores, for the accuracy: a count, or a share up to 0.5"
        )
        negatives: int | float = Field(
            default=0.2, gt=0, description="lowest scores, for the accuracy: a count, or a share up to 0.5"
        )
        shrinkage: float = Field(
            default=3.0,
            ge=0.0,
            le=1e6,
            description="penalty on the squared slopes, in units of the mean variance of the codes",
        )
        restraint: float = Field(
            default=4.0,
            ge=0.0,
            le=1e6,
            description="penalty on the predicted changes of the other concepts; 0 ignores them",
        )

    config: Config
    jointly = True

    def fit_concepts(self, samples: Samples) -> list[list[LinearFit]]:
        """Fit the slopes of all concepts at each layer, then restrain each by the others."""
        return fit_scores(samples, self._regress, self._restrain)

    def _regress(self, moments: ScoreMoments) -> Iterator[Hyperplane]:
        """Yield a plane for each of the K scores."""
        covariance = moments.scatter / moments.count  # (D, D)
        penalty = self.config.shrinkage * float(np.trace(covariance)) / len(covariance)
        covariance[np.diag_indices_from(covariance)] += penalty
        slopes = np.linalg.lstsq(covariance, moments.with_scores / moments.count, rcond=None)[0]  # (D, K)
        for slope, mean in zip(slopes.T, moments.score_mean, strict=True):
            yield Hyperplane(slope, float(mean - slope @ moments.mean), {})

    def _restrain(self, fits: Sequence[FittedPlane]) -> list[NDArray[np.float64]]:
        """Return the coefficients (D,) of each plane, held back by the slopes of the others."""
        # Row j: t b_j, the predicted change of concept j, in its standard deviations, along each axis, (C, D)
        changes = np.stack([STEP * fit.spread * fit.plane.coefficients / fit.sd for fit in fits])
        # With B these rows, direction i is row i of (I + r B B^T)^-1 B, up to its length: the sum may include
        # j = i, as by Sherman and Morrison's formula (1950) that only makes the result shorter.
        inner = np.eye(len(changes)) + self.config.restraint * (changes @ changes.T)  # (C, C)
        return list(np.linalg.solve(inner, changes))
