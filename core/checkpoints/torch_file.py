"""Files of torch.save: the archives of today, and the pickles of before. Their tensors are kept beside the pickle."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from typing import Any

from ..text import shown
from .archive import member
from .limits import Budget, Damaged, Refused
from .pickles.arrays import Storage, dtype_of
from .pickles.names import Allowed
from .pickles.unpickler import Unpickler

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older files


def read_archive(archive: zipfile.ZipFile, budget: Budget) -> Any:
    """What torch.save was given."""
    pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("it is a zip archive, but none that torch.save wrote")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and member(archive, f"{root}byteorder", budget) != b"little":
        raise Refused("it was written on a machine with another order of bytes")
    storages: dict[str, Storage] = {}

    def outside(key: Any) -> Storage:
        dtype, name, count = described(key)
        found = storages.get(name)
        if found is None:
            found = storages[name] = Storage(dtype, count, budget)
            found.fill(member(archive, f"{root}data/{name}", budget))
        return found.known_as(dtype, count)

    return Unpickler(memoryview(member(archive, pickles[0], budget)), Allowed(budget), budget, outside).run()


def described(key: Any) -> tuple[Any, str, int]:
    """Type, name and length of a storage, from what the pickle says of it."""
    if not isinstance(key, tuple) or not 5 <= len(key) <= 6:
        raise Damaged(f"its pickle asks for {shown(key)}, which is no tensor")
    word, kind, name, _device, count = key[:5]
    if not isinstance(word, str) or word != "storage" or not isinstance(name, str) or type(count) is not int:
        raise Damaged(f"its pickle asks for {shown(key)}, which is no tensor")
    return dtype_of(kind), name, count


def read_legacy(
    data: memoryview, budget: Budget, position: int = 0, allowed: Callable[[], Any] | None = None
) -> Any:
    """What torch.save was given, when it still wrote pickles one after the other.

    Args:
        data: the bytes.
        budget: of the file.
        position: where the first pickle begins.
        allowed: which names the pickles may use.
    """
    storages: dict[str, Storage] = {}

    def outside(key: Any) -> Any:
        dtype, name, count = described(key)
        if name not in storages:
            storages[name] = Storage(dtype, count, budget)
        found = storages[name].known_as(dtype, count)
        view = key[5] if len(key) > 5 else None
        if view is None:
            return found
        if not isinstance(view, tuple) or len(view) != 3:
            raise Damaged("a view of a tensor's numbers that makes no sense")
        return found.part(view[1], view[2])

    machine = Unpickler(data, allowed() if allowed else Allowed(budget), budget, outside, position)
    if not is_magic(machine.run()):
        raise Damaged("its pickle is no torch file")
    machine.run()  # the version
    system = machine.run()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise Refused("it was written on a machine with another order of bytes")
    content = machine.run()
    keys = machine.run()
    if not isinstance(keys, list | tuple):
        raise Damaged(f"the names of its tensors' numbers are {shown(keys)}, and no list")
    for key in keys:
        if not isinstance(key, str) or key not in storages:
            raise Damaged(f"a tensor's numbers {shown(key)} that no tensor asks for")
        (count,) = struct.unpack("<q", machine.take(8))
        if count != storages[key].count:
            raise Damaged(f"a tensor of {storages[key].count} numbers of which the file has {count}")
        storages[key].fill(machine.take(storages[key].size))
    if not all(storage.filled for storage in storages.values()):
        raise Damaged("a tensor without numbers")
    return content


def is_magic(value: Any) -> bool:
    """Whether a pickle holds what the older files of torch begin with."""
    return type(value) is int and value == MAGIC


def read_pickle(data: memoryview, budget: Budget, *, objects: bool = False) -> tuple[Any, str]:
    """What a file holds that begins with a pickle, and whether that is a torch file ("torch legacy") or a pickle alone ("pickle")."""

    def payload(inner: Any) -> Any:
        if not isinstance(inner, bytes | memoryview):
            raise Damaged("a tensor without numbers")
        return read_legacy(memoryview(inner), budget, allowed=lambda: Allowed(budget))

    machine = Unpickler(data, Allowed(budget, payload, objects=objects), budget)
    found = machine.run()
    if is_magic(found):
        return read_legacy(data, budget), "torch legacy"
    return found, "pickle"
