"""Split the content of a file into parts: find the state dicts, what belongs to them, and their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from torch import Tensor

from ..messages import listed, shown, visible
from .content import Part
from .limits import LENGTH, SHARED, TENSORS, Budget, Damaged, Refused
from .parameter_lists import averages
from .pickles.modules import (
    as_tensor,
    foreign_class,
    is_module,
    is_network,
    is_persistent,
    is_tensorflow,
    network,
    plain,
)
from .pickles.names import forbidden
from .pickles.unpickler import Foreign, Name, Record
from .prefixes import MEAN_CODES, stripped, without_wrappers
from .ranks import UNKNOWN, inner_name, rank
from .refused_contents import advice

ROLES = (
    "generator_ema",
    "generator",
    "discriminator",
    "encoder",
    "decoder",
    "g_ema",
    "G_ema",
    "netG_ema",
    "netG",
    "netD",
    "G",
    "D",
    "g",
    "d",
)
OURS = ("plugin", "network")  # settings that only ganstrata's own header may contain
NESTED = 4  # nesting of dictionaries that are searched for state dicts
PARTS = 64  # parts that are returned, at most
NAMED = 5  # classes of a file, and parts left aside, that are named


@dataclass(frozen=True)
class _Draft:
    """A part while the file is being split."""

    name: str
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    own: bool  # whether the settings are the network's own
    notes: tuple[str, ...] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)
    foreign: str = ""  # class in a network that is not known here, so that the network is left aside


def pickle_container(content: Any) -> str:
    """Return the kind of pickle that an unpickled object comes from, in words."""
    entries = (
        list(content.values())
        if isinstance(content, dict)
        else list(content)
        if isinstance(content, tuple | list)
        else [content]
    )
    if any(is_tensorflow(entry) for entry in entries):
        return "NVIDIA TensorFlow pickle"
    if any(is_persistent(entry) or is_module(entry) for entry in entries):
        return "NVIDIA pickle"
    return "pickle"


def parts(content: Any, budget: Budget) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Split an unpickled object into parts, in the order in which generator plugins are offered them.

    Returns:
        The parts, and sentences on what was left aside: networks of classes that are not known here.

    Raises:
        Refused: it holds no state dict that can be read, or too many tensors.
        Damaged: its tensors claim far more bytes than the file has.
    """
    drafts = _drafts(content, budget)
    left_aside = [draft for draft in drafts if draft.foreign]
    drafts = [draft for draft in drafts if draft.tensors and not draft.foreign][:PARTS]
    if sum(len(part.tensors) for part in drafts) > TENSORS:
        raise Refused(f"its parts have more than {TENSORS} tensors, which no checkpoint has")
    if not drafts and left_aside:
        raise Refused(forbidden(visible(left_aside[0].foreign)))
    if not drafts:
        raise Refused(
            f"it holds {_describe(content)} where a state dict, names with tensors, is expected"
            f"{advice(content)}"
        )
    distinct = {id(tensor): tensor for part in drafts for tensor in part.tensors.values()}
    for tensors in (distinct.values(), *(part.tensors.values() for part in drafts)):  # each may be copied
        if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > SHARED * budget.size + 2**20:
            raise Damaged(f"its tensors claim more than the {budget.size} bytes that the file has")
    return tuple(
        Part(
            part.name,
            part.tensors,
            _without_ours(part.settings),
            part.notes,
            _without_ours(part.beside),
        )
        for part in drafts
    ), tuple(_notes(left_aside, budget))


