"""What the tests of pages rest on: faults of pages are seen, and other tests can use asyncio."""

from __future__ import annotations

import asyncio
import http.server
import threading

import pytest
from in_browser import NARROW, Chromium, Tabs, overflow, violations

GOOD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Good</title></head>
<body><main><h1>Good</h1><p>{}</p></main></body></html>"""


@pytest.fixture
def served():
    """served(html, policy) answers every request with a page, and returns its address."""
    servers = []

    def serve(html: str, policy: str = "") -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                content = html.encode()
                self.send_response(404 if self.path == "/missing" else 200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_asyncio_runs_beside_the_browser(chromium: Chromium) -> None:
    assert chromium.do(lambda: chromium.tabs().browser.version)
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_a_good_page_has_no_faults(tabs: Tabs, served) -> None:
    page = tabs.open(served(GOOD.format("well"), "default-src 'none'; img-src 'self' data:"))
    assert violations(page) == []


@pytest.mark.parametrize(
    ("body", "policy", "fault"),
    [
        ("<script>console.error('oh')</script>", "", "oh"),
        ("<script>console.warn('well')</script>", "", "well"),
        ("<script>throw new Error('thrown')</script>", "", "thrown"),
        ("<script>1</script>", "script-src 'none'", "script-src 'none'"),
        ("<b onclick='1'>x</b>", "script-src 'self'", "script-src 'self'"),
        ("<b style='color:red'>x</b>", "style-src 'none'", "style-src 'none'"),
        ("<img src=missing alt=''>", "", "404"),
    ],
)
def test_faults_on_consoles_are_seen(tabs: Tabs, served, body: str, policy: str, fault: str) -> None:
    tabs.open(served(GOOD.format(body), policy)).wait_for_load_state("networkidle")
    told = tabs.told()
    assert any(fault in one for one in told), told


def test_what_people_cannot_read_or_name_is_found(tabs: Tabs, served) -> None:
    page = tabs.open(
        served(GOOD.format("<span style='color:#aaa;background:#fff'>faint</span><img src='data:,'>"))
    )
    found = violations(page)
    assert [one.split(":")[0] for one in found] == ["color-contrast", "image-alt"]
    assert "faint" in found[0]
    assert [one.split(":")[0] for one in violations(page, without=("image-alt",))] == ["color-contrast"]
    assert violations(page, within="h1") == []


def test_each_visitor_sees_what_the_system_asks_for(tabs: Tabs, served) -> None:
    address = served(GOOD.format(f"<b style='display:block;width:{NARROW + 20}px'>wide</b>"))
    page = tabs.open(address, width=NARROW, dark=True, still=True)
    asked = "matchMedia('(prefers-color-scheme: dark) and (prefers-reduced-motion: reduce)').matches"
    assert page.evaluate(asked)
    assert 20 <= overflow(page) <= 40
    page.evaluate("localStorage.setItem('name', 'first')")
    other = tabs.open(address)
    assert not other.evaluate(asked)
    assert other.evaluate("localStorage.getItem('name')") is None
    assert overflow(other) == 0
