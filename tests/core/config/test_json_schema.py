"""The JSON Schema of configs allows all that the reader allows, and finds what an editor can find."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import _on_path
from ganstrata.core.config.json_schema import config_schema, segment_schema
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import GanstrataError
from hostile_values import mutated
from jsonschema import Draft202012Validator, ValidationError
from whole_configs import BASES

ROOT = Path(__file__).parents[3]
EXAMPLES = [
    path
    for path in ROOT.glob("examples/**/*.yaml")
    if "generator:" in (text := path.read_text(encoding="utf-8")) and "teacher:" not in text
]


@pytest.fixture(scope="module")
def _validator(site: Path) -> Draft202012Validator:
    with _on_path(site):
        schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def validator(fakes, _validator: Draft202012Validator) -> Draft202012Validator:
    """A validator that knows the built-in plugins and the fakes."""
    return _validator


def places_of(errors: Iterable[ValidationError]) -> set[str]:
    """Places of errors, and of those of the alternatives that they are about."""
    places = set()
    for error in errors:
        places |= {"/".join(map(str, error.absolute_path))} | places_of(error.context or ())
    return places


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path, validator: Draft202012Validator) -> None:
    assert len(EXAMPLES) >= 3
    validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_examples_of_segmentation_are_valid() -> None:
    schema = segment_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    data = yaml.safe_load((ROOT / "examples/segment.yaml").read_text(encoding="utf-8"))
    validator.validate(data)
    for wrong in (
        {"teacher": {"use": "segmentaton"}},
        {"extractor": {"head": "SVM"}},
        {"training": {"images": 3}},
        {"teacher": {"use": "segmentation", "with": {"labels": 3}}},
    ):
        with pytest.raises(ValidationError):
            validator.validate(data | wrong)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"generater": {}}, ""),
        ({"generator": {"use": "stylgan2"}}, "generator/use"),
        ({"generator": {"use": "fake_layers", "with": {"gains": 0.1}}}, "generator/with"),
        ({"generator": {"use": "fake_layers", "with": {"gain": 2.0}}}, "generator/with/gain"),
        ({"scorers": []}, "scorers"),
        ({"scorers": [{"use": "ridge"}]}, "scorers/0/use"),
        ({"boundary": {"use": "ridge", "with": {"positives": "many"}}}, "boundary/with/positives"),
        ({"synthesis": {"samples": 0}}, "synthesis"),
        ({"rescoring": {"layers": [1.5]}}, "rescoring"),
    ],
)
def test_what_an_editor_can_find_is_found_in_its_place(
    change: dict[str, Any], place: str, config: dict[str, Any], validator: Draft202012Validator
) -> None:
    assert not list(validator.iter_errors(config))
    assert place in places_of(validator.iter_errors({**config, **change}))


def test_empty_sections_mean_their_defaults_here_too(
    config: dict[str, Any], validator: Draft202012Validator
) -> None:
    data = {**config, "synthesis": None, "conditions": None, "boundary": {"use": "ridge", "with": None}}
    validate(data, "test")
    validator.validate(data)


def test_all_that_the_reader_allows_is_allowed(validator: Draft202012Validator) -> None:
    numbers, allowed = random.Random(5), 0
    for _ in range(400):
        data = mutated(numbers, numbers.choice(BASES))
        try:
            validate(data, "test")
        except GanstrataError:
            continue
        allowed += 1
        errors = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(data)]
        assert errors == [], data
    assert allowed > 20


def test_a_plugin_that_does_not_load_leaves_its_options_open(
    register: Callable[[str, str, type], None],
) -> None:
    class Gone:
        pass

    Gone.__qualname__ = "Missing"
    register("scorer", "gone", Gone)
    scorer = config_schema()["$defs"]["scorer"]
    assert "gone" in scorer["properties"]["use"]["enum"]
    assert "gone" not in str(scorer["allOf"])
