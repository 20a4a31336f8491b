"""The view Photograph in a browser: a file becomes a picture that is edited; bad files are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_pictures import encoded, png
from in_browser import NARROW, PATIENCE, Tabs, assert_accessible, overflow
from PIL import Image
from served_app import ServedApp, pixels, shown, wait_for_picture

pytestmark = pytest.mark.usefixtures("fakes")


def give(page: Any, name: str, content: bytes) -> None:
    page.locator("input[type=file][accept^='image']").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": content}
    )


@pytest.fixture
def photo(app: ServedApp) -> bytes:
    """Two samples side by side, eight times as large."""
    both = np.concatenate([app.picture(), app.picture(picture={"seed": 1})], axis=1)
    return encoded("PNG", np.asarray(Image.fromarray(both).resize((128, 64), Image.Resampling.NEAREST)))


def opened(tabs: Tabs, app: ServedApp, **given: Any) -> Any:
    page = app.open(tabs, **given)
    page.get_by_role("link", name="Photograph").click()
    return page


def test_a_photograph_is_inverted_judged_and_edited(tabs: Tabs, app: ServedApp, photo: bytes) -> None:
    page = app.open(tabs)
    page.get_by_role("slider", name="Truncation").fill("0.5")
    wait_for_picture(page, "Seed 0, edited: truncation 0.50")
    page.get_by_role("link", name="Photograph").click()
    find = page.get_by_role("button", name="Find its code")
    assert find.is_disabled()
    give(page, "two rooms.png", photo)
    page.get_by_text("centre: 64 x 64 px from (32, 0), resized to 8 x 8 px").wait_for()
    page.get_by_role("radio", name="Part").check()
    for name, value in (("left", 0), ("top", 0), ("width", 64), ("height", 64)):
        page.get_by_role("spinbutton", name=f"{name} in pixels").fill(str(value))
    page.get_by_role("spinbutton", name="height in pixels").press("Enter")
    page.get_by_text("0,0,64,64: 64 x 64 px from (0, 0), resized to 8 x 8 px").wait_for()
    assert_accessible(page)
    asked = pixels(page, "What the generator is asked for")
    page.get_by_text("How it is found").click()
    page.get_by_role("spinbutton", name="Steps of each search").fill("8")
    find.click()
    page.get_by_text("Done in").wait_for()
    # Some dozens of samples are inverted first.
    page.get_by_text("No warning.").or_(page.get_by_text("Warning.")).wait_for(timeout=4 * PATIENCE)
    page.get_by_text("each of the two tests warns of 5.0 % on average", exact=False).wait_for()
    assert (pixels(page, "Your picture") == asked).all()
    assert page.get_by_role("row", name="PSNR").count() == 1
    assert page.locator(".curve .line").count() == 2  # best, then w+
    assert_accessible(page)
    made = pixels(page, "Reconstruction")
    offered = page.get_by_role("combobox", name="Inverted before").locator("option")
    assert offered.all_inner_texts() == ["choose one", "two rooms"]
    page.get_by_role("button", name="Edit it in Explore").click()
    wait_for_picture(page, "two rooms, not edited")
    assert (shown(page) == made).all()
    # Its own place on a slider is told when the slider is opened.
    page.locator(".move .name").first.click()
    page.get_by_text("The picture itself lies at", exact=False).first.wait_for()
    page.reload()
    wait_for_picture(page, "two rooms, not edited")
    page.get_by_role("link", name="Photograph").click()
    page.get_by_role("combobox", name="Inverted before").select_option("two rooms")
    page.get_by_role("button", name="Edit it in Explore").wait_for()
    page.locator(".triple canvas[width='8']").nth(2).wait_for()
    assert (pixels(page, "Reconstruction") == made).all()


def test_a_search_that_is_stopped_keeps_what_it_found(tabs: Tabs, app: ServedApp, photo: bytes) -> None:
    page = opened(tabs, app)
    give(page, "a.png", photo)
    page.get_by_text("centre: 64 x 64 px", exact=False).wait_for()
    page.get_by_text("How it is found").click()
    page.get_by_role("spinbutton", name="Steps of each search").fill("2000")
    page.get_by_role("button", name="Find its code").click()
    page.get_by_text("Finding the code:", exact=False).wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped: this is what was found so far.").wait_for()
    page.get_by_text("It was stopped:", exact=False).or_(
        page.get_by_text("nobody knows how often")
    ).wait_for()
    assert page.get_by_role("button", name="Edit it in Explore").is_enabled()


@pytest.mark.parametrize(("width", "height"), [(1120, 660), (NARROW, 620)])
def test_a_search_and_its_stop_are_in_sight_in_a_low_window(
    tabs: Tabs, app: ServedApp, width: int, height: int
) -> None:
    page = opened(tabs, app, width=width, height=height)
    give(page, "tall.png", encoded("PNG", np.zeros((900, 300, 3), np.uint8)))
    page.get_by_text("centre: 300 x 300 px", exact=False).wait_for()
    page.get_by_text("How it is found").click()
    page.get_by_role("spinbutton", name="Steps of each search").fill("2000")
    page.locator(".giving").evaluate("(panel) => (panel.scrollTo(0, 0), window.scrollTo(0, 0))")
    page.get_by_role("button", name="Find its code").evaluate("(button) => button.click()")
    page.get_by_text("Finding the code:", exact=False).wait_for()
    for seen in (
        page.get_by_role("progressbar", name="Finding the code"),
        page.get_by_role("button", name="Stop"),
    ):
        box = seen.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= height
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped: this is what was found so far.").wait_for()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", b"hello", "a.png is not a picture"),
        ("bomb.png", png(30_000, 30_000), "bomb.png claims"),
        ("<img src=x onerror=alert(1)>.png", b"x", "is not a picture"),
        ("a.pdf", b"%PDF-1.7", "a.pdf is a PDF"),
    ],
)
def test_files_that_are_no_pictures_are_told(
    tabs: Tabs, app: ServedApp, name: str, content: bytes, words: str
) -> None:
    page = opened(tabs, app)
    give(page, name, content)
    page.get_by_role("alert").get_by_text(words, exact=False).wait_for()
    assert page.get_by_role("button", name="Find its code").is_disabled()


def test_a_file_may_be_dropped(tabs: Tabs, app: ServedApp, photo: bytes) -> None:
    page = opened(tabs, app)
    page.locator(".drop").evaluate(
        """(drop, bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
          drop.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(photo),
    )
    page.get_by_role("img", name="dropped.png, 128 by 64 pixels").wait_for()


