"""The config of a run: what each section means, its defaults and what is allowed."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..plugins.records import LEVELS
from ..plugins.strict_numbers import StrictNumbers
from ..randomness import LARGEST_SEED
from ..storage.filenames import RESERVED
from ..storage.naming import group_fault

Level = Literal["layout", "category", "attribute", "colour", "object"]
assert Level.__args__ == LEVELS  # type: ignore[attr-defined]


MOST = 100_000_000  # samples: the codes alone of so many would take 200 GB where D is 512
FARTHEST = 1e6  # length of a step: float32 codes moved farther keep nothing of the picture
Batch = Annotated[int, Field(gt=0, le=65_536)]
Workers = Annotated[int, Field(gt=0, le=1024)]
FEWEST_RESAMPLES = 4  # with which a boundary is learnt again: Student's factor is 3.2 there, and 12.7 with 2

AUTO = "auto"  # for a generator plugin's name: the checkpoint decides


class Section(StrictNumbers):
    """Base of all sections: frozen, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        # `synthesis:` with nothing below it is None in YAML: a section that says nothing, and so means its defaults.
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or not cls._holds_more(key)}

    @classmethod
    def _holds_more(cls, key: object) -> bool:
        """Whether an option is a section, a mapping or a list, and not a single value."""
        field = next((field for name, field in cls.model_fields.items() if key in (name, field.alias)), None)
        kind = None if field is None else get_origin(field.annotation) or field.annotation
        return isinstance(kind, type) and issubclass(kind, BaseModel | dict | list)


class Use(Section):
    """A plugin and its config."""

    use: str = Field(
        description="name of the plugin, see `ganstrata plugins list`; for generators also auto: the checkpoint decides"
    )
    options: dict[str, Any] = Field(default_factory=dict, alias="with", description="the plugin's own config")


class UseScorer(Use):
    """A scorer, its config and the name under which its scores are kept."""

    alias: str = Field(
        default="", alias="as", pattern=r"^[A-Za-z0-9_-]*$", description="default: the plugin's name"
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if isinstance(data, dict) and "use" in data and not data.get("as") and not data.get("alias"):
            return {**data, "as": data["use"]}
        return data


class Concepts(Section):
    """Which concepts get a boundary; all are scored."""

    include: list[str] = Field(
        default=["*"], min_length=1, description="patterns of concept ids, `alias/name`"
    )
    exclude: list[str] = Field(default=[], description="patterns of concept ids to leave out")
    levels: list[Level] = Field(
        default_factory=lambda: list(get_args(Level)), min_length=1, description="levels to keep"
    )


class Condition(Section):
    """A direction that changes one concept and leaves others alone (method C, conditional)."""

    edit: str = Field(description="concept id whose boundary is moved along")
    keep: list[str] = Field(min_length=1, description="concept ids whose boundaries are left alone")


class Synthesis(Section):
    """Samples for probing (method A)."""

    samples: int = Field(
        default=10_000, gt=0, le=MOST, description="number of images to synthesise and score"
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="of everything random in the run")
    batch_size: Batch | Literal["auto"] = Field(default="auto", description="images in one pass")
    mixing: float = Field(
        default=0.0, ge=0.0, le=1.0, description="share of samples with two styles, for learners of w+"
    )
    allow_nonfinite: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="share of pictures that may hold NaN or infinity: they are left out and counted; more is an error",
    )


