"""Read codes from the files of other programs: inverted pictures, projections, samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints import Inert, Values, read_values
from ..errors import DataError, UserError
from ..messages import listed, shown
from .arrays import as_array, describe
from .code_shapes import CodeSizes, read_shape
from .lists import space_of
from .own_codes import SPACES as OWN_SPACES
from .own_codes import stated_generator

KEYS = {"z": "z", "w": "w", **dict.fromkeys(("codes", "wp", "w+", "w_plus", "wplus", "ws"), "w+")}
"""Keys of arrays in dictionaries and archives, and the space that each names."""
LATENT = ("latent", "latents", "latent_code", "latent_codes", "projected_w")  # keys that name no space
OPTIONAL = ("condition", "index")  # arrays that a file of codes may have too
MOST = 1_000_000  # arrays in a dictionary of codes, at most
NUMBERS = 2**27  # numbers of all arrays in a dictionary of codes, at most: 14,000 codes of 18 x 512


@dataclass(frozen=True)
class FoundCodes:
    """Hold the codes of a file.

    Attributes:
        values: (N, D), (N, Z) or (N, L, D), float32.
        space: z, w or w+.
        optional: condition and index, as far as the file has them.
        generator: fingerprint of the generator that the file names, or None.
        sha256: SHA-256 of the file, in hex.
        remarks: remarks for the user.
    """

    values: NDArray[np.float32]
    space: str
    optional: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    generator: str | None = None
    sha256: str = ""
    remarks: tuple[str, ...] = ()


def read_codes(
    path: Path,
    *,
    layers: int | None = None,
    size: int | None = None,
    latent: int | None = None,
    codes_as: str | None = None,
    space: str | None = None,
) -> NDArray[np.float32]:
    """Read saved codes of a generator: (N, D), or (N, L, D) with one per layer.

    Args:
        path: path of the file: an array, or a dictionary or archive of one (docs/interchange.md).
        layers: number of layers L of the generator; None accepts any.
        size: code size D of the generator; None accepts any.
        latent: latent size Z of the generator; None accepts any.
        codes_as: `code` for one code (L, D), `codes` for N of them, `codes-last` if the last axis counts
            them; needed where the shape does not tell.
        space: z, w or w+; needed where neither file nor shape tells.

    Raises:
        CheckpointError: the file cannot be read.
        DataError: it does not hold codes, or they do not fit the generator or are not finite.
        UserError: its shape has several readings; the message lists them.
    """
    mapped = None if latent is None or size is None or latent == size else True
    sizes = CodeSizes(layers, size, latent, mapped)
    return find_codes(Path(path), sizes, codes_as=codes_as, space=space).values


def find_codes(
    path: Path, sizes: CodeSizes, *, codes_as: str | None = None, space: str | None = None
) -> FoundCodes:
    """Read codes with all that their file says about them; see `read_codes`."""
    if space is not None:
        known = space_of(space)
        if known not in ("z", "w", "w+"):
            raise UserError(f"--space {space}: there is no such latent space of codes; z, w and w+ are known")
        space = known
    values = read_values(path, (*KEYS, *LATENT, *OPTIONAL))
    generator = stated_generator(values)
    array, key, optional = _chosen(values, generator is not None, space)
    stated = KEYS.get(key or "")
    if stated == "w" and sizes.code is not None and (array.ndim == 3 or array.shape[-1:] != (sizes.code,)):
        stated = None  # what NVIDIA's projector calls w has a code per layer, which its shape says
    if stated is not None and space not in (None, stated) and not (stated == "w" and space == "w+"):
        raise DataError(f"{path}: its array '{key}' lies in {stated}, and not in {space}; leave out --space")
    where = f"{path}: {key}" if key else str(path)
    try:
        reading = read_shape(array, sizes, form=codes_as, space=space or stated, sure=generator is not None)
    except DataError as error:
        raise DataError(f"{where} {error}") from None
    except UserError as error:
        raise UserError(f"{where} {error}") from None
    with np.errstate(over="ignore"):
        codes = np.ascontiguousarray(reading.codes, dtype=np.float32)
    wrong = int((~np.isfinite(codes)).sum())
    if wrong:
        raise DataError(f"{where}: {wrong} of its numbers are not finite, or too large for single precision")
    remarks = (f"{where} was read as {reading.words}",) if _rearranged(reading.form, array, codes) else ()
    return FoundCodes(codes, reading.space, optional, generator, values.sha256, remarks)


def _rearranged(form: str, array: NDArray[Any], codes: NDArray[Any]) -> bool:
    """Return whether axes were moved or made, which a remark then says."""
    return form == "codes-last" or (form == "codes" and array.shape != codes.shape)


def _chosen(
    values: Values, own: bool, space: str | None
) -> tuple[NDArray[Any], str | None, dict[str, NDArray[Any]]]:
    """Return the array of codes in a file, its key if it has one, and the optional arrays.

    Raises:
        DataError: there is no array of codes, or more than one.
    """
    content, path = values.content, values.path
    array = as_array(content)
    if array is not None:
        return array, None, {}
    if not isinstance(content, Mapping):
        raise DataError(f"{path} holds {describe(content)}; arrays of numbers are needed")
    optional = {key: _numbers(content[key], key, path) for key in OPTIONAL if key in content}
    kinds = [key for key in KEYS if key in content]
    if own and len(kinds) > 1:  # ganstrata's own: w, and the codes made of it
        wanted = [key for key in kinds if OWN_SPACES.get(key) == (space or "w+")]
        kinds = wanted or kinds
    if len(kinds) == 1:
        return _numbers(content[kinds[0]], kinds[0], path), kinds[0], optional
    rest = {key: value for key, value in content.items() if key not in OPTIONAL}
    if not kinds:
        arrays = _without_key(rest, path)
        if arrays is not None:
            return *arrays, optional
    raise DataError(
        f"{path} holds {listed(content) or 'nothing'}; exactly one of codes, w, z is needed, "
        f"with {' and '.join(OPTIONAL)} if wanted"
    )


def _without_key(content: Mapping[Any, Any], path: Path) -> tuple[NDArray[Any], str | None] | None:
    """Return the codes in a dictionary none of whose keys names a space, and their key; None if unclear.

    Either one array is called `latent` or the like, or is the only one; or every value is a code, or a list
    or dictionary of one (the projectors of rosinality and ReStyle), by the name of its picture.
    """
    for key in LATENT:
        array = as_array(content.get(key))
        if array is not None and array.ndim:
            return array, key
    if len(content) > MOST:
        return None
    arrays, size = [], 0
    for key, value in content.items():
        inner = value
        if isinstance(value, Mapping):
            inner = next((value[name] for name in LATENT if name in value), None)
        array = as_array(inner)
        if array is not None and array.ndim:
            arrays.append((key, array))
            size += array.size
            if size > NUMBERS and len(arrays) > 1:  # one array under many names would be copied as often
                raise DataError(f"{path}: of a dictionary of codes, at most {NUMBERS} numbers are read")
        elif not (value is None or isinstance(value, str | bool | int | float | Inert)):
            return None
    if len(arrays) == 1:
        key = arrays[0][0]
        return arrays[0][1], key if isinstance(key, str) and not isinstance(content[key], Mapping) else None
    if not arrays or len({array.shape for _, array in arrays}) > 1:
        return None
    return np.stack([array for _, array in arrays]), None


def _numbers(value: Any, key: str, path: Path) -> NDArray[Any]:
    """Return an array of a dictionary.

    Raises:
        DataError: it is not one.
    """
    array = as_array(value)
    if array is None:
        raise DataError(f"{path}: {shown(key)} is {describe(value)}; arrays of numbers are needed")
    return array
