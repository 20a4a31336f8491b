"""Test errors: exit codes, faults with their places, hints for misspelt names."""

from __future__ import annotations

import pickle

import pytest
from ganstrata.core import errors
from ganstrata.core.errors import ConfigError, Fault, GanstrataError, UserError, nearest


def test_the_users_mistakes_exit_with_2_and_failures_with_1() -> None:
    kinds = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, GanstrataError)]
    assert len(kinds) > 10
    failures = {c.__name__ for c in kinds if c.exit_code == 1}
    assert failures == {
        "GanstrataError",
        "MemoryExhausted",
        "PictureError",
        "PluginBroken",
        "PluginConflict",
        "ScoreError",
        "ShapeError",
    }
    assert {c.exit_code for c in kinds if issubclass(c, UserError)} == {2}


def test_a_fault_shows_its_place() -> None:
    assert (
        str(Fault(("scorers", 1, "with", "soft"), "is no flag")) == "scorers -> 1 -> with -> soft: is no flag"
    )
    assert str(Fault((), "is empty")) == "the file as a whole: is empty"


def test_a_config_error_lists_every_fault() -> None:
    one = ConfigError("a.yaml", [Fault(("x",), "wrong")])
    assert str(one) == "a.yaml: one fault, nothing was written.\n  x: wrong"
    three = ConfigError("a.yaml", [Fault((name,), "wrong") for name in "xyz"])
    assert str(three).startswith("a.yaml: 3 faults")
    assert str(three).count("\n") == 3
    assert [fault.path for fault in three.faults] == [("x",), ("y",), ("z",)]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("stylgan2", "'stylegan2'"),
        ("stylegan2", "'stylegan2'"),
        ("hues", "'hue'"),
        ("", ""),
        ("completely_different", ""),
    ],
)
def test_nearest(name: str, hint: str) -> None:
    hint_text = nearest(name, ["stylegan2", "hue", "layout"])
    assert hint_text == (f" Did you mean {hint}?" if hint else "")
    assert nearest(name, []) == ""


def test_simple_errors_survive_the_way_from_a_worker() -> None:
    again = pickle.loads(pickle.dumps(errors.DataError("too few samples")))
    assert isinstance(again, errors.DataError)
    assert str(again) == "too few samples"
