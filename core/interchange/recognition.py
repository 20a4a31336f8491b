"""Find the directions in the content of a file: which arrays they are, and what the format says of them.

| content | whose |
| --- | --- |
| an array, a list of arrays | InterFaceGAN, e4e, ReStyle, SeFa |
| `{'boundary', 'meta_data'}` | HiGAN, idinvert |
| `{'eigvec'}`, columns, in w | rosinality's closed-form factorisation |
| `{'boundaries', 'eigen_values'}`, rows | SeFa |
| `{'lat_comp', 'lat_mean', 'lat_stdev'}`, `{'comp', 'mean', 'std'}`, rows | GANSpace, e4e's copies of it |
| any other dictionary of arrays, by name, also of such dictionaries | AnycostGAN and many others |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import Inert
from ..errors import DataError
from ..messages import listed, shown, visible
from .arrays import as_array, describe
from .foreign import MOST

NORMAL, META = "boundary", "meta_data"
NESTED = 4  # dictionaries inside one another that are read, at most
LAYERS = 1_000  # layer numbers that a file may name, at most
COMPONENTS = (("lat_comp", "lat_stdev"), ("comp", "std"))  # GANSpace's keys: components, their deviations


@dataclass(frozen=True)
class Entry:
    """Hold an array of one or more directions, as found in a file.

    Attributes:
        array: numbers of any shape.
        name: name in the file; empty for the only one.
        form: what the axes mean (arrangement.FORMS), if the format says so.
        space: latent space, if the format says so.
        layers, kind: layers and level that the file names, or None.
        facts: facts of all directions in the array.
        each: facts of single ones, by fact: one value per direction.
    """

    array: NDArray[Any]
    name: str = ""
    form: str | None = None
    space: str | None = None
    layers: str | None = None
    kind: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    each: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def entries_of(content: Any) -> tuple[list[Entry], list[str]]:
    """Return the entries in a file's content, and the names of what was left out.

    Raises:
        DataError: there is no direction in it; the message says what there is.
    """
    array = as_array(content)
    if array is not None:
        return [Entry(array)], []
    if not isinstance(content, Mapping):
        raise DataError(f"holds {describe(content)}; a boundary is an array of numbers")
    for reader in (_higan, _factorised, _components):
        entries = reader(content)
        if entries is not None:
            return entries, []
    return _named(content)


def _higan(content: Mapping[Any, Any], name: str = "") -> list[Entry] | None:
    """Read HiGAN's and idinvert's dictionary of a boundary and what it is for."""
    if NORMAL not in content:
        return None
    meta = content[META] if content.get(META) is not None else {}
    if not isinstance(meta, Mapping):
        raise DataError(f"its '{META}' is {describe(meta)}; a dictionary was expected")
    array = as_array(content[NORMAL])
    if array is None:
        raise DataError(f"holds {describe(content[NORMAL])}; a boundary is an array of numbers")
    kind = meta.get("type")
    return [
        Entry(
            array,
            name,
            layers=layers_text(meta.get("manipulate_layers")),
            kind=visible(kind) if isinstance(kind, str) else None,
        )
    ]


def _factorised(content: Mapping[Any, Any]) -> list[Entry] | None:
    """Read the directions of closed-form factorisation: rosinality's are columns, SeFa's are rows."""
    columns = as_array(content.get("eigvec"))
    if columns is not None:
        # They are right singular vectors of the matrices that take w to styles, so they lie in w.
        return [Entry(columns, form="columns", space="w", facts={"method": "closed-form factorisation"})]
    rows = as_array(content.get("boundaries"))
    values = as_array(content.get("eigen_values", content.get("eigenvalues")))
    if rows is None or values is None:
        return None
    each = {"eigenvalue": values.reshape(-1)}
    return [Entry(rows, form="rows", facts={"method": "closed-form factorisation"}, each=each)]


def _components(content: Mapping[Any, Any]) -> list[Entry] | None:
    """Read GANSpace's principal components, of which each has the deviation of the codes along it."""
    for components, deviations in COMPONENTS:
        rows, sd = as_array(content.get(components)), as_array(content.get(deviations))
        if rows is not None and sd is not None and rows.ndim >= 2:
            each = {"deviation_along_it": sd.reshape(-1)}
            return [Entry(rows, form="rows", facts={"method": "principal components"}, each=each)]
    return None


def _named(content: Mapping[Any, Any]) -> tuple[list[Entry], list[str]]:
    """Read a dictionary of directions by name; text, single numbers and foreign objects are left out."""
    entries: list[Entry] = []
    left: list[str] = []
    _collect(content, "", NESTED, entries, left)
    if not entries:
        raise DataError(f"holds {describe(content)}, but no '{NORMAL}' and no arrays by name")
    return entries, left


def _collect(
    content: Mapping[Any, Any], outer: str, depth: int, entries: list[Entry], left: list[str]
) -> None:
    """Add what a dictionary holds, and the dictionaries in it, whose names come before those of their own."""
    for key, value in content.items():
        name = outer + (visible(key) if isinstance(key, str) else shown(key))
        if isinstance(value, Mapping):
            inner = _higan(value, name)
            if inner is not None:
                entries += inner
            elif not value or depth == 0:
                raise DataError(f"{shown(name)} is {describe(value)}, but no '{NORMAL}'")
            else:
                _collect(value, f"{name}.", depth - 1, entries, left)
            continue
        array = as_array(value)
        if array is not None and array.size > 1:
            entries.append(Entry(array, name))
        elif value is None or isinstance(value, str | bool | int | float | Inert) or array is not None:
            left.append(name)
        else:
            raise DataError(f"{shown(name)} is {describe(value)}; a boundary is an array of numbers")
        if len(entries) > MOST:
            raise DataError(f"holds more than {MOST} directions")


def numbered(entry: Entry, count: int) -> Iterator[dict[str, Any]]:
    """Yield the facts of each of the directions in an entry."""
    for i in range(count):
        own = {key: float(values[i]) for key, values in entry.each.items() if i < len(values)}
        yield {**entry.facts, **{key: value for key, value in own.items() if np.isfinite(value)}}


def layers_text(value: Any) -> str | None:
    """Return the layers in a file, such as '6-11', 4 or [0, 1], as text; None if the file names none.

    Raises:
        DataError: it is something else.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.size <= LAYERS:
        value = value.ravel().tolist()
    if value is None or (isinstance(value, str | list | tuple) and not len(value)):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if (
        isinstance(value, list | tuple)
        and len(value) <= LAYERS
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    ):
        return ",".join(str(item) for item in value)
    if isinstance(value, str):
        return visible(value)
    raise DataError(
        f"its 'manipulate_layers' is {describe(value)}; numbers or text such as 6-11 were expected"
    )


def left_out(names: list[str]) -> str:
    """Return the remark on what was left out."""
    return f"{listed(names)} is left out: it holds no direction" if names else ""
