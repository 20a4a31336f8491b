"""The view Explore in a browser: what is dragged, shown, undone and kept is what the run computes."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from ganstrata.app.handlers import Answer
from ganstrata.app.sessions import Session
from ganstrata.app.views import explore
from ganstrata.app.views.description import described
from ganstrata.app.views.explore import Scores, scores
from in_browser import NARROW, Tabs, assert_accessible, overflow
from served_app import ServedApp, changes, pixels, shown, wait_for_picture

pytestmark = pytest.mark.usefixtures("fakes")


def slider(page: Any, name: str) -> Any:
    return page.get_by_role("slider", name=name, exact=True)


def drag(page: Any, name: str, share: float, steps: int = 12) -> None:
    """Drag a slider from its middle towards its end, and let it go there."""
    box = slider(page, name).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(x + share * step / steps * box["width"] / 2, y)
    page.mouse.up()


def moved(along: str, by: float, layers: str | None, keep: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"along": along, "by": by, "layers": layers, "keep": list(keep)}


def test_a_drag_shows_the_picture_of_the_edit_and_is_one_step_of_undo(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    assert (shown(page) == app.picture()).all()
    drag(page, "Red", 0.5)
    value = float(slider(page, "Red").input_value())
    assert 1.3 < value < 1.7
    wait_for_picture(page, f"Seed 0, edited: Red +{value:.2f}")
    edited = app.picture(moves=[moved("seen/red", value, "6-7")])
    assert (shown(page) == edited).all()
    assert (edited != app.picture()).any()
    waits = page.evaluate("ganstrata.latency")
    assert len(waits) >= 1
    assert all(0 < wait < 60_000 for wait in waits)
    page.keyboard.press("Control+z")
    wait_for_picture(page, "Seed 0, not edited")
    assert slider(page, "Red").input_value() == "0"
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.keyboard.press("Control+Shift+z")
    wait_for_picture(page, f"Seed 0, edited: Red +{value:.2f}")
    page.keyboard.press("Control+z")
    assert page.get_by_role("button", name="Redo").is_enabled()
    slider(page, "Left").fill("1")
    wait_for_picture(page, "Seed 0, edited: Left +1.00")
    assert page.get_by_role("button", name="Redo").is_disabled()


def test_a_slow_model_shows_a_small_picture_and_then_the_whole_one(
    tabs: Tabs, app: ServedApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explore, "LONG", 0.0)
    monkeypatch.setattr(explore, "smaller", lambda *_: np.zeros((2, 2, 3), np.uint8))
    page = app.open(tabs)
    assert (shown(page) == app.picture()).all()
    slider(page, "Red").fill("1.5")
    wait_for_picture(page, "Seed 0, edited: Red +1.50")
    page.wait_for_function("() => document.querySelector('canvas').width > 2")
    assert (shown(page) == app.picture(moves=[moved("seen/red", 1.5, "6-7")])).all()


def test_bars_follow_a_slider_that_never_rests(
    tabs: Tabs, app: ServedApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = app.open(tabs)
    plain = explore.rendered

    def slow(workspace: Any, session: Any, edit: Any, moving: int | None = None) -> Any:
        time.sleep(0.0 if moving is None else 0.05)  # while one frame is drawn, another one waits
        return plain(workspace, session, edit, moving)

    monkeypatch.setattr(explore, "rendered", slow)
    page.evaluate(
        """() => {
          const all = [...document.querySelectorAll("input[type=range]")];
          const named = (one) => one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent ?? "";
          const slider = all.find((one) => named(one).startsWith("Red"));
          let step = 0;
          window.dragged = setInterval(() => {
            step += 1;
            slider.value = 1 + 0.5 * Math.sin(step / 10);
            slider.dispatchEvent(new Event("input", { bubbles: true }));
          }, 2);
        }"""
    )
    page.wait_for_function(
        "() => Math.abs(parseFloat([...document.querySelectorAll('.panel-effects tr')]"
        ".find((row) => row.querySelector('.moved'))?.querySelector('.n').textContent)) > 0.1"
    )
    page.evaluate("clearInterval(window.dragged)")


def test_a_joint_edit_says_what_it_changes_besides(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    slider(page, "Red").fill("1.5")
    slider(page, "Left").fill("-1")
    wait_for_picture(page, "Seed 0, edited: Red +1.50, Left \u22121.00")
    moves = [moved("seen/red", 1.5, "6-7"), moved("seen/left", -1.0, "0-1")]
    request = Scores.model_validate({"edit": {"picture": {"seed": 0}, "moves": moves}})
    answer = Answer(1, lambda _: None, lambda: None)
    expected = scores(app.workspace, Session("test"), request, answer)
    told = changes(page)
    for concept, now, before in zip(
        app.workspace.run.concepts, expected["scores"], expected["base"], strict=True
    ):
        if now is None or before is None or not np.isfinite(concept.sd) or concept.sd < 0.05:
            continue
        assert told[concept.id] == pytest.approx((now - before) / concept.sd, abs=0.006), concept.id
    assert list(told)[:2] == ["seen/red", "seen/left"]  # moved concepts first, the larger before
    # Told by a mark and in words, not by weight and colour alone.
    assert page.get_by_role("button", name="red, moved by a slider", exact=False).inner_text().startswith("▸")
    page.get_by_role("button", name="Reset Red").click()
    wait_for_picture(page, "Seed 0, edited: Left \u22121.00")
    page.get_by_role("button", name="Reset all").click()
    wait_for_picture(page, "Seed 0, not edited")


def test_layers_by_hand_and_conditions(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    page.get_by_role("button", name="Red layers 6-7").click()
    layers = page.get_by_role("combobox", name="Layers")
    layers.fill("nowhere")
    layers.press("Enter")
    page.get_by_role("alert").get_by_text("'nowhere' names no layers", exact=False).wait_for()
    assert layers.get_attribute("aria-invalid") == "true"
    assert_accessible(page)
    layers.fill("4-5")
    layers.press("Enter")
    page.get_by_role("button", name="Red layers 4-5").wait_for()
    assert layers.get_attribute("aria-invalid") == "false"
    page.get_by_role("checkbox", name="Half").check()
    page.get_by_role("button", name="Red layers 4-5 · keeps Half").wait_for()
    slider(page, "Red").fill("2")
    wait_for_picture(page, "Seed 0, edited: Red +2.00")
    assert (shown(page) == app.picture(moves=[moved("seen/red", 2.0, "4-5", ("seen/half",))])).all()


def test_sliders_come_and_go(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    names = [slider.get_attribute("aria-label") for slider in page.get_by_role("slider").all()]
    assert names == ["Red", "Stripes", "Left", "Half", "Checks", "Truncation"]
    page.get_by_role("combobox", name="Add a direction").select_option("Chance")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Chance"
    opener = page.get_by_role("button", name="Chance not verified · layers 4-5")
    opener.click()
    assert page.get_by_text("could not be told from chance", exact=False).is_visible()
    page.get_by_role("button", name="Remove this slider").press("Enter")
    assert slider(page, "Chance").count() == 0
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Checks"
    page.get_by_role("button", name="constant: go to its slider").click()
    page.get_by_text("No direction was learnt for constant", exact=False).wait_for()


def test_everything_by_keyboard(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Stripes":
            break
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    value = float(slider(page, "Stripes").input_value())
    assert value > 0
    assert slider(page, "Stripes").get_attribute("aria-valuetext") == f"+{value:.2f} sd"
    wait_for_picture(page, f"Seed 0, edited: Stripes +{value:.2f}")
    page.keyboard.down("b")
    page.get_by_role("img", name="The picture before the edit").wait_for()
    page.keyboard.up("b")
    page.get_by_role("img", name="The picture before the edit").wait_for(state="hidden")
    page.keyboard.press("j")
    wait_for_picture(page, f"Seed 1, edited: Stripes +{value:.2f}")
    page.locator(".grid button[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_for_picture(page, f"Seed 2, edited: Stripes +{value:.2f}")
    page.keyboard.down("b")
    page.get_by_role("img", name="The picture before the edit").wait_for()
    assert (pixels(page, "The picture before the edit") == app.picture(picture={"seed": 2})).all()
    page.keyboard.up("b")
    page.keyboard.press("r")
    wait_for_picture(page, "Seed 2, not edited")
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Switch single keys off", exact=False).press("Space")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Control+z")  # which has a modifier, and still works
    wait_for_picture(page, f"Seed 2, edited: Stripes +{value:.2f}")


def test_a_search_finds_the_samples_with_most_of_a_concept(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    page.get_by_role("radio", name="Search").check()
    page.get_by_role("combobox", name="Concept", exact=True).select_option("red")
    page.get_by_role("spinbutton", name="among").fill("100")
    page.get_by_role("button", name="Find").click()
    samples = app.workspace.run.samples
    column = [concept.name for concept in samples.concepts].index("seen/red")
    best = int(np.argmax(samples.scores[:100, column]))
    first = page.locator(".grid button").first
    page.get_by_title(f"Sample {best}, score", exact=False).locator("img").wait_for()
    assert first.get_attribute("title").startswith(f"Sample {best}, ")
    first.click()
    wait_for_picture(page, f"Sample {best}, not edited")
    assert (shown(page) == app.picture(picture={"sample": best})).all()


def test_a_reload_and_a_lost_server_keep_the_edit(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    slider(page, "Half").fill("2")
    wait_for_picture(page, "Seed 0, edited: Half +2.00")
    before = page.evaluate("sessionStorage.getItem('ganstrata.session')")
    assert before
    page.reload()
    wait_for_picture(page, "Seed 0, edited: Half +2.00")
    assert page.evaluate("sessionStorage.getItem('ganstrata.session')") == before
    page.keyboard.press("Control+z")
    wait_for_picture(page, "Seed 0, not edited")
    app.stop()
    page.get_by_role("status").get_by_text("Not connected").wait_for()
    slider(page, "Half").fill("-1")
    app.start()
    wait_for_picture(page, "Seed 0, edited: Half \u22121.00")
    assert all("WebSocket" in fault for fault in tabs.told())
    page.evaluate(
        """() => {
          const saved = JSON.parse(sessionStorage.getItem("ganstrata.edit"));
          sessionStorage.setItem("ganstrata.edit", JSON.stringify({ ...saved, run: "another run" }));
        }"""
    )
    page.reload()
    wait_for_picture(page, "Seed 0, not edited")
    assert page.get_by_role("button", name="Undo").is_disabled()


def test_a_picture_that_is_gone_is_said_and_others_can_be_chosen(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    slider(page, "Half").fill("1")
    wait_for_picture(page, "Seed 0, edited: Half +1.00")
    page.evaluate(
        """() => {
          const saved = JSON.parse(sessionStorage.getItem("ganstrata.edit"));
          saved.now.picture = { kept: "k9" };
          sessionStorage.setItem("ganstrata.edit", JSON.stringify(saved));
        }"""
    )
    page.reload()
    fault = page.get_by_role("alert").get_by_text("not held any more", exact=False)
    fault.wait_for()
    for value in ("2", "-1", "2.5"):  # more than the server sends before it hears that they came
        slider(page, "Half").fill(value)
        page.locator(".stage[aria-busy=false]").wait_for()
    page.get_by_title("Seed 3", exact=True).click()
    wait_for_picture(page, "Seed 3, edited: Half +2.50")
    fault.wait_for(state="hidden")


def test_tabs_have_edits_and_sessions_of_their_own(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    slider(page, "Half").fill("2")
    wait_for_picture(page, "Seed 0, edited: Half +2.00")
    with page.context.expect_page() as opened:
        page.evaluate("window.open(location.href) && 0")  # takes a copy of what is stored along
    copy = opened.value
    wait_for_picture(copy, "Seed 0, edited: Half +2.00")
    key = "sessionStorage.getItem('ganstrata.session')"
    assert copy.evaluate(key) != page.evaluate(key)
    slider(copy, "Half").fill("-1")
    wait_for_picture(copy, "Seed 0, edited: Half \u22121.00")
    assert slider(page, "Half").input_value() == "2"
    assert page.get_by_text("Connected", exact=True).is_visible()


@pytest.mark.parametrize("width", [NARROW, 1000, 1280])
def test_it_is_for_everybody(tabs: Tabs, app: ServedApp, width: int) -> None:
    page = app.open(tabs, width=width, dark=width == NARROW, still=True, touch=width == NARROW)
    slider(page, "Half").fill("2")
    wait_for_picture(page, "Seed 0, edited: Half +2.00")
    changes(page)
    assert_accessible(page)
    assert overflow(page) <= 0
    page.emulate_media(color_scheme="light" if width == NARROW else "dark")
    assert_accessible(page)
    for link in page.locator("#views a").all():  # none is cut
        box = link.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    if width == NARROW:  # the picture stays in sight while the last slider is moved
        slider(page, "Checks").scroll_into_view_if_needed()
        slider(page, "Checks").focus()
        stage, control = page.locator(".stage").bounding_box(), slider(page, "Checks").bounding_box()
        assert stage["y"] >= -1
        assert control["y"] >= stage["y"] + stage["height"] - 1
    page.keyboard.press("?")
    assert_accessible(page, within="dialog")


def test_in_a_low_window_the_picture_is_larger_than_the_choice(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs, width=1120, height=660)
    grid = page.locator(".grid")
    grid.locator("img").nth(23).wait_for()
    assert page.locator(".frame").bounding_box()["height"] >= 0.45 * 660
    assert grid.locator("button").first.bounding_box()["height"] < grid.bounding_box()["height"]
    page.locator("main").focus()
    for seed in range(1, 24):  # the present picture stays in sight though not all are
        page.keyboard.press("j")
        wait_for_picture(page, f"Seed {seed}, not edited")
    inner, last = grid.bounding_box(), grid.locator("[aria-pressed=true]").bounding_box()
    assert inner["y"] <= last["y"]
    assert last["y"] + last["height"] <= inner["y"] + inner["height"]
    page.keyboard.press("n")
    page.get_by_title("Seed 47", exact=True).wait_for()
    page.keyboard.press("p")
    page.get_by_title("Seed 0", exact=True).wait_for()


def test_state_of_the_edit_is_what_the_wire_carries(tabs: Tabs, app: ServedApp) -> None:
    sent: list[dict[str, Any]] = []
    context = tabs.context()
    page = context.new_page()
    page.on(
        "websocket",
        lambda socket: socket.on("framesent", lambda data: sent.append(json.loads(data))),
    )
    page.goto(app.address.url)
    wait_for_picture(page, "Seed 0, not edited")
    drag(page, "Left", 0.4, steps=20)
    wait_for_picture(page, f"Seed 0, edited: Left +{float(slider(page, 'Left').input_value()):.2f}")
    frames = [message for message in sent if message["do"] == "frame"]
    numbers = [message["n"] for message in sent if message["do"] != "shown"]
    assert numbers == sorted(set(numbers))
    dragged = [frame for frame in frames if not frame["final"]]
    assert dragged
    assert all(frame["moving"] == 0 for frame in dragged)
    assert frames[-1]["final"]
    assert frames[-1]["moving"] is None
    # One under way at a time: a frame is asked for once the one before it came.
    page.locator(".effects[aria-busy=false]").wait_for()
    acknowledged = {message["n"] for message in sent if message["do"] == "shown"}
    assert {frame["n"] for frame in frames} == acknowledged


def more_of(page: Any, name: str) -> Any:
    """Open the panel of a slider, and return its row."""
    row = page.locator("li.move").filter(has=slider(page, name))
    row.locator("button.name").click()
    return row


def test_a_slider_has_the_range_of_its_strip_and_a_search_gives_it_another(
    tabs: Tabs, app: ServedApp
) -> None:
    red = next(one for one in described(app.workspace)["sliders"] if one["along"] == "seen/red")
    page = app.open(tabs)
    row = more_of(page, "Red")
    ends = [float(slider(page, "Red").get_attribute(name)) for name in ("min", "max")]
    assert ends == pytest.approx([red["low"], red["high"]], abs=0.1)
    assert "In the strips of the run (2 pictures) the score follows" in row.inner_text()
    assert "The line under the slider ends there." in row.inner_text()
    line = float(
        slider(page, "Red").evaluate("(one) => getComputedStyle(one).getPropertyValue('--measured')")
    )
    assert line == pytest.approx((red["measured_at"] - ends[0]) / (ends[1] - ends[0]), abs=0.01)
    assert_accessible(page)
    row.get_by_role("button", name="Find the range").click()
    row.get_by_text("The range was found.").wait_for()
    (found,) = app.workspace.memory["ranges"].values()
    ends = [float(slider(page, "Red").get_attribute(name)) for name in ("min", "max")]
    assert ends == pytest.approx([found["low"], found["high"]], abs=0.2)
    assert ends[0] <= found["low"]
    assert ends[1] >= found["high"]
    assert f"A search on {found['samples']} fresh pictures: the score follows" in row.inner_text()
    assert f"Below, the limit is: {found['below']}; above: {found['above']}." in row.inner_text()
    assert not row.get_by_role("button", name="Find the range").is_visible()
    page.reload()
    wait_for_picture(page, "Seed 0, not edited")
    assert "A search on" in more_of(page, "Red").inner_text()
    row.get_by_label("seen left", exact=False).or_(row.get_by_label("Left", exact=False)).first.check()
    row.get_by_text("not known for these layers").wait_for()
    assert "That does not hold for what the slider moves now." in row.inner_text()
    assert "The line under" not in row.inner_text()


def test_a_distance_outside_a_slider_can_be_typed(tabs: Tabs, app: ServedApp) -> None:
    page = app.open(tabs)
    row = more_of(page, "Red")
    distance = row.get_by_label("Distance")
    distance.fill("7.25")
    distance.press("Enter")
    wait_for_picture(page, "Seed 0, edited: Red +7.25")
    assert (shown(page) == app.picture(moves=[moved("seen/red", 7.25, "6-7")])).all()
    control = slider(page, "Red")
    assert control.input_value() == control.get_attribute("max")
    assert control.get_attribute("aria-valuetext").startswith("+7.25")
    for wrong in ("", "1e9"):
        distance.fill(wrong)
        distance.press("Enter")
        assert distance.input_value() == "7.25"
    control.press("ArrowLeft")  # from where the thumb stands
    wait_for_picture(page, f"Seed 0, edited: Red +{float(control.input_value()):.2f}")
    assert float(distance.input_value()) == float(control.input_value()) < float(control.get_attribute("max"))
