"""Arrays at a URL are held by one process of one run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ganstrata.core.errors import RunError
from ganstrata.core.runs import holder
from ganstrata.core.runs.holder import STALE, Holder
from ganstrata.core.runs.lease import LEASE, OWNER, Lease, leased
from ganstrata.core.runs.lock import NOTE, locked
from ganstrata.core.runs.manifest import StoreRecord
from ganstrata.core.storage.objects import Objects, StoreError
from object_server import BUCKET, settings

ELSEWHERE = "node7"


def other(**changes: object) -> bytes:
    """Return what another process notes."""
    return json.dumps(Holder.me()._replace(token="other", **changes)._asdict()).encode()


@pytest.fixture
def gone() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_process_is_told_who_holds_the_arrays(url: str) -> None:
    place = Objects(url)
    place.put(LEASE, other(pid=os.getppid(), since=0.0))
    with pytest.raises(RunError) as caught:
        Lease(place, "a")
    assert f"{url} is in use by process {os.getppid()} on this machine, since 19" in str(caught.value)
    place.put(LEASE, other(host=ELSEWHERE, pid=3))
    with pytest.raises(RunError, match=f"process 3 on {ELSEWHERE}, since 20.*removed {url}/{LEASE}"):
        Lease(place, "a")
    assert Holder.read(place.get(LEASE)).token == "other"


@pytest.mark.parametrize("why", ["killed here", "silent elsewhere", "numbered anew", "damaged"])
def test_a_lease_of_a_process_that_ended_is_taken_over(why: str, url: str, gone: int) -> None:
    left = {
        "killed here": other(pid=gone),
        "silent elsewhere": other(host=ELSEWHERE, beat=time.time() - STALE - 5.0),
        "numbered anew": other(),
        "damaged": b"{",
    }[why]
    place = Objects(url)
    place.put(LEASE, left)
    with leased(StoreRecord(url=url, id="a")) as lease:
        assert lease is not None
        lease.check()
        assert (str(Holder.read(left)) if why != "damaged" else "") == lease.taken_over
    assert place.get(LEASE) is None


def test_of_two_that_take_over_at_once_one_does(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Objects(url)
    place.put(LEASE, other(host=ELSEWHERE, beat=0.0))
    read = Objects.get_tagged

    def late(self: Objects, name: str) -> tuple[bytes | None, str]:
        found = read(self, name)
        self.put(LEASE, other(host=ELSEWHERE, pid=8))  # between reading and writing
        return found

    monkeypatch.setattr(Objects, "get_tagged", late)
    with pytest.raises(RunError, match=f"in use by process 8 on {ELSEWHERE}"):
        Lease(place, "a")


def test_who_was_taken_over_records_nothing_and_leaves_the_lease(url: str) -> None:
    place = Objects(url)
    with leased(StoreRecord(url=url, id="a")) as lease:
        assert lease is not None
        lease.renew()
        lease.check()
        place.put(LEASE, other(host=ELSEWHERE, pid=8))
        with pytest.raises(RunError, match=f"was taken over by process 8 on {ELSEWHERE}"):
            lease.check()
        lease.renew()
        assert Holder.read(place.get(LEASE)).pid == 8
    assert Holder.read(place.get(LEASE)).pid == 8


def test_a_renewal_that_was_written_but_not_answered_loses_nothing(url: str) -> None:
    place = Objects(url)
    with leased(StoreRecord(url=url, id="a")) as lease:
        assert lease is not None
        place.put(LEASE, lease._me.text())  # another tag
        lease.renew()
        lease.check()
        lease.renew()
        lease.check()
    assert place.get(LEASE) is None


@pytest.mark.parametrize("before", [b"", b"{"])
def test_a_lease_that_was_written_but_not_answered_is_taken(
    before: bytes, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store repeats the request, and refuses it then: there is one already, or another tag."""
    place = Objects(url)
    if before:
        place.put(LEASE, before)
    method = "put_over" if before else "put_new"
    write = getattr(Objects, method)
    monkeypatch.setattr(Objects, method, lambda *given: (write(*given), None)[1])
    lease = Lease(place, "a")
    monkeypatch.undo()
    lease.renew()
    lease.check()
    assert lease.taken_over == ""


def test_a_store_that_is_gone_does_not_keep_the_end_waiting(
    object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in settings(object_store).items():
        monkeypatch.setenv(key, value)
    lease = Lease(Objects(f"s3://{BUCKET}/gone"), "a")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        lease._brief = Objects(lease.place.url, 0.3)
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"cannot write .*lease\.json"):
            lease.renew()
        lease.release()
        assert time.monotonic() - began < 20.0
    assert Holder.read(lease.place.get(LEASE)), "it becomes stale"


def test_signs_of_life_are_given(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "BEAT", 0.01)
    with leased(StoreRecord(url=url, id="a")):
        first = Holder.read(Objects(url).get(LEASE))
        end = time.monotonic() + 20.0
        while (now := Holder.read(Objects(url).get(LEASE))).beat == first.beat:
            assert time.monotonic() < end
    assert (now.token, now.since) == (first.token, first.since)


def test_arrays_of_another_run_are_not_touched(url: str) -> None:
    with leased(StoreRecord(url=url, id="a")) as lease:
        assert lease is not None
        lease.own("/runs/a")
        lease.own("/runs/moved")
    place = Objects(url)
    assert json.loads(place.get(OWNER) or b"")["path"] == "/runs/a"
    with (
        pytest.raises(RunError, match=r"arrays of another run \(/runs/a on "),
        leased(StoreRecord(url=url, id="b")),
    ):
        pass
    assert place.get(LEASE) is None


def test_arrays_in_the_run_directory_need_no_lease() -> None:
    with leased(None) as lease:
        assert lease is None


def test_the_note_beside_the_lock_names_the_process(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with locked(path):
        (path / "run.json").write_text("{}", encoding="utf-8")
        with (
            pytest.raises(
                RunError, match=rf"in use by another process: process {os.getpid()} on this machine, since 20"
            ),
            locked(path),
        ):
            pass
        assert (path / NOTE).exists(), "the refused process has not removed it"
    assert not (path / NOTE).exists()


def test_a_process_elsewhere_counts_where_locks_do_not_reach(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "run.json").write_text("{}", encoding="utf-8")
    (path / NOTE).write_bytes(other(host=ELSEWHERE, pid=3))
    with pytest.raises(RunError, match=f"process 3 on {ELSEWHERE}.*10 minutes.*removed"), locked(path):
        pass
    assert (path / NOTE).exists()
    for left in (other(host=ELSEWHERE, beat=time.time() - STALE - 5.0), other(pid=1), b"\xff"):
        (path / NOTE).write_bytes(left)
        with locked(path):
            pass
        assert not (path / NOTE).exists()
