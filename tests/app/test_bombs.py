"""Pictures and masks that unpack to far more than they are cost little, and belong to one tab."""

from __future__ import annotations

import base64
import io
import json
import zlib
from functools import cache

import pytest
from attacked_app import MB, Served
from hostile_pictures import png
from PIL import Image


@cache
def bombs() -> dict[str, bytes]:
    """Small files that say, or hold, far more pixels than they have bytes."""
    huge = png(30_000, 30_000, (b"IDAT", zlib.compress(bytes(16 * MB))))
    text = png(8, 8, (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * MB))))
    lying = png(2**31 - 1, 2**31 - 1)
    frames = [Image.new("P", (2000, 2000), i) for i in range(20)]
    film = io.BytesIO()
    frames[0].save(film, "GIF", save_all=True, append_images=frames[1:])
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    return {"huge": huge, "text": text, "lying": lying, "film": film.getvalue(), "drawing": drawing}


@pytest.mark.parametrize("name", ["huge", "text", "lying", "film", "drawing"])
def test_pictures_that_unpack_to_far_more_cost_little(app: Served, name: str) -> None:
    tab, content = app.tab(), bombs()[name]
    assert len(content) < MB
    session, before = tab.ask("hello")["ok"]["session"], app.memory()
    status, _, said = app.ask("PUT", f"/upload?session={session}", content)
    assert status == 200
    answer = tab.ask("look", upload=json.loads(said)["upload"], name="/etc/passwd")
    assert ("ok" in answer) == (name == "film"), answer  # of which the first picture is taken
    assert app.memory() - before < 200
    assert app.process.poll() is None


def test_masks_that_unpack_to_far_more_cost_little(app: Served) -> None:
    tab, before = app.tab(), app.memory()
    classes = [{"name": name, "colour": f"#0000{i + 1:02x}"} for i, name in enumerate(("one", "two"))]
    for name in ("huge", "text", "lying"):
        mask = base64.b64encode(bombs()[name]).decode()
        answer = tab.ask("train", classes=classes, masks=[{"sample": 0, "mask": mask}])
        assert "error" in answer
        assert "inside" not in answer["error"]
    assert app.memory() - before < 200


def test_other_origins_cannot_take_what_a_tab_made(app: Served) -> None:
    first, second = app.tab(), app.tab()
    session = first.ask("hello")["ok"]["session"]
    status, _, said = app.ask("PUT", f"/upload?session={session}", png(8, 8))
    assert status == 200
    assert "error" in second.ask("look", upload=json.loads(said)["upload"])
    made = first.ask("export", edit={"picture": {"seed": 1}}, kind="picture")
    key = made["ok"]["file"]
    assert app.ask("GET", f"/file/{key}?session={session}")[0] == 200
    other = second.ask("hello")["ok"]["session"]
    assert app.ask("GET", f"/file/{key}?session={other}")[0] == 404
    assert app.ask("GET", f"/file/{key}")[0] == 404
