"""What the command `ganstrata app` says around the server, which is replaced here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from ganstrata.app import serve, workspace


@pytest.fixture
def started(
    invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """started(...) calls the command with a server that is interrupted as soon as it is ready."""

    def interrupted(_: object, __: object, ___: object, ready: Callable[[], None]) -> None:
        ready()
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "serve", interrupted)
    opened = SimpleNamespace(remarks=(), differences=())
    monkeypatch.setattr(workspace.Workspace, "open", lambda *_: opened)
    return lambda *given: invoke("app", tmp_path, "--no-browser", "--port", 0, *given)


def test_an_interruption_is_the_end_and_no_error(started: Callable[..., Result]) -> None:
    done = started()
    assert done.exit_code == 0
    assert done.output.index("Opening ") < done.output.index("The app is at http://127.0.0.1:")
    assert "Error" not in done.output
    assert "another machine" not in done.output


def test_what_listens_everywhere_says_what_another_machine_opens(started: Callable[..., Result]) -> None:
    done = started("--host", "0.0.0.0")
    assert "From another machine, put this one's name or address in place of 0.0.0.0." in done.output
    assert "#token=" in done.output
