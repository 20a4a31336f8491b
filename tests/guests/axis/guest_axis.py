"""A boundary learner: the difference of the means above and below the median."""

import numpy as np
from ganstrata import Boundaries, Boundary, BoundaryLearner, hookimpl


class MedianSplit(BoundaryLearner):
    """From the mean of the lower half of the scores to that of the upper half."""

    def learn(self, latents, scores, concepts, *, generator=None, seed=0):
        boundaries = []
        for j, concept in enumerate(concepts):
            high = scores[:, j] > np.median(scores[:, j])
            upper, lower = latents[high].mean(axis=0), latents[~high].mean(axis=0)
            normal = (upper - lower) / np.linalg.norm(upper - lower)
            offset = np.asarray(-normal @ (upper + lower) / 2.0, dtype=np.float32)
            boundaries.append(
                Boundary(concept.name, concept.level, normal, offset, generator.space, generator.fingerprint)
            )
        return Boundaries(boundaries)


@hookimpl
def ganstrata_register_boundaries(register):
    register("median_split", "guest_axis:MedianSplit", "difference of two means")
