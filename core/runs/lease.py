"""Hold the arrays at a URL for one run and one process at a time, across machines.

Beside the arrays lie two objects: `owner.json` names the run whose arrays they are, and `lease.json` the
process that works on them. Both are written on the condition that there is none yet, and the lease is renewed
on the condition that it is still the same, which object stores check in one step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import GanstrataError, RunError
from ..storage.objects import Objects
from .holder import STALE, Holder, beating
from .manifest import StoreRecord

LEASE, OWNER = "lease.json", "owner.json"
BRIEF = 10.0  # seconds to try to renew or to let go: the next beat tries again, and a lease becomes stale


class Lease:
    """The hold of this process on the arrays at a URL.

    Attributes:
        place: the URL.
        taken_over: what was said of the process that held it before and had ended; empty if none had.
    """

    def __init__(self, place: Objects, run: str) -> None:
        """Take hold.

        Args:
            place: the URL.
            run: the id of the run.

        Raises:
            RunError: the arrays belong to another run, or another process holds them.
        """
        self.place, self._run, self._me = place, run, Holder.me()
        self._brief = Objects(place.url, BRIEF)
        self._lost, self.taken_over = False, ""
        self._check_owner()
        self._tag = self._taken()

    def _check_owner(self) -> None:
        content = self.place.get(OWNER)
        if content is None:
            return
        try:
            owner = dict(json.loads(content))
        except (ValueError, TypeError, RecursionError):
            owner = {}
        if owner.get("run") != self._run:
            raise RunError(
                f"{self.place} holds the arrays of another run ({owner.get('path', 'unknown')} on "
                f"{owner.get('host', 'unknown')}); give another URL, or remove everything there"
            )

    def _taken(self) -> str:
        """Write the lease, and return its tag."""
        tag = self.place.put_new(LEASE, self._me.text())
        if tag is not None:
            return tag
        content, tag_there = self.place.get_tagged(LEASE)
        holder = Holder.read(content)
        if self._is_mine(holder):
            return tag_there
        if holder is None or holder.is_gone:
            tag = self.place.put_over(LEASE, self._me.text(), tag_there)
            if tag is not None:
                self.taken_over = "" if holder is None else str(holder)
                return tag
            content, tag_there = self.place.get_tagged(LEASE)
            holder = Holder.read(content)
            if self._is_mine(holder):
                return tag_there
        raise RunError(
            f"{self.place} is in use by {holder or 'another process'}; wait until that has finished. If it "
            f"was killed, this command works {STALE / 60:.0f} minutes after its last sign of life, or at "
            f"once when you have removed {self.place}/{LEASE}"
        )

    def _is_mine(self, holder: Holder | None) -> bool:
        """Return whether a lease is this one: a store may have written what it has not answered in time."""
        return holder is not None and holder.token == self._me.token

    def own(self, path: str) -> None:
        """Note that the arrays are those of this run, in the directory `path`.

        Raises:
            RunError: they have become those of another run.
        """
        owner = {"run": self._run, "path": path, "host": self._me.host}
        if self.place.put_new(OWNER, json.dumps(owner).encode()) is None:
            self._check_owner()

    def renew(self) -> None:
        """Give a sign of life, unless another process has taken over."""
        tag = None if self._lost else self._brief.put_over(LEASE, self._me.text(), self._tag)
        if tag is None and not self._lost:
            content, tag_there = self._brief.get_tagged(LEASE)
            tag = tag_there if self._is_mine(Holder.read(content)) else None
        self._lost = tag is None
        self._tag = tag or self._tag

    def check(self) -> None:
        """Check that this process still holds the arrays.

        Raises:
            RunError: another one has taken them over.
        """
        holder = Holder.read(self.place.get(LEASE))
        if self._lost or not self._is_mine(holder):
            raise RunError(
                f"{self.place} was taken over by {holder or 'another process'}, because this one gave no "
                f"sign of life for {STALE / 60:.0f} minutes; what it did since is not recorded. "
                "The same command continues when that has finished"
            )

    def release(self) -> None:
        """Let go, if this process still holds the arrays."""
        with suppress(GanstrataError):  # it becomes stale
            if self._is_mine(Holder.read(self._brief.get(LEASE))):
                self._brief.remove([LEASE])


@contextmanager
def leased(store: StoreRecord | None) -> Iterator[Lease | None]:
    """Hold the arrays at a URL during the block; None if a run's arrays lie in its directory.

    Raises:
        RunError: see Lease.
    """
    if store is None:
        yield None
        return
    lease = Lease(Objects(store.url), store.id)
    try:
        with beating(lease.renew):
            yield lease
    finally:
        lease.release()
