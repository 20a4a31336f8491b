"""Keep what belongs to one tab: pictures that were made in it, files to take home, its socket."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..core.editing.live import LivePicture
from ..core.editing.sources import Source
from ..core.errors import UserError

MOST_SESSIONS = 12
MOST_UPLOAD = 32 << 20  # bytes of a picture that is sent
MOST_KEPT = 50  # pictures of one session
MOST_LIVE = 4  # pictures whose states are kept for the next frame
MOST_FILE_BYTES = 64 << 20  # files that wait to be fetched, of one session
ID_LENGTH = 32


@dataclass(frozen=True)
class Kept:
    """Hold a picture that was made in a session: painted, inverted or annotated.

    Attributes:
        name: as the page shows it.
        source: its codes with all that is needed to render it.
        facts: what the page shows of it, such as measures; plain data.
        view_data: what the handlers of its view keep with it.
    """

    name: str
    source: Source
    facts: dict[str, Any]
    view_data: Any = None


@dataclass(frozen=True)
class Download:
    """Hold a file that waits to be fetched."""

    name: str
    type: str
    content: bytes


@dataclass(eq=False)
class Session:
    """Represent one tab.

    Attributes:
        id: known to the tab alone.
        kept: pictures made here, by id.
        live: pictures that were rendered last, by what they are of, the newest last.
        uploads: pictures that were sent, by id, as they came.
        downloads: files that wait to be fetched, by id.
        memory: what the handlers of a view keep for it, by the name of the view.
        send: sends a message to its socket; None while there is none.
        used: when it was last opened, asked for or left, on a clock that never goes back.
    """

    id: str
    kept: dict[str, Kept] = field(default_factory=dict)
    live: OrderedDict[str, LivePicture] = field(default_factory=OrderedDict)
    uploads: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    downloads: OrderedDict[str, Download] = field(default_factory=OrderedDict)
    memory: dict[str, Any] = field(default_factory=dict)
    send: Callable[[dict[str, Any] | bytes], None] | None = None
    used: float = field(default_factory=time.monotonic)
    _made: int = 0

    def leave(self) -> None:
        """Note that its socket is gone: from now on it is idle."""
        self.send = None
        self.used = time.monotonic()

    def keep(self, name: str, source: Source, view_data: Any = None, **facts: Any) -> str:
        """Keep a picture, and return its id.

        Nothing is refused here: who makes a picture calls `require_room` before, and what took minutes is not
        lost because its place was taken meanwhile.
        """
        self._made += 1
        key = f"k{self._made}"
        self.kept[key] = Kept(name, source, facts, view_data)
        return key

    def require_room(self) -> None:
        """Refuse work for whose picture there would be no room.

        Raises:
            UserError: the session holds too many.
        """
        if len(self.kept) >= MOST_KEPT:
            raise UserError(f"this tab holds {MOST_KEPT} pictures of its own; remove one first")

    def forget(self, key: str) -> None:
        """Forget a kept picture."""
        self.kept.pop(key, None)
        for ref in [ref for ref in self.live if ref == f"kept {key}"]:
            del self.live[ref]

    def offer(self, name: str, media_type: str, content: bytes) -> str:
        """Keep a file until it is fetched, and return its id; the oldest go when there are too many.

        Raises:
            UserError: it alone is too large.
        """
        if len(content) > MOST_FILE_BYTES:
            raise UserError(
                f"{name} would have {len(content) >> 20} MiB, and the page takes {MOST_FILE_BYTES >> 20}; "
                "ask for fewer steps, or use the command line"
            )
        key = secrets.token_urlsafe(16)
        self.downloads[key] = Download(name, media_type, content)
        while sum(len(file.content) for file in self.downloads.values()) > MOST_FILE_BYTES:
            self.downloads.popitem(last=False)
        return key


class Sessions:
    """Hold the sessions of all tabs, at most MOST_SESSIONS."""

    def __init__(self) -> None:
        self._all: dict[str, Session] = {}

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self._all)

    def find(self, key: str) -> Session | None:
        """Return the session with an id, or None."""
        session = self._all.get(key)
        if session is not None:
            session.used = time.monotonic()
        return session

    def find_or_open(self, key: str) -> tuple[Session, list[Session]]:
        """Return the session with an id, or else a new one, and those that were closed to make room.

        Raises:
            UserError: all sessions have a tab that is open.
        """
        found = self.find(key)
        if found is not None:
            return found, []
        closed = []
        while len(self._all) >= MOST_SESSIONS:
            idle = [session for session in self._all.values() if session.send is None]
            if not idle:
                raise UserError(f"{MOST_SESSIONS} tabs are open already; close one")
            oldest = min(idle, key=lambda session: session.used)
            closed.append(self._all.pop(oldest.id))
        session = Session(secrets.token_urlsafe(ID_LENGTH))
        self._all[session.id] = session
        return session, closed
