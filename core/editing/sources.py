"""Find the pictures to edit: fresh ones, the run's own, those of a file, or inverted ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import Tensor

from ..device import sent
from ..errors import DataError, UserError
from ..randomness import Stream
from ..runs.inversions import CODES, StoredInversion, read_inversion
from ..runs.prepare import Prepared
from ..storage.json_values import JsonObject
from .request import MOST, EditRequest, parse_numbers
from .saved_codes import holds_inversion, read_saved


@dataclass(frozen=True)
class DrawnSamples:
    """Hold which samples of a stream are edited.

    Attributes:
        kind: `seeds` for fresh ones, `samples` for those of the run.
        indices: of the samples.
        seed: of the run.
    """

    kind: str
    indices: tuple[int, ...]
    seed: int

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {"from": self.kind, "indices": list(self.indices), "seed": self.seed}


@dataclass(frozen=True)
class CodesFile:
    """Hold which file the codes are from: its name and digest, codes, w or z, and the number of codes."""

    file: str
    sha256: str
    kind: str
    count: int

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {"from": "file", **asdict(self)}


@dataclass(frozen=True)
class InvertedPictures:
    """Hold which folder the inverted pictures are from.

    Attributes:
        file: name of the folder, or of the file of codes where it stands alone.
        sha256: digest of the codes.
        names: of the pictures.
        noise: strata whose noise maps belong to the pictures.
        weights: whether each picture has weights of its own.
    """

    file: str
    sha256: str
    names: tuple[str, ...]
    noise: tuple[int, ...]
    weights: bool

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {"from": "inversion", **asdict(self)}


@dataclass(frozen=True)
class PaintedPicture:
    """Hold which inverted picture was painted on: it has other codes, and its own noise maps and weights.

    Attributes:
        on: the folder that it is from.
        name: of the picture there.
        sha256: digest of its codes now.
    """

    on: InvertedPictures
    name: str
    sha256: str

    def as_data(self) -> JsonObject:
        """Return the entry of manipulate.json."""
        return {"from": "painting", "name": self.name, "sha256": self.sha256, "on": self.on.as_data()}


@dataclass(frozen=True)
class SourceBatch:
    """Hold a batch of pictures to edit, filled up to its size with the last of them.

    Attributes:
        codes: (B, L, D).
        condition: of the pictures, or None.
        index: (B,).
        noise: stratum -> noise map of each picture (B, 1, h, w).
        weights: what is added to tensors of the generator for all of them.
        size: number of pictures that are not there to fill it up.
    """

    codes: Tensor
    condition: Tensor | None
    index: Tensor
    noise: Mapping[int, Tensor]
    weights: Mapping[str, Tensor]
    size: int


@dataclass(frozen=True)
class Source:
    """Represent pictures to edit.

    Attributes:
        codes: (N, L, D).
        condition: class indices or weights, or None.
        index: index of each sample in its stream (N,); decides noise and jitter.
        stream: stream of the noise.
        names: names of the samples, as shown to the user.
        origin: where the pictures come from.
        remarks: how the shape of a file was read, where the user may want to know.
        noise: stratum -> noise map of each picture (N, 1, h, w), in place of fresh noise.
        weights: what is added to tensors of the generator for each picture; empty if nothing is.
        noise_seed: seed of fresh noise; None for that of the run.
    """

    codes: Tensor
    condition: Tensor | None
    index: Tensor
    stream: Stream
    names: tuple[str, ...]
    origin: DrawnSamples | CodesFile | InvertedPictures | PaintedPicture
    remarks: tuple[str, ...] = ()
    noise: Mapping[int, Tensor] = field(default_factory=dict)
    weights: tuple[Mapping[str, Tensor], ...] = ()
    noise_seed: int | None = None

    @property
    def inverted(self) -> bool:
        """Whether they are pictures of the user, so that it matters where they lie themselves."""
        return isinstance(self.origin, InvertedPictures | PaintedPicture)

    @property
    def folder(self) -> InvertedPictures | None:
        """The inverted pictures that they are of, with or without codes of their own; None for others."""
        return (
            self.origin.on
            if isinstance(self.origin, PaintedPicture)
            else (self.origin if isinstance(self.origin, InvertedPictures) else None)
        )

    def with_codes(self, codes: Tensor, name: str, where: str) -> Source:
        """Return one picture with other codes; its noise maps, weights and class stay.

        Args:
            codes: (1, L, D).
            name: what it is called now.
            where: where the codes come from, if it is no inverted picture.
        """
        digest = hashlib.sha256(codes.detach().cpu().float().numpy().astype("<f4").tobytes()).hexdigest()
        origin: CodesFile | PaintedPicture = CodesFile(where, digest, "codes", 1)
        if isinstance(self.origin, PaintedPicture):
            origin = replace(self.origin, sha256=digest)
        elif isinstance(self.origin, InvertedPictures):
            origin = PaintedPicture(self.origin, self.names[0], digest)
        return replace(self, codes=codes, names=(name,), origin=origin, remarks=())

    def rows(self, rows: Sequence[int]) -> Source:
        """Return some of the pictures, in the order of `rows`."""
        chosen = list(rows)
        return replace(
            self,
            codes=self.codes[chosen],
            condition=None if self.condition is None else self.condition[chosen],
            index=self.index[chosen],
            names=tuple(self.names[i] for i in chosen),
            noise={s: maps[chosen] for s, maps in self.noise.items()},
            weights=tuple(self.weights[i] for i in chosen) if self.weights else (),
        )

    def rendered(self, batch: int) -> int:
        """Return how many pictures one column of them renders, in batches that are filled up."""
        return len(self.codes) if any(self.weights) else -(-len(self.codes) // batch) * batch

    def batches(self, batch: int) -> Iterator[SourceBatch]:
        """Yield batches of one size, of which the last is filled up; of 1 if pictures have weights."""
        count = len(self.codes)
        batch = 1 if any(self.weights) else batch
        for start in range(0, count, batch):
            rows = torch.arange(start, start + batch).clamp(max=count - 1)
            condition = self.condition
            yield SourceBatch(
                self.codes[sent(rows, self.codes.device)],
                None if condition is None else condition[sent(rows, condition.device)],
                self.index[rows],
                {s: maps[sent(rows, maps.device)] for s, maps in self.noise.items()},
                self.weights[start] if batch == 1 and self.weights else {},
                min(batch, count - start),
            )


def find_source(prepared: Prepared, request: EditRequest) -> Source:
    """Return the requested pictures; by default those that the report edits.

    Raises:
        UserError: numbers beyond the run's samples, or a file that does not fit the generator.
        DataError: inverted pictures cannot be edited.
    """
    if request.codes is not None:
        return (
            _inverted(prepared, request) if holds_inversion(request.codes) else _from_file(prepared, request)
        )
    if request.samples is not None:
        indices, count = parse_numbers(request.samples, "--samples"), prepared.config.synthesis.samples
        beyond = [i for i in indices if i >= count]
        if beyond:
            raise UserError(
                f"--samples {request.samples}: there is no sample {beyond[0]}; "
                f"this run has 0 to {count - 1}. --seeds draws new samples"
            )
        return _drawn(prepared, indices, Stream.PROBING, "sample")
    return _drawn(
        prepared,
        parse_numbers(
            f"0-{prepared.config.editing.samples - 1}" if request.seeds is None else request.seeds, "--seeds"
        ),
        Stream.EDITING,
        "seed",
    )


def _drawn(prepared: Prepared, indices: tuple[int, ...], stream: Stream, word: str) -> Source:
    """Draw samples from a stream; `word` names them, as in `seed 0`."""
    codes, condition = gathered(prepared, indices, stream)
    origin = DrawnSamples(f"{word}s", indices, prepared.config.synthesis.seed)
    return Source(
        codes, condition, torch.tensor(indices), stream, tuple(f"{word} {i}" for i in indices), origin
    )


@torch.inference_mode()
def gathered(prepared: Prepared, indices: tuple[int, ...], stream: Stream) -> tuple[Tensor, Tensor | None]:
    """Return codes (N, L, D) and condition of any samples of a stream, from batches of the fixed grid."""
    batches = {
        start: prepared.draw(start, stream)
        for start in sorted({i // prepared.batch * prepared.batch for i in indices})
    }
    places = [(batches[i // prepared.batch * prepared.batch], i % prepared.batch) for i in indices]
    codes = torch.stack([codes[row] for (_, _, codes), row in places])
    conditions = [latents.condition[row] for (latents, _, _), row in places if latents.condition is not None]
    return codes, torch.stack(conditions) if conditions else None


def _from_file(prepared: Prepared, request: EditRequest) -> Source:
    """Return the codes of a file."""
    assert request.codes is not None
    saved = read_saved(prepared, request.codes, codes_as=request.codes_as, space=request.space)
    count = len(saved.codes)
    return Source(
        saved.codes,
        saved.condition,
        saved.numbers,
        Stream.EDITING,
        tuple(f"code {i}" for i in range(count)),
        CodesFile(request.codes.name, saved.sha256, saved.kind, count),
        saved.remarks,
    )


def _inverted(prepared: Prepared, request: EditRequest) -> Source:
    """Return the pictures of a folder of inverted ones, with all of which the generator makes them again.

    Raises:
        UserError: an option says what the folder says itself, or there are too many pictures.
        DataError: a picture is made of several codes.
    """
    assert request.codes is not None
    for option, value in (("--codes-as", request.codes_as), ("--space", request.space)):
        if value is not None:
            raise UserError(f"{option} {value}: {request.codes} says itself what its codes are; leave it out")
    return source_of(read_inversion(request.codes, prepared.generator))


def source_of(stored: StoredInversion) -> Source:
    """Return inverted pictures as a source of edits.

    Raises:
        UserError: there are too many pictures.
        DataError: a picture is made of several codes.
    """
    inversion = stored.inversion
    if inversion.mixture is not None:
        raise DataError(
            f"{stored.path}: its pictures are made of several codes each, which are added inside the "
            "generator, and no boundary says how to move such a sum; invert them without multi_code"
        )
    if len(stored.names) > MOST:
        raise UserError(
            f"{stored.path} holds {len(stored.names)} pictures; at most {MOST} are edited at once"
        )
    alone = stored.path.name != CODES
    return Source(
        inversion.codes,
        inversion.condition,
        stored.index,
        Stream.EDITING,
        stored.names,
        InvertedPictures(
            stored.path.name if alone else stored.path.resolve().parent.name,
            stored.sha256,
            stored.names,
            tuple(inversion.noise),
            any(inversion.weights),
        ),
        noise=inversion.noise,
        weights=inversion.weights,
        noise_seed=stored.seed,
    )
