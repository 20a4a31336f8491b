"""Test the sections and defaults of the config."""

from __future__ import annotations

from typing import Any

import pytest
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.config.section import Section
from ganstrata.core.config.segment_schema import AnnotateConfig, SegmentConfig
from pydantic import BaseModel, ValidationError

LEAST = {"generator": {"use": "g"}, "scorers": [{"use": "s"}], "boundary": {"use": "b"}}


def test_defaults() -> None:
    config = RunConfig.model_validate(LEAST)
    dumped = config.model_dump(mode="json", by_alias=True)
    assert dumped["generator"] == {"use": "g", "with": {}}
    assert dumped["scorers"] == [{"use": "s", "with": {}, "as": "s"}]
    assert dumped["concepts"] == {
        "include": ["*"],
        "exclude": [],
        "levels": ["layout", "category", "attribute", "colour", "object"],
    }
    assert dumped["synthesis"] == {
        "samples": 10_000,
        "seed": 0,
        "batch_size": "auto",
        "mixing": 0.0,
        "allow_nonfinite": 0.0,
    }
    rescoring = dumped["rescoring"]
    assert (rescoring["samples"], rescoring["distance"], rescoring["distance_unit"]) == (500, 2.0, "sd")
    assert (rescoring["layers"], rescoring["groups"], rescoring["null_directions"]) == (
        ["all", "each", "groups"],
        None,
        20,
    )
    assert dumped["editing"] == {"samples": 5, "start": -3.0, "end": 3.0, "steps": 7, "scale": True}
    assert (dumped["device"], dumped["precision"]) == ("auto", "auto")
    assert (dumped["engine"]["use"], dumped["engine"]["with"]) == ("local", {})
    assert dumped["engine"]["workers"] == "auto"
    assert dumped["conditions"] == []


def sections() -> list[type[BaseModel]]:
    models = [Section]
    for section in models:
        models += section.__subclasses__()
    return models[1:]


@pytest.mark.parametrize("section", sections(), ids=lambda s: s.__name__)
def test_sections_are_frozen_closed_and_documented(section: type[BaseModel]) -> None:
    assert section.__doc__
    assert section.model_config["extra"] == "forbid"
    assert section.model_config["frozen"]
    undescribed = [name for name, field in section.model_fields.items() if not field.description]
    assert undescribed == [] or section in (RunConfig, AnnotateConfig, SegmentConfig), (
        "a fault quotes the description"
    )


@pytest.mark.parametrize(
    ("sections", "ends"),
    [
        ({}, (-3.0, 3.0)),
        ({"rescoring": {"samples": 64}}, (-3.0, 3.0)),
        ({"rescoring": {"distance": 12}}, (-18.0, 18.0)),
        ({"rescoring": {"distance": 4.0}, "editing": None}, (-6.0, 6.0)),
        ({"rescoring": {"distance": 4.0}, "editing": {"steps": 3}}, (-6.0, 6.0)),
        ({"rescoring": {"distance": 4.0}, "editing": {"end": 8.0}}, (-6.0, 8.0)),
        ({"rescoring": {"distance": 4.0}, "editing": {"start": -1.0, "end": 1.0}}, (-1.0, 1.0)),
        ({"rescoring": {"distance": 1e6}}, (-1e6, 1e6)),
    ],
)
def test_strips_go_half_as_far_again_as_re_scoring(
    sections: dict[str, Any], ends: tuple[float, float]
) -> None:
    config = RunConfig.model_validate({"generator": {"use": "a"}, "scorers": [{"use": "b"}]} | sections)
    assert (config.editing.start, config.editing.end) == ends
    assert RunConfig.model_validate(config.as_data()) == config  # a stored config keeps its own


@pytest.mark.parametrize("wrong", [{"rescoring": {"distance": True}}, {"rescoring": 3}, {"editing": [1]}])
def test_what_is_no_distance_is_told_as_before(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        RunConfig.model_validate(
            {"generator": {"use": "a"}, "scorers": [{"use": "b"}], "rescoring": {"distance": 4.0}} | wrong
        )
    assert {error["loc"][0] for error in caught.value.errors()} == set(wrong)


def test_an_empty_alias_is_the_plugins_name() -> None:
    config = RunConfig.model_validate({**LEAST, "scorers": [{"use": "s", "as": ""}]})
    assert config.scorers[0].alias == "s"


def test_seeds_up_to_the_largest() -> None:
    assert RunConfig.model_validate({**LEAST, "synthesis": {"seed": 2**63 - 1}}).synthesis.seed == 2**63 - 1
    with pytest.raises(ValidationError):
        RunConfig.model_validate({**LEAST, "synthesis": {"seed": 2**63}})


def test_a_lone_layer_may_be_a_number_but_not_a_flag() -> None:
    assert RunConfig.model_validate(
        {**LEAST, "rescoring": {"layers": ["all", 0, "1-2"], "groups": {"a": 3}}}
    ).rescoring.layers == ["all", "0", "1-2"]
    with pytest.raises(ValidationError):
        RunConfig.model_validate({**LEAST, "rescoring": {"layers": ["all", True]}})
