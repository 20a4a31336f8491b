"""The view Take home in a browser: what is saved is what is shown, and a recipe brings the edit back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
from ganstrata.core.figures.pictures import read_picture
from in_browser import NARROW, Tabs, assert_accessible, overflow
from served_app import ServedApp, shown, wait_for_picture

pytestmark = pytest.mark.usefixtures("fakes")

EDITED, PLAIN = "Seed 0, edited", "Seed 0, not edited"
MOVES = [{"along": "seen/red", "by": 1.5, "layers": "6-7", "keep": []}]


def at_home(tabs: Tabs, app: ServedApp, **given: Any) -> Any:
    """A page with an edit, at the view."""
    page = app.open(tabs, **given)
    page.get_by_role("slider", name="Red", exact=True).fill("1.5")
    wait_for_picture(page, "Seed 0, edited: Red +1.50")
    page.get_by_role("link", name="Take home").click()
    wait_for_picture(page, EDITED)
    return page


def saved(page: Any, button: str, folder: Path) -> Path:
    """The file that a button gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_recipe_that_was_saved_makes_the_same_pixels_and_brings_the_edit_back(
    tabs: Tabs, app: ServedApp, tmp_path: Path
) -> None:
    page = at_home(tabs, app)
    file = saved(page, "Recipe", tmp_path)
    assert file.name.endswith("-seed-0-recipe.json")
    picture = read_picture(saved(page, "Picture", tmp_path).read_bytes())
    assert (picture == app.picture(moves=MOVES)).all()
    assert (picture == shown(page)).all()
    assert (read_picture(saved(page, "Before the edit", tmp_path).read_bytes()) == app.picture()).all()
    again = ganstrata.replay(app.workspace.run.path, file)
    assert again.same_pixels is True
    np.testing.assert_array_equal(again.picture, picture)
    codes = saved(page, "Codes", tmp_path)
    page.locator(".toast").get_by_text("codes.safetensors is ready", exact=False).wait_for()
    assert page.locator(".toast").count() == 1  # of four files that were saved
    edited = ganstrata.manipulate(
        app.workspace.run.path, "seen/red", codes=codes, kinds=(), out=tmp_path / "out"
    )
    assert np.abs(edited.before[0].pictures[0, 0].astype(int) - picture).max() <= 1

    page.get_by_role("link", name="Explore").click()
    page.get_by_role("button", name="Reset all").click()
    wait_for_picture(page, PLAIN)
    page.get_by_role("slider", name="Checks", exact=True).fill("1")
    wait_for_picture(page, "Seed 0, edited: Checks +1.00")
    page.get_by_role("link", name="Take home").click()
    page.get_by_label("File of a recipe").set_input_files(file)
    page.get_by_text("is open. The picture has the same pixels", exact=False).wait_for()
    wait_for_picture(page, EDITED)
    assert (shown(page) == picture).all()
    page.get_by_role(
        "link", name="Explore"
    ).click()  # where the sliders that the recipe does not move still are
    wait_for_picture(page, "Seed 0, edited: Red +1.50")
    assert page.get_by_role("slider", name="Checks", exact=True).input_value() == "0"
    page.keyboard.press("Control+z")
    wait_for_picture(page, "Seed 0, edited: Checks +1.00")


def test_what_is_no_recipe_is_said_beside_the_field(tabs: Tabs, app: ServedApp, tmp_path: Path) -> None:
    page = at_home(tabs, app)
    field, alert = page.get_by_label("File of a recipe"), page.locator(".drop [role=alert]")
    file = saved(page, "Recipe", tmp_path)
    data = json.loads(file.read_text(encoding="utf-8"))
    for name, content, words in (
        ("other.json", json.dumps({**data, "run": {**data["run"], "learn": "0" * 64}}), "does not belong to"),
        ("none.json", "[1, 2]", "expected the keys of a recipe"),
        ("large.json", " " * (2**21 + 1), "large.json has 2.0 MiB, so it is not a recipe"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        field.set_input_files(tmp_path / name)
        alert.get_by_text(words, exact=False).wait_for()
    assert (shown(page) == app.picture(moves=MOVES)).all()


def large(picture: np.ndarray) -> np.ndarray:
    """A picture as a strip enlarges it."""
    return picture.repeat(16, axis=0).repeat(16, axis=1)


def test_steps_are_saved_as_a_strip_and_as_a_film(tabs: Tabs, app: ServedApp, tmp_path: Path) -> None:
    page = at_home(tabs, app)
    page.get_by_label("Steps", exact=True).fill("3")
    strip = read_picture(saved(page, "Make it", tmp_path).read_bytes())
    page.get_by_text("It is ready.").wait_for()
    assert (strip[18:146, -128:] == large(app.picture(moves=MOVES))).all()
    page.get_by_label("What moves").select_option("Red")
    assert page.get_by_label("From").input_value() == "-3"
    page.get_by_label("From").fill("-2")
    page.get_by_label("to", exact=True).fill("1")
    strip = read_picture(saved(page, "Make it", tmp_path).read_bytes())
    for by, right in ((-2.0, 2 * (128 + 4)), (1.0, 0)):
        moved = large(app.picture(moves=[{**MOVES[0], "by": by}]))
        assert (strip[18:146, strip.shape[1] - 128 - right : strip.shape[1] - right] == moved).all()
    page.get_by_label("As").select_option("Film (GIF)")
    assert saved(page, "Make it", tmp_path).read_bytes()[:6] == b"GIF89a"


@pytest.mark.parametrize("width", [NARROW, 1280])
def test_it_is_for_everybody(tabs: Tabs, app: ServedApp, width: int, tmp_path: Path) -> None:
    page = at_home(tabs, app, width=width, dark=width == NARROW, still=True, touch=width == NARROW)
    page.get_by_label("What moves").select_option("Red")
    page.get_by_label("As").select_option("Film (GIF)")
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")
    page.get_by_label("File of a recipe").set_input_files(tmp_path / "none.json")
    page.locator(".drop [role=alert]").get_by_text("format: is missing", exact=False).wait_for()
    assert_accessible(page)
    assert overflow(page) <= 0
    page.emulate_media(color_scheme="light" if width == NARROW else "dark")
    assert_accessible(page)
