"""The installed command: Ctrl-C ends it silently until it can say something."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ganstrata.cli.entry import main


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The handlers of Ctrl-C that are set, and the command, in order."""
    seen: list[Any] = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: seen.append((number, handler)))
    monkeypatch.setattr("ganstrata.cli.main.main", lambda: seen.append("command"))
    return seen


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (
            signal.default_int_handler,
            [(signal.SIGINT, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler), "command"],
        ),
        (signal.SIG_IGN, ["command"]),  # of a command in the background of a script
    ],
)
def test_ctrl_c_ends_the_process_while_it_imports(
    handlers: list[Any],
    handler: Callable[..., Any] | signal.Handlers,
    expected: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _: handler)
    main()
    assert handlers == expected


def test_ctrl_c_before_the_command_handles_it_shows_no_traceback(
    handlers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ganstrata.cli.main.main", interrupted)
    with pytest.raises(SystemExit) as caught:
        main()
    assert (caught.value.code, caught.value.__suppress_context__) == (130, True)


def test_nothing_is_imported_before() -> None:
    code = (
        "import sys, ganstrata.cli.entry; sys.exit('click' in sys.modules or 'ganstrata.core' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
