"""Test that names that could affect a terminal, a table, a picture or a path are refused."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from xml.etree import ElementTree as ET

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.errors import ConfigError, DataError, PluginBroken, UserError
from ganstrata.core.figures.markup import markup
from ganstrata.core.figures.pages import templates
from ganstrata.core.figures.svg import Canvas
from ganstrata.core.interchange.assumed import AssumedGenerator
from ganstrata.core.interchange.importing import ImportOptions, import_boundaries
from ganstrata.core.plugins.boundary import Boundaries, Boundary
from ganstrata.core.plugins.records import Concept
from ganstrata.core.runs.loading import load_scorer
from ganstrata.core.storage.csv_tables import csv_text, name_in
from ganstrata.core.storage.name_rules import fault_of

HIDDEN = [
    "a\x1b[31mb",
    "a\x00",
    "a\nb",
    "a\tb",
    "a\u202eb",
    "a\u2066b",
    "a\u200bb",
    "\ufeffa",
    "a\x7f",
    "a\x9b31m",
    "a\ud800",
    "a\u2028b",
]
HOSTILE = [
    *HIDDEN,
    "",
    " ",
    " red",
    "red ",
    "..",
    ".",
    "../red",
    "a/../b",
    "/a",
    "a/",
    "a//b",
    "a|b",
    "a,b",
    "x" * 201,
]
SOUND = [
    "red",
    "living room",
    "Wohnküche/groß",
    "階段",
    "می\u200cخواهم",
    "a.b",
    "..a",
    "=1+1",
    "-",
    "<script>",
    "{{7*7}}",
    "'\"",
    "x" * 200,
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_what_cannot_be_a_name(name: str) -> None:
    assert fault_of(name)


@pytest.mark.parametrize("name", SOUND, ids=ascii)
def test_what_can_be_a_name(name: str) -> None:
    assert fault_of(name) == ""


class Named(ganstrata.Scorer):
    """Concepts of any name."""

    class Config(ganstrata.PluginConfig):
        """The names."""

        names: list[str]

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.concepts = tuple(Concept(name, "attribute") for name in config.names)

    def score(self, rendering: ganstrata.Rendering) -> torch.Tensor:
        return torch.zeros(len(rendering.images), len(self.concepts))


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_plugin_gets_such_a_name_into_a_run(name: str, register) -> None:
    register("scorer", "named", Named)
    with pytest.raises(PluginBroken, match="the name of the concept '") as caught:
        load_scorer("named", device="cpu", names=["sound", name])
    assert str(caught.value).isprintable()
    assert "test 0" in str(caught.value)


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\x00", "a\u202eb", "..", "a\x9b"], ids=ascii)
def test_nor_does_a_config(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_scorer("callable", target="math:sqrt", concepts=[{"name": name}])
    assert str(caught.value.faults[0]).startswith(
        "concepts -> 0 -> name: "
    ) or "with -> concepts -> 0 -> name: " in str(caught.value.faults[0])
    assert str(caught.value.faults[0]).isprintable()


@pytest.mark.parametrize("name", ["a\x1b[31mb", '"a\nb"', "a\u202eb", ".."], ids=ascii)
def test_nor_does_a_table(name: str, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(f"index,{name}\n0,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot name a concept") as caught:
        load_scorer("table", file=str(file), device="cpu")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("9" * 29 + ",1", "at most 18 digits"),
        ("0,1e39", "expected a number up to 3.4e+38"),
        ("0,nan1", "expected a number"),
    ],
)
def test_numbers_of_a_table_that_cannot_be_stored_are_refused(row: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(f"index,x\n{row}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_scorer("table", file=str(file), device="cpu")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["a\x1bb", "a\u202eb", "../../evil", ".."], ids=ascii)
def test_boundaries_from_elsewhere_have_sound_names(name: str, tmp_path: Path) -> None:
    normal = np.eye(1, 4, dtype=np.float32)
    if "/" not in name:
        np.save(tmp_path / f"{name}_boundary.npy", normal)
    np.save(tmp_path / "sound_boundary.npy", normal)
    (tmp_path / "list.txt").write_text(f"({name}, w): sound_boundary.npy\n", encoding="utf-8")
    generator = AssumedGenerator("0" * 16, "w", 3, 4, "a generator")
    for source in (
        [tmp_path / "list.txt"],
        [path for path in tmp_path.glob("*.npy") if "sound" not in path.name],
    ):
        if source:
            with pytest.raises(UserError) as caught:
                import_boundaries(source, generator, ImportOptions(space="w", level="attribute"))
            assert all(line.isprintable() for line in str(caught.value).splitlines())
    (tmp_path / "own").mkdir()
    save_boundaries(
        Boundaries([Boundary("a/b", "attribute", normal[0], np.zeros(1, np.float32)[0], "w", "")]),
        tmp_path / "own",
    )
    file = tmp_path / "own" / "boundaries.json"
    content = json.loads(file.read_text())
    content["boundaries"][0]["concept"] = f"a/{name}"
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="the name 'a/"):
        load_boundaries(tmp_path / "own")


@pytest.mark.parametrize("text", [*HOSTILE, *SOUND, "\uffff", "a\xa0b", "]]>", "&#0;", "-->"], ids=ascii)
def test_a_picture_is_well_formed_whatever_is_written_on_it(text: str) -> None:
    canvas = Canvas(100, 100)
    canvas.text(1, 1, text)
    canvas.rect(0, 0, 1, 1, "null", title=text)
    svg = canvas.svg(text, alone=True)
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert all(c.isprintable() or c in "\n\t\xa0\u200c\u200d" for c in svg)


def test_a_page_shows_what_cannot_be_printed() -> None:
    page = templates("ganstrata.core.report").from_string(
        "<b>{{ name }}</b> {{ names | join(' ') }} {{ finished }}"
    )
    from markupsafe import Markup

    text = page.render(name="a\x1b<i>\u202e", names=["\x00", "b"], finished=Markup("<hr>"))
    assert text == "<b>a\\x1b&lt;i&gt;\\u202e</b> \\x00 b <hr>"
    assert markup('"<\x00>"') == "&quot;&lt;\\x00&gt;&quot;"


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "a\x1b", "plain", "-", "'=quoted", "a,b", 'a"b'],
    ids=ascii,
)
def test_a_table_computes_nothing(name: str) -> None:
    [[cell, number]] = csv.reader(io.StringIO(csv_text([[name, -0.5]])))
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert cell.isprintable()
    assert number == "-0.5"
    if name.isprintable() and not name.startswith("'"):
        assert name_in(cell) == name


def test_numbers_stay_numbers_in_a_table() -> None:
    assert (
        csv_text([["-0.5", "+1e3", -3, -0.123456789, math.nan, np.float32(-1), None]])
        == "-0.5,+1e3,-3,-0.123457,,-1,\n"
    )
