"""Call every command with absurd arguments: exit code 0, 1 or 2, a short message, no traceback, in time."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from ganstrata.cli.main import COMMANDS, main
from ganstrata.core.runs.run import Run

TEXTS = [
    "", " ", "0", "1", "-1", "3", "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "9" * 5000, "0x10",
    "²", "٣", "1_0", "0-1", "1-0", "0-9", "0-99999999", "2,2,2", "all", "each", "groups", "top",
    "bottom@top", "x" * 300, "x" * 5000, "a\x00b", "\x1b[31m", "\u202e", "\udcff", "~nosuchuser/x", "..",
    ".", "/dev/null", "run", "run/run.json", "config.json", "absent", "seen/red", "seen/red:2",
    "seen/red:nan", "seen/red:1e308@top", f"seen/red:1@{'9' * 5000}", "seen/left@0-99", "seen/*", "[", "[!",
    "*", "layout", "attribute", "joint", "absolute", "jitter", "strip,grid", "grid", "html,html", ",",
    "npy", "list", "z", "w", "wp", "NAME=TEXT", "=", "seen/red=\x1b[31m", "a=b=c",
    "cuda:99999999999999999999", "cpu", "meta", "bundled:rooms", "bundled:../x", "--", "-", "hue",
    "StyleGAN2", "synthesis.samples=x",
]  # fmt: skip
SLOW = {("run",), ("synthesize",)}  # with a sound config they would do their work


def commands() -> dict[tuple[str, ...], click.Command]:
    commands_by_name: dict[tuple[str, ...], click.Command] = {}
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        if isinstance(command, click.Group):
            commands_by_name |= {(name, inner): inside for inner, inside in command.commands.items()}
        else:
            commands_by_name[name,] = command
    return commands_by_name


def arguments(rng: random.Random, words: tuple[str, ...], command: click.Command) -> list[str]:
    """Return arguments with values of any kind, sometimes one more or fewer than needed."""
    options: list[str] = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            likely = "absent.yaml" if words in SLOW else "run"
            count = 1 if parameter.nargs == 1 else rng.choice([1, 1, 2])
            options += [likely if rng.random() < 0.7 else rng.choice(TEXTS) for _ in range(count)]
        elif parameter.required or rng.random() < 0.25:
            option = rng.choice(parameter.opts)
            if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count):
                options.append(option)
                continue
            for _ in range(rng.choice([1, 2]) if parameter.multiple else 1):
                usual = {"along": "seen/red", "out": f"out{rng.randrange(10**9)}", "assume": "run"}.get(
                    parameter.name or ""
                )
                options += [option, usual if usual is not None and rng.random() < 0.7 else rng.choice(TEXTS)]
    if rng.random() < 0.05:
        options.insert(
            rng.randrange(len(options) + 1), rng.choice([*TEXTS, "--nonsense", "--help", "--" + "x" * 5000])
        )
    return options


def hold(seeds: range, folder: Path) -> None:
    every = sorted(commands().items())
    codes = set()
    for seed in seeds:
        rng = random.Random(seed)
        words, command = every[seed % len(every)]
        options = arguments(rng, words, command)
        began = time.process_time()
        result = CliRunner().invoke(main, [*words, *options])
        seconds = time.process_time() - began
        summary = (
            f"seed {seed}: ganstrata {' '.join(words)} {[text[:100] for text in options]}: "
            f"exit code {result.exit_code}\n{result.stderr[:3000]}"
        )
        assert result.exit_code in (0, 1, 2), summary
        assert result.exception is None or isinstance(result.exception, SystemExit), summary
        assert "this is a mistake in ganstrata" not in result.stderr, summary
        assert "Traceback" not in result.output, summary
        if result.exit_code == 2:
            assert result.stderr.strip(), summary
            assert len(result.stderr) <= 2300, summary  # the usage comes before the message
        assert all(line.replace("\t", "").isprintable() for line in result.output.splitlines()), summary
        assert seconds < 60, summary
        codes.add(result.exit_code)
        if not (folder / "run" / "run.json").exists():
            pytest.fail(f"the run is gone; {summary}")
    assert codes >= {0, 2}


@pytest.fixture
def folder(fakes, finished: Run, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of a finished run and its config, in which commands are called."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    shutil.copytree(finished.path, inner / "run")
    (inner / "config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.chdir(inner)
    return inner


def test_any_arguments_end_with_a_short_message(folder: Path) -> None:
    hold(range(150), folder)


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("start", range(1000, 4000, 500))
def test_many_more_arguments_end_with_a_short_message(start: int, folder: Path) -> None:
    hold(range(start, start + 500), folder)
