"""Model run.json, the manifest of a run, and read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, TypedDict

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

from ..config.schema import VERSION, Level, RunConfig
from ..errors import RunError
from ..messages import UPGRADE, shown, this_version, visible
from ..plugins.records import UNKNOWN, colours_in_words, size_in_words
from ..storage.seal import read_sealed
from .provenance.keys import Keys
from .provenance.records import Provenance
from .stages import Stage

FORMAT = 1
LARGEST = 200 * 2**20  # bytes of a run.json
SHOWN = 5  # faults that a message lists


def _inside(name: str) -> str:
    """Return the name of a file, checked to be a path within the run directory on every system."""
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


class NotRelearnt(_Part):
    """Represent a boundary that some resamplings of the samples could not learn.

    Attributes:
        resamplings: number of them.
        reason: why the last of them could not.
    """

    model_config = ConfigDict(frozen=True)

    resamplings: PositiveInt
    reason: str


class Work(_Part):
    """Represent the work of re-scoring, as core.rescoring.cost counts it.

    Attributes:
        unit: of all others.
        per_image: of one image, rendered in a full pass and scored.
        naive: in the order of the paper's code.
        full: in the order used here, if no sampling had stopped early.
        done: in the order used here.
    """

    model_config = ConfigDict(frozen=True)

    unit: Literal["FLOPs", "seconds"]
    per_image: NonNegativeFloat
    naive: NonNegativeFloat
    full: NonNegativeFloat
    done: NonNegativeFloat


class StageFacts(TypedDict, total=False):
    """Hold what a stage records of its own work; run.json holds only the fields that it gives.

    Attributes:
        images: number of images that were rendered.
        nonfinite: number of them with NaN or infinity.
        factors: names of the concepts whose boundaries were re-scored, in order.
        boundaries, skipped: number of concepts with a boundary, and without one.
        not_relearnt: boundary -> why resamplings could not learn it.
        style_spread: s_s, the unit of a step in s, where boundaries were learnt there.
        work: of re-scoring.
        null_layers: layers at which its null directions were moved, one list for each set of layers that
            boundaries have; None for all.
    """

    images: int
    nonfinite: int
    factors: list[str]
    boundaries: int
    skipped: int
    not_relearnt: dict[str, NotRelearnt]
    style_spread: float
    work: Work | None
    null_layers: list[list[int] | None]


class StageRecord(_Part):
    """Represent a complete stage: its time, the hashes of its files, and its StageFacts."""

    model_config = ConfigDict(extra="allow")

    seconds: NonNegativeFloat
    finished: str
    files: dict[FileName, str]
    images: NonNegativeInt = 0
    nonfinite: NonNegativeInt = 0
    factors: list[str] = []
    boundaries: NonNegativeInt = 0
    skipped: NonNegativeInt = 0
    not_relearnt: dict[str, NotRelearnt] = {}
    style_spread: NonNegativeFloat | None = None
    work: Work | None = None
    null_layers: list[list[NonNegativeInt] | None] = [None]


class GeneratorRecord(_Part):
    """Represent the card of the generator, its latent space and its fingerprint.

    Attributes:
        height, width: in pixels; 0 if the plugin names only the longer side, `resolution`.
    """

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
    assumptions: list[str] = []
    space: str
    fingerprint: str
    height: NonNegativeInt = 0
    width: NonNegativeInt = 0
    channels: Literal[1, 3, 4] = 3
    background: str = Field(default="#ffffff", pattern="^#[0-9a-fA-F]{6}$")

    @property
    def title(self) -> str:
        """Name of the network: the origin of its weights, or its family if that is unknown."""
        return self.family if self.source in ("", UNKNOWN) else self.source

    @property
    def size_in_words(self) -> str:
        """Size of the pictures: `64 px`, or `1024 x 512 px (height x width)`."""
        return size_in_words(self.resolution, self.height, self.width)

    @property
    def scored_as(self) -> str:
        """Rule by which pictures became RGB for scorers, in words."""
        return colours_in_words(self.channels, self.background)


class ConceptStats(_Part):
    """Represent the statistics of one concept's scores.

    Attributes:
        id: `alias/name`.
        samples, undefined: number of samples with a score, and without one.
        mean, sd: mean and standard deviation of the scores; the mean is None without scores.
        least: the smallest standard deviation that counts as variation.
        varies: whether `sd` reaches `least`.
        threshold: score above which the concept is present; None if it has none.
        positive_share: share of samples above the threshold.
        quantiles: 0, 5, 50, 95 and 100 %; empty without scores.
    """

    model_config = ConfigDict(frozen=True)

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


@dataclass(frozen=True)
class RunFacts:
    """Hold what is known of a run before its first stage, beside its config; see Manifest for each."""

    generator: GeneratorRecord
    plugins: dict[str, str]
    checkpoints: dict[str, str]
    batch_size: int
    device: str
    precision: str
    layer_sets: dict[str, list[int]]
    groups: dict[str, list[int]]
    provenance: Provenance
    keys: Keys


class StoreRecord(_Part):
    """Represent where arrays lie that are not in the run directory.

    Attributes:
        url: the URL, without credentials.
        id: of the run; the arrays at the URL are those of one run alone.
    """

    url: str
    id: str


class Manifest(_Part):
    """Represent run.json.

    Attributes:
        config: config of the run.
        batch_size: images in one pass; `auto` is resolved when the run begins.
        device, precision: `auto` is resolved.
        layer_sets, groups: layers by name.
        generator: its card, latent space and fingerprint.
        plugins: the distribution of each plugin.
        checkpoints: hash of the generator's file, and of each scorer's by alias.
        versions, machine: for information only.
        provenance, keys: see core.runs.provenance; None in runs of early versions.
        stages: complete stages.
        grid: how arrays are cut into shards: 1 in early runs, a file for 512 samples or for one direction and
            batch; 2: see `probing.stage.shard_size` and `rescoring.work_units.block_size`.
        store: where the arrays lie; None for the run directory.
        leftovers: files of stages that must be run again.
        spread: s_w, the unit of a step.
        concepts: a row for each column of the scores.
        checked: key of what the checks of plugins rested on when they were last passed; empty before.
        digest: digest of the file it was read from, see core.storage.seal; None in runs of early versions.
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
    grid: Literal[1, 2] = 1
    store: StoreRecord | None = None
    leftovers: dict[Stage, list[FileName]] = Field(default_factory=dict)
    spread: NonNegativeFloat | None = None
    concepts: list[ConceptStats] = Field(default_factory=list)
    checked: str = ""
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
        """Return plain data, as in run.json."""
        data = self.model_dump(mode="json", by_alias=True, exclude=None if self.leftovers else {"leftovers"})
        # A stage stores only the fields that it has set.
        return data | {
            "stages": {
                name: stage.model_dump(mode="json", exclude_unset=True) for name, stage in self.stages.items()
            }
        }


