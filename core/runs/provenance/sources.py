"""Compute digests of code: of a plugin's class, and of functions and classes that a config names.

The digest of a class covers, for the class and each of its base classes:

- all Python files and compiled modules of its top package, or its single file;
- all Python files that its distribution lists;
- what these import, recursively; of an installed distribution only the version;
- for a plugin of ganstrata, its whole family. The rest of ganstrata, Python and the large numeric packages
  are identified by their version.

For a class or function without a file, such as one of a notebook, it covers the source text or byte code, the
defaults, and what it uses of its own module.

An imported file counts as it was when its digest was first computed, because the imported code is what runs.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import pickle
import re
import sys
import types
from collections.abc import Collection, Iterable, Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from ...storage.disk import file_hash
from .imports import BY_VERSION, CODE, OURS, code_in, followed
from .records import DIGEST, digest

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # address of an object, which differs between processes
_imported: dict[str, tuple[ModuleSpec, str]] = {}  # path -> import, and the first digest of the file under it


class Code(NamedTuple):
    """Hold the digest of some code, and the installed distributions that it imports."""

    digest: str
    distributions: set[str]


def class_code(plugin: type, owner: str = "") -> Code:
    """Return the code of a plugin.

    Args:
        plugin: the class.
        owner: name and version of its distribution, if it has one.
    """
    name = owner.rpartition(" ")[0]
    files = set() if name == OURS else set(_distributed(name))
    texts = []
    for base in plugin.__mro__:
        if base.__module__.split(".")[0] in BY_VERSION:
            continue
        own = module_files(base.__module__)
        files |= set(own)
        if not own and not base.__module__.startswith(f"{OURS}."):
            texts.append(object_text(base))
    files, distributions = followed(files)
    return Code(digest([_digests(files), texts]), distributions)


def target_code(target: str) -> Code | None:
    """Return the code of `package.module:Name` or `FILE.py:Name`, or None if there is none."""
    place, separator, name = target.rpartition(":")
    if not separator or not name.replace(".", "_").isidentifier():
        return None
    try:
        path = Path(place).expanduser()
        is_file = path.suffix == ".py" and path.is_file()
    except (OSError, RuntimeError, ValueError):
        return None
    imported = place in sys.modules and place.split(".")[0] not in BY_VERSION
    files = [path.resolve()] if is_file else module_files(place) if imported else []
    if not files:
        return _without_file(place, name) if imported else None
    visited, distributions = followed(files)
    return Code(digest(_digests(visited)), distributions)


def module_files(name: str) -> list[Path]:
    """Return the files of a loaded module; none for a module without a file and for the core of ganstrata."""
    if name.startswith(f"{OURS}."):
        family = name.split(".")[:3]
        return (
            code_in(Path(sys.modules[OURS].__path__[0], *family[1:]))
            if family[1:2] == ["plugins"] and len(family) == 3
            else []
        )
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:count]))
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).is_file():
            path = Path(file).resolve()
            return code_in(path.parent) if hasattr(module, "__path__") else [path]
    return []


def _distributed(name: str) -> list[Path]:
    """Return the code files that a distribution lists; none without a list, or if it is not installed."""
    try:
        listed = distribution(name).files if name else None
    except (PackageNotFoundError, ValueError):
        return []
    paths = (Path(str(entry.locate())) for entry in listed or () if entry.suffix in CODE)
    return [path.resolve() for path in paths if path.is_file()]


def _digests(files: Iterable[Path]) -> list[list[str]]:
    """Return name and digest of each file, in the order of names; folders do not count."""
    paths = list(files)
    loaded = dict(_loaded({path.name for path in paths}))
    return sorted([path.name, _as_imported(path, loaded.get(path))] for path in paths)


def _as_imported(path: Path, spec: ModuleSpec | None) -> str:
    """Return the digest of a file as it was when it was first seen under this import."""
    if spec is None:
        return file_hash(path)[:DIGEST]
    known = _imported.get(str(path))
    if known is None or known[0] is not spec:
        known = _imported[str(path)] = (spec, file_hash(path)[:DIGEST])
    return known[1]


def _loaded(names: Collection[str]) -> Iterator[tuple[Path, ModuleSpec]]:
    """Yield the files of loaded modules that have these names, with the specs that identify their imports."""
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if (
            isinstance(spec, ModuleSpec)
            and spec.origin is not None
            and spec.has_location
            and os.path.basename(spec.origin) in names
        ):
            yield Path(spec.origin).resolve(), spec


def _without_file(module: str, name: str) -> Code | None:
    """Return the code of an object whose module has no file, such as a notebook's."""
    target: object = sys.modules[module]
    for part in name.split("."):
        target = getattr(target, part, None)
    return None if target is None else Code(digest(object_text(target)), set())


def object_text(value: object) -> list[str]:
    """Return texts that determine what a class or function without a file does.

    They are its source or byte code, its defaults, its closure, and what it uses of its own module,
    recursively.
    """
    texts: list[str] = []
    seen: set[int] = set()
    pending = [("", value)]
    while pending:
        name, item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        function = inspect.unwrap(item) if callable(item) and not isinstance(item, type) else item
        if isinstance(function, types.MethodType):
            function = function.__func__
        if isinstance(function, types.FunctionType):
            texts.append(f"{name} {_text(function)}")
            used = function.__globals__
            pending += [(f"{name}.{i}", default) for i, default in enumerate(function.__defaults__ or ())]
            pending += list((function.__kwdefaults__ or {}).items())
            pending += [
                (f"{name}.{i}", cell.cell_contents)
                for i, cell in enumerate(function.__closure__ or ())
                if cell != types.CellType()
            ]
            pending += [(named, used[named]) for named in sorted(_names(function.__code__)) if named in used]
        elif isinstance(item, type):
            if (
                item.__module__.split(".")[0] in BY_VERSION - {"__main__"}
                or module_files(item.__module__)
                or item.__module__.startswith(OURS)
            ):
                texts.append(f"{name} {item.__module__}.{item.__qualname__}")
                continue
            texts.append(f"{name} {_text(item)}")
            pending += [
                (named, member)
                for named, member in sorted(vars(item).items())
                if not named.startswith("__") or inspect.isfunction(member)
            ]
        elif isinstance(item, types.ModuleType):
            texts.append(f"{name} {item.__name__}")
        else:
            texts.append(f"{name} {_content(item)}")
    return texts


def _content(item: object) -> str:
    """Return a digest of the content of an object; its `repr` may omit most of the content."""
    try:
        return hashlib.sha256(pickle.dumps(item)).hexdigest()
    except Exception:  # a foreign class may raise anything
        return _ADDRESS.sub("", object.__repr__(item))


def _names(code: types.CodeType) -> set[str]:
    """Return the names that byte code uses, inner functions included."""
    return set(code.co_names).union(
        *(_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    )


def _text(item: type | types.FunctionType) -> str:
    """Return the digest of a function's byte code, or the source of a class."""
    if isinstance(item, types.FunctionType):
        return _bytecode(item.__code__)
    try:
        return inspect.getsource(item)
    except (OSError, TypeError):
        return item.__qualname__


def _bytecode(code: types.CodeType) -> str:
    """Return the digest of a function's byte code, inner functions included."""
    constants = [
        _bytecode(value) if isinstance(value, types.CodeType) else repr(value) for value in code.co_consts
    ]
    return hashlib.sha256(repr((code.co_code, code.co_names, constants)).encode()).hexdigest()
