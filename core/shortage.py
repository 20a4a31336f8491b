"""Say what a machine is short of, from the errors of many libraries: memory, open files, threads."""

from __future__ import annotations

import errno
import sys

_NO_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
    "failed to allocate",
)


def text_of(error: BaseException) -> str:
    """Return an exception's text; empty if its `__str__` fails, as that of a third-party class may.

    >>> text_of(ValueError("too wide"))
    'too wide'
    """
    try:
        return str(error)
    except Exception:
        return ""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory ran out, on any device."""
    torch = sys.modules.get("torch")
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        sign in text_of(error)[:10_000].lower() for sign in _NO_MEMORY
    )


def shortage(error: BaseException) -> str:
    """Return what a machine is short of and what to do, or an empty text if an error is about something else.

    >>> shortage(OSError(errno.EMFILE, "Too many open files"))
    'too many files are open; close some, or raise the limit (`ulimit -n`)'
    """
    if is_out_of_memory(error):
        return "there is not enough memory; end other programs, or take smaller batches"
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open; close some, or raise the limit (`ulimit -n`)"
    if isinstance(error, RuntimeError) and "can't start new thread" in text_of(error):
        return (
            "no more threads can be started; end other programs, or raise the limit of processes "
            "(`ulimit -u`) or of memory (`ulimit -v`)"
        )
    return ""
