"""Finds what a config names by dotted path. Importing the user's code is what the user asks for.

Not to be used on anything that came out of a checkpoint.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import UserError, nearest
from ..storage.paths import user_path
from .failures import one_line

PATTERN = r"^.+:[A-Za-z_][A-Za-z0-9_.]*$"
"""What a target looks like: `package.module:Name`, or `FILE.py:Name`. The last colon counts: that of a drive, `C:\\net.py:Name`, comes before it."""

_companions: dict[
    str, set[str]
] = {}  # of a file that was run: names of the modules beside it that came with it


def find(target: str) -> Any:
    """The object behind `package.module:Name` or `FILE.py:Name`.

    Raises:
        UserError: the module does not import, or has no such name.
    """
    place, _, name = target.rpartition(":")
    found: Any = _import(place)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UserError(f"{place} has no '{part}'.{nearest(part, vars(found))}")
        found = getattr(found, part)
    return found


def check_arguments(target: Any, name: str, given: Mapping[str, Any]) -> None:
    """Refuse keyword arguments that a callable does not take, or does not take alone.

    Raises:
        UserError: with its signature and the nearest name.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return  # made in C: its own complaint must do
    try:
        signature.bind(**given)
    except TypeError as error:
        unknown = [key for key in given if key not in signature.parameters]
        hint = nearest(unknown[0], signature.parameters) if unknown else ""
        raise UserError(f"do not fit {name}{signature}: {error}.{hint}") from None


def reason(error: BaseException) -> str:
    """An exception of the user's code in one line, with the place it came from."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and "/torch/" not in file.replace("\\", "/"):
            place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{one_line(error)}{place}"


def _import(place: str) -> ModuleType:
    path = user_path(place)
    try:
        return _import_file(path) if path.suffix == ".py" else importlib.import_module(place)
    except FileNotFoundError:
        raise UserError(
            f"no file {path}" + (f" (looked in {Path.cwd()})" if not path.is_absolute() else "")
        ) from None
    except ModuleNotFoundError as error:
        if path.suffix == ".py" or error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise UserError(f"{place} does not import: {reason(error)}") from error
        hint = "install its package, put its folder on PYTHONPATH, or name the file as FILE.py:Name"
        raise UserError(f"there is no module '{error.name}' to import; {hint}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UserError(f"{place} does not import: {reason(error)}") from error


def own_name(path: Path) -> str:
    """The name under which a file of the user's is a module here."""
    return f"ganstrata_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _import_file(path: Path) -> ModuleType:
    """Run a file, as it is now, and with it the files beside it that it imports.

    No byte code is kept of them: Python tells it from that of an edited file by size and second alone.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    path = path.resolve()
    name = own_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    found = importlib.util.module_from_spec(spec)
    for companion in _companions.pop(name, ()):  # they may have been edited as well
        sys.modules.pop(companion, None)
    before = set(sys.modules)
    sys.modules[name] = found  # dataclasses look their module up
    sys.path.insert(0, str(path.parent))  # the files beside it
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(found))
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
        sys.dont_write_bytecode = kept
    _companions[name] = (
        set()
        if is_installation(path.parent)
        else {key for key in set(sys.modules) - before - {name} if _lies_in(key, path.parent)}
    )
    return found


def is_installation(folder: Path) -> bool:
    """Whether pip puts packages into a folder: what lies side by side there does not belong together."""
    return (
        folder.name in ("site-packages", "dist-packages")
        or next(folder.glob("*.dist-info"), None) is not None
    )


def _lies_in(module: str, folder: Path) -> bool:
    """Whether a module is a file of this folder, or in a package of it."""
    top, file = module.split(".")[0], getattr(sys.modules[module], "__file__", None)
    if file is None:
        return False
    path = Path(file).resolve()
    return path == folder / f"{top}.py" or (
        (folder / top / "__init__.py").is_file() and path.is_relative_to(folder / top)
    )
