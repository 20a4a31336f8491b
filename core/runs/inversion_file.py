"""Write and read the files of inverted pictures: codes with all that belongs to them, and weights.

Nothing in these files is run, and nothing is used before it was found to fit its header and the generator.

Shapes: N pictures, L layers, D code size, Z latent size, K codes of a mixture, C channels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors.torch import save
from torch import Tensor

from ..checkpoints import Values, read_values
from ..checkpoints.safetensors_file import SETTINGS
from ..checkpoints.values import OWN
from ..config.faults import describe
from ..errors import DataError, MismatchError
from ..messages import listed, quantity, shown, visible
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..plugins.inverter import Inversion, Mixture
from ..randomness import Stream
from ..storage.filenames import is_safe_stem
from ..strata.noise_maps import size_of_noise
from ..strata.tuned import checked

FORMAT: Literal[1] = 1
MOST = 100_000  # pictures in a file of codes
SEEDS = 2**63
NOISE = "noise."
HeaderT = TypeVar("HeaderT", bound=BaseModel)


class CodesHeader(BaseModel):
    """Represent the header of a file of codes; who knows codes alone reads `holds` and `generator`."""

    model_config = ConfigDict(strict=True)
    holds: Literal["codes"]
    format: Literal[1]
    inversion: Literal[1]
    generator: str
    space: Literal["z", "w", "w+"]
    seed: Annotated[int, Field(ge=0, lt=SEEDS)]
    names: Annotated[list[str], Field(min_length=1, max_length=MOST)]
    stratum: Annotated[int, Field(ge=0)] | None
    weights: bool

    @model_validator(mode="after")
    def _names_files(self) -> CodesHeader:
        for name in self.names:
            if not is_safe_stem(name):
                raise ValueError(f"{shown(name)} cannot be the name of a file")
        if len({name.casefold() for name in self.names}) < len(self.names):
            raise ValueError("two pictures have the same name")
        return self


class WeightsHeader(BaseModel):
    """Represent the header of a file of weights."""

    model_config = ConfigDict(strict=True)
    holds: Literal["weights"]
    format: Literal[1]
    generator: str
    picture: str


def codes_bytes(
    inversion: Inversion, index: Tensor, names: Sequence[str], *, generator: str, seed: int
) -> bytes:
    """Return the content of a file of codes.

    Args:
        inversion: N pictures; losses are left out.
        index: (N,), which decide the fresh noise of each picture.
        names: N different stems of file names.
        generator: fingerprint of the generator.
        seed: seed of fresh noise.
    """
    mixture, tensors = inversion.mixture, tensors_of(inversion, index)
    header = CodesHeader(
        holds="codes",
        format=FORMAT,
        inversion=1,
        generator=generator,
        space=inversion.space,
        seed=seed,
        names=list(names),
        stratum=None if mixture is None else mixture.stratum,
        weights=bool(inversion.weights),
    )
    return _bytes(tensors, header)


def tensors_of(inversion: Inversion, index: Tensor) -> dict[str, Tensor]:
    """Return everything of an inversion but weights and losses as tensors by name, and the index (N,)."""
    mixture = inversion.mixture
    tensors = {"codes": inversion.codes.float(), "index": index.long()}
    if inversion.condition is not None:
        tensors["condition"] = inversion.condition
    if inversion.latent is not None:
        tensors["latent"] = inversion.latent.float()
    tensors |= {f"{NOISE}{s}": maps.float() for s, maps in inversion.noise.items()}
    if mixture is not None:
        tensors |= {"mixture.codes": mixture.codes.float(), "mixture.weights": mixture.weights.float()}
    return tensors


def weights_bytes(weights: Mapping[str, Tensor], *, generator: str, picture: str) -> bytes:
    """Return the content of the file of what is added to tensors of the generator for one picture.

    Args:
        weights: by names of tensors in `Generator.tunable`.
        generator: fingerprint of the generator as it was, without them.
        picture: name of the picture.
    """
    header = WeightsHeader(holds="weights", format=FORMAT, generator=generator, picture=picture)
    return _bytes({name: tensor.float() for name, tensor in weights.items()}, header)


def _bytes(tensors: Mapping[str, Tensor], header: BaseModel) -> bytes:
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return save(stored, metadata={SETTINGS: json.dumps(header.model_dump())})


def header_of(values: Values) -> CodesHeader:
    """Return the header of a file of codes.

    Raises:
        DataError: it has none, or one that is damaged.
    """
    return _header(values, CodesHeader, "codes")


def _header(values: Values, model: type[HeaderT], holds: str) -> HeaderT:
    """Return the header of a file.

    Raises:
        DataError: it has none, or one that is damaged.
    """
    raw = values.content.get(OWN) if isinstance(values.content, Mapping) else None
    if (
        not isinstance(raw, dict)
        or raw.get("holds") != holds
        or (holds == "codes" and "inversion" not in raw)
    ):
        raise DataError(
            f"{values.path} does not hold the {holds} of inverted pictures; `ganstrata invert` writes them"
        )
    if raw.get("format") != FORMAT or (holds == "codes" and raw.get("inversion") != 1):
        raise DataError(
            f"{values.path} was written by another version of ganstrata; invert the pictures again"
        )
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise DataError(f"{values.path}: its header is damaged: {describe(error, model, raw)[0]}") from None


def inversion_of(values: Values, header: CodesHeader, generator: Generator) -> tuple[Inversion, Tensor]:
    """Return what a file of codes holds, and the index.

    Raises:
        DataError: an array is missing, of another shape or type, not finite, or of no known name.
    """
    arrays = {name: array for name, array in values.content.items() if name != OWN}
    n, card = len(header.names), generator.card

    def take(name: str, *sizes: int | None) -> Tensor:
        return _floats(arrays.pop(name, None), f"{values.path}: {name}", sizes).to(generator.device)

    codes = take("codes", n, card.layers, card.code_size)
    index = _integers(arrays.pop("index", None), f"{values.path}: index", n)
    latent = None
    if "latent" in arrays:
        latent = take("latent", n, card.latent_size if header.space == "z" else card.code_size)
    if (latent is None) != (header.space == "w+"):
        what = f"no {header.space}" if latent is None else "a latent"
        raise DataError(f"{values.path}: its codes are said to be in {header.space}, and it holds {what}")
    mixture = None
    if header.stratum is not None:
        _require_stratum(values.path, header.stratum, generator)
        several = take("mixture.codes", n, None, card.layers, card.code_size)
        channels = take("mixture.weights", n, several.shape[1], None)
        mixture = Mixture(several, channels, header.stratum)
    noise = {}
    for name in sorted(name for name in arrays if name.startswith(NOISE)):
        digits = name.removeprefix(NOISE)
        s = int(digits) if digits.isdecimal() and len(digits) < 6 else len(generator.strata)
        _require_stratum(values.path, s, generator)
        noise[s] = take(name, n, *_noise_size(f"{values.path}: {visible(name)}", s, generator))
    condition = _condition(arrays.pop("condition", None), values.path, n, generator)
    if arrays:
        raise DataError(f"{values.path} holds {listed(arrays, 3)}, which no inversion has; it is damaged")
    return Inversion(codes, condition, latent, header.space, noise, (), mixture), index


def read_weights(folder: Path, name: str, generator: Generator) -> Mapping[str, Tensor]:
    """Return what is added to the generator's tensors for a picture.

    Raises:
        DataError: the file is missing or damaged.
        MismatchError: it is of another generator.
    """
    file = folder / f"{name}.safetensors"
    if not file.is_file():
        raise DataError(
            f"{file} is missing, which the picture '{name}' needs; give the whole folder that "
            "`ganstrata invert` wrote"
        )
    values = read_values(file)
    header = _header(values, WeightsHeader, "weights")
    if header.generator != generator.fingerprint:
        raise MismatchError(
            f"{file} is of generator {shown(header.generator)}; this one is {generator.fingerprint}"
        )
    if header.picture != name:
        raise DataError(f"{file} is of the picture {shown(header.picture)}, and not of '{name}'")
    arrays = {key: array for key, array in values.content.items() if key != OWN}
    weights = {
        key: _floats(array, f"{file}: {visible(str(key))}", None).to(generator.device)
        for key, array in arrays.items()
    }
    try:
        checked(generator, weights)
    except MismatchError as error:
        raise MismatchError(f"{file}: {error}") from None
    return weights


def _floats(array: Any, where: str, sizes: Sequence[int | None] | None) -> Tensor:
    """Return an array as a tensor.

    Args:
        array: from a file; None if it is missing.
        where: file and name, for messages.
        sizes: the size of each axis, None for any from 1 on; None for any axes.

    Raises:
        DataError: it is not of single precision, of another shape, or not finite.
    """
    shape = getattr(array, "shape", None)
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or shape is None:
        what = "missing" if array is None else shown(array)
        raise DataError(f"{where} is {what}; numbers of single precision are needed. The file is damaged")
    if sizes is not None and (
        len(shape) != len(sizes)
        or any(
            size < 1 if wanted is None else size != wanted for size, wanted in zip(shape, sizes, strict=True)
        )
    ):
        wanted = " x ".join("any" if size is None else str(size) for size in sizes)
        raise DataError(f"{where} has shape {' x '.join(map(str, shape))}; {wanted} is needed")
    if not np.isfinite(array).all():
        raise DataError(f"{where} holds numbers that are not finite")
    return torch.from_numpy(
        np.ascontiguousarray(array).reshape(shape)
    )  # which makes a number () an array (1,)


def _integers(array: Any, where: str, n: int) -> Tensor:
    """Return an index (N,).

    Raises:
        DataError: it does not hold a number, 0 or more, for each picture.
    """
    if (
        not isinstance(array, np.ndarray)
        or array.dtype != np.int64
        or array.shape != (n,)
        or (array < 0).any()
    ):
        raise DataError(f"{where} must hold a number, 0 or more, for each of {quantity(n, 'picture')}")
    return torch.from_numpy(array.copy())


def _condition(array: Any, path: Path, n: int, generator: Generator) -> Tensor | None:
    """Return the conditions of the pictures: as the generator draws them, or weights of classes (N, Y).

    Raises:
        DataError: they are missing or not wanted, or have another shape or values that are not finite.
    """
    drawn = generator.sample(1, 0, 0, Stream.EDITING).condition
    if drawn is None and array is None:
        return None
    if drawn is None:
        raise DataError(f"{path} has a condition, but this generator takes none")
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf" or array.shape[:1] != (n,):
        raise DataError(f"{path}: this generator draws classes, and the condition of each picture is missing")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{path}: its condition holds numbers that are not finite")
    if array.shape[1:] != tuple(drawn.shape[1:]) and not (array.dtype.kind == "f" and array.ndim == 2):
        raise DataError(f"{path}: its condition has shape {' x '.join(map(str, array.shape))}")
    return torch.from_numpy(np.ascontiguousarray(array)).to(generator.device)


def _noise_size(where: str, s: int, generator: Generator) -> tuple[int, ...]:
    """Return the shape (1, h, w) of the noise of a picture that a stratum takes.

    Raises:
        DataError: it takes none.
    """
    size = size_of_noise(generator, s)
    if size is None:
        raise DataError(f"{where}: {owner_of(generator)} adds no noise there, so that no map can replace it")
    return size


def _require_stratum(path: Path, s: int, generator: Generator) -> None:
    """Check the number of a stratum.

    Raises:
        DataError: the generator has no such stratum.
    """
    if not 0 <= s < len(generator.strata):
        raise DataError(
            f"{path} names a stratum that the generator does not have; it has {len(generator.strata)}"
        )
