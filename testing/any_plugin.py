"""Check what every kind of plugin promises: a strict config, declarations, errors that name files."""

from __future__ import annotations

import json
from pathlib import Path

from ..core.conformance.networks import check_evaluation_mode
from ..core.errors import GanstrataError, UserError
from ..core.messages import visible
from .kit import DoesNotApply, NotConforming
from .subject import Subject

ABSENT = "a-file-that-does-not-exist.pt"


def declarations_are_complete(subject: Subject) -> None:
    """It is built from its config, and what it declares is as the contract says: card, strata, concepts."""
    if isinstance(subject.attempt, GanstrataError):
        raise NotConforming(str(subject.attempt))


def config_is_strict(subject: Subject) -> None:
    """Its Config refuses unknown options, and survives being written as JSON and read again."""
    config = subject.built.config
    model = type(config)
    if model.model_config.get("extra") != "forbid":
        raise NotConforming(
            "its Config accepts unknown options, so that a typing error goes unnoticed: inherit from "
            "ganstrata.PluginConfig, and leave extra='forbid'"
        )
    try:
        again = model.model_validate(json.loads(config.model_dump_json(by_alias=True)))
    except ValueError as error:
        raise NotConforming(
            f"its config cannot be written as JSON and read again, which every run does: {str(error)[:300]}; "
            "give its fields types that pydantic reads as it writes them, such as str, int, float or list"
        ) from None
    if again != config:
        changed = [name for name in model.model_fields if getattr(again, name) != getattr(config, name)]
        raise NotConforming(
            f"its config is another one after it was written as JSON: {', '.join(changed)}; use types that "
            "pydantic reads as it writes them"
        )


def networks_are_in_evaluation_mode(subject: Subject) -> None:
    """None of its networks is in training mode."""
    check_evaluation_mode(subject.built)


def missing_file_is_named(subject: Subject) -> None:
    """A checkpoint that does not exist is reported as the user's mistake, by its name."""
    if "checkpoint" not in type(subject.built).Config.model_fields:
        raise DoesNotApply("its config has no field `checkpoint`")
    absent = str(Path(ABSENT).absolute())
    try:
        subject.build(checkpoint=absent)
    except UserError as error:
        if ABSENT in str(error):
            return
        raise NotConforming(
            "its message on a missing checkpoint does not name the file; put config.checkpoint into it: "
            f"{visible(str(error), 200)}"
        ) from None
    except GanstrataError as error:
        raise NotConforming(
            "a missing checkpoint is reported as a fault of the plugin, not as the user's; let open() raise "
            "FileNotFoundError in the constructor, or raise ganstrata.CheckpointError: "
            f"{visible(str(error), 200)}"
        ) from None
    raise NotConforming(
        "a checkpoint that does not exist is accepted; open it in the constructor, so that the user hears of "
        "it before a run begins"
    )
