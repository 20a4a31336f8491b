"""The manifest: what run.json says of a run, as a model that every reader of it can rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from ..config.schema import Level, RunConfig
from ..errors import RunError
from ..storage.seal import read_sealed
from ..text import shown, visible
from .provenance.keys import STAGES, Keys
from .provenance.records import Provenance

FORMAT = 1
LARGEST = 200 * 2**20  # bytes of a run.json
SHOWN = 5  # faults that a message lists

Stage = Literal["synthesize", "learn", "rescore", "edit", "report"]
assert Stage.__args__ == STAGES  # type: ignore[attr-defined]


def _inside(name: str) -> str:
    """A file's name that stays within the run on every system."""
    path = PureWindowsPath(name)
    if (
        not name
        or path.is_absolute()
        or path.drive
        or PurePosixPath(name).is_absolute()
        or {"..", "."} & set(name.split("/"))
        or "\\" in name
    ):
        raise ValueError("must be a path within the run directory")
    return name


FileName = Annotated[str, AfterValidator(_inside)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")


class StageRecord(_Part):
    """What a stage did: how long it took, when it ended, hashes of what it wrote, and facts of its own."""

    model_config = ConfigDict(extra="allow")

    seconds: NonNegativeFloat
    finished: str
    files: dict[FileName, str]
    images: NonNegativeInt = 0
    nonfinite: NonNegativeInt = 0
    factors: list[str] = []
    boundaries: NonNegativeInt = 0
    skipped: NonNegativeInt = 0
    not_relearnt: dict[str, dict[str, Any]] = {}
    work: dict[str, Any] | None = None


class GeneratorRecord(_Part):
    """The card of the generator, its latent space and its fingerprint."""

    model_config = ConfigDict(extra="allow")

    family: str
    resolution: PositiveInt
    layers: PositiveInt
    code_size: PositiveInt
    latent_size: NonNegativeInt
    licence: str
    source: str
    sha256: str
    weights: str
    truncation: str
    space: str
    fingerprint: str


class ConceptStats(_Part):
    """What the samples say of one concept.

    Attributes:
        id: alias and name.
        samples, undefined: of how many samples it has a score, and of how many none.
        mean, sd: of its scores; no mean where there are none.
        least: the smallest standard deviation that counts as variation.
        varies: whether it has that.
        threshold: above which it counts as present, if it has one.
        positive_share: of samples above the threshold.
        quantiles: 0, 5, 50, 95 and 100 %.
    """

    id: str
    level: Level
    samples: NonNegativeInt
    undefined: NonNegativeInt
    mean: float | None
    sd: NonNegativeFloat
    least: NonNegativeFloat
    varies: bool
    threshold: float | None
    positive_share: float | None
    quantiles: list[float]


class Manifest(_Part):
    """Everything that run.json says.

    Attributes:
        config: of the run.
        batch_size: images in one pass, as resolved when the run began.
        device, precision: as resolved.
        layer_sets, groups: layers by name, as resolved.
        generator: its card, latent space and fingerprint.
        plugins: the distribution of each.
        checkpoints: hashes, of the generator and of each scorer by alias.
        versions, machine: for people.
        provenance, keys: what its numbers were computed from, see core.runs.provenance; nothing in runs of early versions.
        stages: those that are complete.
        leftovers: files that stages wrote before they had to be run again.
        spread: of w, the unit of a step.
        concepts: a row per concept, as the columns of scores.
        digest: of the file it was read from, see core.storage.seal; nothing in runs of early versions.
    """

    format: Literal[1]
    config: RunConfig
    generator: GeneratorRecord
    plugins: dict[str, str]
    checkpoints: dict[str, str]
    batch_size: PositiveInt
    device: str
    precision: str
    layer_sets: dict[str, list[NonNegativeInt]]
    groups: dict[str, list[NonNegativeInt]]
    versions: dict[str, str]
    machine: dict[str, str]
    provenance: Provenance | None = None
    keys: Keys | None = None
    stages: dict[Stage, StageRecord] = Field(default_factory=dict)
    leftovers: dict[Stage, list[FileName]] = Field(default_factory=dict)
    spread: NonNegativeFloat | None = None
    concepts: list[ConceptStats] = Field(default_factory=list)
    digest: str | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if "all" not in self.layer_sets:
            raise ValueError("layer_sets has no `all`")
        beyond = [
            name
            for sets in (self.layer_sets, self.groups)
            for name, layers in sets.items()
            if any(n >= self.generator.layers for n in layers)
        ]
        if beyond:
            raise ValueError(
                f"{visible(beyond[0])} has layers that a generator of {self.generator.layers} does not have"
            )
        if "synthesize" in self.stages and (self.spread is None or not self.concepts):
            raise ValueError("the stage synthesize is complete, but spread or concepts are missing")
        ids = [row.id for row in self.concepts]
        if len(set(ids)) < len(ids):
            raise ValueError("a concept has two rows")
        return self

    def as_data(self) -> dict[str, Any]:
        """As plain data, as run.json has it."""
        data = self.model_dump(mode="json", by_alias=True, exclude=None if self.leftovers else {"leftovers"})
        # A stage says what it knows and no more.
        return data | {
            "stages": {
                name: stage.model_dump(mode="json", exclude_unset=True) for name, stage in self.stages.items()
            }
        }


def read_manifest(file: Path) -> Manifest:
    """The manifest in a run.json.

    Raises:
        RunError: it cannot be read, or is not as it must be; the message names the keys.
    """
    cure = "the run cannot be continued, use another directory"
    try:
        if file.stat().st_size > LARGEST:
            raise RunError(f"{file} is damaged (larger than {LARGEST // 2**20} MiB); {cure}")
        content = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror or error}); {cure}") from None
    try:
        found = Manifest.model_validate_json(content)
        if found.digest is not None:
            read_sealed(content)
        return found
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    except ValueError:
        raise RunError(
            f"{file} is damaged: it is not what was written, a byte of it has changed or somebody has edited it; {cure}"
        ) from None
    other = next(
        (
            fault["input"]
            for fault in faults
            if fault["loc"] == ("format",) and fault["type"] == "literal_error"
        ),
        None,
    )
    if isinstance(other, int) and not isinstance(other, bool):
        raise RunError(f"{file} has format {shown(other)}; this version reads format {FORMAT}")
    raise RunError(f"{file} is damaged: {'; '.join(_said(faults))}; {cure}")


def _said(faults: list[Any]) -> Iterator[str]:
    """The first faults, each with its key."""
    for fault in faults[:SHOWN]:
        where = ".".join(visible(part) if isinstance(part, str) else str(part) for part in fault["loc"])
        reason = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "missing":
            reason = "is missing"
        given = (
            ""
            if fault["type"] in ("missing", "json_invalid", "value_error")
            else f" (it is {shown(fault['input'], 60)})"
        )
        yield f"{where}: {reason}{given}" if where else f"{reason}"
    if len(faults) > SHOWN:
        yield f"and {len(faults) - SHOWN} more"
