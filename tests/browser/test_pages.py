"""Pages that the commands write: nothing on them complains, and everybody can read and use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import _on_path
from in_browser import NARROW, Chromium, Tabs, assert_accessible, overflow
from written_pages import PAGES, call, write_pages

UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.fixture(scope="module")
def pages(chromium: Chromium, furnished, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all pages; none is written where there is no browser."""
    folder = tmp_path_factory.mktemp("pages")
    with _on_path(site):
        write_pages(furnished.path, folder)
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody(tabs: Tabs, pages: Path, name: str) -> None:
    page = tabs.open(pages / PAGES[name])
    page.evaluate(UNFOLD)
    assert_accessible(page)
    page.set_viewport_size({"width": NARROW, "height": 700})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert overflow(page) <= 0
    assert_accessible(page)


def test_a_report_is_used_with_the_keyboard(tabs: Tabs, pages: Path) -> None:
    page = tabs.open(pages / PAGES["report"])
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the report")
    assert skip.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash === '#main'")
    heading = page.get_by_role("button", name="Change, sd", exact=True)
    cells = "[...document.querySelectorAll('#concepts tbody tr')].map((row) => row.cells[4].textContent)"
    for order in ("descending", "ascending"):
        heading.press("Enter")
        assert heading.locator("..").get_attribute("aria-sort") == order
        numbers = [float(text.replace("−", "-")) for text in page.evaluate(cells)]
        assert numbers == sorted(numbers, reverse=order == "descending")
        assert len(set(numbers)) > 1
    slider, window = page.get_by_role("slider").first, page.locator(".window").first
    before = window.evaluate("(one) => one.style.backgroundPosition")
    slider.press("ArrowLeft")
    assert window.evaluate("(one) => one.style.backgroundPosition") != before
    assert slider.get_attribute("aria-valuetext") == page.locator(".edit output").first.text_content()


def test_the_button_of_a_page_turns_the_lights_off_for_all_of_it(tabs: Tabs, pages: Path) -> None:
    page = tabs.open(pages / PAGES["report"])
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark").press("Enter")
    dark = page.evaluate(ground)
    assert dark != light
    assert_accessible(page, within="#entanglement")
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light").press("Enter")
    assert page.evaluate(ground) == light


def test_frames_of_an_edit_are_gone_through(tabs: Tabs, pages: Path) -> None:
    page = tabs.open(pages / PAGES["manipulate"])
    shown = page.locator("#strip-0 .pair").first.locator("img").nth(1)
    slider = page.locator("#strip-0").get_by_role("slider")
    slider.press("Home")
    first = shown.get_attribute("src")
    slider.press("End")
    assert shown.get_attribute("src") != first
    steps = page.locator("#strip-0 tbody tr").first.locator("td img")
    assert [first, shown.get_attribute("src")] == [steps.nth(i).get_attribute("src") for i in (1, -1)]


@pytest.mark.parametrize("width", [NARROW, 1200])
def test_people_vote_with_the_keyboard_and_their_votes_are_read(
    tabs: Tabs, pages: Path, tmp_path: Path, width: int
) -> None:
    page = tabs.open(pages / PAGES["study"], width=width, still=True, dark=width == NARROW)
    page.keyboard.press("Enter")
    count = int(page.locator("#progress").get_attribute("max"))
    for i in range(count):
        page.get_by_text(f"Question {i + 1} of {count}").wait_for()
        assert overflow(page) <= 0
        assert_accessible(page)
        page.keyboard.press("1" if i else "0")
    page.get_by_text(f"All {count} questions have your vote.").wait_for()
    assert_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the votes as a file").press("Enter")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    done = call("study", "read", pages / "study", file, "--out", tmp_path / "read", quiet=False)
    assert "1 rater" in done.stdout
    page.reload()
    assert page.get_by_role("button", name="Go to the end").is_visible()
