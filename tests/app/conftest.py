"""A small finished run opened for the app, and handlers asked as a tab asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attacked_app import Served, served
from conftest import _on_path
from ganstrata.app.handlers import Answer
from ganstrata.app.serve import HANDLERS
from ganstrata.app.sessions import Session
from ganstrata.app.workspace import Workspace
from ganstrata.core.runs.run import Run


@pytest.fixture(scope="session")
def opened(site: Path, finished: Run) -> Workspace:
    with _on_path(site):
        return Workspace.open(Path(finished.path))


@pytest.fixture
def workspace(fakes: ModuleType, opened: Workspace) -> Workspace:
    return replace(opened, memory={})


@pytest.fixture
def session() -> Session:
    return Session("a tab")


@pytest.fixture
def asking(session: Session) -> Callable[[Workspace], Callable[..., Any]]:
    """Return asking(workspace), which returns ask(name, **fields)."""

    def of(workspace: Workspace) -> Callable[..., Any]:
        def asked(name: str, /, *, breathe: Callable[[], None] = lambda: None, **fields: Any) -> Any:
            handler, sent = HANDLERS[name], []
            request = handler.fields.model_validate(fields)
            answer = handler.perform(workspace, session, request, Answer(7, sent.append, breathe))
            return answer, sent

        return asked

    return of


@pytest.fixture
def ask(workspace: Workspace, asking: Callable[[Workspace], Callable[..., Any]]) -> Callable[..., Any]:
    """Return ask(name, **fields): the answer of a handler, and what was sent before it."""
    return asking(workspace)


@pytest.fixture(scope="session")
def server(site: Path, finished: Run) -> Iterator[Served]:
    """Return the app of the small run, in a process of its own that all attacks share."""
    with ExitStack() as stack:
        with _on_path(
            site
        ):  # no longer than it starts: it lasts for all tests, of which others need no fakes
            running = stack.enter_context(served(Path(finished.path)))
        yield running


@pytest.fixture
def app(server: Served) -> Iterator[Served]:
    """Return the server, which must be as well after a test as before."""
    yield server
    server.close_tabs()
    server.assert_well()
