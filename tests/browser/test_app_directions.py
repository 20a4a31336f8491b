"""The view Directions in a browser: strips, filters, names that last, and two directions side by side."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from in_browser import NARROW, Tabs, assert_accessible, overflow
from served_app import ServedApp, wait_for_picture

pytestmark = pytest.mark.usefixtures("fakes")


def opened(tabs: Tabs, app: ServedApp, **given: Any) -> Any:
    page = app.open(tabs, **given)
    page.get_by_role("link", name="Directions").click()
    page.locator(".direction").first.wait_for()
    return page


def drawn(page: Any) -> None:
    """Wait for the strip of the first direction."""
    page.locator(".direction:first-child canvas[width='8']").nth(4).wait_for()


def test_directions_are_shown_named_and_used(tabs: Tabs, app: ServedApp) -> None:
    page = opened(tabs, app)
    drawn(page)
    first = page.locator(".direction").filter(has_text="seen/red")
    first.get_by_role("textbox", name="Name").fill("sunset")
    first.get_by_role("button", name="Keep").click()
    page.get_by_role("heading", name="Sunset seen/red").wait_for()
    assert_accessible(page)
    first.get_by_role("button", name="Use in Explore").click()
    wait_for_picture(page, "Seed 0, not edited")
    assert page.get_by_role("slider", name="Sunset", exact=True).count() == 1
    page.reload()
    page.get_by_role("slider", name="Sunset", exact=True).wait_for()
    page.get_by_role("link", name="Directions").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save names").click()
    content = json.loads(download.value.path().read_text())
    assert content["names"] == {"seen/red": "sunset"}
    content["names"] = {"seen/left": "leftwards", "gone": "x"}
    file = {"name": "names.json", "mimeType": "application/json", "buffer": json.dumps(content).encode()}
    page.locator("input[accept^='.json']").set_input_files(file)
    page.get_by_role("heading", name="Leftwards seen/left").wait_for()
    page.get_by_text("Not directions of this run: gone").wait_for()


def test_a_name_that_comes_once_explore_is_shown_again_breaks_nothing(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    page.evaluate("import('./static/explore.js').then(({ explore }) => explore.rebuild())")
    page.get_by_role("link", name="Directions").click()
    page.locator(".direction").first.wait_for()
    page.get_by_role("link", name="Explore").click()
    page.get_by_role("slider", name="Red", exact=True).press("ArrowRight")
    page.get_by_role("img", name=re.compile(r"^Seed 0, edited: Red \+")).wait_for()


def test_directions_are_filtered(tabs: Tabs, app: ServedApp) -> None:
    page = opened(tabs, app)
    every = page.locator(".direction:visible").count()
    page.get_by_role("textbox", name="Filter").fill("stripes")
    page.get_by_text(f"of {every}", exact=False).wait_for()
    assert 1 <= page.locator(".direction:visible").count() < every
    page.get_by_role("textbox", name="Filter").fill("")
    page.get_by_role("combobox", name="Show").select_option("named by you")
    page.get_by_text(f"0 of {every}").wait_for()


def test_two_directions_are_compared(tabs: Tabs, app: ServedApp) -> None:
    page = opened(tabs, app)
    page.get_by_role("combobox", name="One").select_option("seen/red")
    page.get_by_role("combobox", name="Other").select_option("seen/left")
    page.get_by_role("button", name="Compare").click()
    page.get_by_text("on average", exact=False).first.wait_for()
    assert page.locator(".side canvas").count() == 10
    steps = [text.split()[0] for text in page.locator(".side:first-child figcaption").all_inner_texts()]
    assert steps == [*reversed([step.replace("+", "\u2212") for step in steps[3:]]), "0", *steps[3:]]
    assert_accessible(page)
    page.get_by_role("radio", name="Same effect").check()
    page.get_by_role("spinbutton", name="of").fill("40")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("alert").get_by_text("at most, as far as it was measured", exact=False).wait_for()
    assert page.locator(".side").count() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_narrow_screen_and_in_the_dark(tabs: Tabs, app: ServedApp, dark: bool) -> None:
    page = opened(tabs, app, width=NARROW, dark=dark, still=True)
    drawn(page)
    assert_accessible(page)
    assert overflow(page) == 0


def test_another_picture_is_moved(tabs: Tabs, app: ServedApp) -> None:
    page = opened(tabs, app, height=3000)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.direction canvas')].every(({ width }) => width === 8)"
    )
    middle = page.locator(".direction canvas").nth(2)
    before = middle.evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_role("button", name="Next picture").click()
    for _ in range(100):
        if middle.evaluate("(canvas) => canvas.toDataURL()") != before:
            return
        page.wait_for_timeout(100)
    raise AssertionError("the strip still shows the picture of before")
