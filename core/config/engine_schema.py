"""Define the section `engine` of a config: what spreads the tasks over workers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from .section import Section

LOCAL = "local"  # the engine that every installation has
Workers = Annotated[int, Field(gt=0, le=1024)]


class Engine(Section):
    """Distribution of the tasks over workers."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema["properties"].update(kind=schema["properties"]["use"])
    )

    use: str = Field(
        default=LOCAL,
        description="name of the engine, which older configs call `kind`; local: processes of this machine",
    )
    options: dict[str, Any] = Field(default_factory=dict, alias="with", description="the engine's own config")
    workers: Workers | Literal["auto"] = Field(
        default="auto", description="number of workers; auto: with local one per core, or one per GPU"
    )
    threads: int = Field(default=1, gt=0, le=1024, description="number of threads of each worker")

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_name(cls, data: Any) -> Any:
        return with_present_name(data)


def with_present_name(engine: Any) -> Any:
    """Return the data of the section `engine` with `use` in place of `kind`, its name in older configs.

    >>> with_present_name({"kind": "local", "threads": 2})
    {'threads': 2, 'use': 'local'}
    """
    if not isinstance(engine, dict) or "kind" not in engine or "use" in engine:
        return engine
    return {**{key: value for key, value in engine.items() if key != "kind"}, "use": engine["kind"]}
