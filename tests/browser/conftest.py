"""Fixtures of tests that look at pages in a browser; see tests/in_browser.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import _on_path
from ganstrata.app.workspace import Workspace
from ganstrata.core.runs.run import Run
from in_browser import Chromium, Tabs, why_not
from in_browser import chromium as started
from served_app import ServedApp, served


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """Return the browser, which all tests of this process share."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with started() as browser:
        yield browser


@pytest.fixture
def tabs(chromium: Chromium) -> Iterator[Tabs]:
    """Return a visitor whose pages must not complain: a test fails for any error on their consoles."""
    visitor = chromium.tabs()
    yield visitor
    chromium.do(visitor.close)


@pytest.fixture(scope="session")
def opened(chromium: Chromium, site: Path, finished: Run) -> Workspace:
    """Return the small run, opened for the app; not where there is no browser to look at it."""
    with _on_path(site):
        return Workspace.open(Path(finished.path))


@pytest.fixture
def app(opened: Workspace) -> Iterator[ServedApp]:
    """Return the app of the small run, served for one test."""
    with served(opened) as serving:
        yield serving


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Call a test that opens pages in the thread of the browser."""
    tabs = pyfuncitem.funcargs.get("tabs")
    if tabs is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    pyfuncitem.funcargs["chromium"].do(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    assert tabs.told() == []
    return True