def test_a_part_is_drawn_on_the_picture(tabs: Tabs, app: ServedApp, photo: bytes) -> None:
    page = opened(tabs, app)
    give(page, "a.png", photo)
    page.get_by_role("radio", name="Part").check()
    sheet = page.locator(".cropped").bounding_box()
    scale = sheet["width"] / 128
    page.mouse.move(sheet["x"] + 80 * scale, sheet["y"] + 8 * scale)
    page.mouse.down()
    page.mouse.move(sheet["x"] + 112 * scale, sheet["y"] + 40 * scale, steps=4)
    page.mouse.up()
    page.get_by_text("32 x 32 px from (80, 8)", exact=False).wait_for()
    for name, value in (("width", "500"), ("height", "500")):  # beyond the edges
        page.get_by_role("spinbutton", name=f"{name} in pixels").fill(value)
        page.get_by_role("spinbutton", name=f"{name} in pixels").press("Enter")
    page.get_by_text("48 x 56 px from (80, 8)", exact=False).wait_for()


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_narrow_screen_and_in_the_dark(tabs: Tabs, app: ServedApp, photo: bytes, dark: bool) -> None:
    page = opened(tabs, app, width=NARROW, dark=dark, still=True)
    give(page, "a.png", photo)
    page.get_by_text("centre: 64 x 64 px", exact=False).wait_for()
    assert_accessible(page)
    assert overflow(page) == 0


def test_pictures_of_folders_are_offered(
    tabs: Tabs, app: ServedApp, opened_with_codes: Any, tmp_path: Path
) -> None:
    page = opened_with_codes(tabs)
    page.get_by_role("link", name="Photograph").click()
    page.get_by_role("combobox", name="Inverted before").select_option("from a folder")
    page.locator(".triple figure:nth-child(2) canvas[width='8']").wait_for()


@pytest.fixture
def opened_with_codes(app: ServedApp) -> Any:
    """Open the page of an app that begins with an inverted picture."""
    from dataclasses import replace

    from ganstrata.app.inverted import kept_source
    from ganstrata.app.sessions import Kept
    from ganstrata.core.plugins.inverter import Inversion

    generator, prepared = app.workspace.prepared.generator, app.workspace.prepared
    latents = generator.sample(1, 3, 0, prepared_stream())
    codes = generator.broadcast(generator.map(latents.z))
    source = kept_source(generator, Inversion(codes), "folder", prepared.seed)
    facts = {"kind": "inverted", "stopped": False, "measures": [], "curves": [], "notes": [], "trust": None}
    app.stop()
    app.workspace = replace(app.workspace, begun=(Kept("from a folder", source, facts),))
    app.start()
    return app.open


def prepared_stream() -> Any:
    import ganstrata

    return ganstrata.Stream.EDITING
