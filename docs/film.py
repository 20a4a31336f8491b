"""Film a session of the app for the README, in the system's Chromium.

python docs/film.py RUN_DIR PHOTOGRAPH --out docs/figures/app.webp

The app runs on RUN_DIR as `ganstrata app` does. What is waited for is cut: a picture that does not change is
shown for at most half a second. Nothing else is changed, and nothing is drawn by this script but the pointer.
"""

from __future__ import annotations

import argparse
import base64
import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops
from playwright.sync_api import Locator, Page, sync_playwright

WIDTH, HEIGHT = 1280, 760
SHOWN = (960, 570)
RATE = 8.0  # pictures a second
LONGEST = 0.5  # seconds that a picture which does not change is shown
POINTER = """() => {
  const dot = document.createElement("div");
  Object.assign(dot.style, {position: "fixed", zIndex: 9999, left: "-40px", top: 0, width: "18px",
    height: "18px", borderRadius: "50%", background: "rgba(214, 69, 65, 0.55)", border: "2px solid white",
    pointerEvents: "none"});
  document.body.append(dot);
  addEventListener("pointermove", (event) => {
    dot.style.left = `${event.clientX - 9}px`; dot.style.top = `${event.clientY - 9}px`; }, true);
}"""


class Camera:
    """What the browser shows, with the time of each picture."""

    def __init__(self, page: Page) -> None:
        self.shots: list[tuple[float, bytes]] = []
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.on("Page.screencastFrame", self._take)
        self._cdp.send("Page.startScreencast", {"format": "png", "maxWidth": WIDTH, "maxHeight": HEIGHT})

    def _take(self, shot: dict[str, Any]) -> None:
        self.shots.append((float(shot["metadata"]["timestamp"]), base64.b64decode(shot["data"])))
        self._cdp.send("Page.screencastFrameAck", {"sessionId": shot["sessionId"]})

    def film(self) -> tuple[list[Image.Image], list[int]]:
        """Stop, and return the pictures and how many milliseconds each is shown."""
        self._cdp.send("Page.stopScreencast")
        pictures: list[Image.Image] = []
        seconds: list[float] = []
        last = -1.0
        for i, (at, content) in enumerate(self.shots):
            until = self.shots[i + 1][0] if i + 1 < len(self.shots) else at + LONGEST
            if until - last < 1.0 / RATE:
                continue
            picture = Image.open(io.BytesIO(content)).convert("RGB").resize(SHOWN, Image.Resampling.LANCZOS)
            held = min(until - max(at, last), LONGEST)
            last = until
            if pictures and ImageChops.difference(picture, pictures[-1]).getbbox() is None:
                seconds[-1] = min(seconds[-1] + held, LONGEST)
                continue
            pictures.append(picture)
            seconds.append(held)
        return pictures, [max(1, round(1000 * each)) for each in seconds]


def drag(page: Page, slider: Locator, share: float, seconds: float = 1.6) -> None:
    """Drag a slider from where it is to a share of its width."""
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    low, high = float(slider.get_attribute("min") or 0), float(slider.get_attribute("max") or 1)
    begin = (float(slider.input_value()) - low) / (high - low)
    y, steps = box["y"] + box["height"] / 2, int(seconds * 25)

    def x(part: float) -> float:
        return box["x"] + 9 + (box["width"] - 18) * part

    page.mouse.move(x(begin), y, steps=8)
    page.mouse.down()
    for i in range(1, steps + 1):
        page.mouse.move(x(begin + (share - begin) * i / steps), y)
        time.sleep(1 / 25)
    page.mouse.up()
    page.wait_for_timeout(700)


def click(page: Page, target: Locator) -> None:
    """Move the pointer to a control, and click it."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=10)
    page.wait_for_timeout(250)
    target.click()


def session(page: Page, photograph: Path) -> None:
    """Edit a sample, paint on it, edit a photograph, and take the recipe home."""
    main = page.get_by_role("main")

    def view(name: str) -> None:
        click(page, page.get_by_role("navigation", name="Views").get_by_text(name, exact=True))

    for name, share in (("Indoor lighting", 0.85), ("Blue", 0.8)):
        drag(page, main.get_by_role("slider", name=name).first, share)
    page.keyboard.down("b")
    page.wait_for_timeout(900)
    page.keyboard.up("b")
    page.wait_for_timeout(500)
    view("Paint")
    paint(page)
    view("Photograph")
    page.locator("input[type=file]").first.set_input_files(photograph)
    page.wait_for_timeout(1500)
    click(page, main.get_by_role("button", name="Find its code"))
    use = main.get_by_role("button", name=re.compile("Explore"))
    use.first.wait_for(timeout=240_000)
    page.wait_for_timeout(1200)
    click(page, use.first)
    page.wait_for_timeout(800)
    drag(page, main.get_by_role("slider", name="Indoor lighting").first, 0.8)
    view("Take home")
    page.wait_for_timeout(700)
    with page.expect_download(timeout=60_000):
        click(page, main.get_by_role("button", name="Recipe", exact=True))
    page.wait_for_timeout(1500)


def paint(page: Page) -> None:
    """Paint a lamp onto the wall, and let the picture follow."""
    main = page.get_by_role("main")
    change = main.get_by_role("button", name="Change picture")
    lamp = main.get_by_role("radio", name=re.compile("painting", re.IGNORECASE)).first
    lamp.wait_for(timeout=240_000)
    click(page, lamp)
    box = main.locator("canvas").first.bounding_box()
    assert box is not None
    for row in range(5):
        y = box["y"] + box["height"] * (0.30 + 0.03 * row)
        page.mouse.move(box["x"] + box["width"] * 0.72, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.92, y, steps=8)
        page.mouse.up()
        page.wait_for_timeout(120)
    click(page, change)
    page.wait_for_timeout(1000)
    page.wait_for_function(
        "() => !document.querySelector('progress, [role=progressbar]')?.checkVisibility()", timeout=240_000
    )
    page.wait_for_timeout(1500)


def main() -> None:
    """Start the app, film the session, and write the film."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run_dir")
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    asked = parser.parse_args()
    command = [
        sys.executable,
        "-m",
        "ganstrata.cli.main",
        "app",
        asked.run_dir,
        "--no-browser",
        "--port",
        "0",
    ]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        try:
            assert server.stdout is not None
            address = next(m[0] for line in server.stdout if (m := re.search(r"http://\S+", line)))
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
            page.goto(address)
            page.get_by_role("slider", name="Indoor lighting").first.wait_for(timeout=60_000)
            page.wait_for_timeout(4000)
            page.evaluate(POINTER)
            camera = Camera(page)
            session(page, asked.photograph)
            pictures, durations = camera.film()
            browser.close()
        finally:
            server.terminate()
    first, *rest = pictures
    first.save(asked.out, save_all=True, append_images=rest, duration=durations, loop=0, quality=80, method=4)
    seconds, size = sum(durations) / 1000, asked.out.stat().st_size >> 10
    sys.stdout.write(f"{asked.out}: {len(pictures)} pictures, {seconds:.0f} s, {size} KiB\n")


if __name__ == "__main__":
    main()
