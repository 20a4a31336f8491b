"""The system's Chromium, driven by Playwright from a thread of its own, and what is asked of every page.

Playwright's loop of asyncio runs for as long as the browser is open, and its thread can run no
other. Tests of pages are therefore called in that thread (tests/browser/conftest.py does it), and those that
come after them find theirs as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
SEARCH = "GANSTRATA_BROWSER"
PATIENCE = 20_000  # ms, on a machine that other work shares
NARROW, WIDE = 380, 1200  # px
REBOUND = "rebound.example"  # a name of somebody else, who points it at this machine
# Rules of WCAG 2.2 at levels A and AA, and what axe-core's authors advise besides.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@cache
def executable() -> str | None:
    """Return the path of a browser that tells its version: a `chromium-browser` of Ubuntu may not."""
    given = os.environ.get(SEARCH)
    found = (given,) if given else (*map(shutil.which, NAMES), *filter(os.path.exists, PLACES))
    for path in filter(None, found):
        try:
            done = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and done.stdout.strip():
            return path
    return None


def why_not() -> str | None:
    """Say why pages cannot be tested here and what would help, or None where they can."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright is missing, with which pages are tested: pip install '.[test]'"
    if executable() is None:
        return (
            "no Chromium is here, in which pages are tested: apt-get install chromium, dnf install chromium, "
            f"apk add chromium, or {SEARCH}=/path/to/chrome"
        )
    return None


class Tabs:
    """Pages of one test, each in a context of its own; whatever goes wrong in one is remembered."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    def context(
        self,
        *,
        width: int = WIDE,
        height: int = 800,
        dark: bool = False,
        still: bool = False,
        touch: bool = False,
        offline: bool = False,
    ) -> BrowserContext:
        """Return what a new visitor has: no cookies, nothing stored.

        Args:
            width: of the window, px.
            height: of the window, px.
            dark: whether the system asks for dark pages.
            still: whether it asks for reduced motion.
            touch: whether it has a touch screen.
            offline: whether there is no network.
        """
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            has_touch=touch,
            offline=offline,
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE)
        context.on("page", self._listen)
        self.contexts.append(context)
        return context

    def open(self, address: str | Path, **given: Any) -> Page:
        """Open an address, or a file without network; see `context` for what else may be given."""
        if isinstance(address, Path):
            address, given = address.as_uri(), {"offline": True, **given}
        page = self.context(**given).new_page()
        page.goto(address)
        return page

    def _listen(self, page: Page) -> None:
        def told(message: Any) -> None:
            if message.type in ("error", "warning"):
                where = message.location
                self.faults.append(
                    f"{message.type}: {message.text} ({where.get('url')}:{where.get('lineNumber')})"
                )

        page.on("console", told)  # says violations of the content security policy, and what is not found, too
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("crash", lambda _: self.faults.append(f"{page.url} crashed"))

    def told(self) -> list[str]:
        """Return what went wrong until now, and forget it: a test that brings it about expects it."""
        said, self.faults = self.faults, []
        return said

    def close(self) -> None:
        """Close all pages."""
        for context in self.contexts:
            context.close()
        self.contexts.clear()


class Chromium:
    """One browser for all tests of a process, and the only thread that may speak to it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "browser")
        self.do(self._start)

    def _start(self) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=executable(),
            args=[
                "--disable-gpu",
                "--disable-background-networking",
                f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
            ],
        )

    def _stop(self) -> None:
        self._browser.close()
        self._playwright.stop()

    def do(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function in the browser's thread, and return what it returns."""
        return self._thread.submit(function, *arguments, **named).result()

    def tabs(self) -> Tabs:
        """Return a visitor's pages; methods of them are for the browser's thread."""
        return Tabs(self._browser)

    def close(self) -> None:
        """End the browser and the thread."""
        self.do(self._stop)
        self._thread.shutdown()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start the browser, and end it."""
    browser = Chromium()
    try:
        yield browser
    finally:
        browser.close()


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, *, within: str | None = None, without: tuple[str, ...] = ()) -> list[str]:
    """Return what axe-core finds wrong with a page as it is shown now: rule, element and message.

    Args:
        page: the page.
        within: selector of the part that is looked at, all by default.
        without: rules that are left out.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(f"{_axe()}\n;0")
    options = {
        "runOnly": {"type": "tag", "values": list(RULES)},
        "rules": {rule: {"enabled": False} for rule in without},
        "resultTypes": ["violations"],
    }
    found = page.evaluate(
        "([within, options]) => axe.run(within ?? document, options).then((all) => all.violations)",
        [within, options],
    )
    return [
        f"{fault['id']}: {' '.join(map(str, node['target']))}: {_short(node['html'])}: {_message(node)}"
        for fault in found
        for node in fault["nodes"]
    ]


def _message(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))


def _short(html: str) -> str:
    text = " ".join(html.split())
    return text if len(text) <= 160 else f"{text[:157]}..."


def assert_accessible(page: Page, **given: Any) -> None:
    """Fail with what axe-core finds wrong, a line each; see `violations`."""
    found = violations(page, **given)
    assert not found, f"{len(found)} violations on {page.url}:\n" + "\n".join(found)


def overflow(page: Page) -> float:
    """Return by how many pixels a page is wider than its window: a reader would have to move it sideways."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
