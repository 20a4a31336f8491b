"""A generator with its scorers: one concept at a time."""

from __future__ import annotations

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import PluginConfig, Rendering, Stream
from ganstrata.core.config.reading import validate
from ganstrata.core.runs.prepare import prepare
from torch import Tensor


class Silent(ganstrata.Scorer):
    """Fail at every call, so that a test sees whether it was called."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.concepts = (ganstrata.Concept("loud", "attribute"),)

    def score(self, rendering: Rendering) -> Tensor:
        """Fail."""
        raise RuntimeError("was called")


def test_one_concept_is_scored_by_its_scorer_alone(fakes, config, register) -> None:
    register("scorer", "silent", Silent)
    config["scorers"] = [{"use": "silent", "as": "first"}, *config["scorers"]]
    config["checks"] = False
    prepared = prepare(validate(config, "test"))
    latents, _, codes = prepared.draw(0, Stream.VERIFICATION)
    rendering = prepared.render(codes, latents.condition, latents.index, Stream.VERIFICATION).rendering
    alias = list(prepared.scorers)[1]
    expected = prepared.scorers[alias].score(rendering).numpy()
    for j in range(expected.shape[1]):
        np.testing.assert_array_equal(prepared.score_concept(rendering, 1 + j), expected[:, j])
        assert prepared.alias_of(1 + j) == alias
    with pytest.raises(ganstrata.core.errors.GanstrataError, match="was called"):
        prepared.score_concept(rendering, 0)
