"""Follows what Python files import: to files whose contents count, and to distributions whose version does."""

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
"""Packages that are not followed: those whose version is recorded for every run, and the standard library."""
INIT = "__init__.py"
OWN = Path(__file__).resolve().parents[3]
IMPORTERS = ("import_module", "__import__")  # functions that import what a text names


def code_in(folder: Path) -> list[Path]:
    """Python files and compiled modules of a package."""
    return [path for path in all_files(folder) if path.suffix in CODE]


def followed(files: Iterable[Path]) -> tuple[set[Path], set[str]]:
    """Return files with all that they import, in turn, and the installed distributions that they import.

    A module is looked for beside the file that imports it, among the imported modules, and on Python's path. Of a package
    all files count, those of a folder without `__init__.py` one by one. What a distribution installed is known by its
    version and not followed, and so is ganstrata; what a module imports under a name that it computes is not seen.
    """
    found, distributions = set(files), set[str]()
    left = [path for path in found if not path.is_relative_to(OWN)]
    while left:
        path = left.pop()
        for names, above in _imports(path) if path.suffix == ".py" else ():
            module = _located(names, above, path.parent)
            if module is None:
                continue
            owners = _owners().get(names[0], ()) if not above and _installed(module) else ()
            distributions.update(owners)
            if not owners:
                own = set(code_in(module.parent) if module.name == INIT else [module]) - found
                found |= own
                left += own
    return found, distributions


def _located(names: tuple[str, ...], above: int, folder: Path) -> Path | None:
    """The file of a module, or of its package; above: leading dots of a relative import."""
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
    """The file of `a.b.c` below a folder, or of the package that it is in; the last names may be those of objects."""
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
    """The same of a module that was imported, from wherever."""
    for count in range(1, len(names) + 1):
        file = getattr(sys.modules.get(".".join(names[:count])), "__file__", None)
        if file is not None and Path(file).is_file():
            return Path(file).resolve()
    return None


def _installed(file: Path) -> bool:
    return any(is_installation(folder) for folder in file.parents)


@cache
def _owners() -> dict[str, list[str]]:
    return dict(packages_distributions())


def _imports(path: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """Dotted names that a file imports, wherever in it, with the dots that lead them."""
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
            given = node.args[0]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                text = given.value.lstrip(".")
                yield tuple(text.split(".")), len(given.value) - len(text)


def _name(function: ast.expr) -> str:
    return (
        function.attr
        if isinstance(function, ast.Attribute)
        else function.id
        if isinstance(function, ast.Name)
        else ""
    )
