"""Draw samples of a generator and score them, in memory (method A.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..device import auto_batch
from ..errors import UserError, nearest
from ..figures.notebook import data_frame, html_table
from ..plugins.arguments import require
from ..plugins.generator import Generator
from ..plugins.pending import Pending, fetched, one_late, together
from ..plugins.records import Concept
from ..plugins.scorer import Scorer
from ..randomness import Stream
from ..runs.manifest import ConceptStats
from ..strata.scored_generator import ScoredGenerator
from .concept_stats import spread_of, statistics_of

if TYPE_CHECKING:
    from pandas import DataFrame

Scorers = Scorer | Sequence[Scorer] | Mapping[str, Scorer]


@dataclass(frozen=True)
class Samples:
    """Hold N samples of a generator's prior with their scores.

    Attributes:
        w: intermediate latents (N, D).
        scores: (N, C), NaN where a concept is undefined.
        concepts: concepts of the columns of scores, named `alias/name`.
        statistics: mean, standard deviation and so on of each concept, and whether it varies.
        codes: (N, L, D) with mixed styles; None where every layer has w.
        classes: classes of a conditional generator (N,); None for other generators.
        condition: what the generator was conditioned on, a row per sample (N, ...), or None.
    """

    w: NDArray[np.float32]
    scores: NDArray[np.float32]
    concepts: tuple[Concept, ...]
    statistics: tuple[ConceptStats, ...]
    codes: NDArray[np.float32] | None = None
    classes: NDArray[np.int64] | None = None
    condition: NDArray[Any] | None = None

    def __len__(self) -> int:
        """Return N."""
        return len(self.w)

    def __repr__(self) -> str:
        """Return the sizes, not the numbers."""
        varying = sum(row.varies for row in self.statistics)
        return (
            f"Samples(N={len(self)}, D={self.w.shape[1]}, concepts={len(self.concepts)}, varying={varying})"
        )

    @property
    def spread(self) -> float:
        """Spread s_w = sqrt(trace Cov(w) / D), the unit of a step."""
        return spread_of(self.w)

    def of(self, concept: str) -> NDArray[np.float32]:
        """Return the scores of one concept, (N,).

        Raises:
            UserError: no concept has this name.
        """
        return self.scores[:, self.column(concept)]

    def rows(self) -> list[dict[str, Any]]:
        """Return the statistics of each concept as a dictionary, one per concept."""
        return [row.model_dump() for row in self.statistics]

    def to_pandas(self) -> DataFrame:
        """Return `rows()` as a data frame.

        Raises:
            ImportError: pandas is not installed.
        """
        return data_frame(self.rows())

    def _repr_html_(self) -> str:
        """Return the table of concepts that a notebook shows."""
        return html_table(
            ("concept", "level", "samples", "mean", "sd", "varies"),
            (
                (
                    row.id,
                    row.level,
                    str(row.samples),
                    "" if row.mean is None else f"{row.mean:.3g}",
                    f"{row.sd:.3g}",
                    "yes" if row.varies else "no",
                )
                for row in self.statistics
            ),
        )

    def column(self, concept: str) -> int:
        """Return the column of a concept in `scores`.

        Raises:
            UserError: no concept has this name.
        """
        names = [known.name for known in self.concepts]
        if concept not in names:
            raise UserError(
                f"no concept is called '{concept}'.{nearest(concept, names)} There are {', '.join(names)}"
            )
        return names.index(concept)

    def resampled(self, rows: NDArray[np.int64]) -> Samples:
        """Return the samples of these rows, which may repeat; statistics stay those of all samples."""
        codes = None if self.codes is None else self.codes[rows]
        classes = None if self.classes is None else self.classes[rows]
        condition = None if self.condition is None else self.condition[rows]
        return replace(
            self,
            w=self.w[rows],
            scores=self.scores[rows],
            codes=codes,
            classes=classes,
            condition=condition,
        )


def scorers_by_alias(scorers: Scorers) -> dict[str, Scorer]:
    """Return scorers by alias, the first part of the names of their concepts.

    Args:
        scorers: one, several, or a mapping by alias. Without a mapping the alias is the registered name of
            the plugin, or the name of its class.

    Raises:
        UserError: there are no scorers, one of them is not one, or two have the same name.
    """
    if isinstance(scorers, Mapping):
        named = dict(scorers)
        _require_scorers(named.values())
    else:
        several = list(scorers) if isinstance(scorers, Iterable) else [scorers]
        _require_scorers(several)
        names = [scorer.name or type(scorer).__name__.lower() for scorer in several]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise UserError(
                f"two scorers are called '{repeated[0]}'; "
                "give them names: {'first': scorer, 'second': other}"
            )
        named = dict(zip(names, several, strict=True))
    if not named:
        raise UserError("no scorers were given; ganstrata.load_scorer makes one")
    return named


def _require_scorers(scorers: Iterable[object]) -> None:
    for scorer in scorers:
        require("scoring", "scorers", scorer, Scorer, "ganstrata.load_scorer")


def scored_generator(
    generator: Generator,
    scorers: Scorers,
    *,
    seed: int,
    batch: int | None,
    precision: str = "fp32",
    mixing: float = 0.0,
) -> ScoredGenerator:
    """Return a generator with its scorers; without `batch`, the batch size is chosen for the device.

    Raises:
        UserError: a scorer refuses the generator, or reads features that it does not have, or names clash.
    """
    named, card = scorers_by_alias(scorers), generator.card
    inputs = [scorer.input_size for scorer in named.values()]
    scored = ScoredGenerator(
        generator=generator,
        scorers=named,
        batch=batch or auto_batch(card.height, generator.device, card.width, inputs),
        seed=seed,
        precision=precision,
        mixing=mixing,
    )
    for alias, scorer in scored.scorers.items():
        try:
            scorer.check_generator(generator)
        except UserError as error:
            raise UserError(f"the scorer '{alias}': {error}") from error
    for alias, stratum in scored.missing_features:
        raise UserError(
            f"the scorer '{alias}' reads features of stratum {stratum}, which this generator does not have"
        )
    return scored


def _begin_batch(scored: ScoredGenerator, start: int) -> Pending[dict[str, NDArray[Any]]]:
    """Render and score a batch; return its arrays, by name, without waiting for them."""
    latents, w, codes = scored.draw(start, Stream.PROBING)
    rendering = scored.render(codes, latents.condition, latents.index, Stream.PROBING, late=True).rendering
    rendering.index = latents.index
    parts: dict[str, Pending[NDArray[Any]]] = {
        "w": fetched(w.float()),
        "scores": scored.begin_score(rendering),
    }
    if scored.mixing > 0.0:
        parts["codes"] = fetched(codes.float())
    if latents.condition is not None:
        parts["condition"] = fetched(latents.condition)
    arrived = together(list(parts.values()))
    return Pending(lambda: dict(zip(parts, arrived.result(), strict=True)), at_once=arrived.at_once)


@torch.inference_mode()
def probe(
    generator: Generator,
    scorers: Scorers,
    *,
    samples: int = 10_000,
    seed: int = 0,
    mixing: float = 0.0,
    batch: int | None = None,
    precision: str = "fp32",
) -> Samples:
    """Draw samples from a generator's prior, synthesise their images, and score them. Images are not stored.

    Sample k depends on the seed and k alone. It equals sample k of a run with the same seed and batch.

    Args:
        generator: generator of the samples.
        scorers: one, several, or a mapping by alias; concepts are named `alias/name`.
        samples: number of samples N.
        seed: seed of latents and of fresh noise.
        mixing: share of the samples with a second style from a random layer on, for learners of w+.
        batch: samples in one pass; None chooses it for the device.
        precision: fp32, bf16, or on CUDA fp16.

    Raises:
        UserError: a scorer does not fit the generator, or a number is out of range.
        GanstrataError: a plugin breaks its contract, or a picture is not finite.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> ganstrata.probe(generator, ganstrata.load_scorer("hue", device="cpu"), samples=64)
        Samples(N=64, D=128, concepts=14, varying=14)
    """
    require("probe()", "generator", generator, Generator, "ganstrata.load_generator")
    if samples < 2:
        raise UserError(f"a spread needs at least 2 samples, not {samples}")
    if not 0.0 <= mixing <= 1.0:
        raise UserError(f"mixing is the share of samples with two styles, from 0 to 1; {mixing:g} was given")
    scored = scored_generator(generator, scorers, seed=seed, batch=batch, precision=precision, mixing=mixing)
    columns: dict[str, list[NDArray[np.float32]]] = {"w": [], "codes": [], "scores": [], "condition": []}
    begun = ((start, _begin_batch(scored, start)) for start in range(0, samples, scored.batch))
    for _, arrays in one_late(begun):
        for name, values in arrays.items():
            columns[name].append(values)
    tables = {name: np.concatenate(parts)[:samples] for name, parts in columns.items() if parts}
    return Samples(
        w=tables["w"],
        scores=tables["scores"],
        concepts=scored.concepts,
        statistics=tuple(statistics_of(scored, tables["scores"])),
        codes=tables.get("codes"),
        classes=classes_of(tables.get("condition")),
        condition=tables.get("condition"),
    )


def classes_of(condition: NDArray[np.generic] | None) -> NDArray[np.int64] | None:
    """Return the class of each sample (N,), or None where the condition is not one of several classes."""
    if condition is None or condition.ndim != 1 or len(np.unique(condition)) < 2:
        return None
    return np.asarray(condition, dtype=np.int64)
