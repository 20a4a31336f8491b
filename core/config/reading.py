"""Read a config file, apply --set, and report all faults at once with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..errors import ConfigError, Fault, GanstrataError, UserError
from ..messages import UPGRADE, shown, this_version
from ..plugins.boundary import STYLES
from ..plugins.plugin_info import Kind
from ..plugins.registry import registry
from .faults import describe
from .limits import plain
from .overrides import override
from .parsing import read_data
from .presets import with_preset
from .replaced import explained, places_of, uses_of
from .schema import AUTO, UNSTATED, VERSION, RunConfig
from .section import Section
from .segment_schema import AnnotateConfig, SegmentConfig

C = TypeVar("C", bound=Section)


def read_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and validate the config of a run from YAML, TOML or JSON.

    Args:
        path: the file.
        overrides: `key=value` texts of --set.

    Raises:
        UserError: the file is missing or not well-formed, or an override is invalid.
        ConfigError: the config has faults; the error lists all of them.
    """
    return config_of(read_data(path), str(path), overrides)


def read_segment_config(path: Path, overrides: Sequence[str] = ()) -> SegmentConfig:
    """Read and validate the config of `ganstrata segment`, as `read_config` does.

    Raises:
        UserError: the file is missing or not well-formed, or an override is invalid.
        ConfigError: the config has faults; the error lists all of them.
    """
    data = read_data(path)
    with _explained(data, overrides):
        return validate_segment(_overridden(data, str(path), overrides), str(path))


def read_annotate_config(path: Path, overrides: Sequence[str] = ()) -> AnnotateConfig:
    """Read and validate a config of `ganstrata segment` in which the teacher is optional.

    Raises:
        UserError: the file is missing or not well-formed, or an override is invalid.
        ConfigError: the config has faults; the error lists all of them.
    """
    data = read_data(path)
    with _explained(data, overrides):
        return validate_annotate(_overridden(data, str(path), overrides), str(path))


def read_any_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig | SegmentConfig:
    """Read and validate a config of a run, or one of `ganstrata segment`, which has a `teacher`.

    Raises:
        UserError: the file is missing or not well-formed, or an override is invalid.
        ConfigError: the config has faults; the error lists all of them.
    """
    content = read_data(path)
    with _explained(content, overrides):
        data = _overridden(content, str(path), overrides)
        return validate_segment(data, str(path)) if "teacher" in data else validate(data, str(path))


