"""What people said of a run's samples: labels or scores from a CSV file."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...core.config.schema import Level
from ...core.errors import DataError
from ...core.plugins.base import PluginConfig
from ...core.plugins.contracts import Scorer
from ...core.plugins.records import Concept, Rendering
from ...core.storage.disk import file_hash
from ...core.storage.paths import user_path
from .samples_file import read_samples


class Table(Scorer):
    """A concept per column of numbers, looked up by the sample's index.

    Pictures that nobody has seen have no score: edited ones and fresh samples are NaN. Boundaries are
    learnt from such concepts as from any other; how well one works is then seen in the scores of other
    scorers, because people cannot be asked again for every edit.
    """

    class Config(PluginConfig):
        """Which file, and what its columns are."""

        file: str = Field(description="a CSV file with a heading; each row is one sample")
        index: str = Field(
            default="index", description="the column that holds the sample's index, counted from 0"
        )
        columns: list[str] | None = Field(
            default=None, min_length=1, description="columns that are concepts; default: all others"
        )
        level: Level = Field(default="attribute", description="level of all its concepts")
        threshold: float | None = Field(
            default=None, description="a score above it means present, such as 0.5 for labels 0 and 1"
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        path = user_path(config.file)
        samples = read_samples(path, config.index, config.columns)
        self._index, self._values = samples.index, samples.values
        self.checkpoint = file_hash(path)
        self.concepts = tuple(
            Concept(name, config.level, least=None, threshold=config.threshold, may_be_undefined=True)
            for name in samples.names
        )

    def check(self, samples: int) -> None:
        """Refuse rows about samples that a run does not have.

        Raises:
            DataError: an index beyond the last sample.
        """
        beyond = self._index[self._index >= samples]
        if len(beyond):
            raise DataError(
                f"{self.config.file} speaks of sample {int(beyond[0])}"
                + (f" and {len(beyond) - 1} more" if len(beyond) > 1 else "")
                + f" that a run of {samples} samples does not have; raise synthesis.samples, or take these rows out"
            )

    def score(self, rendering: Rendering) -> Tensor:
        """What the table says, (N, C); NaN where it says nothing."""
        n = rendering.images.shape[0]
        found = np.full((n, len(self.concepts)), np.nan, dtype=np.float32)
        if rendering.index is not None:
            wanted = rendering.index.cpu().numpy()
            at = np.searchsorted(self._index, wanted).clip(max=len(self._index) - 1)
            there = self._index[at] == wanted
            found[there] = self._values[at[there]]
        return torch.from_numpy(found).to(rendering.images.device)
