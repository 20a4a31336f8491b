"""Score samples by labels or scores of people, from a CSV file."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...core.config.schema import Level
from ...core.device import sent
from ...core.errors import DataError
from ...core.plugins.base import PluginConfig
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer
from ...core.storage.disk import file_hash
from ...core.storage.paths import user_path
from .samples_file import read_samples


class Table(Scorer):
    """Look up the score of each concept, a column of the table, by the index of the sample.

    Images without a row, such as edited images and fresh samples, have the score NaN. Boundaries are learnt
    from these concepts as from any other. Their effects are measured on the concepts of other scorers,
    because people cannot label every edit.
    """

    class Config(PluginConfig):
        """Set the file, and the meaning of its columns."""

        file: str = Field(
            examples=["scores.csv"], description="a CSV file with a heading and one sample per row"
        )
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
        """Check that a run of so many samples has all samples of the table.

        Raises:
            DataError: an index is beyond the last sample.
        """
        beyond = self._index[self._index >= samples]
        if len(beyond):
            raise DataError(
                f"{self.config.file} has rows for sample {int(beyond[0])}"
                + (f" and {len(beyond) - 1} more" if len(beyond) > 1 else "")
                + f", which a run of {samples} samples does not have; "
                "raise synthesis.samples, or remove these rows"
            )

    def score(self, rendering: Rendering) -> Tensor:
        """Return the scores in the table, (N, C); NaN for samples without a row."""
        n = rendering.images.shape[0]
        scores = np.full((n, len(self.concepts)), np.nan, dtype=np.float32)
        if rendering.index is not None:
            index = rendering.index.cpu().numpy()  # (N,)
            rows = np.searchsorted(self._index, index).clip(max=len(self._index) - 1)
            in_table = self._index[rows] == index
            scores[in_table] = self._values[rows[in_table]]
        return sent(scores, rendering.images.device)
