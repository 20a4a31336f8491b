"""Simulated boundaries of known effects, whose samples are moved from look to look."""

from __future__ import annotations

import numpy as np
from ganstrata.core.rescoring.adaptive import Design, judge
from ganstrata.core.rescoring.effects import effects_of_looks, variation_factors
from ganstrata.core.rescoring.interim import layer_looks, look_sizes, null_samples
from ganstrata.core.rescoring.sums import FIELDS, LookSums

SHARES = (0.125, 0.25, 0.5, 1.0)


def effects_by_batch(sums, null, own, *, looks, step, unit, all_set):
    """Return effects from FIELDS of boundaries (B, N, S, 2, C, 5) and null directions (G, R, N, S, C, 5)."""
    both_ways = np.stack([null, np.full_like(null, np.nan)], axis=4)
    one_by_one = both_ways.reshape(-1, *both_ways.shape[2:])
    ends = [-(-look // step) for look in (*looks, layer_looks(looks[-1], step)[0])]
    summed = LookSums.of([*sums, *one_by_one], len(sums), null.shape[1], ends[:-1], ends[-1], all_set)
    return effects_of_looks(summed, own, looks=looks, step=step, unit=unit, all_set=all_set)


class World:
    """Simulate boundaries with true effects, null directions scattered about zero, and noise of samples.

    One layer set. Samples are common to all directions: a part of the noise is that of the sample (`common`,
    its standard deviation), the rest that of sample and direction (`alone`).
    """

    def __init__(
        self,
        seed: int,
        effects,
        *,
        null: int = 20,
        samples: int = 128,
        skewed: bool = False,
        common: float = 0.3,
        alone: float = 0.4,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.effects, count = np.asarray(effects, dtype=np.float64), len(effects)
        direction = np.where(
            np.isnan(self.effects), 0.1 * rng.standard_normal(count), self.effects
        )  # NaN: no better than chance
        chance = 0.1 * rng.standard_normal((null, count))  # of each null direction on each concept
        self.truth = np.concatenate([np.where(np.eye(count, dtype=bool), direction[:, None], 0.0), chance])

        def noise(*shape: int):
            return rng.exponential(size=shape) - 1.0 if skewed else rng.standard_normal(shape)

        scatter = common * noise(samples, count) + alone * noise(count + null, samples, count)
        self.changes = self.truth[:, None] + scatter  # (B + R, K, C)
        step, looks = look_sizes(samples, SHARES, 32)
        self.decided = np.zeros(count, dtype=bool)  # what was thought of each boundary when it stopped
        self.design = Design(
            np.arange(count),
            np.ones(count, dtype=bool),
            np.ones(count),
            null,
            1,
            0,
            step,
            looks,
            looks,
            null_samples(samples, step),
            looks[0],
            0.2,
            0.05,
        )

    def sums(self):
        """By batch, (B + R, N, 1, 2, C, 5)."""
        q, (directions, samples, concepts) = self.design, self.changes.shape
        parts = self.changes.reshape(directions, samples // q.step, q.step, concepts)
        fields = [
            np.full(parts.sum(2).shape, float(q.step)),
            parts.sum(2),
            (parts**2).sum(2),
            np.maximum(parts, 0).sum(2),
            np.zeros(parts.sum(2).shape),
        ]
        assert len(fields) == len(FIELDS)
        return np.stack(fields, axis=-1)[:, :, None, None].repeat(2, axis=3)

    def measured(self, sums, looks):
        """Return effects from sums of moved samples (NaN where a boundary has stopped) after these looks."""
        count = len(self.effects)
        return effects_by_batch(
            sums[:count],
            sums[None, count:, :, :, 0],
            self.design.own,
            looks=looks,
            step=self.design.step,
            unit=np.ones(count),
            all_set=0,
        )

    def stop(self):
        """Return effects, factors and used samples of each boundary, after the looks at `all`."""
        q, count, every = self.design, len(self.effects), self.sums()
        moved_sums, used, active = (
            np.full(every.shape, np.nan),
            np.zeros(count, dtype=int),
            np.ones(count, dtype=bool),
        )
        own = np.stack([self.changes[i, :, i] for i in range(count)])[:, None, None].repeat(2, axis=2)
        for look in q.looks:
            part = slice(used.max() // q.step, look // q.step)
            moved_sums[:count][active, part] = every[:count][active, part]
            null = slice(part.start, min(part.stop, q.null_samples // q.step))
            moved_sums[count:, null] = every[count:, null]
            used[active] = look
            own_taken = np.where(np.arange(own.shape[-1]) < used[:, None, None, None], own, np.nan)
            factors, futile, precise, _ = judge(q, moved_sums, own_taken, look)
            self.decided = np.where(active, factors, self.decided)
            active &= ~(futile | (factors & precise))
            if not active.any():
                break
        effects = self.measured(moved_sums, q.looks)
        return effects, variation_factors(effects, q.own, q.varies, all_set=0, rate=q.rate), used

    def whole(self):
        """Factors with all samples and one look."""
        q, every = self.design, self.sums()
        looks = q.looks[-1:]
        effects = self.measured(every, looks)
        return variation_factors(effects, q.own, q.varies, all_set=0, rate=q.rate)
