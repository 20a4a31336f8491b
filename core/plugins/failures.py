"""Report an exception raised by a plugin with the plugin's name, the method called, and its file and line."""

from __future__ import annotations

import multiprocessing
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType

import pluggy

from ..errors import GanstrataError, MemoryExhausted, PluginBroken
from ..messages import visible
from ..shortage import is_out_of_memory, text_of
from .activity import noted

LONGEST = 400
"""Maximum number of characters of an exception's text that a message repeats."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = tuple(os.path.join(_PACKAGE, folder) for folder in ("core", "cli", "testing"))


@contextmanager
def plugin_call(
    owner: str,
    what: str,
    *,
    home: str = "",
    relief: str = "",
    passing: Callable[[BaseException], bool] = lambda _: False,
) -> Iterator[None]:
    """Convert any exception raised in the block to an error that names the plugin.

    Args:
        owner: the plugin in words, such as "scorer 'contrast' from ganstrata-discs 0.1".
        what: the method that is called.
        home: name of the module that defines the plugin's class.
        relief: advice to add when memory runs out.
        passing: tells the exceptions that are no failure of the plugin, and pass unchanged.

    Raises:
        GanstrataError: the plugin's own, or one made from its exception. KeyboardInterrupt passes through.
    """
    try:
        with noted(owner, what):
            yield
    except BaseException as error:  # includes SystemExit, which is not an Exception
        if is_interrupt(error) or is_own_error(error) or passing(error):
            raise
        raise plugin_error(error, owner, what, home=home, relief=relief) from error


def is_interrupt(error: BaseException) -> bool:
    """Return whether an exception is Ctrl-C. Workers ignore that, so in them it is the plugin's own."""
    return isinstance(error, KeyboardInterrupt) and multiprocessing.parent_process() is None


def is_own_error(error: BaseException) -> bool:
    """Return whether an exception is a GanstrataError with a text, which is shown unchanged."""
    return isinstance(error, GanstrataError) and bool(text_of(error).strip())


def plugin_error(
    error: BaseException, owner: str, what: str, *, home: str = "", relief: str = ""
) -> GanstrataError:
    """Return the error to raise in place of a plugin's exception; arguments as for `plugin_call`."""
    text = f"{owner} failed in {what}: {one_line(error)}{location(error, home)}"
    if is_out_of_memory(error):
        return MemoryExhausted(f"{text}. Memory ran out; {relief or 'try smaller batches'}")
    return PluginBroken(text)


def one_line(error: BaseException) -> str:
    """Return an exception's type and text in one short line.

    >>> one_line(ValueError("first\\n  second"))
    'ValueError: first second'
    """
    text = visible(" ".join(text_of(error)[: 4 * LONGEST].split()), LONGEST)
    name = type(error).__name__
    return f"{name}: {text}" if text else name


def location(error: BaseException, home: str = "") -> str:
    """Return " (FILE:LINE)" of the innermost frame in the plugin's or the user's code, or nothing."""
    return _innermost(error.__traceback__, _root(home))


def reason_of_import(error: BaseException) -> str:
    """Return why an import failed, in one line, with the last file and line outside ganstrata and pluggy."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not _is_machinery(frame.filename)
    ]
    place = f"   ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{one_line(error)}{place}"


def _is_machinery(file: str) -> bool:
    """Return whether a file belongs to ganstrata or to what loads plugins, not to the plugin itself."""
    return (
        file.startswith("<")
        or "importlib" in file
        or _is_ours(_normal(file))
        or os.path.dirname(file) == os.path.dirname(pluggy.__file__)
    )


def _innermost(trace: TracebackType | None, root: str) -> str:
    place = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _is_reported(file, root):
            place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _is_reported(file: str, root: str) -> bool:
    """Return whether a file is the plugin's, or belongs to neither ganstrata nor an installed library."""
    if file.startswith("<"):
        return False
    path = _normal(file)
    if _is_ours(path):
        return False
    return (root != "" and _within(path, root)) or not any(_within(path, folder) for folder in _libraries())


def _is_ours(path: str) -> bool:
    """Return whether a file is ganstrata's own, and of none of its plugins."""
    return any(_within(path, _normal(folder)) for folder in _OURS) or path == _normal(
        os.path.join(_PACKAGE, "__init__.py")
    )


def _root(home: str) -> str:
    """Return the folder of a module's top-level package, or the module's file if it is not in a package."""
    module = sys.modules.get(home.partition(".")[0])
    file = getattr(module, "__file__", None)
    if not file:
        return ""
    return _normal(os.path.dirname(file) if os.path.basename(file).startswith("__init__.") else file)


@cache
def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(
        {_normal(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib") if key in paths}
    )


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _normal(path: str) -> str:
    return os.path.normcase(os.path.abspath(path))
