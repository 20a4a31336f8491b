"""Paths that people write: with ~ for a home folder, and refused in words where no system takes them."""

from __future__ import annotations

import errno
from pathlib import Path

from ..errors import UserError
from ..text import NAME, visible


def user_path(text: str | Path) -> Path:
    """The path that is meant; whether anything is there is left to the caller.

    Raises:
        UserError: too long for this system, with a NUL, or the home folder of nobody.

    Example:
        >>> user_path("weights/network.pkl").name
        'network.pkl'
    """
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
