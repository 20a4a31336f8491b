"""Follow the imports of Python files, to further files and to installed distributions."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from ...plugins.imports import is_installation
from .files import all_files

OURS = __name__.split(".core.")[0]
CODE = (".py", ".so", ".pyd")
BY_VERSION = {
    "torch",
    "numpy",
    "scipy",
    "sklearn",
    "pydantic",
    "pydantic_core",
    "transformers",
    *sys.stdlib_module_names,
} - {"__main__"}
"""Packages that are not followed: their version is recorded for each run, or they are standard library."""
INIT = "__init__.py"
OWN = Path(__file__).resolve().parents[3]
IMPORTERS = ("import_module", "__import__")  # functions that import a module by its name


def code_in(folder: Path) -> list[Path]:
    """Return the Python files and compiled modules of a package."""
    return [path for path in all_files(folder) if path.suffix in CODE]


def followed(files: Iterable[Path]) -> tuple[set[Path], set[str]]:
    """Follow imports recursively.

    A module is searched beside the file that imports it, among the loaded modules, and on Python's path. A
    package counts with all its files, a folder without `__init__.py` file by file. Installed distributions
    and ganstrata are identified by their version and not followed. Imports of computed names are not seen.

    Returns:
        These files with all files that they import, and the names of the installed distributions that they
        import.
    """
    visited, distributions = set(files), set[str]()
    pending = [path for path in visited if not path.is_relative_to(OWN)]
    while pending:
        path = pending.pop()
        for names, above in _imports(path) if path.suffix == ".py" else ():
            module = _located(names, above, path.parent)
            if module is None:
                continue
            owners = _owners().get(names[0], ()) if not above and _installed(module) else ()
            distributions.update(owners)
            if not owners:
                own = set(code_in(module.parent) if module.name == INIT else [module]) - visited
                visited |= own
                pending += own
    return visited, distributions


def _located(names: tuple[str, ...], above: int, folder: Path) -> Path | None:
    """Return the file of a module, or of its package.

    Args:
        names: parts of the dotted name.
        above: leading dots of a relative import.
        folder: folder of the importing file.
    """
    if not all(name.isidentifier() for name in names):
        return None
    if above:
        return _within([folder, *folder.parents][min(above - 1, len(folder.parents))], names)
    if not names or names[0] in BY_VERSION or names[0] == OURS:
        return None
    beside = None if is_installation(folder) else _within(folder, names)
    return (
        beside
        or _loaded(names)
        or next(filter(None, (_within(Path(root or "."), names) for root in sys.path)), None)
    )


def _within(root: Path, names: tuple[str, ...]) -> Path | None:
    """Return the file of `a.b.c` below a folder, or of its package; the last names may be objects."""
    for name in names:
        if (package := root / name / INIT).is_file():
            return package.resolve()
        if (file := root / f"{name}.py").is_file():
            return file.resolve()
        if not (root / name).is_dir():
            compiled = (
                (path for path in root.glob(f"{name}.*") if path.suffix in CODE)
                if root.is_dir()
                else iter(())
            )
            return next((path.resolve() for path in sorted(compiled)), None)
        root /= name
    return None


def _loaded(names: tuple[str, ...]) -> Path | None:
    """Return the file of a loaded module, or of its package."""
    for count in range(1, len(names) + 1):
        file = getattr(sys.modules.get(".".join(names[:count])), "__file__", None)
        if file is not None and Path(file).is_file():
            return Path(file).resolve()
    return None


def _installed(file: Path) -> bool:
    """Return whether a file is in an installation folder, such as site-packages."""
    return any(is_installation(folder) for folder in file.parents)


@cache
def _owners() -> dict[str, list[str]]:
    """Return the distributions of each top-level package."""
    return dict(packages_distributions())


def _imports(path: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the names that a file imports anywhere, as parts, with the number of leading dots."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((tuple(alias.name.split(".")), 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            yield from (((*module, alias.name), node.level) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and _name(node.func) in IMPORTERS:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                text = argument.value.lstrip(".")
                yield tuple(text.split(".")), len(argument.value) - len(text)


def _name(function: ast.expr) -> str:
    """Return the last name of a called function."""
    return (
        function.attr
        if isinstance(function, ast.Attribute)
        else function.id
        if isinstance(function, ast.Name)
        else ""
    )
