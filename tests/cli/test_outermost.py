"""Unexpected errors take a few lines, say how to report them, and have a switch for the traceback."""

from __future__ import annotations

import errno
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from ganstrata.cli.main import main


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> click.testing.Result:
    """`ganstrata model list` where the search for models raises."""

    def find(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("ganstrata.core.checkpoints.zoo.find", find)
    return CliRunner().invoke(main, ["model", "list"])


def test_an_unexpected_exception_is_reported_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    result = failing(TypeError("no \x1b[31m" + "x" * 10_000), monkeypatch)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: this is a mistake in ganstrata, not yours: TypeError: no \\x1b[31mxxx")
    assert "(cli/model.py, line " in first or "(tests/cli/test_outermost.py" in first
    assert "report it" in second
    assert "GANSTRATA_TRACEBACK=1" in second
    assert len(result.stderr) < 2000


def test_the_whole_traceback_is_printed_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANSTRATA_TRACEBACK", "1")
    result = failing(TypeError("x" * 5000), monkeypatch)
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert f"TypeError: {'x' * 5000}\n" in result.stderr
    assert "Error: this is a mistake in ganstrata" in result.stderr
    refused = CliRunner().invoke(main, ["run", "absent.yaml"])
    assert "Traceback (most recent call last):" in refused.stderr
    assert refused.stderr.endswith("Error: no config file absent.yaml\n")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Error: interrupted."),
        (MemoryError(), 1, "Error: there is not enough memory; "),
        (RuntimeError("can't start new thread"), 1, "Error: no more threads can be started; "),
        (OSError(errno.EMFILE, "Too many open files", "/a"), 1, "Error: /a: too many files are open; "),
        (
            PermissionError(errno.EACCES, "Permission denied", "/some/file"),
            1,
            "Error: /some/file: Permission denied",
        ),
        (OSError(errno.EIO, "Input/output error"), 1, "Error: cannot write the output: Input/output error."),
        (RecursionError("deep"), 1, "RecursionError: deep"),
    ],
)
def test_failures_of_the_machine_are_not_called_bugs(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = failing(error, monkeypatch)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["manipulate", "x", "--along", "a", "--steps", "9" * 100_000],
        ["manipulate", "x", "--along", "a", "--nonsense" + "\x1b" * 50_000],
        ["x" * 100_000],
        ["study", "make", "x", "--out", "y", "--words", "x" * 100_000],
    ],
)
def test_messages_about_wrong_use_are_short(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert len(result.stderr) < 2000
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e308", "1e999", "-1e7", "x", ""])
@pytest.mark.parametrize("option", ["--start", "--end", "--noise-sd", "--fps"])
def test_numbers_that_are_not_finite_are_refused(option: str, value: str) -> None:
    result = CliRunner().invoke(main, ["manipulate", "x", "--along", "a", option, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "{}"],
        ["run", "c", "--out", "{}"],
        ["learn", "{}"],
        ["model", "convert", "a", "{}"],
        ["boundaries", "list", "{}"],
        ["study", "read", "{}", "v", "--out", "o"],
    ],
)
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x" * 300, "cannot be used"),
        ("y/" * 4000, "cannot be used"),
        ("a\0b", "cannot be used"),
        ("~nosuchuser/x", "not known here"),
        ("", "an empty path was given"),
    ],
    ids=["long", "deep", "NUL", "nobody", "empty"],
)
def test_impossible_paths_are_refused(arguments: list[str], path: str, words: str) -> None:
    result = CliRunner().invoke(main, [argument.format(path) for argument in arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr) < 2000


def test_a_home_folder_is_written_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    result = CliRunner().invoke(main, ["learn", "~/run"])
    assert f"{tmp_path / 'run'} is not a run directory" in result.stderr
