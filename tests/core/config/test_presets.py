"""Test what a config gets that names a preset, or no learner."""

from __future__ import annotations

import pytest
from ganstrata import ConfigError
from ganstrata.core.config.overrides import override
from ganstrata.core.config.reading import config_of, validate

GENERATOR = {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}}
LEAST = {"generator": GENERATOR, "scorers": [{"use": "hue"}]}


def test_without_a_learner_a_run_has_the_default_one() -> None:
    assert validate(LEAST, "x").boundary.use == "soft_conditional"
    assert validate({**LEAST, "boundary": None}, "x").boundary.use == "soft_conditional"


def test_the_preset_fills_in_what_is_left_out() -> None:
    config = validate({**LEAST, "preset": "paper"}, "x")
    assert (config.boundary.use, config.boundary.options["loss"]) == ("linear_svm", "hinge")
    assert (config.synthesis.samples, config.rescoring.samples) == (500_000, 1000)
    assert (config.rescoring.distance, config.rescoring.distance_unit) == (2.0, "raw")
    for boundary in (None, {"use": "linear_svm"}, {"use": "linear_svm", "with": None}):
        assert validate({**LEAST, "preset": "paper", "boundary": boundary}, "x") == config
    assert validate(config.as_data(), "x") == config  # as a run stores it


def test_what_a_config_says_itself_has_precedence() -> None:
    data = {
        **LEAST,
        "preset": "paper",
        "boundary": {"with": {"positives": 300}},
        "synthesis": {"samples": 4000, "seed": 7},
        "rescoring": {"distance_unit": "sd"},
    }
    config = validate(data, "x")
    assert config.boundary.options["positives"] == 300
    assert config.boundary.options["negatives"] == 2000
    assert (config.synthesis.samples, config.synthesis.seed) == (4000, 7)
    assert (config.rescoring.distance_unit, config.rescoring.distance) == ("sd", 2.0)
    other = validate({**data, "boundary": {"use": "ridge"}}, "x")
    assert (other.boundary.use, other.boundary.options) == ("ridge", {})


def test_a_preset_is_named_on_the_command_line_too() -> None:
    config = config_of(LEAST, "x", ["preset=paper", "synthesis.samples=5000"])
    assert (config.boundary.use, config.synthesis.samples) == ("linear_svm", 5000)
    data = dict(LEAST)
    override(data, "preset=paper")
    assert "boundary" not in data


@pytest.mark.parametrize("name", ["papers", 3, ["paper"], {"paper": 1}])
def test_another_preset_is_refused_with_those_there_are(name: object) -> None:
    with pytest.raises(ConfigError, match=r"preset: .*paper"):
        validate({**LEAST, "preset": name}, "x")


@pytest.mark.parametrize("section", ["boundary", "synthesis", "rescoring"])
@pytest.mark.parametrize("value", [3, "text", [1]])
def test_a_wrong_section_stays_a_fault_of_its_own(section: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{section}: "):
        validate({**LEAST, "preset": "paper", section: value}, "x")
