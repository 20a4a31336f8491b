"""The app in a real browser beside pages of others, under a name of others, and with a token."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from ganstrata.app.serve import LOCAL, Address
from ganstrata.app.workspace import Workspace
from in_browser import REBOUND, Tabs, assert_accessible
from served_app import ServedApp, wait_for_picture

pytestmark = pytest.mark.usefixtures("fakes")
TOKEN = "a-token-that-nobody-guesses-at-all"

# What a page of somebody else may try. Each entry is what came of one attempt.
TRY = """async (address) => {
  const socket = () => new Promise((done) => {
    const line = new WebSocket(`ws${address.slice(4)}socket`);
    line.onopen = () => done("open");
    line.onclose = () => done("closed");
  });
  const ask = (path, given) =>
    fetch(address + path, given).then((answer) => answer.type, () => "failed");
  const read = (path) => fetch(address + path).then((answer) => answer.text(), () => "failed");
  const image = () => new Promise((done) => {
    const picture = new Image();
    picture.onload = () => done("loaded");
    picture.onerror = () => done("failed");
    picture.src = `${address}static/icon.svg`;
  });
  const framed = () => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.src = address;
    const theirs = () => frame.contentDocument === null;
    frame.onload = () => { try { done(theirs() ? "theirs" : "ours"); } catch { done("theirs"); } };
    document.body.append(frame);
  });
  return {
    socket: await socket(),
    put: await ask("upload?session=x", { method: "PUT", body: "x" }),
    post: await ask("token", { method: "POST", mode: "no-cors", body: "x" }),
    page: await read(""),
    image: await image(),
    frame: await framed(),
  };
}"""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """Return the address of a page of somebody else."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"<!doctype html><html lang=en><title>Elsewhere</title><body></body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer((LOCAL, 0), Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_page_of_somebody_else_gets_nothing(tabs: Tabs, app: ServedApp, elsewhere: str) -> None:
    page = tabs.open(elsewhere)
    came = page.evaluate(TRY, app.address.url)
    assert came.pop("frame") == "theirs"
    assert "ganstrata" not in page.frames[-1].content() or page.frames[-1].url.startswith("chrome-error")
    assert came == {
        "socket": "closed", "put": "failed", "post": "failed", "page": "failed", "image": "failed",
    }  # fmt: skip
    assert tabs.told()  # the browser says of each why
    app.open(tabs)  # and the page itself goes on


def test_a_name_that_somebody_points_here_opens_nothing(tabs: Tabs, app: ServedApp) -> None:
    page = tabs.open(f"http://{REBOUND}:{app.address.port}/")
    assert "this name is not one of this server" in page.content()
    came = page.evaluate(TRY, f"http://{REBOUND}:{app.address.port}/")  # as if it were its own page
    assert came["socket"] == "closed"
    assert "this name is not one of this server" in came["page"]
    tabs.told()


@pytest.fixture
def guarded(opened: Workspace) -> Iterator[Callable[[], ServedApp]]:
    """guarded() serves the app as at another address than this machine's own, with a token."""
    served: list[ServedApp] = []

    class Guarded(ServedApp):
        def open(self, tabs: Tabs, **given: Any) -> Any:
            return tabs.open(self.address.url, **given)

    def serve() -> ServedApp:
        app = Guarded(opened)
        app.token = TOKEN
        served.append(app)
        app.start()
        return app

    yield serve
    for app in served:
        app.stop()


def test_the_token_of_the_address_opens_the_page_and_leaves_the_address(
    tabs: Tabs, guarded: Callable[[], ServedApp]
) -> None:
    app = guarded()
    page = app.open(tabs)
    wait_for_picture(page, "Seed 0, not edited")
    assert TOKEN not in page.url
    assert TOKEN not in page.content()
    assert TOKEN not in page.evaluate(
        "document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })"
    )
    page.reload()  # the cookie opens it again
    wait_for_picture(page, "Seed 0, not edited")


@pytest.mark.parametrize("token", ["", "#token=wrong"])
def test_without_the_token_the_page_says_what_is_needed(
    tabs: Tabs, guarded: Callable[[], ServedApp], token: str
) -> None:
    app = guarded()
    page = tabs.open(replace(app.address, token=None).url + token)
    page.get_by_text("This server needs a token.", exact=False).wait_for()
    assert_accessible(page)
    assert "token" not in page.url
    refused = tabs.told()
    assert len(refused) == (1 if token else 0)  # a question without a token is no fault


def test_a_token_that_comes_later_is_taken_in_the_same_tab(
    tabs: Tabs, guarded: Callable[[], ServedApp]
) -> None:
    """What follows # loads no page anew. A server that is begun again has another token."""
    app = guarded()
    page = tabs.open(replace(app.address, token=None).url)
    page.get_by_text("This server needs a token.", exact=False).wait_for()
    page.goto(app.address.url)
    wait_for_picture(page, "Seed 0, not edited")
    page.get_by_role("slider", name="Half", exact=True).fill("2")
    wait_for_picture(page, "Seed 0, edited: Half +2.00")
    app.stop()
    page.get_by_role("status").get_by_text("Not connected").wait_for()
    app.token = f"another-{TOKEN}"
    app.start()
    page.get_by_text("and needs its new token", exact=False).wait_for()
    page.goto(app.address.url)
    page.get_by_role("status").get_by_text("Connected", exact=True).wait_for()
    page.get_by_role("slider", name="Half", exact=True).fill("-1")
    wait_for_picture(page, "Seed 0, edited: Half \u22121.00")
    assert TOKEN not in page.url
    assert all("WebSocket" in fault for fault in tabs.told())


def test_other_addresses_have_a_token() -> None:
    assert Address("0.0.0.0", 1, TOKEN).url.endswith(f"#token={TOKEN}")
