"""Import the object that a config names by dotted path or file.

This runs the user's code, because the user named it. Never use it on a name that comes from a checkpoint.
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
from ..storage.paths import user_path, why_no_file
from .failures import one_line

PATTERN = r"^.+:[A-Za-z_][A-Za-z0-9_.]*$"
"""Form of a target: `package.module:Name` or `FILE.py:Name`.

The last colon separates the name; an earlier one may belong to a drive, as in `C:\\net.py:Name`.
"""

_companions: dict[str, set[str]] = {}  # module name of a file to the modules beside it that it imported


def find(target: str) -> Any:
    """Return the object that `package.module:Name` or `FILE.py:Name` names.

    Raises:
        UserError: the module does not import, or has no such name.
    """
    place, _, name = target.rpartition(":")
    value: Any = _import(place)
    for part in name.split("."):
        if not hasattr(value, part):
            raise UserError(f"{place} has no '{part}'.{nearest(part, vars(value))}")
        value = getattr(value, part)
    return value


def check_arguments(target: Any, name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse keyword arguments with which a callable cannot be called.

    Raises:
        UserError: an argument is unknown or missing; the message shows the signature and the nearest name.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return  # written in C: calling it will raise its own error
    try:
        signature.bind(**arguments)
    except TypeError as error:
        unknown = [key for key in arguments if key not in signature.parameters]
        hint = nearest(unknown[0], signature.parameters) if unknown else ""
        raise UserError(f"do not fit {name}{signature}: {error}.{hint}") from None


def reason(error: BaseException) -> str:
    """Return an exception of the user's code in one line, with its file and line."""
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and "/torch/" not in file.replace("\\", "/"):
            place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{one_line(error)}{place}"


def _import(place: str) -> ModuleType:
    path = user_path(place)
    if path.suffix == ".py" and not path.exists():
        raise UserError(f"no file {path}" + (f" (looked in {Path.cwd()})" if not path.is_absolute() else ""))
    if path.suffix == ".py" and not path.is_file():
        raise UserError(f"{path} cannot be read: {why_no_file(path)}")
    try:
        return _import_file(path) if path.suffix == ".py" else importlib.import_module(place)
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
    """Return the module name under which a user's file is imported."""
    return f"ganstrata_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _import_file(path: Path) -> ModuleType:
    """Run a file in its current form, and the files beside it that it imports.

    No byte code is written: Python recognises an edited file only by its size and the second of its change.
    """
    path = path.resolve()
    name = own_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    for companion in _companions.pop(name, ()):  # they may have been edited as well
        sys.modules.pop(companion, None)
    before = set(sys.modules)
    sys.modules[name] = module  # dataclasses look their module up
    sys.path.insert(0, str(path.parent))  # to import the files beside it
    previous, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
        sys.dont_write_bytecode = previous
    _companions[name] = (
        set()
        if is_installation(path.parent)
        else {key for key in set(sys.modules) - before - {name} if _lies_in(key, path.parent)}
    )
    return module


def is_installation(folder: Path) -> bool:
    """Return whether pip installs packages into a folder, where neighbouring files are unrelated."""
    return (
        folder.name in ("site-packages", "dist-packages")
        or next(folder.glob("*.dist-info"), None) is not None
    )


def _lies_in(module: str, folder: Path) -> bool:
    """Return whether a module is a file in this folder, or belongs to a package in it."""
    top, file = module.split(".")[0], getattr(sys.modules[module], "__file__", None)
    if file is None:
        return False
    path = Path(file).resolve()
    return path == folder / f"{top}.py" or (
        (folder / top / "__init__.py").is_file() and path.is_relative_to(folder / top)
    )