def config_of(data: Any, source: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Validate what a config file holds, with `key=value` overrides.

    Args:
        data: plain data.
        source: origin of the data, for messages.
        overrides: applied in turn.

    Raises:
        UserError: the data are not a mapping, or an override names no value.
        ConfigError: the config has faults; the error lists all of them.
    """
    with _explained(data, overrides):
        return validate(_overridden(data, source, overrides), source)


@contextmanager
def _explained(data: Any, overrides: Sequence[str]) -> Iterator[None]:
    """Name a way out where overrides replace a plugin and leave the options of the one before.

    Args:
        data: content of a config, before the overrides.
        overrides: `key=value` texts of --set.
    """
    before = uses_of(data) if overrides and isinstance(data, Mapping) else {}
    try:
        yield
    except ConfigError as error:
        raise explained(error, before) from None


def _overridden(data: Any, source: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the data of a config with `key=value` overrides.

    Raises:
        UserError: the data are not a mapping, or an override names no value.
        ConfigError: the config has faults; the error lists all of them.
    """
    if not isinstance(data, dict):
        raise UserError(
            f"{source}: expected sections such as `generator:` and `scorers:`, got {shown(data, 60)}"
        )
    if overrides:
        data, faults = plain(data, source)  # the copy shares no parts, as aliases of YAML do
        if faults:
            raise ConfigError(source, faults)
        for text in overrides:
            override(data, text)
    return dict(data)


def validate(data: Mapping[str, Any], source: str) -> RunConfig:
    """Return a config made from plain data, after validating it and the configs of its plugins.

    Args:
        data: the data.
        source: name of the source, for messages.

    Raises:
        ConfigError: there are faults; the error lists all of them.
    """
    return _validate(with_preset(data) if isinstance(data, Mapping) else data, source, RunConfig)


def validate_segment(data: Mapping[str, Any], source: str) -> SegmentConfig:
    """Return the config of `ganstrata segment` made from plain data, as `validate` does.

    Raises:
        ConfigError: there are faults; the error lists all of them.
    """
    return _validate(data, source, SegmentConfig)


def validate_annotate(data: Mapping[str, Any], source: str) -> AnnotateConfig:
    """Return the config of a folder to annotate made from plain data, as `validate` does.

    Raises:
        ConfigError: there are faults; the error lists all of them.
    """
    return _validate(data, source, AnnotateConfig)


def _validate(data: Mapping[str, Any], source: str, model: type[C]) -> C:
    config: C | None = None
    data, faults = plain(data, source)
    if not isinstance(data, dict):
        raise ConfigError(
            source, [Fault((), f"expected sections such as `generator` and `scorers`, got {shown(data, 60)}")]
        )
    _check_version(data, source)
    data = _recognised(data, faults)
    try:
        config = model.model_validate(data)
    except ValidationError as error:
        faults += describe(error, model, data)
    for path, kind, name, options in _plugins(data):
        faults += check_options(kind, name, options, path)
    if isinstance(config, RunConfig) and config.learning.space == STYLES and not faults:
        faults += _faults_of_styles(config)
    if faults or config is None:
        first: dict[tuple[str | int, ...], Fault] = {}
        for fault in faults:
            is_renamed = fault.path == ("engine", "use") and "use" not in data["engine"]
            path = ("engine", "kind") if is_renamed else fault.path
            first.setdefault(path, Fault(path, fault.message))
        raise ConfigError(source, tuple(first.values()))
    return config


def _check_version(data: Mapping[str, Any], source: str) -> None:
    """Refuse a config of a later version by that alone: its other faults are none in a newer ganstrata.

    Raises:
        ConfigError: it is of a later version.
    """
    try:
        version = TypeAdapter(int).validate_python(data.get("version", UNSTATED))  # also "2" and 2.0
    except ValidationError:
        return  # a fault of its own
    if version > VERSION:
        reason = (
            f"is {shown(data['version'])}, so the config is for a newer ganstrata: this is "
            f"{this_version()}, which reads version {VERSION}. {UPGRADE}"
        )
        raise ConfigError(source, (Fault(("version",), reason),))


def _recognised(data: Mapping[str, Any], faults: list[Fault]) -> Mapping[str, Any]:
    """Return the data with `use: auto` replaced by the generator plugin that reads the checkpoint."""
    generator = data.get("generator")
    if not (isinstance(generator, dict) and generator.get("use") == AUTO):
        return data
    from ..checkpoints.detect import plugin_for  # imports torch

    options = generator.get("with")
    checkpoint = options.get("checkpoint") if isinstance(options, dict) else None
    place = ("generator", "with", "checkpoint")
    try:
        if not isinstance(checkpoint, str):
            raise UserError(f"is missing: `use: {AUTO}` needs a file to find its plugin")
        return {**data, "generator": {**generator, "use": plugin_for(checkpoint)}}
    except GanstrataError as error:
        faults.append(Fault(place, str(error)))
        return data


def check_options(kind: Kind, name: str, options: object, path: tuple[str | int, ...]) -> list[Fault]:
    """Return the faults of the config of one plugin, which is at `path` in the run's config."""
    try:
        info = registry().info(kind, name)
        model = info.load().Config
    except GanstrataError as error:
        return [Fault((*path, "use"), str(error))]
    return option_faults(model, options, (*path, "with"), f"'{name}' (from {info.distribution})")


def _faults_of_styles(config: RunConfig) -> list[Fault]:
    """Return a fault if boundaries are to be learnt in s, but the generator's plugin gives no styles."""
    from ..plugins.generator import Generator  # imports torch

    name = config.generator.use
    if registry().info("generator", name).load().style is not Generator.style:
        return []  # whether this network has styles is seen when it is loaded
    return [Fault(("learning", "space"), f"the generator '{name}' has no style channels; only w is possible")]


def option_faults(
    model: type[BaseModel], options: object, path: tuple[str | int, ...], owner: str
) -> list[Fault]:
    """Return the faults of options that lie at `path` in a config, by the Config of the plugin `owner`."""
    try:
        model.model_validate(options)
    except ValidationError as error:
        return describe(error, model, options, path, owner)
    return []


def _plugins(data: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Kind, str, object]]:
    """Return path, kind, name and options of each plugin in a config, as far as they can be read."""
    plugins: list[tuple[tuple[str | int, ...], Kind, str, object]] = []
    for path, kind, item in places_of(data):
        if kind == "generator" and isinstance(item, dict) and item.get("use") == AUTO:
            continue  # no plugin reads its checkpoint, which is a fault already
        if isinstance(item, dict) and isinstance(item.get("use"), str):
            options = item.get("with", {})
            plugins.append((path, kind, item["use"], {} if options is None else options))
    return plugins
