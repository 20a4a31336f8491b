"""Test the text of messages: short, on one line, harmless, and made in little time."""

from __future__ import annotations

import datetime
import pickle
import time
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata.core.errors import ConfigError, DataError, Fault, GanstrataError, nearest
from ganstrata.core.messages import MESSAGE, VALUE, listed, message, shown, visible
from hypothesis import given
from hypothesis import strategies as st


def nested(kind: type, levels: int) -> Any:
    """A container of 10 ** levels values that takes a few hundred bytes."""
    value: Any = 1
    for _ in range(levels):
        value = kind([value] * 10)
    return value


def mapping(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = dict.fromkeys(range(10), value)
    return value


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


HUGE = {
    "a bomb of tuples": nested(tuple, 12),
    "a bomb of lists": nested(list, 12),
    "a bomb of dictionaries": mapping(12),
    "a list in itself": itself(),
    "ten million items": [0] * 10_000_000,
    "a set": set(range(100_000)),
    "long text": "x" * 10_000_000,
    "text of signs": "\x1b" * 1_000_000,
    "bytes": b"\0" * 10_000_000,
    "a number of 100,000 digits": 1 << 332_000,
    "a negative one": -(1 << 332_000),
    "such numbers in a list": [1 << 332_000] * 100,
    "a key of 10 MB": {"k" * 10_000_000: 1},
    "an array": np.zeros((1000, 1000)),
    "a tensor": torch.zeros(1000, 1000),
    "text of numpy": np.array(["a" * 1_000_000])[0],
}


class Talkative:
    """An object whose methods must not be called."""

    def __repr__(self) -> str:
        raise AssertionError("was asked")

    __str__ = __repr__
    __format__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("name", HUGE)
def test_a_value_of_any_size_is_shown_in_little_time_and_room(name: str) -> None:
    began = time.process_time()
    text = shown(HUGE[name])
    assert time.process_time() - began < 0.5
    assert 0 < len(text) <= VALUE
    assert text.isprintable()


def test_an_object_is_named_by_its_type_without_calling_it() -> None:
    assert shown(Talkative()) == "an object of type Talkative"
    assert shown([Talkative()]) == "[an object of type Talkative]"


def test_plain_values_are_shown_as_python_writes_them() -> None:
    for value in (
        None,
        True,
        0,
        -5,
        2.5,
        float("nan"),
        "it's",
        'say "so"',
        (),
        (1,),
        (1, 2),
        [],
        [1, "a"],
        {},
        {"a": [1]},
        {1},
        b"ab",
    ):
        assert shown(value) == repr(value)
    assert shown(datetime.date(2001, 2, 3)) == "2001-02-03"
    assert shown(PurePosixPath("a/b")) == "a/b"
    assert shown(np.float32(0.5)) == "0.5"
    assert shown(np.zeros((3, 4))) == "ndarray of shape (3, 4)"
    assert shown(torch.float16) == "an object of type dtype"
    assert shown(dict) == "builtins.dict"


any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
)


@given(any_value, st.integers(8, 300))
def test_a_shown_value_is_one_line_within_its_limit(value: Any, limit: int) -> None:
    text = shown(value, limit)
    assert len(text) <= limit
    assert text.isprintable()


signs = st.text(st.characters(blacklist_categories=()) | st.sampled_from("\x1b\0\n\t\r\u202e\u2028\ud800\\"))


@given(signs, st.integers(10, 300))
def test_a_visible_name_is_one_line_within_its_limit(text: str, limit: int) -> None:
    result = visible(text, limit)
    assert len(result) <= limit
    assert result.isprintable()
    if text.isprintable() and len(text) <= limit:
        assert result == text


@given(signs, st.integers(1, 50))
def test_a_message_keeps_its_lines_and_its_limit_and_is_cut_once(text: str, times: int) -> None:
    result = message(text * times, 200)
    assert len(result) <= 200
    assert all(c.isprintable() or c in "\n\t" for c in result)
    assert message(result, 200) == result


def test_signs_that_move_the_cursor_are_shown_escaped() -> None:
    assert visible("a\x1b[31m\0\u202eb\n\ud800") == "a\\x1b[31m\\x00\\u202eb\\n\\ud800"
    assert shown("a\x1b[31m\u202e\ud800") == "'a\\x1b[31m\\u202e\\ud800'"
    assert message("one\x1b\n\ttwo\r") == "one\\x1b\n\ttwo\\r"


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    result = message("Begin. " + "x" * 100_000 + " Cure.")
    assert result.startswith("Begin. xx")
    assert result.endswith("xx Cure.")
    assert " [...] " in result
    assert len(result) == MESSAGE


def test_names_are_listed_with_their_number() -> None:
    assert listed([]) == ""
    assert listed(["a", "b"]) == "a, b"
    assert listed((str(i) for i in range(1_000)), 3) == "0, 1, 2 and 997 more"
    assert listed(["a\n", 5]) == "a\\n, 5"


def test_every_error_of_ours_is_cut_and_escaped() -> None:
    error = DataError(f"{'x' * 10_000_000}\x1b")
    assert len(str(error)) == MESSAGE
    assert str(error).endswith("\\x1b")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert str(GanstrataError("short")) == "short"
    assert str(GanstrataError()) == ""


def test_many_faults_are_counted_and_long_faults_are_cut() -> None:
    error = ConfigError(
        "a.yaml", [Fault(("key" * 1_000_000, i), f"wrong {i} " * 1_000_000) for i in range(100)]
    )
    assert len(str(error)) <= MESSAGE
    assert str(error).startswith("a.yaml: 100 faults")
    assert str(error).endswith("more")
    lines = str(error).count("\n") - 1
    assert f"and {100 - lines} more" in str(error)
    assert len(error.faults) == 100


def test_a_fault_at_a_number_without_end() -> None:
    assert len(str(Fault((1 << 332_000,), "wrong"))) < 200


def test_a_hint_takes_little_time() -> None:
    began = time.process_time()
    assert nearest("a" * 100_000, ["a" * 99_999]) == ""
    assert nearest("hue", ["hues", "h" * 10_000_000]) == " Did you mean 'hues'?"
    nearest("hue", (f"name{i}" for i in range(10_000_000)))
    assert time.process_time() - began < 1
