"""Answer what every view asks: the first greeting, forgetting a picture."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ..handlers import FRAME, Answer, Handler, Handlers, Nothing, Request
from ..sessions import MOST_KEPT, MOST_UPLOAD, Session
from ..workspace import Workspace
from .description import described
from .directions import names_of
from .explore import time_one
from .ranges import all_found


class Forget(Request):
    """Ask that a picture that was made here is forgotten."""

    kept: Annotated[str, Field(pattern=r"^k\d{1,6}$")]


def hello(workspace: Workspace, session: Session, request: Nothing, answer: Answer) -> dict[str, Any]:
    """Return what the page needs to begin, or to go on after it was loaded again."""
    if not session.memory.setdefault("begun", False):
        session.memory["begun"] = True
        for one in workspace.begun:
            session.keep(one.name, one.source, one.view_data, **one.facts)
    time_one(workspace, session)
    facts = described(workspace)
    for slider in facts["sliders"]:
        slider["plain"] = slider["words"]
        slider["words"] = names_of(session).get(slider["along"], slider["words"])
    return {
        **facts,
        "found": all_found(workspace),
        "session": session.id,
        "kept": [{"kept": key, "name": kept.name, **kept.facts} for key, kept in session.kept.items()],
        "limits": {"upload": MOST_UPLOAD, "kept": MOST_KEPT},
    }


def forget(workspace: Workspace, session: Session, request: Forget, answer: Answer) -> dict[str, Any]:
    """Forget a picture that was made here."""
    session.forget(request.kept)
    return {}


HANDLERS: Handlers = {"hello": Handler(Nothing, hello, FRAME), "forget": Handler(Forget, forget, FRAME)}
