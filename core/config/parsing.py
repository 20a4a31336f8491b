"""Reads YAML, TOML and JSON into plain data without ever taking more than a config may need.

YAML is read by the types of YAML 1.1, but for dates: `2001-12-31` is text, as in YAML 1.2.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, cast

import yaml

from ..errors import UserError
from ..storage.disk import open_file
from .limits import BYTES, DEPTH, DIGITS, VALUES

_PART = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(
    rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{DEPTH}}}"
)  # takes tomllib time with the square of its length
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(
    f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge", "value")
)


def read_data(path: Path) -> Any:
    """What a config file holds, by its ending: .toml, .json, else YAML.

    Raises:
        UserError: no such file, not UTF-8, too large, or not of its format.
    """
    try:
        with open_file(path) as file:
            content = file.read(BYTES + 1)
    except FileNotFoundError:
        raise UserError(f"no config file {path}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > BYTES:
        raise UserError(
            f"cannot read {path}: it has more than {BYTES // 2**20} MiB, which is what a config may have"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "; it seems to be UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise UserError(
            f"cannot read {path}: it is not UTF-8 from byte {error.start} on{hint}. Save it as UTF-8"
        ) from None
    read = {".toml": _toml, ".json": _json}.get(path.suffix, parse_yaml)
    try:
        return read(text)
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path} is not well-formed: {error}") from None
    except RecursionError:
        raise UserError(f"{path} is not well-formed: it is nested more than {DEPTH} deep") from None


def parse_yaml(text: str) -> Any:
    """The value that YAML text stands for.

    Raises:
        yaml.YAMLError: it is no YAML, is too large, or holds something other than text, numbers, lists and mappings.
    """
    if len(text) > BYTES:
        raise yaml.YAMLError(f"it has {len(text)} characters; {BYTES} are allowed")
    return yaml.load(text, Loader=_YAML)


def _toml(text: str) -> Any:
    long = _LONG_KEY.search(text)
    if long:
        raise ValueError(
            f"line {text.count(chr(10), 0, long.start()) + 1}: a key has more than {DEPTH} parts"
        )
    return tomllib.loads(text)


def _json(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_without_repetition, parse_int=_number(int), parse_float=_number(float)
    )


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if len(text) > DIGITS:
            raise ValueError(f"a number has {len(text)} digits; {DIGITS} are allowed")
        return kind(text)

    return read


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"'{key[:DIGITS]}' is given twice")
        found[key] = value
    return found


class _YAML(yaml.SafeLoader):
    """YAML of bounded size, without dates, whose mappings name every key once."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth, self._composed = 0, 0
        self._sizes: dict[yaml.Node, int] = {}  # how many nodes each is, aliases followed

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As the base class does, with an eye on depth, on size, and on what aliases stand for."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        _refuse(self._depth > DEPTH, f"it is nested more than {DEPTH} deep", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if isinstance(event, yaml.AliasEvent):
            _refuse(
                node not in self._sizes,
                f"the alias '{(event.anchor or '')[:DIGITS]}' stands within what it stands for",
                event,
            )
            self._composed += self._sizes[node]
        else:
            self._sizes[node] = 1 + sum(self._sizes[inner] for inner in _inner(node))
            self._composed += 1
        _refuse(
            self._composed > VALUES,
            f"it holds more than {VALUES} values, where an alias counts as often as it is used",
            event,
        )
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As the base class does, for plain types only."""
        kind = node.tag.removeprefix(_TAG)
        _refuse(node.tag not in _PLAIN, f"the tag {kind[:DIGITS]} has no place in a config", node)
        _refuse(
            kind in ("int", "float") and len(node.value) > DIGITS,
            f"a number has {len(node.value)} digits; {DIGITS} are allowed",
            node,
        )
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, KeyError, IndexError, AttributeError, OverflowError):
            raise yaml.constructor.ConstructorError(
                None, None, f"this is no {kind}", node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As the base class does, after a look at the keys: by itself the last of two values would win in silence."""
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                _refuse((key.tag, key.value) in seen, f"'{key.value[:DIGITS]}' is given twice", key)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


def _refuse(wrong: bool, reason: str, place: yaml.Node | yaml.Event) -> None:
    if wrong:
        raise yaml.constructor.ConstructorError(None, None, reason, cast("yaml.Mark", place.start_mark))


def _inner(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [inner for pair in node.value for inner in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


_YAML.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in known if tag != f"{_TAG}timestamp"]
    for sign, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name in ("merge", "value"):  # a lone << or = is text
    _YAML.add_constructor(f"{_TAG}{_name}", lambda loader, node: str(node.value))
