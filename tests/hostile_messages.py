"""Messages that no page of the app sends."""

from __future__ import annotations

import json
from typing import Any

MB = 1 << 20
NAN, INFINITE = float("nan"), float("inf")


def asked(do: Any, **fields: Any) -> str:
    """A request as text; NaN and Infinity as Python writes them, which is no JSON."""
    return json.dumps({"n": 1, "do": do, **fields})


def frame(picture: Any, **more: Any) -> str:
    """Ask for a picture."""
    return asked("frame", edit={"picture": picture, **more})


def moved(along: Any = "seen/red", by: Any = 1, **more: Any) -> str:
    """Ask for a picture that is moved."""
    return frame({"seed": 1}, moves=[{"along": along, "by": by, **more}])


WRONG: dict[str, str] = {
    "nothing": "",
    "a word": "x",
    "null": "null",
    "a list": "[]",
    "no fields": "{}",
    "a zero byte": "\0",
    "deep lists": "[" * 100_000,
    "deep objects": '{"n":' * 50_000,
    "an infinite number": '{"n": 1e999, "do": "hello"}',
    "a long number": "1" * 5000,
    "a number twice": '{"n": 1, "n": 1}',
    "NaN for a number": '{"n": NaN, "do": "hello"}',
    "no number": '{"do": "hello"}',
    "a negative number": '{"n": -1, "do": "hello"}',
    "a huge number": json.dumps({"n": 2**70, "do": "hello"}),
    "a number as text": '{"n": "1", "do": "hello"}',
    "a million fields": "{" + ",".join(f'"{i}":1' for i in range(300_000)) + "}",
    "a long request": asked("x" * MB),
    "no request": asked(None),
    "a hidden request": asked("__init__"),
    "a long field": asked("hello", **{"x" * MB: 1}),
    "a hidden field": asked("hello", __class__={}),
    "many fields": asked("hello", **{f"x{i}": 1 for i in range(11_000)}),
    "no edit": asked("frame"),
    "null for an edit": asked("frame", edit=None),
    "no picture": frame({}),
    "two pictures": frame({"seed": 1, "sample": 1}),
    "many fields of a picture": frame({f"x{i}": 1 for i in range(11_000)}),
    "a negative seed": frame({"seed": -1}),
    "a broken seed": frame({"seed": 1.5}),
    "a huge seed": frame({"seed": 10**30}),
    "true for a seed": frame({"seed": True}),
    "no such sample": frame({"sample": 10**8}),
    "a path for a picture": frame({"kept": "../x"}),
    "no such picture": frame({"kept": "k9"}),
    "NaN for truncation": frame({"seed": 1}, truncation=NAN),
    "an infinite move": moved(by=INFINITE),
    "a huge move": moved(by=1e300),
    "along nothing": moved("nobody"),
    "along a long name": moved("x" * MB),
    "huge layers": moved(layers="0-99999999999"),
    "100,000 moves": frame({"seed": 1}, moves=[{}] * 10_000),
    "no such move": asked("frame", edit={"picture": {"seed": 1}}, moving=5),
    "a huge grid": asked("grid", refs=[{"seed": 1}] * 10_000),
    "an empty grid": asked("grid", refs=[]),
    "huge pictures": asked("grid", refs=[{"seed": 1}], size=10**9),
    "among none": asked("search", concept="seen/red", among=0),
    "a path for a concept": asked("search", concept="/etc/passwd"),
    "a million found": asked("search", concept="seen/red", count=10**6),
    "layers without end": asked("layers", text="0-999999999999"),
    "a layer of 200 digits": asked("layers", text="9" * 200),
    "layers again and again": asked("layers", text="0-1," * 50),
    "a command for a picture": asked("forget", kept="k1; rm"),
    "all jobs": asked("stop", job="all"),
    "strokes of no picture": asked("paint", edit={"picture": {"seed": 1}}, strokes="?" * MB, by="learnt"),
    "strokes by nobody": asked("segment", edit={"picture": {"seed": 1}}, by="../x"),
    "a picture that was never sent": asked("look", upload="x"),
    "a picture by its path": asked("look", upload="../../etc/passwd"),
    "a way of its own": asked("invert", upload="x", way={"embed": "__import__('os')"}),
    "samples without end": asked("drawn", samples=list(range(5_000))),
    "masks of nothing": asked("train", classes=[], masks=[]),
}