class Rescoring(Section):
    """Verification: move codes along each boundary and score again (method B)."""

    samples: int = Field(default=500, ge=8, le=MOST, description="fresh samples, common to all boundaries")
    distance: float = Field(default=2.0, gt=0.0, le=FARTHEST, description="length of the step")
    distance_unit: Literal["sd", "raw"] = Field(
        default="sd", description="sd: times the spread of w; raw: as it stands"
    )
    layers: list[str] = Field(
        default=["all", "each", "groups"], min_length=1, description="layer sets to move"
    )
    groups: dict[str, str] | None = Field(
        default=None, description="named layer groups; default: the generator's own"
    )
    null: Literal["random", "permuted"] = Field(
        default="random",
        description="what effects are held against: random directions, or those that the learner finds in permuted scores",
    )
    null_directions: int = Field(default=20, ge=3, le=100_000, description="how many of them")
    bootstrap: int = Field(
        default=2000,
        ge=100,
        le=1_000_000,
        description="resamplings behind the intervals of curves, shares, depths and ranks",
    )
    learning_resamples: int = Field(
        default=12,
        ge=0,
        le=10_000,
        description="how often boundaries are learnt again from resampled samples, for intervals that hold over those too; 0, or 4 at least",
    )
    false_discovery_rate: float = Field(
        default=0.05, gt=0.0, lt=1.0, description="q below which an effect counts as found"
    )
    adaptive: bool = Field(
        default=False,
        description="stop early where what is asked is known: samples is then the most that are taken",
    )
    looks: list[float] = Field(
        default=[0.125, 0.25, 0.5, 1.0],
        min_length=1,
        description="adaptive: shares of the samples at which to look; the last is 1",
    )
    precision: float = Field(
        default=0.2,
        gt=0.0,
        description="adaptive: half the interval of an effect, over the effect at all layers, at which its sampling stops",
    )

    def unit(self, spread: float) -> float:
        """Return the length of one step in w: the spread of w for distances in `sd`, 1 for raw ones."""
        return spread if self.distance_unit == "sd" else 1.0

    @field_validator("learning_resamples")
    @classmethod
    def _enough(cls, value: int) -> int:
        if 0 < value < FEWEST_RESAMPLES:
            raise ValueError(
                f"{value} say too little of how a boundary varies: take 0, or {FEWEST_RESAMPLES} at least"
            )
        return value

    @field_validator("looks")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if any(b <= a for a, b in zip([0.0, *value], value, strict=False)) or value[-1] != 1.0:
            raise ValueError("must rise from above 0 to 1, such as [0.125, 0.25, 0.5, 1]")
        return value

    @field_validator("layers", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        # YAML reads a lone layer as a number.
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

    samples: int = Field(default=5, gt=0, le=10_000, description="images to edit")
    start: float = Field(
        default=-3.0,
        ge=-FARTHEST,
        le=FARTHEST,
        description="first step, in the unit of rescoring.distance_unit",
    )
    end: float = Field(default=3.0, ge=-FARTHEST, le=FARTHEST, description="last step")
    steps: int = Field(default=7, ge=2, le=1000, description="number of steps")
    scale: bool = Field(default=True, description="shrink steps where truncation shrinks w")

    @model_validator(mode="after")
    def _ordered(self) -> Editing:
        if self.end <= self.start:
            raise ValueError(f"end ({self.end}) must lie above start ({self.start})")
        return self


class Report(Section):
    """What the report shows."""

    samples: int = Field(default=24, gt=0, le=10_000, description="samples in the grid")


class Engine(Section):
    """How the work is spread."""

    kind: Literal["local"] = Field(default="local", description="local: processes on this machine")
    workers: Workers | Literal["auto"] = Field(
        default="auto", description="auto: one per core, or one on a GPU"
    )
    threads: int = Field(default=1, gt=0, le=1024, description="of each worker")


class RunConfig(Section):
    """Everything that decides the result of a run."""

    generator: Use = Field(description="the generator and its config")
    scorers: list[UseScorer] = Field(
        min_length=1, description="one or more scorers, each with its config and a name"
    )
    concepts: Concepts = Concepts()
    boundary: Use = Field(description="the boundary learner and its config")
    conditions: list[Condition] = Field(
        default=[], description="conditional directions to verify beside the learnt ones"
    )
    synthesis: Synthesis = Synthesis()
    rescoring: Rescoring = Rescoring()
    editing: Editing = Editing()
    report: Report = Report()
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|cuda|cuda:\d+)$",
        description="auto, cpu, cuda or cuda:N; auto: CUDA where there is one",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto", description="auto: fp32; fp16 needs CUDA"
    )
    checks: bool = Field(
        default=True, description="look at a few pictures and scores of the plugins before a run begins"
    )
    engine: Engine = Engine()

    @field_validator("scorers")
    @classmethod
    def _distinct(cls, value: list[UseScorer]) -> list[UseScorer]:
        aliases = [scorer.alias for scorer in value]
        twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
        if twice:
            raise ValueError(f"two scorers are called '{twice[0]}'; give one of them another name with `as`")
        for alias in aliases:  # scores are kept in files of this name
            alike = [other for other in aliases if other != alias and other.casefold() == alias.casefold()]
            if alike:
                raise ValueError(
                    f"scorers are called '{alias}' and '{alike[0]}', which some file systems do not tell apart; give one another `as`"
                )
            if alias.casefold() in RESERVED:
                raise ValueError(
                    f"a scorer is called '{alias}', which Windows allows for no file; give it another name with `as`"
                )
        return value
