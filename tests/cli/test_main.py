"""The group of commands: help, version, misspelt names, and Python names beside them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import ganstrata
import pytest
from click.testing import CliRunner
from ganstrata.cli.main import COMMANDS, main


def commands() -> dict[str, click.Command]:
    """Return every command, groups included, by its words."""
    commands_by_name: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        commands_by_name[name] = command
        if isinstance(command, click.Group):
            commands_by_name |= {f"{name} {inner}": inside for inner, inside in command.commands.items()}
    return commands_by_name


@pytest.mark.parametrize("words", sorted(commands()))
def test_help_names_every_option_and_gives_an_example(words: str) -> None:
    command = commands()[words]
    result = CliRunner().invoke(main, [*words.split(), "--help"])
    assert result.exit_code == 0
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in result.output
            assert parameter.help
        else:
            assert (parameter.metavar or (parameter.name or "").upper()) in result.output
    assert re.search(rf"Examples?:\n +ganstrata {words}\b", result.output)


def test_help_lists_the_commands_and_begins_with_the_demo() -> None:
    result = CliRunner().invoke(main, ["-h"])
    assert result.exit_code == 0
    for name, (_, line) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", result.output, re.MULTILINE)
    assert "ganstrata run bundled:rooms" in result.output


def test_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.output) == (0, f"ganstrata, version {ganstrata.__version__}\n")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("rnu", "run"), ("synthesise", "synthesize"), ("plugin", "plugins"), ("re-score", "rescore")],
)
def test_a_misspelt_command_gets_a_hint(typed: str, hint: str) -> None:
    result = CliRunner().invoke(main, [typed, "x"])
    assert result.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{hint}'?" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["run"], ["run", "a.yaml", "--nonsense"], ["rescore"], ["plugins", "show"]]
)
def test_wrong_use_is_exit_code_2_without_a_traceback(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert "Traceback" not in result.output


def test_light_commands_import_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import json, sys, ganstrata\n"
        "from click.testing import CliRunner\n"
        "from ganstrata.cli.main import main\n"
        "commands = (['--help'], ['--version'], ['run', '--help'], ['plugins', 'list'])\n"
        "codes = [CliRunner().invoke(main, command).exit_code for command in commands]\n"
        "heavy = {'torch', 'numpy', 'zarr', 'sklearn', 'scipy', 'pydantic'}\n"
        "print(json.dumps([codes, sorted(heavy & set(sys.modules))]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(done.stdout) == [[0, 0, 0, 0], []]


def test_the_help_of_a_group_shows_whole_sentences(invoke) -> None:
    for group in ("analysis", "boundaries", "model", "plugins", "study"):
        listed = invoke(group, "--help").stdout.split("Commands:")[1]
        assert "..." not in listed
        assert listed.rstrip().endswith(".")
