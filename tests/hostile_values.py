"""Absurd values, keys and texts for the fuzz tests of configs, of --set and of the command line."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import yaml

KEYS = [
    "", " ", "Samples", "SAMPLES", "samples ", "int", "str", "bool", "dict[str,any]", "literal['auto']",
    "function-after", "[key]", "Use", "With", "as", "with", "use", "a.b", "0", "-1", "²", "٣", "=", "<<",
    "true", "null", "~", "a\x1b[31m", "a\u202eb", "a\x00", "k" * 3000, "日本", "__class__", "{{7*7}}", "%s",
    "{}",
]  # fmt: skip
SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 7.5, -0.0, 1e-320, 1e308, -1e308, 1e39, float("nan"), float("inf"),
    2**31, 2**63, 2**64, -(2**63), 10**11, 10**18, 10**99, 10**101, "", " ", "auto", "all", "0", "0-1", "1-0",
    "9" * 5000, "1e400", "nan", "0x10", "1_000", "٣", "²", "a/b", "a|b", "../../x", "~nosuchuser/x",
    "x" * 5000, "a\x00b", "\x1b[31m", "\u202e", "\ud800", "2001-13-45", "0001-01-01T00:00:00", "{}", "%s%n",
    "os:system", "no.such.module:f", "math:sqrt", ":", "a:b:c", "bundled:rooms", "bundled:../rooms",
    "cuda:99999999999999999999", "cpu", "meta", "*", "[", "[!", "hue", "stylegan2", "/dev/null", "/dev/zero",
    ".", "/",
]  # fmt: skip
SPECIAL_YAML = [
    "&a [*a]", "*undefined", "!!python/object/apply:os.getcwd []", "!!binary aGk=", "!!set {a, b}",
    "2001-12-31", "2001-13-45", "1:30:00", "0b1", "0o7", "0x" + "f" * 50_000, "9" * 5000, "[" * 3000,
    "{" * 3000, "[" * 40 + "]" * 40, ".nan", "-.inf", "<<", "=", "? a", "- - - -", "|", ">\n  x", "'",
    '"\\x1b"', '"\\ud800"', "\t", "@a", "`", "%a", "&a [1, 2, 3]", "{<<: {a: 1}}", "{<<: [{a: 1}, {a: 2}]}",
    "!!int ''", "!!float x", "!!bool 3", "!!null x", "{a: 1, a: 2}", "{1: 2}", "{yes: no}", "{? [a] : b}",
]  # fmt: skip


def bomb() -> str:
    """YAML whose aliases stand for 9^9 values."""
    names = "abcdefghij"
    return "&a [x, x, x]\n" + "".join(
        f"{b}0: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise(names)
    )


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a config."""
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def value(rng: random.Random, depth: int = 0) -> Any:
    """Anything, nested a little or a lot."""
    kind = rng.random()
    if kind < 0.75 or depth > 3:
        return rng.choice(SCALARS)
    if kind < 0.85:
        return [value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 3, 50]))]
    if kind < 0.95:
        return {rng.choice(KEYS): value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 20]))}
    deep: Any = rng.choice(SCALARS)
    for _ in range(rng.choice([5, 31, 40, 200])):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    return deep


def mutated(rng: random.Random, data: dict[str, Any]) -> Any:
    """A config with one to four changes: a value, a key, a level of nesting, something missing or more."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        path = rng.choice(list(places(data))[1:] or [()])
        if not path:
            return value(rng)
        parent = data
        for key in path[:-1]:
            parent = parent[key]
        _change(rng, parent, path[-1])
    return data


def _change(rng: random.Random, parent: Any, key: Any) -> None:
    kind = rng.randrange(7)
    if kind <= 2:
        parent[key] = value(rng)
    elif kind == 3:
        parent[key] = [parent[key]] if rng.random() < 0.5 else {rng.choice(KEYS): parent[key]}
    elif kind == 4 and isinstance(parent, dict):
        name = str(key)
        renamed = rng.choice(
            [name.capitalize(), name.upper(), name + "s", name[:-1], name * 50, rng.choice(KEYS)]
        )
        parent[renamed] = parent.pop(key)
    elif kind == 5:
        del parent[key]
    elif isinstance(parent, dict):
        parent[rng.choice(KEYS)] = value(rng)
    else:
        parent.append(value(rng))


def written(rng: random.Random, data: Any) -> tuple[str, bytes]:
    """Name and content of a file that holds the data, in one of the formats.

    Now and then it has a piece of hostile text.
    """
    if rng.random() < 0.35:
        return "config.json", json.dumps(data).encode()
    text = (
        yaml.safe_dump(data, sort_keys=False, allow_unicode=rng.random() < 0.5)
        .encode(errors="surrogatepass")
        .decode(errors="replace")
    )
    if rng.random() < 0.6:
        lines = text.splitlines(keepends=True)
        at = rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind == 0 and ":" in lines[at]:
            lines[at] = lines[at].split(":")[0] + ": " + rng.choice(SPECIAL_YAML) + "\n"
        elif kind == 1:
            lines.append(f"{rng.choice(KEYS)}: {rng.choice(SPECIAL_YAML)}\n")
        elif kind == 2:
            lines += ["a0: " + bomb(), "synthesis: {samples: *j}\n"]
        elif kind == 3:
            lines.insert(at, lines[rng.randrange(len(lines))])
        else:
            lines[at] = lines[at].replace(" ", rng.choice(["", "\t", "\u00a0", "  "]), 1)
        text = "".join(lines)
    content = text.encode(errors="replace")
    start = rng.random()
    return (
        "config.yaml",
        content
        if start > 0.05
        else b"\xef\xbb\xbf" + content
        if start > 0.02
        else text.encode("utf-16", errors="replace"),
    )


def override(rng: random.Random, data: dict[str, Any]) -> str:
    """Something for --set: a place of the config or none, and a value or a piece of hostile text."""
    path = [str(part) for part in rng.choice(list(places(data)))]
    if rng.random() < 0.4:
        path.insert(rng.randrange(len(path) + 1), rng.choice(KEYS))
    text = rng.choice(SPECIAL_YAML) if rng.random() < 0.5 else str(rng.choice(SCALARS))
    return ".".join(path) + rng.choice(["=", "=", "=", "=", "", "=="]) + text
