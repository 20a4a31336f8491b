"""Who holds a run, as a file says that may be damaged or of a clock that goes wrong."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from ganstrata.core.runs.holder import Holder, process_exists


def content(**change: Any) -> bytes:
    known = {"host": socket.gethostname(), "pid": 1, "since": 1e9, "beat": 1e9, "token": "t"}
    return json.dumps(known | change).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        content(since=1e300),
        content(since="nan"),
        content(since=-1e12),
        content(beat=float("inf")),
        content(beat=10**400),
        content(pid=float("inf")),
        content(pid=None),
    ],
    ids=str,
)
def test_what_is_damaged_names_nobody(damaged: bytes) -> None:
    assert Holder.read(damaged) is None


def test_a_number_that_no_process_can_have_is_of_none() -> None:
    assert not process_exists(10**30)
    holder = Holder.read(content(pid=10**30, beat=Holder.me().beat))
    assert holder is not None
    assert holder.is_gone


def test_the_name_of_a_machine_does_nothing_to_a_terminal() -> None:
    holder = Holder.read(content(host="far\x1b[31m"))
    assert holder is not None
    assert str(holder).startswith("process 1 on far\\x1b[31m, since ")
