"""Files of torch.save: the archives of today, and the pickles of before. Their tensors are kept beside the pickle."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from .arrays import Storage, dtype_of
from .limits import Budget, Damaged, Refused
from .machine import Machine
from .names import Allowed

CONTENTS = 32 * 2**20  # bytes of an archive's table of contents
TAIL = 2**16 + 128  # bytes at the end of an archive that tell where it is
MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older files


def check_length(file: io.BufferedReader, size: int) -> None:
    """Look at how long an archive says that its table of contents is, before it is read.

    Raises:
        Refused: it is longer than that of any checkpoint.
    """
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    end, long = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    found = [int.from_bytes(tail[end + 12 : end + 16], "little")] if end >= 0 else []
    found += [int.from_bytes(tail[long + 40 : long + 48], "little")] if long >= 0 and found == [2**32 - 1] else []
    if found and found[-1] > min(CONTENTS, size):
        raise Refused(f"it is an archive with a table of contents of {found[-1]} bytes: no checkpoint that torch wrote")


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Look at the table of contents, before anything is unpacked.

    Raises:
        Refused: the archive unpacks to more than the file holds, or has names twice or outside of itself: torch.save does none of this.
    """
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size:
        raise Refused(f"it is a compressed archive of {size} bytes that claims to hold {unpacked}: no checkpoint that torch wrote")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise Refused("it is an archive that holds the same name twice: no checkpoint that torch wrote")
    for entry in entries:
        if entry.filename.startswith("/") or "\\" in entry.filename or ".." in entry.filename.split("/") or stat.S_ISLNK(entry.external_attr >> 16):
            raise Refused(f"it is an archive with the entry {entry.filename[:80]!r}, which points outside of it: no checkpoint that torch wrote")


def read_archive(archive: zipfile.ZipFile, budget: Budget) -> Any:
    """What torch.save was given."""
    pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("it is a zip archive, but none that torch.save wrote")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise Refused("it was written on a machine with another order of bytes")
    storages: dict[str, Storage] = {}

    def outside(key: Any) -> Storage:
        dtype, name, count = described(key)
        found = storages.get(name)
        if found is None:
            found = storages[name] = Storage(dtype, count, budget)
            found.fill(archive.read(f"{root}data/{name}"))
        return found.known_as(dtype, count)

    return Machine(memoryview(archive.read(pickles[0])), Allowed(budget), budget, outside).run()


def described(key: Any) -> tuple[Any, str, int]:
    """Type, name and length of a storage, from what the pickle says of it."""
    if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage" or not isinstance(key[2], str) or type(key[4]) is not int:
        raise Damaged("its pickle asks for something that is no tensor")
    return dtype_of(key[1]), key[2], key[4]


def read_legacy(data: memoryview, budget: Budget, position: int = 0, allowed: Callable[[], Any] | None = None) -> Any:
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

    machine = Machine(data, allowed() if allowed else Allowed(budget), budget, outside, position)
    if machine.run() != MAGIC:
        raise Damaged("its pickle is no torch file")
    machine.run()  # the version
    system = machine.run()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise Refused("it was written on a machine with another order of bytes")
    content = machine.run()
    for key in machine.run():
        if key not in storages:
            raise Damaged("a tensor's numbers that no tensor asks for")
        (count,) = struct.unpack("<q", machine.take(8))
        if count != storages[key].count:
            raise Damaged(f"a tensor of {storages[key].count} numbers of which the file has {count}")
        storages[key].fill(machine.take(storages[key].size))
    if not all(storage.filled for storage in storages.values()):
        raise Damaged("a tensor without numbers")
    return content


def read_pickle(data: memoryview, budget: Budget, *, objects: bool = False) -> tuple[Any, str]:
    """What a file holds that begins with a pickle, and whether that is a torch file ("torch legacy") or a pickle alone ("pickle")."""

    def payload(inner: Any) -> Any:
        if not isinstance(inner, bytes | memoryview):
            raise Damaged("a tensor without numbers")
        return read_legacy(memoryview(inner), budget, allowed=lambda: Allowed(budget))

    machine = Machine(data, Allowed(budget, payload, objects=objects), budget)
    found = machine.run()
    if type(found) is int and found == MAGIC:
        return read_legacy(data, budget), "torch legacy"
    return found, "pickle"
