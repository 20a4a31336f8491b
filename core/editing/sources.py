"""Find the pictures to edit: fresh ones, the run's own, or those of a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ..errors import UserError
from ..randomness import Stream
from ..runs.prepare import Prepared
from ..storage.json_values import JsonObject
from .request import EditRequest, parse_numbers
from .saved_codes import read_saved


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
    """

    codes: Tensor
    condition: Tensor | None
    index: Tensor
    stream: Stream
    names: tuple[str, ...]
    origin: DrawnSamples | CodesFile
    remarks: tuple[str, ...] = ()


def find_source(prepared: Prepared, request: EditRequest) -> Source:
    """Return the requested pictures; by default those that the report edits.

    Raises:
        UserError: numbers beyond the run's samples, or a file that does not fit the generator.
    """
    if request.codes is not None:
        return _from_file(prepared, request)
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
