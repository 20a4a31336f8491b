"""The views Paint and Annotate as people use them, by pointer and keyboard; nothing painted is lost."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import _on_path
from ganstrata.app.workspace import Workspace
from ganstrata.core.runs.run import Run
from ganstrata.core.semantics.annotation.annotations import Annotations
from ganstrata.core.study.key import PAGE
from ganstrata.core.study.page import build_page, read_page
from ganstrata.core.study.votes import read_ballot
from in_browser import NARROW, Chromium, Tabs, assert_accessible, overflow
from masks_of_pages import picture_bytes
from served_app import ServedApp, served
from study_raters import make_key

KEY_ = make_key(1)


@pytest.fixture(scope="module")
def opened(chromium: Chromium, site: Path, furnished: Run) -> Workspace:
    with _on_path(site):
        return Workspace.open(Path(furnished.path))


@pytest.fixture
def app(opened: Workspace, tmp_path: Path) -> Any:
    pictures = [
        [("image/png", picture_bytes(q, row)) for row in range(4)] for q in range(len(KEY_.questions))
    ]
    (tmp_path / PAGE).write_text(build_page(KEY_, pictures, (8, 8)), encoding="utf-8")
    with served(replace(opened, study=read_page(tmp_path))) as serving:
        yield serving


def opened_view(tabs: Tabs, app: ServedApp, view: str, **given: Any) -> Any:
    page = tabs.open(f"{app.address.url}#{view}", **given)
    page.locator(".brush").wait_for()
    return page


@pytest.mark.parametrize("view", ["paint", "annotate"])
def test_in_a_window_of_middle_width_the_tools_have_the_whole_height(
    tabs: Tabs, app: ServedApp, view: str
) -> None:
    page = opened_view(tabs, app, view, width=1120, height=660)
    panel = page.locator(".paint .panel").bounding_box()
    assert panel["y"] + panel["height"] == pytest.approx(660, abs=1)
    assert panel["y"] < 80


def painted(page: Any) -> str:
    return str(page.locator(".painting p").last.inner_text())


def stroke(page: Any, x: float, y: float) -> None:
    """Draw over a part of the canvas, from a place to the right."""
    box = page.locator(".brush").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + (x + 0.3) * box["width"], box["y"] + y * box["height"], steps=4)
    page.mouse.up()


def test_a_picture_is_painted_and_taken_back(tabs: Tabs, app: ServedApp) -> None:
    page = opened_view(tabs, app, "paint")
    assert "Learnt from Scorer regions" in page.locator(".job").inner_text()
    page.locator(".palette label", has_text="lamp").click()
    stroke(page, 0.5, 0.8)
    assert painted(page).startswith("Painted: lamp")
    strokes = painted(page)
    page.get_by_text("Steps and weights").click()
    page.get_by_label("Steps of the search").fill("5")
    page.get_by_role("button", name="Change picture").click()
    page.locator(".job", has_text="After 5 steps").wait_for()
    page.locator(".caption", has_text="Seed 0, painted").wait_for()
    page.get_by_role("button", name="Seed 0, painted").wait_for()
    page.locator(".painting", has_text="Nothing is painted yet.").wait_for()
    # Undo brings back the picture before, with its strokes; a reload keeps them.
    page.locator("#undo").click()
    page.locator(".painting", has_text=strokes).wait_for()
    assert page.locator(".caption").inner_text() == "Seed 0"
    page.reload()
    page.locator(".painting", has_text=strokes).wait_for()
    page.get_by_role("button", name="Seed 0, painted").wait_for()


def test_a_search_is_stopped_and_its_best_picture_kept(tabs: Tabs, app: ServedApp) -> None:
    page = opened_view(tabs, app, "paint")
    page.locator(".brush").press("4")  # the fourth class, and a dot in the middle
    page.locator(".brush").press("Space")
    page.locator(".brush").press("Space")
    assert painted(page).startswith("Painted: lamp")
    page.get_by_text("Steps and weights").click()
    page.get_by_label("Steps of the search").fill("500")
    page.get_by_role("button", name="Change picture").press("Enter")
    page.locator(".job", has_text="of 500").wait_for()
    page.get_by_role("button", name="Stop").press("Enter")
    page.locator(".job", has_text="Stopped after").wait_for()
    page.locator(".caption", has_text="Seed 0, painted").wait_for()


def test_pictures_are_sampled_like_a_mask(tabs: Tabs, app: ServedApp) -> None:
    page = opened_view(tabs, app, "paint")
    page.locator(".palette label", has_text="bed").click()
    stroke(page, 0.3, 0.9)
    page.get_by_text("Steps and weights").click()
    for name, value in (
        ("Steps of the search", "2"),
        ("Pictures to sample", "2"),
        ("Candidates for each", "3"),
    ):
        page.get_by_label(name).fill(value)
    page.get_by_role("button", name="Sample like this").click()
    page.locator(".job", has_text="2 pictures, below the canvas.").wait_for()
    made = page.locator(".made button")
    assert made.count() == 2
    page.on("dialog", lambda dialog: dialog.accept())
    made.first.press("Delete")
    page.wait_for_timeout(100)
    assert made.count() == 1
    made.first.click()
    page.locator(".caption", has_text="Like a mask").wait_for()


def test_masks_teach_classes_of_ones_own(tabs: Tabs, app: ServedApp, tmp_path: Path) -> None:
    page = opened_view(tabs, app, "annotate")
    page.get_by_text("Names and colours of the classes").click()
    name = page.get_by_label("Name of class 1")
    name.fill("upper part")
    name.press("Enter")
    page.locator(".palette label", has_text="upper part").wait_for()
    for number in range(2):
        page.locator(".made button").nth(number).click()
        page.locator(".palette label").nth(0).click()
        stroke(page, 0.3, 0.2)
        page.locator(".palette label").nth(1).click()
        stroke(page, 0.3, 0.8)
    assert page.locator(".made button .done").count() == 2
    page.get_by_role("button", name="Learn from the masks").click()
    page.locator(".job", has_text="Learnt from 2 masks").wait_for()
    page.locator(".seen figcaption", has_text="upper part").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Masks", exact=True).click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path)
    folder = Annotations.open(tmp_path / "annotations")
    assert folder.legend.names == ("upper part", "second class")
    assert {int(mask.max()) for mask in folder.masks().values()} == {1}
    # All of it survives a reload, and what was learnt segments in Paint.
    page.reload()
    page.locator(".made button .done").nth(1).wait_for()
    page.get_by_role("button", name="Use it in Paint").click()
    page.locator(".palette label", has_text="upper part").wait_for()
    assert page.get_by_label("Segmented by").input_value() == "own 1"


def test_people_vote_and_take_their_votes_home(tabs: Tabs, app: ServedApp) -> None:
    page = opened_view(tabs, app, "annotate")
    page.get_by_role("button", name="Vote in the user study").click()
    for count, key in enumerate(("1", "0", "3"), start=1):
        page.get_by_role("heading", name="What should change").press(key)
        page.locator(".study", has_text=f"{count} with a vote").wait_for()
        page.locator(".study", has_text=f"Question {count + 1} of").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the votes as a file").click()
    path = Path(download.value.path())
    ballot = read_ballot(KEY_, path)
    assert sorted(map(str, ballot.votes.values())) == ["0", "2", "none"]
    assert ballot.rater == json.loads(path.read_text())["rater"]


@pytest.mark.parametrize("view", ["paint", "annotate"])
def test_the_views_are_for_everybody(tabs: Tabs, app: ServedApp, view: str) -> None:
    page = opened_view(tabs, app, view)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert_accessible(page)
    page.set_viewport_size({"width": NARROW, "height": 700})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert overflow(page) <= 0
    assert_accessible(page)
