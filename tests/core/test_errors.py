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
    three = ConfigError("a.yaml", [Fault((name,), f"wrong {name}") for name in "xyz"])
    assert str(three).startswith("a.yaml: 3 faults")
    assert str(three).count("\n") == 3
    assert [fault.path for fault in three.faults] == [("x",), ("y",), ("z",)]


def test_three_or_more_equal_faults_share_a_line() -> None:
    two = [Fault((name,), "is not a number") for name in "ab"]
    assert str(ConfigError("f", two)).endswith("written.\n  a: is not a number\n  b: is not a number")
    many = [*two, Fault(("x",), "is empty"), *(Fault((f"c{i}",), "is not a number") for i in range(900))]
    lines = str(ConfigError("f", many)).splitlines()
    assert lines == [
        "f: 903 faults, nothing was written.",
        "  a, b, c0 and 899 more: is not a number",
        "  x: is empty",
    ]
    others = [Fault((f"d{i}",), f"is wrong by {i}") for i in range(900)]
    lines = str(ConfigError("f", [*many, *others])).splitlines()
    assert lines[-1] == f"  and {1803 - 902 - 1 - (len(lines) - 4)} more"


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
