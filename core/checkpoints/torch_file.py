"""Read files of torch.save: zip archives, and the legacy format of consecutive pickles.

Both formats keep the data of tensors in storages outside the pickle.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from typing import Any

from ..messages import quantity, shown
from .archive import member
from .limits import Budget, Damaged, Refused
from .pickles.arrays import Storage, dtype_of
from .pickles.names import Allowed
from .pickles.unpickler import Name, Unpickler

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a legacy file


def read_archive(archive: zipfile.ZipFile, budget: Budget) -> Any:
    """Return the object that was saved in a zip archive, as far as the unpickler rebuilds it."""
    # torch.save puts all into one folder; who packs its content again may leave that out, or add others.
    pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise Refused("it is a zip archive, but none that torch.save wrote")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and member(archive, f"{root}byteorder", budget) != b"little":
        raise Refused("it was written on a machine with another order of bytes")
    storages: dict[str, Storage] = {}

    def load_storage(key: Any) -> Storage:
        dtype, name, count = parse_storage_id(key)
        storage = storages.get(name)
        if storage is None:
            storage = storages[name] = Storage(dtype, count, budget)
            storage.fill(member(archive, f"{root}data/{name}", budget))
        return storage.known_as(dtype, count)

    return Unpickler(
        memoryview(member(archive, pickles[0], budget)), Allowed(budget, foreign=True), budget, load_storage
    ).run()


def parse_storage_id(key: Any) -> tuple[Any, str, int]:
    """Return type, name and number of elements of a storage, from its persistent id in the pickle.

    Raises:
        Damaged: the id does not describe a storage.
    """
    if not isinstance(key, tuple) or not 5 <= len(key) <= 6:
        raise Damaged(f"its pickle asks for {shown(key)}, which is not a tensor")
    word, kind, name, _device, count = key[:5]
    if not isinstance(word, str) or word != "storage" or not isinstance(name, str) or type(count) is not int:
        raise Damaged(f"its pickle asks for {shown(key)}, which is not a tensor")
    return dtype_of(kind), name, count


def _names_class(key: Any) -> bool:
    """Return whether a persistent id is that of a module's class; its source, in the id, stays text."""
    return (
        isinstance(key, tuple)
        and len(key) == 4
        and isinstance(key[0], str)
        and key[0] == "module"
        and isinstance(key[1], Name)
    )


def read_legacy(
    data: memoryview, budget: Budget, position: int = 0, allowed: Callable[[], Any] | None = None
) -> Any:
    """Return the object that was saved in the legacy format.

    Args:
        data: bytes of the file.
        budget: budget of the file.
        position: offset of the first pickle.
        allowed: makes the table of names that the pickles may use.
    """
    storages: dict[str, Storage] = {}

    def load_storage(key: Any) -> Any:
        if _names_class(key):
            return key[1]
        dtype, name, count = parse_storage_id(key)
        if name not in storages:
            storages[name] = Storage(dtype, count, budget)
        storage = storages[name].known_as(dtype, count)
        view = key[5] if len(key) > 5 else None
        if view is None:
            return storage
        if not isinstance(view, tuple) or len(view) != 3:
            raise Damaged("a view of a tensor's numbers that makes no sense")
        return storage.part(view[1], view[2])

    unpickler = Unpickler(
        data, allowed() if allowed else Allowed(budget, foreign=True), budget, load_storage, position
    )
    if not is_magic(unpickler.run()):
        raise Damaged("its pickle is not a torch file")
    unpickler.run()  # the version
    system = unpickler.run()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise Refused("it was written on a machine with another order of bytes")
    content = unpickler.run()
    keys = unpickler.run()
    if not isinstance(keys, list | tuple):
        raise Damaged(f"the names of its tensors' numbers are {shown(keys)}, and no list")
    for key in keys:
        if not isinstance(key, str) or key not in storages:
            raise Damaged(f"a tensor's numbers {shown(key)} that no tensor asks for")
        (count,) = struct.unpack("<q", unpickler.take(8))
        if count != storages[key].count:
            raise Damaged(f"a tensor of {quantity(storages[key].count, 'number')}, but the file has {count}")
        storages[key].fill(unpickler.take(storages[key].size))
    if not all(storage.filled for storage in storages.values()):
        raise Damaged("a tensor without numbers")
    return content


def is_magic(value: Any) -> bool:
    """Return whether an unpickled value is the number that legacy torch files begin with."""
    return type(value) is int and value == MAGIC


def read_pickle(data: memoryview, budget: Budget, *, objects: bool = False) -> tuple[Any, str]:
    """Return the object in a file that begins with a pickle, and the format: "torch legacy" or "pickle"."""

    def payload(inner: Any) -> Any:
        if not isinstance(inner, bytes | memoryview):
            raise Damaged("a tensor without numbers")
        return read_legacy(memoryview(inner), budget, allowed=lambda: Allowed(budget, foreign=True))

    unpickler = Unpickler(data, Allowed(budget, payload, objects=objects, foreign=not objects), budget)
    content = unpickler.run()
    if is_magic(content):
        return read_legacy(data, budget), "torch legacy"
    return content, "pickle"
