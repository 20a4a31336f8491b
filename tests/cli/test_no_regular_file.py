"""Commands say that a pipe or a device is one, wherever they take a file, and do not wait for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes"),
    pytest.mark.timeout(60),
]
COMMANDS = {
    "checkpoint": ("init", "{}"),
    "checkpoint to inspect": ("model", "inspect", "{}"),
    "checkpoint to convert": ("model", "convert", "{}", "out.safetensors"),
    "config": ("run", "{}", "--out", "run"),
    "boundaries to list": ("boundaries", "list", "{}"),
    "boundaries to import": ("boundaries", "import", "{}", "--assume", "bundled:rooms", "--out", "out"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_pipe_is_called_one(
    command: tuple[str, ...], invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    result = invoke(*(part.format("pipe") for part in command))
    assert result.exit_code == 2
    assert "pipe" in result.stderr
    assert "it is a named pipe; a regular file is needed" in result.stderr


def test_a_device_is_called_one(invoke) -> None:
    result = invoke("model", "inspect", os.devnull)
    assert result.exit_code == 2
    assert f"checkpoint {os.devnull} cannot be read: it is a device; a regular file" in result.stderr
