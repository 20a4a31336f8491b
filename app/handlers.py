"""Define what a handler is: the fields of a request, and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from .compute import Pace, Priority
from .sessions import Session
from .workspace import Workspace

MOST_MOVES = 64
EVERY = 0.1  # seconds between two messages on how far a job is
FRAME, SCORES, THUMBNAIL, JOB = Priority.FRAME, Priority.SCORES, Priority.THUMBNAIL, Priority.JOB

Name = Annotated[str, Field(min_length=1, max_length=400)]
Number = Annotated[float, Field(ge=-1e4, le=1e4, allow_inf_nan=False)]
Index = Annotated[int, Field(ge=0, lt=10**9)]


class Request(BaseModel):
    """Hold the fields of a request; what is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PictureRef(Request):
    """Name a picture: a fresh sample, one of the run, or one that was made in this tab. One of the three."""

    seed: Index | None = None
    sample: Index | None = None
    kept: Annotated[str, Field(pattern=r"^k\d{1,6}$")] | None = None


class EditMove(Request):
    """Say how far a picture is moved along a boundary.

    Attributes:
        along: the boundary.
        by: distance, in the unit of the run.
        layers: as people write them, such as `6-11`; None for the boundary's own, or all.
        keep: boundaries whose concepts are to stay.
    """

    along: Name
    by: Number
    layers: Annotated[str, Field(max_length=200)] | None = None
    keep: Annotated[tuple[Name, ...], Field(fail_fast=True, max_length=MOST_MOVES, strict=False)] = ()


class Edit(Request):
    """Say which picture is edited, and how.

    Attributes:
        picture: the picture.
        truncation: factor on the distance of the codes from the mean; 1 leaves them.
        moves: moves that are made together.
    """

    picture: PictureRef
    truncation: Annotated[float, Field(ge=0.0, le=2.0)] = 1.0
    moves: Annotated[tuple[EditMove, ...], Field(fail_fast=True, max_length=MOST_MOVES, strict=False)] = ()


class Nothing(Request):
    """Hold the fields of a request that has none."""


class Answer:
    """Send what belongs to one request, while it is computed and after.

    Args:
        n: number of the request.
        send: sends a message to the page, or drops it when no page listens.
        breathe: lets more urgent work pass, and raises Stopped once this is to end.
    """

    def __init__(
        self, n: int, send: Callable[[dict[str, Any] | bytes], None], breathe: Callable[[], None]
    ) -> None:
        self.n, self.breathe = n, breathe
        self._send, self._pace = send, Pace(EVERY)

    def picture(self, content: bytes, media_type: str, size: tuple[int, int], **facts: Any) -> None:
        """Send a picture.

        Args:
            content: the encoded picture.
            media_type: such as image/png.
            size: width and height.
            facts: what else its header holds.
        """
        header = {"n": self.n, "type": media_type, "width": size[0], "height": size[1], **facts}
        self._send(framed(header, content))

    def step(self, step: int, total: int, **facts: Any) -> bool:
        """Breathe between two steps of a job, and say how far it is.

        Returns:
            Whether a message was sent, so that a preview may follow.

        Raises:
            Stopped: the job is to end.
        """
        self.breathe()
        if not (self._pace.due() or step >= total):
            return False
        self._send({"n": self.n, "progress": {"step": step, "total": total, **facts}})
        return True


@dataclass(frozen=True)
class Handler:
    """Represent the answer to one kind of request.

    Attributes:
        fields: of the request.
        perform: computes the answer; what it returns is sent last. It may raise a GanstrataError.
        priority: when it is done.
        channel: of waiting requests of one session and channel the newest alone is answered; "" for one
            channel of its own.
    """

    fields: type[Request]
    perform: Callable[[Workspace, Session, Any, Answer], dict[str, Any]]
    priority: Priority
    channel: str = ""


Handlers = Mapping[str, Handler]
R = TypeVar("R", bound=Request)


def framed(header: dict[str, Any], content: bytes) -> bytes:
    """Return a binary message: the length of the header in 4 bytes, the header, the content."""
    import json

    head = json.dumps(header, allow_nan=False).encode()
    return len(head).to_bytes(4, "big") + head + content
