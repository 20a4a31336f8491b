"""Expand and check paths that users write."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from ..errors import UserError
from ..messages import NAME, visible

TYPES = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What a path may name, in words."""


def type_in_words(mode: int) -> str:
    """Return what the mode of a path says it names.

    >>> type_in_words(stat.S_IFIFO | 0o600)
    'a named pipe'
    """
    return TYPES.get(stat.S_IFMT(mode), "no regular file")


def why_no_file(path: Path) -> str:
    """Return why a path cannot be read as a file: what it names instead, or that nothing is there.

    Named pipes are not opened: without a writer, that blocks.

    >>> why_no_file(Path(__file__).parent)
    'it is a folder; a regular file is needed'
    """
    try:
        return f"it is {type_in_words(path.stat().st_mode)}; a regular file is needed"
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL is a ValueError
        return "there is no such file"
    except OSError as error:
        return error.strerror or str(error)


def user_path(text: str | Path) -> Path:
    """Return a path with ~ expanded. It need not exist.

    Raises:
        UserError: it is empty, too long, contains a NUL, or begins with the home folder of an unknown user.

    Example:
        >>> user_path("weights/network.pkl").name
        'network.pkl'
    """
    if str(text) == "":
        raise UserError("an empty path was given; write . for the working directory")
    shown = f"'{visible(str(text))}'" + (f" ({len(str(text))} characters)" if len(str(text)) > NAME else "")
    try:
        path = Path(text).expanduser()
        path.stat()
    except RuntimeError:
        raise UserError(
            f"the path {shown} begins with the home folder of a user that is not known here"
        ) from None
    except ValueError as error:
        raise UserError(f"the path {shown} cannot be used: {error}") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
            raise UserError(f"the path {shown} cannot be used: {error.strerror}") from None
    return path
