"""Parse YAML, TOML and JSON to plain data within the limits of a config.

YAML is parsed with the types of YAML 1.1, except dates: `2001-12-31` is text, as in YAML 1.2.
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
# The time that tomllib needs for a dotted key grows with the square of its length.
_LONG_KEY = re.compile(rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{DEPTH}}}")
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(
    f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge", "value")
)


def read_data(path: Path) -> Any:
    """Return the content of a config file: .toml, .json, or any other extension for YAML.

    Raises:
        UserError: the file is missing, too large, not UTF-8 or not well-formed.
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
            f"cannot read {path}: it has more than {BYTES // 2**20} MiB, the maximum size of a config"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "; it seems to be UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise UserError(
            f"cannot read {path}: it is not UTF-8 from byte {error.start} on{hint}. Save it as UTF-8"
        ) from None
    read = {".toml": _toml, ".json": parse_json}.get(path.suffix, parse_yaml)
    try:
        return read(text)
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path} is not well-formed: {error}") from None
    except RecursionError:
        raise UserError(f"{path} is not well-formed: it is nested more than {DEPTH} deep") from None


def parse_yaml(text: str) -> Any:
    """Return the value of YAML text.

    Raises:
        yaml.YAMLError: it is not valid YAML, is too large, or contains something other than text, numbers,
            booleans, lists and mappings.
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


def parse_json(text: str) -> Any:
    """Return the value of JSON text.

    Raises:
        ValueError: it is not valid JSON, a key is given twice, or a number has too many digits.
        RecursionError: it is nested far too deep.
    """
    return json.loads(
        text, object_pairs_hook=_unique_keys, parse_int=_number(int), parse_float=_number(float)
    )


def _number(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a parser of numbers that refuses those with too many digits."""

    def read(text: str) -> Any:
        if len(text) > DIGITS:
            raise ValueError(f"a number has {len(text)} digits; {DIGITS} are allowed")
        return kind(text)

    return read


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"'{key[:DIGITS]}' is given twice")
        mapping[key] = value
    return mapping


class _YAML(yaml.SafeLoader):
    """Loader of YAML with bounded size, no dates, and unique keys."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth, self._composed = 0, 0
        self._sizes: dict[yaml.Node, int] = {}  # number of nodes in each node, with aliases expanded

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as the base class does, and check its depth, size and aliases."""
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
                f"the alias '{(event.anchor or '')[:DIGITS]}' contains itself",
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
        """Construct an object as the base class does, but only of plain types."""
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
                None, None, f"this is not a valid {kind}", node.start_mark
            ) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Construct a mapping as the base class does, but refuse repeated keys instead of using the last."""
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
    first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name in ("merge", "value"):  # a lone << or = is text
    _YAML.add_constructor(f"{_TAG}{_name}", lambda loader, node: str(node.value))
