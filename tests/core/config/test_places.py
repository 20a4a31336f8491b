"""Test that faults name the place in the data, also where a value may be of several types."""

from __future__ import annotations

from pathlib import Path

import pytest
from ganstrata.core.config.faults import describe
from ganstrata.core.config.reading import read_config, validate
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.errors import ConfigError, UserError
from pydantic import BaseModel, ConfigDict, ValidationError

GOOD = {
    "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
    "scorers": [{"use": "hue"}],
    "boundary": {"use": "ridge"},
}


def faults_of(data: dict) -> dict[tuple, str]:
    with pytest.raises(ConfigError) as caught:
        validate(data, "here")
    return {fault.path: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize(
    "key",
    [
        "Engine",
        "Synthesis",
        "ENGINE",
        "Scorers",
        "int",
        "str",
        "float",
        "bool",
        "dict[str",
        "literal['auto']",
        "A",
        "Ä",
    ],
)
def test_a_key_that_looks_like_a_type_is_named(key: str) -> None:
    faults = faults_of({**GOOD, key: {"workers": 1}})
    assert list(faults) == [(key,)]
    assert faults[key,].startswith("is not an option.")


@pytest.mark.parametrize(
    ("section", "key", "hint"),
    [
        ("synthesis", "Samples", "samples"),
        ("engine", "Workers", "workers"),
        ("rescoring", "Distance_Unit", "distance_unit"),
        ("concepts", "Include", "include"),
    ],
)
def test_a_capitalised_key_in_a_section_gets_the_right_hint(section: str, key: str, hint: str) -> None:
    faults = faults_of({**GOOD, section: {key: 1}})
    assert list(faults) == [(section, key)]
    assert f"Did you mean '{hint}'?" in faults[section, key]


def test_capitalised_keys_in_lists_and_in_options_of_plugins() -> None:
    faults = faults_of(
        {
            **GOOD,
            "generator": {
                "use": "stylegan2",
                "With": {},
                "with": {"Checkpoint": "x", "checkpoint": "bundled:rooms"},
            },
            "scorers": [{"use": "hue", "As": "x"}],
            "conditions": [{"Edit": "a/b", "edit": "a/b", "keep": ["c/d"]}],
        }
    )
    assert set(faults) == {
        ("generator", "With"),
        ("generator", "with", "Checkpoint"),
        ("scorers", 0, "As"),
        ("conditions", 0, "Edit"),
    }
    assert "Did you mean 'with'?" in faults["generator", "With"]
    assert "Did you mean 'checkpoint'?" in faults["generator", "with", "Checkpoint"]


def test_names_of_the_users_own_stay_in_the_path() -> None:
    faults = faults_of({**GOOD, "rescoring": {"groups": {"Bottom": [0], "int": {"int": 3}, "low": "0-1"}}})
    assert faults == {
        ("rescoring", "groups", "Bottom"): "must be text (got [0])",
        ("rescoring", "groups", "int"): "must be text",
    }


@pytest.mark.parametrize(
    "value", [{"int": 3}, {"constrained-int": 3}, {"literal['auto']": 1}, [1], 0, -1, 1.5, "some", None]
)
def test_of_a_value_that_may_be_of_two_kinds_the_place_is_the_value(value: object) -> None:
    faults = faults_of({**GOOD, "engine": {"workers": value}})
    assert list(faults) == [("engine", "workers")]
    assert "'auto'" in faults["engine", "workers"]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Square(Closed):
    side: float


class Round(Closed):
    radius: float


class Drawing(Closed):
    shape: Square | Round | str
    names: dict[str, Square | int] = {}


@pytest.mark.parametrize(
    ("data", "places"),
    [
        ({"shape": {"radius": "far"}}, {("shape", "side"), ("shape", "radius")}),
        ({"shape": {"Round": 1}}, {("shape", "Round"), ("shape", "side"), ("shape", "radius")}),
        ({"shape": 3}, {("shape",)}),
        ({"shape": "x", "names": {"Square": {"side": "x"}}}, {("names", "Square", "side")}),
        ({"shape": "x", "names": {"Square": None}}, {("names", "Square")}),
        (
            {"shape": "x", "names": {"int": "x", "Square": {"Square": 1}}},
            {("names", "int"), ("names", "Square", "Square"), ("names", "Square", "side")},
        ),
    ],
)
def test_models_of_a_plugin_that_may_be_one_of_several(data: dict, places: set) -> None:
    with pytest.raises(ValidationError) as caught:
        Drawing.model_validate(data)
    faults = describe(caught.value, Drawing, data)
    assert {fault.path for fault in faults} == places
    words = " ".join(fault.message for fault in faults)
    assert "valid" not in words
    assert "instance" not in words
    assert "Square" not in words


@pytest.mark.parametrize(
    "section", ["concepts", "synthesis", "rescoring", "editing", "report", "engine", "conditions"]
)
def test_an_empty_section_means_its_defaults(section: str) -> None:
    assert validate({**GOOD, section: None}, "here") == validate(GOOD, "here")


@pytest.mark.parametrize("section", ["generator", "scorers"])
def test_an_empty_section_that_is_needed_is_missing(section: str) -> None:
    faults = faults_of({**GOOD, section: None})
    assert list(faults) == [(section,)]
    assert faults[section,].startswith("is missing (")


def test_empty_options_of_a_plugin_and_empty_lists_mean_their_defaults() -> None:
    config = validate(
        {**GOOD, "scorers": [{"use": "hue", "with": None}], "concepts": {"include": None, "exclude": None}},
        "here",
    )
    assert config.scorers[0].options == {}
    assert config.concepts == RunConfig.model_fields["concepts"].default


def test_a_single_value_left_empty_is_a_fault() -> None:
    assert faults_of({**GOOD, "device": None, "synthesis": {"samples": None}}) == {
        ("device",): "must be text (got None)",
        ("synthesis", "samples"): "must be an integer (got None)",
    }


@pytest.mark.parametrize(
    ("line", "override"),
    [
        ("synthesis:", "synthesis.samples=77"),
        ("synthesis: {}", "synthesis.samples=77"),
        ("engine: &e\nsynthesis: *e", "synthesis.samples=77"),
    ],
)
def test_a_value_can_be_set_in_an_empty_section(tmp_path: Path, line: str, override: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        'generator: {use: stylegan2, with: {checkpoint: "bundled:rooms"}}\n'
        "scorers: [{use: hue}]\nboundary: {use: ridge}\n" + line
    )
    config = read_config(file, [override])
    assert config.synthesis.samples == 77
    assert config.engine == RunConfig.model_fields["engine"].default


def test_set_changes_one_of_two_places_that_share_an_alias(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        'generator: {use: stylegan2, with: {checkpoint: "bundled:rooms"}}\nboundary: {use: ridge}\n'
        "scorers: [&a {use: hue, with: {}}, {<<: *a, as: b}]"
    )
    config = read_config(file, ["scorers.1.with.soft=true"])
    assert [scorer.options for scorer in config.scorers] == [{}, {"soft": True}]


@pytest.mark.parametrize("data", [None, [], [1], "text", 3, {1: 2}])
def test_data_that_are_not_a_config_are_refused(data: object) -> None:
    with pytest.raises(UserError, match=r"expected sections|keys must be text"):
        validate(data, "here")  # type: ignore[arg-type]
