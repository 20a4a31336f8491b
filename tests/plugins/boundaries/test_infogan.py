"""The named codes of a prior become directions, which re-scoring names; other generators are refused."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import coded_pictures
import ganstrata
import numpy as np
import pytest
from ganstrata import DataError, Generator
from ganstrata.core.rescoring.naming import named_directions
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.testing import check_plugin


@pytest.fixture
def coded(register: Any) -> Generator:
    register("generator", "coded", coded_pictures.Coded)
    register("scorer", "reader", coded_pictures.Reader)
    return ganstrata.load_generator("coded", device="cpu")


def found(generator: Generator) -> ganstrata.Boundaries:
    latents, scores = np.zeros((2, generator.card.code_size), np.float32), np.zeros((2, 0), np.float32)
    return ganstrata.load_learner("infogan").learn(latents, scores, [], generator=generator)


def test_every_number_and_every_category_is_a_direction(coded: Generator) -> None:
    directions = found(coded)
    kinds = ("infogan/kind/0", "infogan/kind/1", "infogan/kind/2")
    assert directions.names == (*kinds, "infogan/tilt", "infogan/shift/0", "infogan/shift/1")
    assert {direction.space for direction in directions} == {"z"}
    np.testing.assert_allclose(
        directions[1].normal[:3] / directions[1].normal[1], [-0.5, 1.0, -0.5], atol=1e-6
    )
    assert not np.any(directions[1].normal[3:])
    np.testing.assert_array_equal(directions[3].normal, np.eye(coded_pictures.WIDTH, dtype=np.float32)[3])
    assert directions[3].facts == {"code": "tilt", "categorical": False}


def test_the_generator_keeps_its_promises(coded: Generator) -> None:
    assert [o.message for o in check_plugin("generator", "coded", {}) if o.verdict == "failed"] == []


def test_a_run_names_the_codes(coded: Generator, planted: ModuleType, tmp_path: Any) -> None:
    config = planted.config()
    config |= {
        "generator": {"use": "coded"},
        "scorers": [{"use": "reader", "as": "a"}],
        "boundary": {"use": "infogan"},
    }
    config["rescoring"]["null_directions"] = 40
    names = {
        d.direction: d.words for d in named_directions(read_effects(ganstrata.run(config, tmp_path / "run")))
    }
    for k, concept in enumerate(("first", "second", "third")):
        assert names[f"infogan/kind/{k}"].startswith(f"+a/{concept}")
    assert names["infogan/tilt"].startswith("+a/tilted")
    assert names["infogan/shift/0"] == names["infogan/shift/1"] == "unnamed"


def test_a_generator_without_codes_is_refused(planted: ModuleType, rooms: Generator) -> None:
    factors = ganstrata.load_generator("planted_factors", device="cpu")
    with pytest.raises(DataError, match=r"\(planted\) names no codes of its prior"):
        found(factors)
    with pytest.raises(DataError, match=r"\(StyleGAN2\) names no codes"):
        found(rooms)


class Mapped(coded_pictures.Coded):
    """The same codes, but before a mapping network."""

    def map(self, z: Any, condition: Any = None) -> Any:
        """Return w (N, WIDTH)."""
        return 2.0 * z


def test_a_generator_with_a_mapping_network_is_refused(register: Any) -> None:
    register("generator", "mapped", Mapped)
    with pytest.raises(DataError, match="maps z to w, where a code of z is not a direction"):
        found(ganstrata.load_generator("mapped", device="cpu"))
