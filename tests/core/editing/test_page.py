"""The page of edits: it holds each picture with its distance and what changed, and nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import ganstrata
import numpy as np
import pytest

VOID = {"meta", "img", "input", "br", "link"}


class Outline(HTMLParser):
    """Check that elements are closed in order, and collect those that a test needs."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "img":
            self.images.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass  # shapes of drawings close themselves

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def read(folder: Path) -> tuple[str, Outline, str]:
    page = (folder / "manipulate.html").read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(page)
    assert not outline.faults
    assert not outline.open
    assert len(set(outline.ids)) == len(outline.ids)
    return page, outline, " ".join(" ".join(outline.text).split())


@pytest.fixture
def manipulate(fakes, copied: Path):
    def call(*along: str, **rest):
        return ganstrata.manipulate(copied, along, **{"kinds": ("html",)} | rest)

    return call


def test_every_picture_is_there_with_its_distance_and_its_scores(manipulate) -> None:
    edited = manipulate("seen/red:2@top", seeds="0-2", steps=4)
    page, outline, text = read(edited.path)
    assert len(outline.images) == 3 * 5
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in outline.images)
    assert [image["alt"] for image in outline.images[:3]] == ["unedited", "step −2.00", "step −0.67"]
    assert "seen/red , top layers (6-7): moved by −2.0 … +2.0 standard deviations of w." in text
    for k in range(3):
        first = f"at {edited.frames[0].distances[k, 3, 0]:+.2f} sd".replace("-", "−")
        assert first in text
    change = (edited.frames[0].scores - edited.before[0].scores)[0, 3, 3]
    assert change > 0.15
    assert text.count("layers 6-7") == 3 * 4
    assert re.search(r'own"><b>red</b> [−0-9.]+ <small>\+\d\.\d sd</small>', page)


def test_only_what_changed_is_named_beside_what_was_to_move(manipulate) -> None:
    # What is planted at layer 7 is red alone; the concept "chance" follows the last digits of a picture.
    edited = manipulate("seen/red@7", seeds="0", start=-4, end=4, steps=3)
    page, _, _ = read(edited.path)
    cells = page.partition("<tbody>")[2].partition("</tbody>")[0].split("<td>")[1:]
    assert [cell.count("own") for cell in cells] == [1, 1, 1, 1]
    assert "<small>" not in cells[0]
    assert "<small>layers 7</small>" in cells[1]
    assert "left" not in cells[3]
    assert cells[2].count("chip") == 1  # the step of 0 changes nothing


def test_a_search_is_drawn_and_described(manipulate) -> None:
    _, _, text = read(manipulate("seen/red@top", search=True, start=-8, end=8, steps=5, seeds="0").path)
    assert "The range of seen/red was searched on fresh samples." in text
    assert (
        "Downwards it ends at −2.0 (pixels are cut off), upwards at +2.0 (pixels are cut off)." in text
    )  # they are grey and a step is 0.1
    assert "dots are the steps taken" in text


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (
            {"mode": "absolute"},
            "moved to −3.0 … +3.0 standard deviations of w from the boundary, whatever the distance before.",
        ),
        ({"mode": "jitter"}, "each draw adds normal noise of 0.5 standard deviations of w to these layers"),
        ({"keep": ("seen/left",)}, "leaving seen/left alone"),
        ({"scores": False}, "The numbers are in steps.csv ."),
    ],
)
def test_it_says_what_was_done(manipulate, rest, words: str) -> None:
    _, _, text = read(manipulate("seen/red", seeds="0", **rest).path)
    assert words in text


def test_nothing_comes_from_elsewhere(manipulate) -> None:
    page, _, _ = read(manipulate("seen/red", "seen/left", seeds="0", steps=2).path)
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "url(" not in re.sub(r"url\(\$\{", "", page)
    assert "@import" not in page


def test_names_are_text(fakes, config, tmp_path: Path) -> None:
    config["scorers"] = [{"use": "fake_markup", "as": "seen"}]
    config["boundary"] = {"use": "fake_axes"}
    run = ganstrata.run(config, tmp_path / "run")
    edited = ganstrata.manipulate(
        run, ["seen/</script>", "seen/<b>&\"'left"], seeds="0", steps=2, kinds=("html", "strip")
    )
    page, outline, text = read(edited.path)
    assert page.count("</script>") == 1
    assert "seen/</script> at all" in text
    assert np.isin(["strip-0", "strip-1"], outline.ids).all()
    assert all((edited.path / name).is_file() for name in edited.files)
