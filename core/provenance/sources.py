"""Digests of code: of a plugin's class, and of functions and classes that a config names.

What is digested, of a class and of every class that it inherits from:

- of a package, all Python files and compiled modules of its top package; of a single file, that file and
  the files beside it that it imports, directly or in turn;
- all Python files that its distribution lists;
- of the plugins that come with ganstrata, their whole family. The rest of ganstrata, Python and the large
  numeric packages are known by their version.

Of a class that has no file, such as one of a notebook, its source text, or else its byte code.

A file that was imported counts as it was when it was first digested: what runs is what was imported.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import sys
import types
from collections.abc import Collection, Iterable, Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ..disk import file_hash
from ..dotted import is_installation
from .files import all_files
from .records import DIGEST, digest

OURS = __name__.split(".core.")[0]
CODE = (".py", ".so", ".pyd")
BY_VERSION = {"torch", "numpy", "scipy", "sklearn", "pydantic", "pydantic_core", "transformers", *sys.stdlib_module_names} - {"__main__"}

_imported: dict[str, tuple[ModuleSpec, str]] = {}  # digest of a file when it was first looked at, while the same import is in force


def class_digest(plugin: type, owner: str = "") -> str:
    """Digest of a plugin's code.

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
            texts.append(_text(base))
    return digest([_digests(files), texts])


def target_digest(target: str) -> str | None:
    """Digest of the code behind `package.module:Name` or `FILE.py:Name`, or None where there is none."""
    place, separator, name = target.rpartition(":")
    if not separator or not name.replace(".", "_").isidentifier():
        return None
    try:
        path = Path(place).expanduser()
        is_file = path.suffix == ".py" and path.is_file()
    except (OSError, RuntimeError, ValueError):
        return None
    if is_file:
        return digest(_digests(_with_companions(path.resolve())))
    files = module_files(place) if place in sys.modules and place.split(".")[0] not in BY_VERSION else []
    return digest(_digests(files)) if files else None


def module_files(name: str) -> list[Path]:
    """The files that an imported module's code is in, or none for a module without a file and for ganstrata's own core."""
    if name.startswith(f"{OURS}."):
        family = name.split(".")[:3]
        return _code_in(Path(sys.modules[OURS].__path__[0], *family[1:])) if family[1:2] == ["plugins"] and len(family) == 3 else []
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:count]))
        file = getattr(module, "__file__", None)
        if file is not None and Path(file).is_file():
            path = Path(file).resolve()
            return _code_in(path.parent) if hasattr(module, "__path__") else _with_companions(path)
    return []


def _code_in(folder: Path) -> list[Path]:
    return [path for path in all_files(folder) if path.suffix in CODE]


def _distributed(name: str) -> list[Path]:
    """Code that a distribution lists as its own; none where it is not installed, or was installed without a list."""
    try:
        listed = distribution(name).files if name else None
    except (PackageNotFoundError, ValueError):
        return []
    paths = (Path(str(entry.locate())) for entry in listed or () if entry.suffix in CODE)
    return [path.resolve() for path in paths if path.is_file()]


def _with_companions(file: Path) -> list[Path]:
    """A single file, and the files and packages beside it that it imports."""
    found, left = {file}, [file]
    while left:
        path = left.pop()
        if path.suffix != ".py" or is_installation(path.parent):
            continue
        for name in _imports(path) - BY_VERSION:
            folder, beside = path.parent / name, path.parent / f"{name}.py"
            if (folder / "__init__.py").is_file():
                found |= set(_code_in(folder))
            elif beside.is_file() and beside not in found:
                found.add(beside)
                left.append(beside)
    return sorted(found)


def _imports(path: Path) -> set[str]:
    """Top-level names of what a file imports, wherever in it."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return set()
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


def _digests(files: Iterable[Path]) -> list[list[str]]:
    """Name and digest of each file, in the order of their names; where they lie does not count."""
    paths = list(files)
    loaded = dict(_loaded({path.name for path in paths}))
    return sorted([path.name, _as_imported(path, loaded.get(path))] for path in paths)


def _as_imported(path: Path, spec: ModuleSpec | None) -> str:
    if spec is None:
        return file_hash(path)[:DIGEST]
    known = _imported.get(str(path))
    if known is None or known[0] is not spec:
        known = _imported[str(path)] = (spec, file_hash(path)[:DIGEST])
    return known[1]


def _loaded(names: Collection[str]) -> Iterator[tuple[Path, ModuleSpec]]:
    """Files of these names that modules of this process came from, with what tells one import from another."""
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if isinstance(spec, ModuleSpec) and spec.origin is not None and spec.has_location and os.path.basename(spec.origin) in names:
            yield Path(spec.origin).resolve(), spec


def _text(base: type) -> str:
    try:
        return inspect.getsource(base)
    except (OSError, TypeError):
        functions = sorted((name, getattr(value, "__wrapped__", value)) for name, value in vars(base).items() if inspect.isfunction(value))
        return "".join(f"{name} {_bytecode(function.__code__)}\n" for name, function in functions)


def _bytecode(code: types.CodeType) -> str:
    """Digest of a function's byte code, with those of the functions in it."""
    constants = [_bytecode(value) if isinstance(value, types.CodeType) else repr(value) for value in code.co_consts]
    return hashlib.sha256(repr((code.co_code, code.co_names, constants)).encode()).hexdigest()