def _without_ours(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a file may have which ganstrata did not write."""
    return {key: value for key, value in settings.items() if key not in OURS}


def _notes(left_aside: Sequence[_Draft], budget: Budget) -> Iterator[str]:
    """Yield sentences on what was recorded and not run, and on the networks that are left aside."""
    for part in left_aside[:NAMED]:
        which = f"the part {visible(part.name)}" if part.name else "a network"
        yield (
            f"{which} is left aside: it has the class {visible(part.foreign)}, which is not known here; "
            "nothing of it was run"
        )
    if budget.unnamed:
        yield (
            f"{budget.unnamed} {'tensor is' if budget.unnamed == 1 else 'tensors are'} left out: the name is "
            f"not text, or has more than {LENGTH} characters"
        )
    named = {part.foreign for part in left_aside[:NAMED]}
    others = [name for name in budget.foreign if name not in named]
    if others:
        yield f"recorded only, and neither imported nor run: {listed(others, NAMED)}"


def _drafts(content: Any, budget: Budget) -> list[_Draft]:
    """Return the parts of an unpickled object, also those that cannot be read."""
    if isinstance(content, tuple | list) and content and all(is_tensorflow(entry) for entry in content):
        names = ("G", "D", "Gs") if len(content) == 3 else _own_names(content)
        content = dict(zip(names, content, strict=True))
    if is_network(content):
        return [_network("", content, budget)]
    splitter = _Splitter(budget)
    if isinstance(content, tuple | list):
        named = {str(i): entry for i, entry in enumerate(content[:PARTS]) if splitter.is_part(entry)}
        content = named or content
    entries = _mapping(content)
    return [] if entries is None else splitter.parts(entries)


def _own_names(networks: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of TensorFlow networks, such as E, G, D and Gs; numbers if two have the same."""
    names = tuple(record.state.get("name") for record in networks[:PARTS])
    if (
        len(networks) <= PARTS
        and all(isinstance(name, str) for name in names)
        and len({*names}) == len(names)
    ):
        return names
    return tuple(f"network{i}" for i in range(len(networks)))


def _mapping(value: Any) -> dict[Any, Any] | None:
    """Return a dictionary, the items of a record, or the attributes of an object of a foreign class."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, Record) or is_network(value):
        return None
    if value.entries is None and isinstance(value.name, Foreign) and isinstance(value.state, dict):
        return value.state
    return value.entries


def _network(name: str, value: Record, budget: Budget) -> _Draft:
    """Return a pickled network as a part."""
    foreign = foreign_class(value, budget)
    if foreign:
        return _Draft(name, {}, {}, own=True, foreign=foreign)
    tensors, settings = network(value, budget)
    tensors, notes = without_wrappers(tensors)
    return _Draft(name, tensors, settings, own=True, notes=notes)


class _Splitter:
    """Split a dictionary into parts, and charge each visited entry to the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def parts(self, content: dict[Any, Any]) -> list[_Draft]:
        """Return the parts of the dictionary that a file holds, in order."""
        loose, inner, settings = self._classify(content)
        drafts = [part for name, value in inner for part in self._entry(name, value, 0)]
        networks: dict[str, Mapping[str, Tensor]] = {}
        for part in sorted(drafts, key=lambda part: rank(part.name)):
            networks.setdefault(part.name, part.tensors)
        for name, tensors, note in averages(content, networks, self._budget):
            if tensors is None:
                drafts = [replace(part, notes=(*part.notes, note)) for part in drafts]
            else:
                drafts.append(_Draft(name, tensors, settings, own=False, notes=(note,)))
        if not drafts:
            return _bare("", loose, settings, first=True)
        means = {name: tensor for name, tensor in loose.items() if MEAN_CODES.fullmatch(name)}
        if len(loose) > len(means) + 8:
            drafts += _bare("", loose, {}, first=True)
        self._budget.step(len(drafts) * len(means))
        return sorted(
            (_with_shared(part, means, settings) for part in _with_unique_names(drafts)),
            key=lambda part: rank(part.name),
        )

    def _classify(
        self, content: dict[Any, Any]
    ) -> tuple[dict[str, Tensor], list[tuple[str, Any]], dict[str, Any]]:
        """Return the tensors of a dictionary, the entries that hold tensors, and the plain values."""
        loose: dict[str, Tensor] = {}
        inner: list[tuple[str, Any]] = []
        settings: dict[str, Any] = {}
        unnamed = 0
        for name, value in content.items():
            self._budget.step()
            if not isinstance(name, str) or len(name) > LENGTH:
                unnamed += as_tensor(value) is not None
                continue
            tensor = as_tensor(value)
            if tensor is not None:
                loose[name] = tensor
            elif re.search("optim|sched", name.lower()):
                continue
            elif self.is_part(value):
                inner.append((name, value))
            elif isinstance(value, list) and any(self.is_part(entry) for entry in value[:PARTS]):
                inner += [(f"{name}.{i}", x) for i, x in enumerate(value[:PARTS]) if self.is_part(x)]
            elif (known := plain(value, self._budget)) is not None:
                settings[name] = known
        if loose:  # the state of an optimiser has numbers for all names
            self._budget.unnamed += unnamed
        return loose, inner, settings

    def is_part(self, value: Any) -> bool:
        """Return whether a value is a network, or a dictionary with tensors by name."""
        if is_network(value):
            return True
        entries = _mapping(value)
        return entries is not None and self._holds_tensors(entries)

    def _holds_tensors(self, value: dict[Any, Any], depth: int = 1) -> bool:
        """Return whether a dictionary holds tensors by name; optimizers keep theirs by number."""
        for key, item in value.items():
            self._budget.step()
            if not isinstance(key, str):
                continue
            if (
                as_tensor(item) is not None
                or is_network(item)
                or (
                    depth < NESTED
                    and (entries := _mapping(item)) is not None
                    and self._holds_tensors(entries, depth + 1)
                )
            ):
                return True
        return False

    def _entry(self, name: str, value: Any, depth: int) -> list[_Draft]:
        """Return the parts of one entry: a network, a state dict, or a dictionary of either."""
        if is_network(value):
            return [_network(name, value, self._budget)]
        loose, inner, settings = self._classify(_mapping(value) or {})
        drafts = (
            [part for key, entry in inner for part in self._entry(inner_name(name, key), entry, depth + 1)]
            if depth < NESTED
            else []
        )
        means = {key: tensor for key, tensor in loose.items() if MEAN_CODES.fullmatch(key)}
        if not drafts or len(loose) > len(means):
            drafts += _bare(name, loose, {}, first=False)
        self._budget.step(sum(len(part.tensors) + len(means) + len(settings) for part in drafts))
        return [_with_shared(part, means, settings) for part in drafts]


def _bare(name: str, tensors: dict[str, Tensor], settings: Mapping[str, Any], *, first: bool) -> list[_Draft]:
    """Return the parts of a state dict: the whole, and one part per role if every name begins with a role.

    Args:
        name: name of the whole.
        tensors: the state dict, with or without the prefix of DataParallel.
        settings: settings of all parts.
        first: whether the whole comes before its parts, as for a bare state dict, or after them.
    """
    tensors, notes = without_wrappers(tensors)
    whole = _Draft(name, tensors, settings, own=False, notes=notes)
    heads = {key: key.partition(".") for key in tensors}
    roles = [role for role in ROLES if any(head[0] == role for head in heads.values())]
    if not roles or any(head[0] not in roles or not head[2] for head in heads.values()):
        return [whole]
    split = []
    for role in roles:
        own = {head[2]: tensors[key] for key, head in heads.items() if head[0] == role}
        role_notes = (*notes, stripped(f"{role}.", len(own)))
        own, inner = without_wrappers(own)
        split.append(_Draft(inner_name(name, role), own, settings, own=False, notes=(*role_notes, *inner)))
    split.sort(key=lambda part: rank(part.name))
    return [whole, *split] if first else [*split, whole]


def _with_unique_names(drafts: list[_Draft]) -> list[_Draft]:
    """Return the parts with unique names: the second part of a name gets the suffix `.2`, and so on."""
    seen: dict[str, int] = {}
    result = []
    for part in drafts:
        seen[part.name] = count = seen.get(part.name, 0) + 1
        result.append(part if count == 1 else replace(part, name=f"{part.name}.{count}"))
    return result


def _with_shared(part: _Draft, means: Mapping[str, Tensor], settings: Mapping[str, Any]) -> _Draft:
    """Return a part with the mean codes and settings that a file stores once for all its parts.

    Mean codes go to generators and moving averages only. Settings go to parts without settings of their own,
    and lie beside the others.
    """
    tensors = {**means, **part.tensors} if rank(part.name)[0] < UNKNOWN else part.tensors
    if part.own:
        return replace(part, tensors=tensors, beside={**settings, **part.beside})
    return replace(part, tensors=tensors, settings={**settings, **part.settings})


def _describe(content: Any) -> str:
    """Describe an unpickled object, for messages."""
    if isinstance(content, Mapping):
        keys = (key.full if isinstance(key, Name) else key for key in islice(content, 6))
        words = [visible(key, 40) if isinstance(key, str) else shown(key) for key in keys]
        return f"a dictionary with {', '.join(words) or 'nothing in it'}"
    if isinstance(content, Tensor):
        return f"a single tensor {tuple(content.shape)}"
    if isinstance(content, Record):
        return f"an object of {visible(content.name.full)}"
    return "a number" if isinstance(content, int | float) else f"a {type(content).__name__}"
