"""The app of a small run, served in this process, and its page as people use it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from ganstrata.app.handlers import Edit
from ganstrata.app.serve import LOCAL, Address, bound, server_of
from ganstrata.app.sessions import Session
from ganstrata.app.views.pictures import pixels_of, rendered
from ganstrata.app.workspace import Workspace
from in_browser import PATIENCE, Tabs

PIXELS = """() => {
  const canvas = document.querySelector(".stage canvas:not([hidden])");
  const { width, height } = canvas;
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return [height, width, [...context.getImageData(0, 0, width, height).data]];
}"""

CANVAS = """(canvas) => {
  const { width, height } = canvas;
  return [height, width, [...canvas.getContext("2d").getImageData(0, 0, width, height).data]];
}"""


class ServedApp:
    """A server that listens on a free port of this machine.

    Attributes:
        workspace: what it serves; nothing is remembered from another test.
        address: where it is.
    """

    def __init__(self, opened: Workspace) -> None:
        self.workspace = replace(opened, memory={})
        self.address = Address(LOCAL, 0, None)
        self.token: str | None = None

    def start(self) -> None:
        """Begin to answer, at the address of before if there was one."""
        self._listener, address = bound(LOCAL, self.address.port)
        self.address = replace(address, token=self.token)
        ready = threading.Event()
        self._server = server_of(self.workspace, self.address, ready.set)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        assert ready.wait(PATIENCE / 1000)

    def stop(self) -> None:
        """End the server as Ctrl-C does."""
        self._server.should_exit = True
        self._thread.join(PATIENCE / 1000)
        assert not self._thread.is_alive()
        self._listener.close()

    def open(self, tabs: Tabs, **given: Any) -> Any:
        """Open the page, and wait for its first picture; see `Tabs.context` for what may be given."""
        page = tabs.open(self.address.url, **given)
        wait_for_picture(page, "Seed 0, not edited")
        return page

    def picture(self, **edit: Any) -> np.ndarray:
        """Return the picture of an edit as the run renders it, (H, W, 3)."""
        request = Edit.model_validate({"picture": {"seed": 0}, **edit})
        return pixels_of(self.workspace, rendered(self.workspace, Session("test"), request))


@contextmanager
def served(opened: Workspace) -> Iterator[ServedApp]:
    """Serve an opened run."""
    app = ServedApp(opened)
    app.start()
    try:
        yield app
    finally:
        app.stop()


def wait_for_picture(page: Any, words: str) -> None:
    """Wait until the large picture is said to be this, without loss."""
    page.get_by_role("img", name=words, exact=True).wait_for()
    page.locator(".stage[aria-busy=false]").wait_for()


def shown(page: Any) -> np.ndarray:
    """Return the pixels of the large picture, (H, W, 3)."""
    height, width, values = page.evaluate(PIXELS)
    return np.array(values, np.uint8).reshape(height, width, 4)[:, :, :3]


def pixels(page: Any, name: str) -> np.ndarray:
    """Return the pixels of the picture of this name, (H, W, 3)."""
    height, width, values = page.get_by_role("img", name=name, exact=True).evaluate(CANVAS)
    return np.array(values, np.uint8).reshape(height, width, 4)[:, :, :3]


def changes(page: Any) -> dict[str, float | None]:
    """Wait for the bars of the present edit, and return their numbers, in sd; None where there is none."""
    page.locator(".effects[aria-busy=false]").wait_for()
    rows = page.locator(".effects tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [row.querySelector('.name').title, row.lastChild.textContent])"
    )
    return {name: None if text == "none" else float(text.replace("\u2212", "-")) for name, text in rows}
