"""Keys change with everything that a stage reads, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.runs.begin import FREE_KEYS
from ganstrata.core.runs.provenance.keys import READ_BY, RECORDED, Keys, keys_of
from ganstrata.core.runs.provenance.records import Environment, PluginRecord, Provenance
from ganstrata.core.runs.stages import STAGES
from pydantic import BaseModel

CONFIG = RunConfig.model_validate(
    {
        "generator": {"use": "g"},
        "scorers": [{"use": "s", "as": "one"}, {"use": "s", "as": "two"}],
        "boundary": {"use": "b"},
        "conditions": [{"edit": "one/x", "keep": ["one/y"]}],
        "rescoring": {"groups": {"low": "0-1"}},
    }
)
LAYERS = {"sets": [["all", [0, 1]], ["0", [0]]], "groups": []}


def plugin(**changed: Any) -> PluginRecord:
    texts = ("kind", "name", "distribution", "code", "config", "output", "weights")
    return PluginRecord.model_validate(
        {name: name for name in texts} | {"files": {}, "packages": {}, "parts": {}} | changed
    )


PROVENANCE = Provenance(
    environment=Environment(batch=8, device="cpu", precision="fp32", packages={"torch": "2"}),
    generator=plugin(),
    scorers={"one": plugin(), "two": plugin(name="other")},
    boundary=plugin(),
)
KEYS = keys_of(CONFIG, PROVENANCE, LAYERS)


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field of a model whose value is not a model."""
    for name, field in model.model_fields.items():
        inner = [
            a
            for a in (field.annotation, *get_args(field.annotation))
            if isinstance(a, type) and issubclass(a, BaseModel)
        ]
        if inner and not get_args(field.annotation):
            yield from leaves(inner[0], (*path, name))
        else:
            yield (*path, name)


def another(value: Any) -> Any:
    """Return a different value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "?"
    if isinstance(value, dict):
        return value | {"more": "more"}
    if isinstance(value, list):
        return [*value, value[0]] if value else ["more"]
    return "more"


def changed(model: BaseModel, path: tuple[str, ...]) -> Any:
    """Return the model with another value at a path."""
    first, *rest = path
    value = getattr(model, first)
    return model.model_copy(update={first: changed(value, tuple(rest)) if rest else another(value)})


def first_other(keys: Keys) -> str | None:
    """Return the first stage whose key differs, after checking that all later keys differ too."""
    other = [stage for stage in STAGES if keys.stages[stage] != KEYS.stages[stage]]
    assert tuple(other) == STAGES[len(STAGES) - len(other) :]
    return other[0] if other else None


def test_every_section_is_read_by_a_stage_or_by_none() -> None:
    assert set(READ_BY) | set(FREE_KEYS) == set(RunConfig.model_fields)
    assert set(READ_BY.values()) <= set(STAGES)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(
    "path", [path for path in leaves(RunConfig) if path[0] not in RECORDED], ids=".".join
)
def test_every_field_changes_the_key_of_the_stage_that_reads_it(path: tuple[str, ...]) -> None:
    keys = keys_of(changed(CONFIG, path), PROVENANCE, LAYERS)
    assert first_other(keys) == READ_BY.get(path[0])
    assert (keys.latents != KEYS.latents) == (path[0] == "synthesis")


@pytest.mark.parametrize("field", PluginRecord.model_fields)
def test_everything_about_a_plugin_changes_what_stands_on_it(field: str) -> None:
    value = {"more": plugin()} if field == "parts" else another(getattr(plugin(), field))
    other = plugin(**{field: value})
    generator = keys_of(CONFIG, PROVENANCE.model_copy(update={"generator": other}), LAYERS)
    assert first_other(generator) == "synthesize"
    assert generator.latents != KEYS.latents
    assert all(generator.scores[alias] != KEYS.scores[alias] for alias in KEYS.scores)
    scorer = keys_of(
        CONFIG, PROVENANCE.model_copy(update={"scorers": PROVENANCE.scorers | {"one": other}}), LAYERS
    )
    assert first_other(scorer) == "synthesize"
    assert scorer.latents == KEYS.latents
    assert scorer.scores["one"] != KEYS.scores["one"]
    assert scorer.scores["two"] == KEYS.scores["two"]
    learner = keys_of(CONFIG, PROVENANCE.model_copy(update={"boundary": other}), LAYERS)
    assert first_other(learner) == "learn"
    assert learner.scores == KEYS.scores


@pytest.mark.parametrize("field", Environment.model_fields)
def test_the_environment_changes_everything(field: str) -> None:
    environment = changed(PROVENANCE.environment, (field,))
    keys = keys_of(CONFIG, PROVENANCE.model_copy(update={"environment": environment}), LAYERS)
    assert first_other(keys) == "synthesize"
    assert keys.latents != KEYS.latents


def test_the_order_of_scorers_and_of_layer_sets_counts() -> None:
    turned = PROVENANCE.model_copy(update={"scorers": dict(reversed(PROVENANCE.scorers.items()))})
    keys = keys_of(CONFIG, turned, LAYERS)
    assert first_other(keys) == "synthesize"
    assert keys.scores == KEYS.scores
    assert first_other(keys_of(CONFIG, PROVENANCE, {"sets": LAYERS["sets"][::-1], "groups": []})) == "rescore"
