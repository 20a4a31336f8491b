"""Expand and check paths that users write."""

from __future__ import annotations

import errno
from pathlib import Path

from ..errors import UserError
from ..messages import NAME, visible


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
