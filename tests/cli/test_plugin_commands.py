"""Commands of plugins: what they return, and how what goes wrong in them is reported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from ganstrata import PluginConfig
from ganstrata.core.plugins.analysis import Analysis
from ganstrata.core.plugins.plugin_info import PluginInfo
from ganstrata.core.plugins.registry import registry

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def failing(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Fail as the callback of an option may."""
    if value == "bad":
        raise KeyError("no such colour")
    return value


@click.group()
def group() -> None:
    """Group what a plugin can do."""


@group.command()
@click.option("--value")
def returning(value: str | None) -> object:
    """Return a number or a text."""
    return int(value) if value and value.isdigit() else value


@group.command()
@click.option("--colour", callback=failing)
def choosing(colour: str | None) -> None:
    """Take a colour."""
    click.echo(colour)


@group.command()
def leaving() -> None:
    """Leave with an exit code of its own."""
    click.get_current_context().exit(7)


@group.command()
def crashing() -> None:
    """Raise an exception."""
    raise RuntimeError("lost")


@group.command()
def inspecting() -> None:
    """Tell which command click is running."""
    context = click.get_current_context()
    assert context.command is inspecting
    assert context.parent is not None
    assert context.parent.command is group
    click.echo(context.command_path)


@pytest.fixture(autouse=True)
def _commands(fakes, register) -> None:
    """Register the group, and each of its commands by itself; `register` takes them out again."""
    for name in ("group", *group.commands):
        registry().add(PluginInfo("command", name, f"{__name__}:{name}", "made by a test", "test 0"))


@pytest.mark.parametrize("path", [("returning",), ("group", "returning")])
@pytest.mark.parametrize("value", ["5", "done"])
def test_what_a_command_returns_is_no_exit_code(invoke, path: tuple[str, ...], value: str) -> None:
    result = invoke(*path, "--value", value)
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("path", [("leaving",), ("group", "leaving")])
def test_a_command_may_choose_its_exit_code(invoke, path: tuple[str, ...]) -> None:
    assert invoke(*path).exit_code == 7


@pytest.mark.parametrize(
    ("arguments", "owner", "words"),
    [
        (("choosing", "--colour", "bad"), "choosing", "its options: KeyError: 'no such colour'"),
        (("group", "choosing", "--colour", "bad"), "group", "the command: KeyError: 'no such colour'"),
        (("crashing",), "crashing", "the command: RuntimeError: lost"),
    ],
)
def test_a_failure_is_reported_as_the_plugin_s(invoke, arguments, owner: str, words: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: command '{owner}' from test 0 failed in {words} ({__file__}:")
    assert "mistake in ganstrata" not in result.stderr


def test_help_and_mistakes_of_the_user_are_click_s_own(invoke) -> None:
    shown = invoke("choosing", "--help")
    assert (shown.exit_code, "Take a colour." in shown.stdout) == (0, True)
    refused = invoke("choosing", "--color", "red")
    assert refused.exit_code == 2
    assert "No such option '--color'" in refused.stderr.replace(": --color", " '--color'")
    assert " choosing [OPTIONS]" in refused.stderr


def test_the_command_of_the_plugin_is_left_as_it_is(invoke) -> None:
    for _ in range(2):
        assert invoke("group", "inspecting").stdout.endswith("group inspecting\n")
    assert "invoke" not in vars(group)


@posix
@pytest.mark.parametrize(
    ("shell", "error"),
    [
        ('("$@"; echo $? >&2) | (exec 0<&-; sleep 0.1)', "141\n"),
        ('"$@" >/dev/full; echo $? >&2', None),
    ],
)
def test_an_output_that_takes_nothing_is_no_fault_of_the_plugin(
    shell: str, error: str | None, tmp_path: Path
) -> None:
    if error is None and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "talker.py").write_text(
        "import click\nfrom ganstrata import hookimpl\n\n@click.command()\ndef talk():\n"
        "    for _ in range(100_000):\n        click.echo('word ' * 20)\n\n@hookimpl\n"
        "def ganstrata_register_commands(register):\n    register('talk', 'talker:talk', 'talk')\n"
    )
    info = tmp_path / "talker-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: talker\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganstrata]\ntalker = talker\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-m", "ganstrata.cli.main", "talk"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    stderr = "".join(line for line in done.stderr.splitlines(True) if not line.startswith("Slow: "))
    if error is None:
        assert "No space left on device" in stderr
        assert stderr.endswith("\n1\n")
        assert "talker 1.0" not in stderr
    else:
        assert stderr == error


class Summing(Analysis):
    """An analysis, for which there are no checks."""

    class Config(PluginConfig):
        """Nothing to configure."""


def test_the_kit_says_that_it_has_no_checks_for_a_kind(invoke, register) -> None:
    register("analysis", "summing", Summing)
    for name, kind in (("summing", "analysis"), ("crashing", "command")):
        result = invoke("plugins", "check", name)
        assert result.exit_code == 2
        known = "generators, scorers, boundary learners, engines and inverters"
        assert f"there are checks for {known} alone" in result.stderr
        assert f"'{name}' is of another kind: {kind}" in result.stderr


def test_a_name_that_a_scorer_shares_with_a_command_is_the_scorer_s(invoke) -> None:
    registry().add(PluginInfo("command", "hue", f"{__name__}:crashing", "made by a test", "test 0"))
    result = invoke("plugins", "check", "hue")
    assert (result.exit_code, "checks passed" in result.stdout) == (0, True)