def read_manifest(file: Path) -> Manifest:
    """Read the manifest in a run.json.

    Raises:
        RunError: the file cannot be read or is damaged; the message names the keys.
    """
    cure = "the run cannot be continued, use another directory"
    try:
        if file.stat().st_size > LARGEST:
            raise RunError(f"{file} is damaged (larger than {LARGEST // 2**20} MiB); {cure}")
        content = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror or error}); {cure}") from None
    try:
        manifest = Manifest.model_validate_json(content)
        if manifest.digest is not None:
            read_sealed(content)
        return manifest
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    except ValueError:
        raise RunError(
            f"{file} is damaged: its content has changed since it was written, "
            f"by a disk fault or by hand; {cure}"
        ) from None
    for key, version in ((("format",), FORMAT), (("config", "version"), VERSION)):
        other = next((fault["input"] for fault in faults if fault["loc"] == key), None)
        if isinstance(other, int) and other > version:
            raise RunError(
                f"{file} has {'.'.join(key)} {shown(other)}, that of a newer ganstrata: this is "
                f"{this_version()}, which reads {version}. {UPGRADE}"
            )
    unknown = any(fault["type"] == "extra_forbidden" for fault in faults)
    writer = _writer(content) if unknown else this_version()
    if writer not in ("", this_version()):
        cure = f"ganstrata {writer} wrote it, this is {this_version()}: use that one, or another directory"
    raise RunError(f"{file} is damaged: {'; '.join(fault_sentences(faults))}; {cure}")


def _writer(content: bytes) -> str:
    """Return the version of ganstrata that wrote a run.json; empty if it is not recorded."""
    with suppress(ValueError, LookupError, TypeError):
        return visible(str(json.loads(content)["versions"]["ganstrata"]), 40)
    return ""


def fault_sentences(faults: Sequence[Any]) -> Iterator[str]:
    """Yield a text for each of the first faults that pydantic tells, with its key."""
    for fault in faults[:SHOWN]:
        where = ".".join(visible(part) if isinstance(part, str) else str(part) for part in fault["loc"])
        reason = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "missing":
            reason = "is missing"
        value = (
            ""
            if fault["type"] in ("missing", "json_invalid", "value_error")
            else f" (it is {shown(fault['input'], 60)})"
        )
        yield f"{where}: {reason}{value}" if where else f"{reason}"
    if len(faults) > SHOWN:
        yield f"and {len(faults) - SHOWN} more"
