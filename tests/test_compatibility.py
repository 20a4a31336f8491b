"""What earlier versions wrote can be used, what later ones wrote is refused by name, and hooks only grow.

tests/data has a config and a run directory of each version, and the hooks with their arguments.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ganstrata import ConfigError, RunError, open_run
from ganstrata.core.config.reading import read_config, validate
from ganstrata.core.config.schema import VERSION
from ganstrata.core.messages import UPGRADE
from ganstrata.core.plugins.hookspecs import PROJECT
from ganstrata.core.plugins.registry import registry
from ganstrata.core.runs.manifest import FORMAT
from ganstrata.core.storage.seal import sealed_text

DATA = Path(__file__).parent / "data"


def hooks() -> dict[str, list[str]]:
    """The hooks of tests/data/hooks.txt: name -> arguments."""
    lines = (DATA / "hooks.txt").read_text(encoding="utf-8").splitlines()
    return {name: arguments.split(", ") for name, arguments in (line[:-1].split("(") for line in lines)}


def test_hooks_and_their_arguments_are_those_that_are_recorded() -> None:
    """A new one gets its place in tests/data/hooks.txt. One that is gone breaks plugins: put it back."""
    present = registry().hooks.hook
    names = {name for name in vars(present) if name.startswith(PROJECT)}
    assert {name: list(getattr(present, name).spec.argnames) for name in names} == hooks()


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_config_of_each_version_is_read_with_every_field(version: int) -> None:
    """A field that is renamed or removed needs a higher VERSION, and code that reads the older ones."""
    file = DATA / f"config_{version}.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    assert stored["version"] == version
    present = read_config(file).as_data()
    if version == VERSION:
        assert present == stored, "a new field belongs into this file too"


def test_the_earlier_name_of_an_engine_is_read(config: dict[str, Any], fakes) -> None:
    """`use` was called `kind`: the value means the same, so the version did not rise."""
    config["engine"] = {"kind": "local", "workers": 3}
    engine = validate(config, "x").engine
    assert (engine.use, engine.workers) == ("local", 3)


def test_a_config_without_a_version_is_of_the_first_one(config: dict[str, Any], fakes) -> None:
    """Also when VERSION has risen: configs were written before anybody could know of a second one."""
    assert "version" not in config
    assert validate(config, "x").as_data() == validate({"version": 1, **config}, "x").as_data()


@pytest.mark.parametrize("version", [VERSION + 1, str(VERSION + 1), float(VERSION + 1)])
def test_a_config_of_a_newer_version_is_refused_by_that_alone(
    version: object, config: dict[str, Any], fakes
) -> None:
    with pytest.raises(ConfigError) as caught:
        validate({"version": version, "a_field_of_the_future": 1, **config}, "new.yaml")
    (fault,) = caught.value.faults
    assert fault.path == ("version",)
    assert f"is {version!r}, so the config is for a newer ganstrata" in str(caught.value)
    assert UPGRADE in str(caught.value)


@pytest.mark.parametrize("version", [0, "one", True, 1.5, None, [1]])
def test_no_other_version_is_allowed(version: Any, config: dict[str, Any], fakes) -> None:
    with pytest.raises(ConfigError, match="version: must be "):
        validate({"version": version, **config}, "x")


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_run_of_each_format_is_opened(number: int) -> None:
    run = open_run(DATA / f"run_format_{number}")
    assert run.manifest["format"] == FORMAT
    assert len(run.boundaries) == run.record.stages["learn"].boundaries == 14
    with pytest.raises(RunError, match="run `ganstrata run` on it again"):  # early versions recorded no keys
        assert run.keys


@pytest.mark.parametrize("place", [("format",), ("config", "version")])
def test_a_run_of_a_newer_version_is_refused_by_name(place: tuple[str, ...], copied: Path) -> None:
    data = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    section = data if len(place) == 1 else data[place[0]]
    section[place[-1]] = 2
    (copied / "run.json").write_text(sealed_text(data), encoding="utf-8")
    with pytest.raises(RunError, match=f"that of a newer ganstrata.*{re.escape(UPGRADE)}"):
        open_run(copied)


def test_a_run_with_unknown_fields_names_the_version_that_wrote_it(copied: Path) -> None:
    data = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    data["config"]["rescoring"]["a_field_of_the_future"] = 1
    data["versions"]["ganstrata"] = "7.1"
    (copied / "run.json").write_text(sealed_text(data), encoding="utf-8")
    with pytest.raises(
        RunError, match=r"ganstrata 7\.1 wrote it, this is .*: use that one, or another directory"
    ):
        open_run(copied)


def test_a_run_with_unknown_fields_and_no_version_says_what_can_be_done(copied: Path) -> None:
    data = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    data["a_field_of_the_future"] = 1
    del data["versions"]["ganstrata"]
    (copied / "run.json").write_text(sealed_text(data), encoding="utf-8")
    with pytest.raises(RunError) as caught:
        open_run(copied)
    assert str(caught.value).endswith("; the run cannot be continued, use another directory")
    assert "wrote it" not in str(caught.value)
