"""Define the config of a run: its sections, defaults and allowed values."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator
from pydantic.config import JsonDict

from ..plugins.records import LEVELS
from ..randomness import LARGEST_SEED
from ..storage.filenames import RESERVED
from ..storage.name_rules import group_fault
from ..storage.urls import checked_url
from .engine_schema import LOCAL, Engine
from .section import Section
from .strip_reach import with_strip_reach

Level = Literal["layout", "category", "attribute", "colour", "object"]
assert Level.__args__ == LEVELS  # type: ignore[attr-defined]


MOST = 100_000_000  # maximum number of samples: their codes alone would take 200 GB with D = 512
FARTHEST = 1e6  # maximum length of a step: float32 codes moved further retain nothing of the picture
Batch = Annotated[int, Field(gt=0, le=65_536)]
FEWEST_NULL = 3  # minimum number of null directions, for an estimate of their standard deviation
FEWEST_RESAMPLES = 4  # minimum number of learning resamples: Student's factor is 3.2 with 4, and 12.7 with 2

TEXT_OR_NUMBER: JsonDict = {"type": ["string", "integer"]}  # YAML reads a single layer as a number

VERSION = 1  # of the config; see docs/config.md for when it rises
UNSTATED = 1  # version of a config that states none, whatever VERSION is: its fields keep their meaning
AUTO = "auto"  # in place of a generator plugin's name: the checkpoint decides


Version = Annotated[int, Field(ge=1, le=VERSION, description="version of the config's fields")]
Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|cuda|cuda:\d+)$",
        description="auto, cpu, cuda or cuda:N; auto: CUDA if it is available",
    ),
]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    Field(description="number format of the networks; auto: fp32; fp16 needs CUDA"),
]


class Use(Section):
    """A plugin and its config."""

    use: str = Field(
        description="name of the plugin, see `ganstrata plugins list`; "
        "for generators also auto: the checkpoint decides"
    )
    options: dict[str, Any] = Field(default_factory=dict, alias="with", description="the plugin's own config")


class UseScorer(Use):
    """A scorer, its config and the name under which its scores are stored."""

    alias: str = Field(
        default="",
        alias="as",
        pattern=r"^[A-Za-z0-9_-]*$",
        description="name of its scores; default: the plugin's name",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if isinstance(data, dict) and "use" in data and not data.get("as") and not data.get("alias"):
            return {**data, "as": data["use"]}
        return data


class Concepts(Section):
    """Selection of the concepts that get a boundary; all concepts are scored."""

    include: list[str] = Field(
        default=["*"], min_length=1, description="patterns of concept ids, `alias/name`"
    )
    exclude: list[str] = Field(default=[], description="patterns of concept ids to leave out")
    levels: list[Level] = Field(
        default_factory=lambda: list(get_args(Level)), min_length=1, description="levels to include"
    )


class Learning(Section):
    """Latent space in which boundaries are learnt."""

    space: Literal["w", "s"] = Field(
        default="w",
        description="w: that of the codes (z without a mapping network, w+ for per_layer learners); "
        "s: style channels of all strata",
    )


class Condition(Section):
    """A direction that changes one concept and leaves others unchanged (method C, conditional)."""

    edit: str = Field(description="id of the concept to change")
    keep: list[str] = Field(min_length=1, description="ids of the concepts to leave unchanged")


class Synthesis(Section):
    """Samples for probing (method A)."""

    samples: int = Field(
        default=10_000, gt=0, le=MOST, description="number of images to synthesise and score"
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="seed of everything random in the run")
    batch_size: Batch | Literal["auto"] = Field(default="auto", description="number of images in one pass")
    mixing: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="share of samples that mix two styles; per_layer learners need it above 0",
    )
    allow_nonfinite: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="share of pictures that may contain NaN or infinity: they are left out and counted; "
        "more are an error",
    )


class Rescoring(Section):
    """Verification: move codes along the normal of each boundary and score again (method B)."""

    samples: int = Field(
        default=500, ge=8, le=MOST, description="number of fresh samples, the same for all boundaries"
    )
    distance: float = Field(default=2.0, gt=0.0, le=FARTHEST, description="length of the step")
    distance_unit: Literal["sd", "raw"] = Field(
        default="sd",
        description="sd: in standard deviations of w, or of the styles in s; raw: in units of w, or of s",
    )
    layers: list[str] = Field(
        default=["all", "each", "groups"],
        min_length=1,
        description="layer sets to move: all, each, groups, the name of a group, or numbers such as 6-11",
        json_schema_extra={"items": TEXT_OR_NUMBER},
    )
    groups: dict[str, str] | None = Field(
        default=None,
        description="named layer groups; default: the generator's own",
        json_schema_extra={
            "anyOf": [{"type": "object", "additionalProperties": TEXT_OR_NUMBER}, {"type": "null"}]
        },
    )
    backward: Literal["all", "everywhere", "none"] = Field(
        default="all",
        description="layer sets where boundaries are moved backwards too: the set `all`, every set, or none",
    )
    null: Literal["random", "permuted"] = Field(
        default="random",
        description="null distribution of the effects: random directions, or directions learnt from "
        "permuted scores",
    )
    null_directions: int = Field(
        default=20,
        ge=0,
        le=100_000,
        description="number of directions in the null distribution: at least 3; or 0, and then there are no "
        "p and q values, and nothing is called significant or a variation factor",
    )
    bootstrap: int = Field(
        default=2000,
        ge=100,
        le=1_000_000,
        description="number of resamples for the intervals of curves, shares, depths and ranks",
    )
    learning_resamples: int = Field(
        default=12,
        ge=0,
        le=10_000,
        description="number of times that boundaries are learnt again from resampled probing samples, for "
        "intervals that include the variance of learning; 0, or at least 4",
    )
    false_discovery_rate: float = Field(
        default=0.05, gt=0.0, lt=1.0, description="q value below which an effect is significant"
    )
    adaptive: bool = Field(
        default=False,
        description="stop sampling an effect as soon as it is known well enough; samples is then the maximum",
    )
    looks: list[float] = Field(
        default=[0.125, 0.25, 0.5, 1.0],
        min_length=1,
        description="adaptive: shares of the samples at which `all` has interim analyses; the last is 1",
    )
    precision: float = Field(
        default=0.2,
        gt=0.0,
        description="adaptive: sampling of an effect stops when half the width of its interval, divided by "
        "the effect at all layers, is at most this",
    )

    @field_validator("null_directions")
    @classmethod
    def _enough_for_a_spread(cls, value: int) -> int:
        if 0 < value < FEWEST_NULL:
            raise ValueError(
                f"{value} are too few to estimate the spread of chance: use 0 for no p values, or at least "
                f"{FEWEST_NULL}"
            )
        return value

    @field_validator("learning_resamples")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < FEWEST_RESAMPLES:
            raise ValueError(
                f"{value} are too few to estimate how a boundary varies: "
                f"use 0, or at least {FEWEST_RESAMPLES}"
            )
        return value

    @field_validator("looks")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if any(b <= a for a, b in zip([0.0, *value], value, strict=False)) or value[-1] != 1.0:
            raise ValueError("must rise from above 0 to 1, such as [0.125, 0.25, 0.5, 1]")
        return value

    @model_validator(mode="after")
    def _tests_have_a_null(self) -> Rescoring:
        if self.null_directions == 0 and self.adaptive:
            raise ValueError(
                "adaptive sampling stops by p values, and null_directions: 0 leaves none; "
                f"set adaptive to false, or null_directions to at least {FEWEST_NULL}"
            )
        if self.null_directions == 0 and self.null == "permuted":
            raise ValueError(
                "null: permuted learns directions from permuted scores, and null_directions: 0 asks for "
                f"none; leave null out, or set null_directions to at least {FEWEST_NULL}"
            )
        return self

    @field_validator("layers", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return (
            [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
            if isinstance(value, list)
            else value
        )

    @field_validator("groups", mode="before")
    @classmethod
    def _numbers_as_text(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            key: str(item) if isinstance(item, int) and not isinstance(item, bool) else item
            for key, item in value.items()
        }

    @field_validator("groups")
    @classmethod
    def _legal_names(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name in value or {}:
            if fault := group_fault(name):
                raise ValueError(f"'{name}' {fault}")
        return value


class Editing(Section):
    """Strips of edited images for the report (method C)."""

    samples: int = Field(default=5, gt=0, le=10_000, description="number of images to edit")
    start: float = Field(
        default=-3.0,
        ge=-FARTHEST,
        le=FARTHEST,
        description="distance of the first step, in the unit of rescoring.distance_unit; "
        "if rescoring.distance is given, by default -1.5 times that",
    )
    end: float = Field(
        default=3.0,
        ge=-FARTHEST,
        le=FARTHEST,
        description="distance of the last step; by default 1.5 times rescoring.distance",
    )
    steps: int = Field(default=7, ge=2, le=1000, description="number of steps")
    scale: bool = Field(default=True, description="shrink steps at layers where truncation shrinks w")

    @model_validator(mode="after")
    def _ordered(self) -> Editing:
        if self.end <= self.start:
            raise ValueError(f"end ({self.end}) must be greater than start ({self.start})")
        return self


class Report(Section):
    """Content of the report."""

    samples: int = Field(default=24, gt=0, le=10_000, description="number of samples in the grid")


class RunConfig(Section):
    """Everything that decides the result of a run."""

    version: Version = UNSTATED
    preset: Literal["paper"] | None = Field(
        default=None,
        description="paper: what the config leaves out is as in the scene-semantics paper, not the default",
    )
    generator: Use = Field(
        description="the generator and its config, such as {use: auto, with: {checkpoint: FILE}}"
    )
    scorers: list[UseScorer] = Field(
        min_length=1,
        description="one or more scorers, each with its config and an optional name, "
        "such as [{use: hue, as: colour}]",
    )
    concepts: Concepts = Concepts()
    boundary: Use = Field(
        default=Use(use="soft_conditional"),
        description="the boundary learner and its config, such as {use: linear_svm}",
    )
    learning: Learning = Learning()
    conditions: list[Condition] = Field(
        default=[], description="conditional directions to verify besides the learnt boundaries"
    )
    synthesis: Synthesis = Synthesis()
    rescoring: Rescoring = Rescoring()
    editing: Editing = Editing()
    report: Report = Report()
    device: Device = "auto"
    precision: Precision = "auto"
    checks: bool = Field(
        default=True, description="check the plugins on a few pictures and scores before a run begins"
    )
    engine: Engine = Engine()
    store: str | None = Field(
        default=None,
        description="URL of an object store for the arrays, such as s3://bucket/prefix; "
        "without it they lie in the run directory",
    )

    @field_validator("store")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        return None if value is None else checked_url(value)

    @model_validator(mode="after")
    def _store_is_reached(self) -> RunConfig:
        # With another engine a single worker is another process too.
        alone = self.engine.workers == 1 and self.engine.use == LOCAL
        if self.store is not None and self.store.startswith("memory:") and not alone:
            raise ValueError(
                "store: memory:// is the memory of this process; set engine.workers to 1 and "
                "engine.use to local"
            )
        return self

    def as_data(self) -> dict[str, Any]:
        """Return plain data, as in a config file and in run.json."""
        return self.model_dump(mode="json", by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _strips_reach_beyond_the_step(cls, data: Any) -> Any:
        return with_strip_reach(data, FARTHEST)

    @field_validator("scorers")
    @classmethod
    def _distinct(cls, value: list[UseScorer]) -> list[UseScorer]:
        aliases = [scorer.alias for scorer in value]
        repeated = sorted({alias for alias in aliases if aliases.count(alias) > 1})
        if repeated:
            raise ValueError(
                f"two scorers are called '{repeated[0]}'; give one of them another name with `as`"
            )
        for alias in aliases:  # scores are stored in files of this name
            alike = [other for other in aliases if other != alias and other.casefold() == alias.casefold()]
            if alike:
                raise ValueError(
                    f"scorers are called '{alias}' and '{alike[0]}', which some file systems do not "
                    "distinguish; give one of them another name with `as`"
                )
            if alias.casefold() in RESERVED:
                raise ValueError(
                    f"a scorer is called '{alias}', which is not allowed as a file name on Windows; "
                    "give it another name with `as`"
                )
        return value
