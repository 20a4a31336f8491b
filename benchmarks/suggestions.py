"""Measure whether pictures that `ganstrata segment suggest` chooses are worth more than random ones.

From 4 random annotated pictures of the bundled rooms, 4 more are chosen out of a pool: at random, by the
disagreement of an ensemble, and by it with diversity. mIoU is measured on new pictures, against the teacher.

    python benchmarks/suggestions.py --repeats 20 --pool 200 --images 500
"""

from __future__ import annotations

import argparse
import time

import ganstrata
import numpy as np
import torch
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.agreement import image_ious, overlaps
from ganstrata.core.semantics.annotation.uncertainty import choose_next, doubts, image_weights
from ganstrata.core.semantics.feature_maps import choose_strata
from ganstrata.core.semantics.heads import LSE
from ganstrata.core.semantics.learning.annotated import draw_samples
from ganstrata.core.semantics.learning.few_shot_solution import image_sums, solve_few_shot
from ganstrata.core.semantics.learning.planes import PixelSums
from ganstrata.core.semantics.samples import LabelledSamples
from ganstrata.core.semantics.teacher import Teacher
from ganstrata.core.statistics import mean_interval, sample_means

FIRST, MORE = 4, 4
WAYS = ("first 4 alone", "4 more at random", "4 more by disagreement", "4 more by disagreement and diversity")


def rooms() -> LabelledSamples:
    """Return labelled samples of the bundled rooms."""
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    teacher = Teacher.of(ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu"))
    return LabelledSamples(generator, teacher, choose_strata(generator.strata, "all"), 16)


class Pool:
    """Hold the pictures from which are chosen, and sums of those that were."""

    def __init__(self, samples: LabelledSamples, size: int) -> None:
        self.samples = samples
        self.drawn = [
            draw_samples(samples, range(s, min(s + 16, size)), Stream.TRAINING) for s in range(0, size, 16)
        ]
        self._sums: dict[int, PixelSums] = {}

    def sums(self, i: int) -> PixelSums:
        """Return the sums of one picture."""
        if i not in self._sums:
            part, n = self.drawn[i // 16], i % 16
            maps = [x[n : n + 1] for x in part.maps]
            self._sums[i] = image_sums(self.samples, maps, part.labels[n : n + 1], [i])[0]
        return self._sums[i]

    def solve(self, index: list[int], weight: list[float] | None = None) -> LSE:
        """Return the extractor of some pictures."""
        widths = [described.channels for described in self.samples.maps]
        return solve_few_shot([self.sums(i) for i in index], "lda", widths, weight)

    def doubts(self, heads: list[LSE]) -> tuple[np.ndarray, np.ndarray]:
        """Return how unsure an ensemble is of every picture."""
        parts = [doubts(heads, part.maps, tuple(part.labels.shape[-2:])) for part in self.drawn]
        amounts, profiles = zip(*parts, strict=True)
        return np.concatenate(amounts), np.concatenate(profiles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--pool", type=int, default=200)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--heads", type=int, default=10)
    asked = parser.parse_args()
    began, samples = time.monotonic(), rooms()
    pool = Pool(samples, asked.pool)
    heads: dict[tuple[str, int], LSE] = {}
    for repeat in range(asked.repeats):
        rng = np.random.default_rng(repeat)
        order = rng.permutation(asked.pool)
        first, others = order[:FIRST].tolist(), np.sort(order[FIRST:])
        ensemble = [pool.solve(first, w) for w in image_weights(FIRST, asked.heads, repeat).tolist()]
        amounts, profiles = pool.doubts(ensemble)
        chosen = {
            WAYS[0]: np.empty(0, dtype=np.int64),
            WAYS[1]: order[FIRST : FIRST + MORE],
            WAYS[2]: others[choose_next(amounts[others], profiles[others], MORE, 0.0)],
            WAYS[3]: others[choose_next(amounts[others], profiles[others], MORE, 1.0)],
        }
        for way, more in chosen.items():
            heads[way, repeat] = pool.solve([*first, *more.tolist()])
    quality = {key: [] for key in heads}
    for start in range(0, asked.images, 16):
        drawn = samples.draw(start, Stream.VERIFICATION)
        size = tuple(drawn.labels.shape[-2:])
        for key, head in heads.items():
            with torch.no_grad():
                found = head(drawn.maps, size).max(dim=1).indices
            quality[key].append(image_ious(overlaps(found, drawn.labels, len(samples.teacher.classes))))
    mious = {
        way: np.array(
            [np.nanmean(sample_means(np.concatenate(quality[way, r], axis=1))) for r in range(asked.repeats)]
        )
        for way in WAYS
    }
    print(f"{asked.repeats} repeats, pool of {asked.pool}, {asked.images} pictures, {asked.heads} heads")
    for way, values in mious.items():
        gain = values - mious[WAYS[1]]
        n = np.array(float(asked.repeats))
        error = np.array(gain.std(ddof=1) / np.sqrt(asked.repeats))
        low, high = mean_interval(np.array(gain.mean()), error, n)
        print(
            f"{way:40} mIoU {100 * values.mean():5.1f}   against random {100 * gain.mean():+5.1f} "
            f"[{100 * float(low):+.1f}, {100 * float(high):+.1f}]"
        )
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
