"""Say how a file would spell the names of the tensors that it lacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, product

from ....core.errors import CheckpointError
from ....core.messages import visible
from .layouts import Layout, Translated
from .sizes import AboutTensor

GROUP = r"\((\\d[^()]*|[\w|]+)\)"  # of a pattern: a number, or one of several words
FILLED = 2  # numbers that are filled into the pattern of a rule, at most
SMALL = 20  # numbers below this are tried, beside those that occur
TRIES = 40_000  # names that are tried
SPELLED = 50  # missing tensors whose names in the file are looked for


@contextmanager
def as_stored(layout: Layout, translated: Translated) -> Iterator[None]:
    """Name the tensor that an error is about as the file does, or would.

    Raises:
        CheckpointError: instead of AboutTensor.
    """
    try:
        yield
    except AboutTensor as error:
        (name,) = (
            [translated.origin[error.name]]
            if error.name in translated.origin
            else in_file([error.name], layout, translated)
        )
        raise CheckpointError(error.words.replace("{name}", visible(name))) from None


def in_file(missing: Sequence[str], layout: Layout, translated: Translated) -> tuple[str, ...]:
    """Return the names that missing tensors probably have in the file, beside the names used here."""
    if not missing:
        return ()
    raw = spelled(layout, missing[:SPELLED], translated.origin)
    return tuple(
        f"{raw[name]} (probably its name; here {name})"
        if raw.get(name, name) != name
        else name
        if name in layout.meanings(name)
        else f"{name} (as it is called here)"
        for name in missing
    )


def spelled(layout: Layout, missing: Sequence[str], origin: Mapping[str, str]) -> dict[str, str]:
    """Return, for names used here, the names under which a layout stores their tensors.

    Rules cannot be read backwards. So names like those in the file are tried, and the first that stands for a
    wanted name counts. Names that are found in no way are left out.

    Args:
        layout: of the file.
        missing: names used here, of tensors that the file lacks.
        origin: maps the names used here to those in the file.
    """
    renamed = {} if layout.renamed is None else layout.renamed(origin.values())
    scopes = _scopes(renamed)
    present, wanted, result = {*origin.values()}, {*missing}, dict[str, str]()
    ruled = {name: renamed.get(stored, stored) for name, stored in origin.items()}
    for candidate in islice(_candidates(layout, missing, ruled), TRIES):
        for name in wanted.intersection(layout.meanings(candidate)):
            scope = next((scope for scope in scopes if candidate.startswith(scope)), "")
            stored = scopes.get(scope, "") + candidate.removeprefix(scope)
            if stored not in present:
                result[name] = stored
                wanted.remove(name)
        if not wanted:
            break
    return result


def _candidates(layout: Layout, missing: Sequence[str], stored: Mapping[str, str]) -> Iterator[str]:
    """Yield names that a file may have: other numbers, other ends, and what the rules spell out.

    Args:
        layout: of the file.
        missing: names used here, of tensors that the file lacks.
        stored: maps names used here to those in the file.
    """
    kinds = {_kind(name) for name in missing}
    alike = [name for here, name in stored.items() if _kind(here) in kinds]
    commonest = [leaf for leaf, _ in Counter(map(_leaf, stored.values())).most_common()]
    leaves = dict.fromkeys([*map(_leaf, alike), *commonest])
    modules = dict.fromkeys(map(_module, stored.values()))
    beside: dict[str, dict[str, None]] = {}  # by module as here, modules in the file
    for here, name in stored.items():
        beside.setdefault(_module(here), {})[_module(name)] = None
    for here in missing:
        yield from (module + leaf for module, leaf in product(beside.get(_module(here), ()), leaves))
    occurring = dict.fromkeys(number for name in stored.values() for number in re.findall(r"\d+", name))
    numbers = dict.fromkeys([*occurring, *map(str, range(SMALL))])
    for name in alike:
        for old, number in product(re.finditer(r"\d+", name), numbers):
            yield re.sub(rf"(?<!\d){old[0]}(?!\d)", number, name)
            yield name[: old.start()] + number + name[old.end() :]
    yield from (module + leaf for leaf, module in product(leaves, modules))
    prefixes = dict.fromkeys([*(module.partition(".")[0] + "." for module in modules), ""])
    for rule in layout.rules:
        text = re.sub(r"\(\?:[^()]*\)\?", "", rule.pattern).replace(r"\.", ".")  # without optional parts
        groups = re.findall(GROUP, text)
        text = re.sub(GROUP, "{}", text)
        choices = [numbers if group[0] == "\\" else group.split("|") for group in groups]
        if re.fullmatch(r"[\w./{}]+", text) and sum(choice is numbers for choice in choices) <= FILLED:
            for prefix, *filling in product(prefixes, *choices):
                yield prefix + text.format(*filling)


def _module(name: str) -> str:
    """Return a name without its last part.

    >>> _module("16x16/Conv1/weight"), _module("feat_8.3.bias"), _module("w_avg")
    ('16x16/Conv1/', 'feat_8.3.', '')
    """
    return name[: 1 + max(name.rfind("."), name.rfind("/"))]


def _leaf(name: str) -> str:
    return name[len(_module(name)) :]


def _kind(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _scopes(renamed: Mapping[str, str]) -> dict[str, str]:
    """Return, for scopes of names that the rules match, the scopes of the stored names.

    >>> _scopes({"10x6/Conv1/bias": "8x8/Conv1/bias"})
    {'8x8/': '10x6/'}
    """
    scopes = {}
    for stored, name in renamed.items():
        theirs, ours = stored.split("/"), name.split("/")
        if theirs != ours and len(theirs) == len(ours):
            end = 1 + next(i for i, pair in enumerate(zip(theirs, ours, strict=True)) if pair[0] != pair[1])
            scopes["/".join(ours[:end]) + "/"] = "/".join(theirs[:end]) + "/"
    return scopes
