"""Write and read directions with all that is known about them: one archive, JSON or safetensors file.

The arrays are under the names of the boundaries, so that any program can use them. A description under the
key `ganstrata` states space, level, layers, conditions, offset, the generator's fingerprint, and where
the slope of a boundary is whose normal is another vector (`Boundary.slope`).
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError
from safetensors.numpy import save

from ..checkpoints import Values
from ..checkpoints.values import OWN
from ..config.faults import describe as faults_of
from ..errors import DataError, UserError
from ..messages import quantity, shown, visible
from ..plugins.boundary import Boundaries
from .arrays import Streamed, as_array, describe
from .foreign import LONGEST, MOST, ForeignBoundary, normalised

TEXT = 900_000  # characters of the description, at most: readers allow a million
OwnForm = Literal["npz", "json", "safetensors"]


class _Direction(BaseModel):
    """Describe one direction; its normal is the array of the same name."""

    model_config = ConfigDict(strict=True)
    name: str = Field(min_length=1)
    concept: str
    level: str
    space: str
    generator: str
    layers: list[NonNegativeInt] | None
    given: list[str]
    offset: list[FiniteFloat]
    facts: dict[str, Any] = {}
    direction: str = ""
    slope: str | None = None


class _Description(BaseModel):
    """Describe all directions of a file."""

    model_config = ConfigDict(strict=True)
    holds: Literal["directions"]
    format: Literal[1]
    directions: list[_Direction]


def write_own(boundaries: Boundaries, form: OwnForm) -> tuple[bytes, bool]:
    """Return the content of a file with all boundaries, and whether facts had to be left out.

    Raises:
        UserError: even without their facts there are too many for one file.
    """
    arrays = {b.name: np.ascontiguousarray(b.normal, dtype=np.float32) for b in boundaries}
    arrays |= {
        _slope_key(b.name, boundaries.names): np.ascontiguousarray(b.slope, dtype=np.float32)
        for b in boundaries
        if b.slope is not None
    }
    text, short = _described(boundaries, facts=True), False
    if len(text) > TEXT:
        text, short = _described(boundaries, facts=False), True
    if len(text) > TEXT:
        raise UserError(
            f"{len(boundaries)} boundaries are too many for one file; choose some of them with --only"
        )
    return own_bytes(arrays, text, form), short


def own_bytes(arrays: Mapping[str, NDArray[Any]], text: str, form: OwnForm) -> bytes:
    """Return the content of a file of arrays by name, with a description in JSON."""
    if form == "json":
        lists = {name: array.tolist() for name, array in arrays.items()}
        return (json.dumps({OWN: json.loads(text), **lists}) + "\n").encode()
    if form == "safetensors":
        return save(dict(arrays), metadata={OWN: text})
    archive = io.BytesIO()
    write_archive(archive, {name: Streamed.of(np.asanyarray(array)) for name, array in arrays.items()}, text)
    return archive.getvalue()


def write_archive(file: IO[bytes], arrays: Mapping[str, Streamed], text: str) -> None:
    """Write arrays by name, with a description in JSON, to a file as .npz."""
    with zipfile.ZipFile(file, "w") as archive:  # np.savez takes names as keywords, and some for itself
        for name, array in {OWN: Streamed.of(np.array(text)), **arrays}.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # a fixed date: same bytes
            info.file_size = array.bytes
            with archive.open(info, "w") as member:
                for part in array.parts():
                    member.write(part)


def _slope_key(name: str, names: Sequence[str]) -> str:
    """Return the name of the array of a slope: one that no boundary has.

    >>> _slope_key("a/x", ["a/x"]), _slope_key("a/x", ["a/x", "a/x slope"])
    ('a/x slope', 'a/x slope_')
    """
    key = f"{name} slope"
    while key in names:
        key += "_"
    return key


def _described(boundaries: Boundaries, *, facts: bool) -> str:
    """Return the description of boundaries as JSON."""
    rows = [
        {
            "name": b.name,
            "concept": b.concept,
            "level": b.level,
            "space": b.space,
            "generator": b.generator,
            "layers": None if b.layers is None else list(b.layers),
            "given": list(b.given),
            "offset": np.atleast_1d(np.asarray(b.offset, dtype=np.float64)).tolist(),
            **({"facts": dict(b.facts)} if facts else {}),
            **({"direction": b.direction} if b.direction else {}),
            **({"slope": _slope_key(b.name, boundaries.names)} if b.slope is not None else {}),
        }
        for b in boundaries
    ]
    return json.dumps({"holds": "directions", "format": 1, "directions": rows})


def description_of(values: Values) -> dict[str, Any] | None:
    """Return the description that ganstrata wrote into a file; None if there is none.

    Raises:
        DataError: it is damaged.
    """
    content = values.content
    if not isinstance(content, Mapping) or OWN not in content:
        return None
    raw = content[OWN]
    if isinstance(raw, np.ndarray) and raw.dtype.kind == "U" and raw.ndim == 0:
        try:
            raw = json.loads(str(raw))
        except (ValueError, RecursionError):
            raw = None
    if not isinstance(raw, dict):
        raise DataError(f"{values.path}: its '{OWN}' is {describe(raw)}, and no description; it is damaged")
    return raw


def read_own(values: Values) -> list[ForeignBoundary] | None:
    """Return the directions of a file that ganstrata wrote; None if another program wrote it.

    Raises:
        DataError: the description is damaged, or does not fit the arrays.
    """
    raw = description_of(values)
    if raw is None:
        return None
    if raw.get("holds") != "directions":
        raise DataError(f"{values.path} holds {shown(raw.get('holds'))} by ganstrata, and no directions")
    try:
        rows = _Description.model_validate(raw).directions
    except ValidationError as error:
        fault = faults_of(error, _Description, raw)[0]
        raise DataError(f"{values.path}: its description is damaged: {fault}") from None
    if len(rows) > MOST:
        raise DataError(f"{values.path} holds more than {MOST} directions")
    boundaries: list[ForeignBoundary] = []
    left = LONGEST
    for row in rows:
        where = f"{values.path}: {shown(row.name)}"
        array = as_array(values.content.get(row.name))
        if array is None or array.ndim not in (1, 2) or not array.size:
            raise DataError(f"{where} is {describe(values.content.get(row.name))}; a normal was expected")
        left -= array.size
        if left < 0:
            raise DataError(f"{values.path} names more than {LONGEST} numbers in all")
        normal, length = normalised(array, where)
        if len(row.offset) != (len(array) if array.ndim == 2 else 1):
            raise DataError(f"{where} has {quantity(len(row.offset), 'offset')} for a normal {array.shape}")
        slope = None if row.slope is None else _slope_of(row.slope, array.shape, values.content, where)
        offset = np.asarray(row.offset, dtype=np.float64) / length
        boundaries.append(
            ForeignBoundary(
                normal,
                length,
                None if row.layers is None else ",".join(map(str, row.layers)),
                visible(row.level),
                values.container,
                values.sha256,
                row.direction or row.concept,
                space=row.space,
                generator=row.generator,
                given=tuple(row.given),
                offset=offset if array.ndim == 2 else offset[0],
                facts=row.facts,
                target=row.concept if row.direction else None,
                slope=slope,
            )
        )
    return boundaries


def _slope_of(
    key: str, shape: tuple[int, ...], content: Mapping[str, Any], where: str
) -> NDArray[np.float64]:
    """Return the slope that lies under a name, of unit length.

    Raises:
        DataError: there is none of the shape of the normal.
    """
    array = as_array(content.get(key))
    if array is None or array.shape != shape:
        raise DataError(
            f"{where} has a slope '{visible(key)}', which is "
            f"{'missing' if key not in content else describe(content[key])}; "
            f"an array like its normal {shape} was expected"
        )
    return normalised(array, f"{where}, slope")[0]
