"""Read the directions in a file of any format, with what the file says about each."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints import Values, read_values
from ..checkpoints.values import OWN
from ..errors import DataError, UserError
from ..messages import shown
from .arrangement import Sizes, arrange
from .foreign import LONGEST, MOST, ForeignBoundary, normalised
from .own_format import read_own
from .recognition import COMPONENTS, Entry, entries_of, left_out, numbered
from .style_channels import style_directions

WANTED = (OWN, "boundary", "eigvec", *(key for keys in COMPONENTS for key in keys))


def read_directions(
    path: Path, sizes: Sizes | None = None, *, form: str | None = None, space: str | None = None
) -> tuple[list[ForeignBoundary], list[str]]:
    """Read all directions in a file: an array, a dictionary or an archive of them (docs/interchange.md).

    Args:
        path: path of the file, whatever its name ends with.
        sizes: sizes of the generator that they belong to; None accepts any, and reads fewer shapes.
        form: what the axes of an array mean, one of arrangement.FORMS; None where the shape alone tells.
        space: latent space that the user states, which may decide what the axes mean.

    Returns:
        The directions in the order of the file, and remarks on what was left out.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, or of another format.
        DataError: it holds no directions; the message says what it holds.
        UserError: a shape has several readings; the message lists them with the option to choose.
    """
    return directions_of(read_values(path, WANTED), sizes, form=form, space=space)


def directions_of(
    values: Values, sizes: Sizes | None = None, *, form: str | None = None, space: str | None = None
) -> tuple[list[ForeignBoundary], list[str]]:
    """Convert the content of a file to directions; see `read_directions`."""
    own = read_own(values)
    if own is not None:
        return own, []
    if space == "s":
        return _in_styles(values, sizes or Sizes()), []
    try:
        entries, left = entries_of(values.content)
    except DataError as error:
        raise DataError(_at(values.path, error)) from None
    if sum(entry.array.size for entry in entries) > LONGEST:
        raise DataError(f"{values.path}: of directions, at most {LONGEST} numbers are read")
    directions: list[ForeignBoundary] = []
    for entry in entries:
        directions += _of_entry(values, entry, sizes or Sizes(), form, space)
        if len(directions) > MOST:
            raise DataError(f"{values.path} holds more than {MOST} directions")
    return directions, [f"{values.path}: {left_out(left)}"] if left else []


def _in_styles(values: Values, sizes: Sizes) -> list[ForeignBoundary]:
    """Return the directions in s in a file; see style_channels.py."""
    if not sizes.styles:
        raise DataError(
            f"{values.path}: which style channels there are is not known; "
            "name a checkpoint with styles as --assume, not a run"
        )
    try:
        vectors = style_directions(values.content, sizes.styles)
    except DataError as error:
        raise DataError(_at(values.path, error)) from None
    directions = []
    for name, vector in vectors:
        normal, length = normalised(vector, f"{values.path}: {shown(name)}" if name else values.path)
        directions.append(
            ForeignBoundary(normal, length, None, None, values.container, values.sha256, name, space="s")
        )
    return directions


def _of_entry(
    values: Values, entry: Entry, sizes: Sizes, form: str | None, space: str | None
) -> list[ForeignBoundary]:
    """Return the directions in one array of a file, with a number each if they are several."""
    where = f"{values.path}: {shown(entry.name)}" if entry.name else str(values.path)
    try:
        rows = arrange(entry.array, sizes, entry.form or form, entry.space or space)
    except DataError as error:
        raise DataError(_at(where, error)) from None
    except UserError as error:
        raise UserError(_at(where, error)) from None
    several = len(rows) > 1
    directions = []
    for i, (row, facts) in enumerate(zip(rows, numbered(entry, len(rows)), strict=True)):
        name = ".".join(part for part in (entry.name, str(i) if several else "") if part)
        normal, length = normalised(row, where + (f", direction {i}" if several else ""))
        implied = None if entry.space is None else "w+" if normal.ndim == 2 else entry.space
        directions.append(
            ForeignBoundary(
                normal,
                length,
                entry.layers,
                entry.kind,
                values.container,
                values.sha256,
                name,
                several and not entry.name,
                implied,
                facts=facts,
            )
        )
    return directions


def _at(where: str | Path, error: UserError) -> str:
    """Return a message with the place before it."""
    text = str(error)
    return f"{where}{' ' if text.startswith('holds') else ': '}{text}"
