"""The canvas of classes: what is under the brush is painted, and the server gets just that."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from in_browser import Tabs, assert_accessible
from PIL import Image
from scipy import ndimage
from served_app import ServedApp

pytestmark = pytest.mark.usefixtures("fakes")

WIDE, HIGH, UNPAINTED = 24, 16, 255
CLASSES = [("wall", "#e6194b"), ("floor", "#3cb44b"), ("lamp", "#4363d8")]
PLACE = """async ([classes, wide, high]) => {
  const { createBrush } = await import("/static/brush.js");
  const { h } = await import("/static/widgets.js");
  window.told = 0;
  window.brush = createBrush({
    classes: classes.map(([name, colour]) => ({ name, colour })),
    onChange: () => { window.told += 1; },
  });
  const picture = Object.assign(document.createElement("canvas"), { width: wide, height: high });
  const left = (place) => place % wide < wide / 2;
  brush.show(picture, Uint8Array.from({ length: wide * high }, (_, place) => (left(place) ? 0 : 1)));
  const stage = h("div", { class: "stage" }, h("div", { class: "room" }, brush.area));
  const tools = h("section", { class: "panel-moves" }, brush.tools);
  document.getElementById("view").replaceChildren(h("div", { class: "explore" }, stage, tools));
}"""


@pytest.fixture
def painting(app: ServedApp):
    """painting(tabs) is a page with nothing but the canvas and its tools."""

    def made(tabs: Tabs) -> Any:
        page = app.open(tabs)
        page.evaluate(PLACE, [CLASSES, WIDE, HIGH])
        return page

    return made


def mask(page: Any) -> np.ndarray:
    return np.array(page.evaluate("[...brush.mask]"), np.uint8).reshape(HIGH, WIDE)


def at(page: Any, x: int, y: int) -> tuple[float, float]:
    """Return where the middle of a pixel of the picture lies on the page."""
    box = page.locator(".brush").bounding_box()
    return box["x"] + (x + 0.5) * box["width"] / WIDE, box["y"] + (y + 0.5) * box["height"] / HIGH


def test_a_stroke_paints_what_is_under_the_brush_and_is_one_step(tabs: Tabs, painting) -> None:
    page = painting(tabs)
    page.get_by_role("slider", name="Width of the brush").fill("1")
    page.get_by_role("radio", name="lamp").check()
    page.mouse.move(*at(page, 3, 5))
    page.mouse.down()
    page.mouse.move(*at(page, 12, 5))  # in one leap: no gaps
    page.mouse.move(*at(page, 12, 9), steps=3)
    page.mouse.up()
    expected = np.full((HIGH, WIDE), UNPAINTED, np.uint8)
    expected[5, 3:13] = expected[5:10, 12] = 2
    assert (mask(page) == expected).all()
    png = Image.open(io.BytesIO(base64.b64decode(page.evaluate("brush.encoded()"))))
    assert (np.asarray(png.convert("L")) == expected).all()
    page.get_by_role("radio", name="Eraser").check()
    page.mouse.click(*at(page, 12, 5))
    expected[5, 12] = UNPAINTED
    assert (mask(page) == expected).all()
    told = page.evaluate("told")
    page.locator(".brush").press("Control+z")
    assert (mask(page) == 2).sum() == 14
    page.locator(".brush").press("Control+z")
    assert (mask(page) == UNPAINTED).all()
    page.locator(".brush").press("Control+Shift+z")
    page.locator(".brush").press("Control+y")
    assert (mask(page) == expected).all()
    assert page.evaluate("told") == told + 4
    assert page.get_by_role("button", name="Undo", exact=True).is_disabled()  # of the edit


def test_a_wide_brush_paints_a_disc(tabs: Tabs, painting) -> None:
    page = painting(tabs)
    page.get_by_role("slider", name="Width of the brush").fill("7")
    page.mouse.click(*at(page, 1, 8))  # part of it beyond the edge
    y, x = np.mgrid[:HIGH, :WIDE]
    assert ((mask(page) == 0) == ((x - 1) ** 2 + (y - 8) ** 2 < 3.5**2)).all()


def test_the_canvas_is_painted_on_by_keyboard(tabs: Tabs, painting) -> None:
    page = painting(tabs)
    area = page.locator(".brush")
    area.focus()
    for key in ("[", "[", "[", "2", "Shift+ArrowLeft", "ArrowUp"):
        area.press(key)
    page.get_by_text(f"At {WIDE // 2 - 8}, {HIGH // 2 - 1}: wall").wait_for()
    for key in ("Space", "ArrowRight", "ArrowRight", "Space", "ArrowRight"):
        area.press(key)
    expected = np.full((HIGH, WIDE), UNPAINTED, np.uint8)
    expected[HIGH // 2 - 1, WIDE // 2 - 8 : WIDE // 2 - 5] = 1
    assert (mask(page) == expected).all()
    for key in ("f", "3", "Space"):
        area.press(key)
    painted = mask(page)
    assert (painted[:, WIDE // 2 :] == UNPAINTED).all()  # the labels of the other half are of another class
    assert ((painted == 2) == (expected[:, :] == UNPAINTED) & (np.arange(WIDE) < WIDE // 2)).all()
    page.get_by_role("button", name="Clear").press("Enter")
    assert page.evaluate("brush.isEmpty")
    assert_accessible(page)


def test_fill_finds_the_connected_region(tabs: Tabs, painting) -> None:
    page = painting(tabs)
    rng = np.random.default_rng(0)
    for _ in range(5):
        labels = (rng.random((HIGH, WIDE)) < 0.6).astype(np.uint8)
        strokes = np.where(rng.random((HIGH, WIDE)) < 0.1, 2, UNPAINTED).astype(np.uint8)
        y, x = int(rng.integers(HIGH)), int(rng.integers(WIDE))
        filled = page.evaluate(
            """async ([mask, labels, width, height, x, y]) => {
              const { fill } = await import("/static/masks.js");
              const painted = Uint8Array.from(mask);
              fill(painted, Uint8Array.from(labels), { width, height }, { x, y }, 7);
              return [...painted];
            }""",
            [strokes.ravel().tolist(), labels.ravel().tolist(), WIDE, HIGH, x, y],
        )
        seen = np.where(strokes == UNPAINTED, labels, strokes)
        regions, _ = ndimage.label(seen == seen[y, x])
        expected = np.where(regions == regions[y, x], 7, strokes)
        assert (np.array(filled).reshape(HIGH, WIDE) == expected).all()


def test_labels_are_read_off_the_colours_of_a_segmentation(tabs: Tabs, painting) -> None:
    page = painting(tabs)
    labels = np.random.default_rng(1).integers(0, 4, (HIGH, WIDE))
    colours = [tuple(bytes.fromhex(colour[1:])) for _, colour in CLASSES] + [(1, 2, 3)]
    picture = Image.new("P", (WIDE, HIGH))
    picture.putpalette([channel for colour in colours for channel in colour])
    picture.putdata(labels.ravel().tolist())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    read = page.evaluate(
        """async ([text, colours]) => {
          const { labelsOf } = await import("/static/masks.js");
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
          return [...labelsOf(picture, colours)];
        }""",
        [base64.b64encode(buffer.getvalue()).decode(), [colour for _, colour in CLASSES]],
    )
    assert (np.array(read).reshape(HIGH, WIDE) == np.where(labels == 3, UNPAINTED, labels)).all()


def test_a_class_that_is_removed_leaves_the_others_painted_as_they_are(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    page.evaluate(
        """async (classes) => {
          const { createAnnotations } = await import("/static/annotations.js");
          const { createClasses } = await import("/static/classes.js");
          window.own = createAnnotations("a run");
          own.size = { width: 5, height: 1 };
          own.set({ classes: classes.map(([name, colour]) => ({ name, colour })) });
          own.keep(0, Uint8Array.of(0, 1, 2, 255, 1));
          own.keep(1, Uint8Array.of(1, 255, 255, 255, 255));
          const { element } = createClasses(own.classes, (next, moved) => own.setClasses(next, moved));
          element.open = true;
          document.getElementById("view").replaceChildren(element);
        }""",
        CLASSES,
    )
    name = page.get_by_label("Name of class 1")
    name.fill("wall paper")
    name.press("Enter")
    assert page.evaluate("own.classes.map(({ name }) => name)") == ["wall paper", "floor", "lamp"]
    assert page.evaluate("[...own.maskOf(0)]") == [0, 1, 2, UNPAINTED, 1]
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove floor").click()
    assert page.evaluate("own.classes.map(({ name }) => name)") == ["wall paper", "lamp"]
    assert page.evaluate("[...own.maskOf(0)]") == [0, UNPAINTED, 1, UNPAINTED, UNPAINTED]
    assert page.evaluate("own.painted") == [0]  # nothing of the other mask is left
