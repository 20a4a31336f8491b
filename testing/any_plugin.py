"""Check what every kind of plugin promises: a strict config, declarations, errors that name files."""

from __future__ import annotations

import json
from pathlib import Path

from ..core.errors import GanstrataError, UserError
from .kit import DoesNotApply, NotConforming
from .subject import Subject

ABSENT = "a-file-that-does-not-exist.pt"
UNKNOWN = "an_option_that_does_not_exist"


def declared(subject: Subject) -> None:
    """Build the plugin; the errors of that say what is wrong."""
    assert subject.built is not None


def json_config(subject: Subject) -> None:
    """Refuse a Config that allows unknown options, or that is another one after JSON."""
    model = subject.plugin_class.Config
    if model.model_config.get("extra") != "forbid":
        raise NotConforming(
            "its Config accepts unknown options, so that a typing error goes unnoticed: inherit from "
            "ganstrata.PluginConfig, and leave extra='forbid'"
        )
    config = subject.built.config
    try:
        again = model.model_validate(json.loads(config.model_dump_json(by_alias=True)))
    except ValueError as error:
        raise NotConforming(f"its config cannot be written as JSON and read again: {error}") from None
    if again != config:
        changed = [name for name in model.model_fields if getattr(again, name) != getattr(config, name)]
        raise NotConforming(
            f"its config is another one after it was written as JSON: {', '.join(changed)}; use types that "
            "pydantic writes as it reads them"
        )


def missing_file(subject: Subject) -> None:
    """Refuse a plugin that hides from the user which file is missing."""
    if "checkpoint" not in subject.plugin_class.Config.model_fields:
        raise DoesNotApply("its config has no field `checkpoint`")
    absent = str(Path(ABSENT).absolute())
    try:
        subject.build(checkpoint=absent)
    except UserError as error:
        if ABSENT in str(error):
            return
        raise NotConforming(
            f"its message on a missing checkpoint does not name the file: {str(error)[:200]}"
        ) from None
    except GanstrataError as error:
        raise NotConforming(
            "a missing checkpoint is reported as a fault of the plugin, not as the user's; let open() raise "
            f"FileNotFoundError in the constructor, or raise ganstrata.CheckpointError: {str(error)[:200]}"
        ) from None
    raise NotConforming(
        "a checkpoint that does not exist is accepted; open it in the constructor, so that the user hears of "
        "it before a run begins"
    )
