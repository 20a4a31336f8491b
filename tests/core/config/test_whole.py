"""Test that booleans are refused wherever a number is expected."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal

import pytest
from ganstrata import ConfigError, PluginConfig
from ganstrata.core.config.overrides import override
from ganstrata.core.config.reading import validate
from pydantic import Field, ValidationError


class Inner(PluginConfig):
    n: int = 1


class Numbers(PluginConfig):
    whole: int = 1
    real: float = 1.0
    many: tuple[int, ...] = ()
    named: dict[str, float] = Field(default={})
    either: int | Literal["auto"] = "auto"
    bounded: int | None = Field(default=None, gt=0)
    pair: tuple[int, float] = (1, 2.0)
    inner: Inner = Inner()
    type: int = 1
    truth: bool = False
    truth_or_number: bool | int = 3


@pytest.mark.parametrize(
    "options",
    [
        {"whole": True},
        {"real": False},
        {"many": [1, True]},
        {"named": {"x": True}},
        {"either": True},
        {"bounded": True},
        {"pair": [True, 1.0]},
        {"inner": {"n": True}},
        {"type": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_number_takes_no_truth_value(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Numbers.model_validate(options)


def test_what_may_be_a_truth_value_still_is_and_numbers_are_what_they_were() -> None:
    numbers = Numbers.model_validate(
        {
            "truth": True,
            "truth_or_number": True,
            "whole": 3.0,
            "real": 2,
            "either": 4,
            "bounded": 5,
            "type": 6,
        }
    )
    assert numbers.truth is True
    assert numbers.truth_or_number is True
    assert (numbers.whole, numbers.real, numbers.either, numbers.bounded, numbers.type) == (3, 2.0, 4, 5, 6)
    assert type(numbers.whole) is int
    assert Numbers.model_json_schema()["properties"]["either"]["anyOf"][0] == {"type": "integer"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("synthesis", "samples"), "synthesis -> samples: must be an integer"),
        (("synthesis", "batch_size"), "synthesis -> batch_size: must be"),
        (("rescoring", "distance"), "rescoring -> distance: must be a number"),
        (("editing", "steps"), "editing -> steps: must be an integer"),
        (("engine", "workers"), "engine -> workers: must be"),
        (("boundary", "with", "positives"), "boundary -> with -> positives: must be"),
    ],
)
def test_yes_in_place_of_a_number_is_a_fault_with_its_place(
    path: tuple[str, ...], words: str, fakes, config: dict[str, Any]
) -> None:
    data = deepcopy(config)
    override(data, f"{'.'.join(path)}=yes")
    with pytest.raises(ConfigError, match=words) as caught:
        validate(data, "test")
    assert "(got True)" in str(caught.value)
