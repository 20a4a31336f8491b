"""The chapter of the report on directions found without labels, and analyses, edits and studies with them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import ganstrata
import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata.core.analyses.hierarchy import hierarchy_of_run
from ganstrata.core.analyses.request import AnalysisRequest
from ganstrata.core.analyses.sentences import meanings
from ganstrata.core.editing.strips import read_index
from ganstrata.core.errors import RunError, UserError
from ganstrata.core.figures.effect_rows import EffectBar, effect_rows
from ganstrata.core.figures.pictures import reduced
from ganstrata.core.pipeline.analyse import analyse_layers, analyse_named
from ganstrata.core.report import directions as chapter
from ganstrata.core.report.directions import directions_of
from ganstrata.core.rescoring.found import directions_table
from ganstrata.core.rescoring.naming import named_by_chance
from ganstrata.core.rescoring.results import Effects
from ganstrata.core.rescoring.stored_effects import is_current, read_effects
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.csv_tables import name_in
from ganstrata.core.study.asked import default_words
from ganstrata.core.study.create import StudyRequest, make_study
from ganstrata.core.study.key import Key
from html_pages import Page

QUIET = Progress(quiet=True)


@pytest.fixture(scope="module")
def both(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run with boundaries learnt from labels and directions found without.

    found/0 to found/3 are the planted directions, found/4 has the target of found/3, found/5 moves nothing
    that is scored, and found/6 and found/7 are found/3 at layers that cause it and at layers that do not.
    """
    config = deepcopy(CONFIG) | {"boundary": {"use": "fake_found"}, "checks": False}
    config["synthesis"]["samples"] = 320
    config["rescoring"] |= {"samples": 32, "null_directions": 24, "bootstrap": 100}
    config["conditions"] = [{"edit": "found/3", "keep": ["found/0"]}]
    with _on_path(site):
        return ganstrata.run(config, tmp_path_factory.mktemp("both") / "run")


@pytest.fixture(scope="module")
def effects(both: Run) -> Effects:
    return read_effects(both)


@pytest.fixture(scope="module")
def page(both: Run) -> Page:
    return Page(both.path / "report.html")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_effects_name_directions_in_python_and_in_notebooks(effects: Effects) -> None:
    words = {direction.direction: direction.words for direction in effects.directions()}
    assert words["found/1"] == "+seen/checks"
    assert words["found/5"] == words["found/7"] == "unnamed"
    assert "found/3|found/0" not in words
    html = effects._repr_html_()
    assert "<th>target</th><th>meaning</th>" in html
    assert "<td>found/1</td><td>seen/checks</td><td>+seen/checks</td>" in html
    labelled = replace(
        effects, boundaries=type(effects.boundaries)(replace(b, direction="") for b in effects.boundaries)
    )
    assert "meaning" not in labelled._repr_html_()
    assert labelled.directions() == []
    assert directions_of(labelled) is None


def test_a_run_gives_what_is_known_of_its_directions_in_python_and_as_a_table(both: Run) -> None:
    found = ganstrata.open_run(both.path).directions
    assert [direction.is_named for direction in found] == [True] * 6 + [False] * 2
    sizes = [abs(direction.moves[0].in_sd) for direction in found[:6]]
    assert sizes == sorted(sizes, reverse=True)
    known = {direction.name: direction for direction in found}
    assert known["found/6"].layers == "6-7"
    assert known["found/6"].facts["target_correlation"] == known["found/6"].correlation
    assert known["found/4"].target == "seen/red"
    rows = table(both.path / "directions.csv")
    assert [row["direction"] for row in rows] == [direction.name for direction in found]
    for row, direction in zip(rows, found, strict=True):
        assert float(row["mean_in_sd"]) == pytest.approx(direction.value, rel=1e-5)
        assert row["fact_target_among"] == str(direction.facts["target_among"])
        assert "fact_target_correlation" not in row  # it has a column of its own


def test_a_table_of_directions_has_the_facts_that_any_of_them_has(both: Run) -> None:
    first, second = ganstrata.open_run(both.path).directions[:2]
    facts = [{"level": "high", "by_layer": [1, 2]}, {"share": 0.25}]
    made = [replace(d, facts=f, correlation=None) for d, f in zip((first, second), facts, strict=True)]
    lines = list(csv.DictReader(directions_table(made).csv.splitlines()))
    assert [(row["fact_level"], row["fact_share"]) for row in lines] == [("high", ""), ("", "0.25")]
    assert [row["level"] for row in lines] == [first.level, second.level]
    assert "fact_by_layer" not in lines[0]
    assert lines[0]["target_correlation"] == ""


def test_meanings_are_said_shortly(effects: Effects) -> None:
    first, *lines = meanings(effects)
    assert first.startswith("6 of 8 directions found without labels move concepts beyond chance")
    assert len(lines) == 7
    assert "  found/1  +seen/checks" in lines
    assert lines[-1] == "  unnamed: found/7, found/5"  # by the size of what they do
    assert [*meanings(effects, most=2)[3:]] == ["  and 4 more", lines[-1]]
    labelled = replace(
        effects, boundaries=type(effects.boundaries)(replace(b, direction="") for b in effects.boundaries)
    )
    assert meanings(labelled) == []


def test_the_commands_say_what_directions_mean(invoke, both: Run) -> None:
    result = invoke("rescore", both.path)
    assert result.exit_code == 0
    assert "  found/1  +seen/checks\n" in result.stdout
    assert result.stdout.endswith(f"{both.path / 'directions.csv'}\n")
    ranked = invoke("analysis", "ranking", both.path, "--out", both.path.parent / "ranking")
    assert "the same rule names 0 of 72 null directions." in ranked.stdout


def test_chance_names_directions_only_where_they_stand_out(effects: Effects) -> None:
    assert named_by_chance(effects).named == 0
    null = effects.null.copy()  # the first null direction moves every concept as no other does
    null[0, 0, ..., 1] += 50.0 * null[0, 0, ..., 0]
    null[0, 0, ..., 2] = null[0, 0, ..., 1] ** 2 / np.maximum(null[0, 0, ..., 0], 1.0) * 1.001
    assert named_by_chance(replace(effects, null=null)).named == 1


def test_null_directions_are_moved_where_the_directions_are(effects: Effects, both: Run) -> None:
    names, sets = effects.boundaries.names, list(effects.sets)
    assert [int(effects.kind[names.index(f"found/{i}")]) for i in (0, 6, 7)] == [0, 1, 2]
    everywhere, late, early = effects.null
    alike = [sets.index(name) for name in ("6", "7", "top")]  # these layers alone are moved in any case
    np.testing.assert_array_equal(late[:, alike], everywhere[:, alike])
    still = [s for s, layers in enumerate(effects.sets.values()) if not {6, 7} & set(layers)]
    assert not late[:, still, :, 1:].any()
    where = sets.index("all")
    assert (late[:, where, :, 2] != everywhere[:, where, :, 2]).any()
    j = effects.own[names.index("found/7")]  # what these layers do not cause, no null direction there does
    assert abs(early[:, where, j, 1]).max() < 0.2 * abs(everywhere[:, where, j, 1]).max()
    np.testing.assert_array_equal(effects.null_of(names.index("found/6")), late)
    means = late[:, where, :, 1] / late[:, where, :, 0]
    np.testing.assert_allclose(effects.null_mean[1], means.mean(axis=0))


def test_passes_of_null_directions_are_counted(effects: Effects, both: Run) -> None:
    reached = effects.reached
    of_null = 24 * (13 + 4 + 5)  # all 13 sets; all, 6, 7, top; all, 0, 1, 2, bottom and lower in part
    of_null += 24 * (int(reached[effects.boundaries.names.index("found/7")].sum()) - 5)
    moves = 32 * (1 + int(reached.sum()) + len(effects.boundaries) + of_null)
    assert both.record.stages["rescore"].images == moves


def test_null_effects_of_an_early_version_are_not_read(both: Run) -> None:
    record = both.record.model_copy(deep=True)
    stage = record.stages["rescore"]
    assert stage.null_layers == [None, [6, 7], [0, 1, 2]]
    record.stages["rescore"] = stage.model_copy(update={"null_layers": [None]})
    early = Run(both.path, record)
    assert not is_current(early)
    with pytest.raises(RunError, match=r"ganstrata rescore .* again"):
        read_effects(early)


def test_where_a_direction_moves_nothing_is_no_measurement(effects: Effects, both: Run) -> None:
    rows = [row for row in table(both.path / "rescoring.csv") if row["boundary"] == "found/6"]
    assert {row["layers"] for row in rows} == {"all", "6", "7", "top"}
    assert {row["target"] for row in rows} == {"seen/red"}
    free = dict(zip(effects.boundaries.names, effects.free.tolist(), strict=True))
    assert [name for name in free if not free[name]] == ["found/6", "found/7"]
    names = effects.hierarchy().factors
    assert "found/3" in names
    assert "found/6" not in names
    assert "own alone" in effects.missing_hierarchy([effects.boundaries.names.index("found/6")])
    edits = {path.name for path in (both.path / "edits").glob("found.6.*")}
    assert edits == {"found.6.all.png", "found.6.top.png"}


def test_the_chapter_shows_every_direction(page: Page, both: Run, effects: Effects) -> None:
    (cells,) = [rows for rows in page.cells if rows[0][:3] == ["Direction", "Meaning", "Target"]]
    shown = {row[0]: row for row in cells[1:]}
    assert len(shown) == 8
    assert shown["found/2"][1:3] == ["+seen/stripes", "seen/stripes"]
    assert shown["found/6"][-1] == "6-7"
    assert shown["found/0"][-1] == "all"
    assert shown["found/5"][1] == "unnamed"
    text = re.sub(r"\s+", " ", " ".join(page.words))
    assert "6 of 8 directions found without labels move concepts beyond chance" in text
    assert "the same rule names 0 of 72 null directions" in text
    assert "It moves layers 6-7 alone" in text
    assert not re.search(r"\b(nan|NaN|None|inf)\b", text)
    charts = [svg["aria-label"] for svg in page.all("svg") if svg.get("role") == "img"]
    (where,) = [label for label in charts if label.startswith("Effects of found/6 on seen/red by layers")]
    assert "bottom 0-1 not moved there" in where
    assert re.search(r"layer 7 \+2\.\d\d, beyond chance", where)
    (what,) = [label for label in charts if label.startswith("Effects of found/2:")]
    assert re.search(r"seen/stripes \+\d\.\d\d, beyond chance; ", what)
    stored = {row["direction"]: row for row in table(both.path / "directions.csv")}
    assert name_in(stored["found/2"]["meaning"]) == "+seen/stripes"  # a formula is none in a spreadsheet
    pairs = table(both.path / "figures/direction_effects.csv")
    assert len(pairs) == 8 * sum(concept.varies for concept in effects.concepts)
    beyond = {(row["direction"], row["concept"]) for row in pairs if row["beyond_chance"] == "True"}
    assert beyond == {(d.direction, moved.concept) for d in effects.directions() for moved in d.moves}


def test_the_chapter_is_well_built_with_and_without_scripts(page: Page, both: Run) -> None:
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(ids.values()) == 1
    for link in (attributes["href"] for attributes in page.all("a")):
        assert link[1:] in ids if link.startswith("#") else (both.path / link).is_file()
    cards = [attributes for attributes in page.all("article") if attributes["class"] == "direction"]
    assert [card["id"] for card in cards] == [f"direction-{i}" for i in range(8)]
    assert not any("hidden" in card for card in cards)  # what hides them is the script
    (bar,) = [attributes for attributes in page.all("div") if attributes.get("class") == "bar"]
    assert "hidden" in bar
    depths = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(depths))
    strips = [
        img["alt"] for img in page.all("img") if img.get("alt", "").startswith("Samples moved along found/")
    ]
    assert len(strips) == 8


def test_the_other_chapters_tell_targets_from_concepts(page: Page) -> None:
    text = re.sub(r"\s+", " ", " ".join(page.words))
    assert "11 of 14 concepts and directions are variation factors" in text
    assert "Left out of this, because it moves layers of its own alone: found/6." in text
    (cells,) = [rows for rows in page.cells if rows[0][:3] == ["Concept or direction", "Target", "Meaning"]]
    assert {row[0]: row[1] for row in cells[1:]}["found/4"] == "seen/red"
    assert {row[0]: row[1] for row in cells[1:]}["seen/red"] == ""
    alts = [img["alt"] for img in page.all("img")]
    assert any("edited along seen/red" in alt for alt in alts)
    assert not any("edited along found/" in alt for alt in alts)
    assert "figures/ablation.svg" in {a["href"] for a in page.all("a")}


def test_a_run_of_many_directions_stays_small(effects: Effects, both: Run, monkeypatch) -> None:
    monkeypatch.setattr(chapter, "SHOWN", 3)
    found = directions_of(effects)
    assert found is not None
    index = read_index(both)
    views = chapter.direction_views(both, effects, found, index)
    assert [view.about.name for view in views] == [row.name for row in found.rows[:3]]
    assert [row.is_named for row in found.rows] == [True] * 6 + [False] * 2
    monkeypatch.setattr(chapter, "LISTED", 2)
    (view, *_) = chapter.direction_views(both, effects, found, index)
    assert (len(view.concepts), view.left_out) == (2, 4)
    assert view.most_left_out < 0.6


def test_pictures_of_strips_are_reduced_and_keep_their_shape() -> None:
    pictures = np.zeros((2, 64, 32, 3), np.uint8)
    pictures[:, :, 16:] = 200
    small = reduced(pictures, 16)
    assert small.shape == (2, 16, 8, 3)
    assert (small[:, :, 0] == 0).all()
    assert (small[:, :, -1] == 200).all()
    assert reduced(pictures, 64) is pictures


def test_a_chart_of_effects_says_everything_in_words() -> None:
    bars = [
        EffectBar("a/x", "colour", -0.5, -0.6, -0.4, -0.1, 0.1, True),
        EffectBar("a/y", "layout", np.nan, np.nan, np.nan, np.nan, np.nan, False),
        EffectBar("top <6>", "layout", 0.0, 0.0, 0.0, 0.0, 0.0, False, "not moved there"),
    ]
    svg = effect_rows(bars, "Effects")
    assert (
        'aria-label="Effects: a/x -0.50, beyond chance; a/y unknown; top &lt;6&gt; not moved there."' in svg
    )
    assert svg.count("<title>") == 2  # the bar and the null band of a/x alone


def test_analyses_name_targets_and_leave_out_what_is_not_moved(fakes, both: Run, tmp_path: Path) -> None:
    ranking, folder = analyse_named(
        "ranking", (both.path,), AnalysisRequest(layers="bottom", out=tmp_path / "ranking")
    )
    rows = {row[1]: dict(zip(ranking.table.columns, row, strict=True)) for row in ranking.table.rows}
    assert rows["found/6"]["change in sd"] == "not moved there"
    assert ranking.table.rows[-1][1] == "found/6"
    assert rows["found/0"]["meaning"].startswith("+seen/")
    assert rows["seen/left"]["meaning"] == ""
    places = {row["concept"]: row for row in table(folder / "places.csv")}
    assert places["found/6"]["mean_in_sd"] == ""
    assert places["found/2"]["target"] == "seen/stripes"
    entangled, folder = analyse_named(
        "entanglement", (both.path,), AnalysisRequest(layers="bottom", out=tmp_path / "entanglement")
    )
    assert "Not moved there, because they have other layers of their own: found/6." in entangled.sentences
    pairs = table(folder / "pairs.csv")
    assert "found/6" not in {row["boundary"] for row in pairs}
    cosine = {(row["boundary"], row["concept"]): float(row["cosine"]) for row in pairs if row["cosine"]}
    assert cosine["found/3", "seen/red"] == pytest.approx(1.0, abs=0.02)  # with the labelled boundary
    figure = entangled.figures[0].table
    assert len({(row[0], row[1]) for row in figure.rows}) == len(figure.rows)  # no column twice
    only = AnalysisRequest(concepts=("found/*",), out=tmp_path / "ablation")
    with pytest.raises(UserError, match="found without labels, so no accuracy ranks them"):
        analyse_named("ablation", (both.path,), only)


def test_layers_of_a_direction_are_compared_where_it_moves(fakes, both: Run, tmp_path: Path) -> None:
    asked = AnalysisRequest(concepts=("found/6", "found/3"), out=tmp_path / "layers")
    result, folder = analyse_layers(both.path, asked, progress=QUIET)
    sets = [row["layers"] for row in table(folder / "sides.csv") if row["boundary"] == "found/6"]
    assert set(sets) == {"top", "all"}
    assert "found/6 moves layers 6-7 alone, so it is not moved at the bottom, lower, upper layers." in (
        result.sentences
    )
    assert any(sentence.startswith("seen/red along found/3 rises by") for sentence in result.sentences)
    with pytest.raises(UserError, match=r"--layers bottom: found/6 moves layers 6-7 alone"):
        analyse_layers(both.path, replace(asked, layers="bottom"), progress=QUIET)


def test_pictures_are_edited_along_directions(fakes, both: Run, tmp_path: Path) -> None:
    edited = ganstrata.manipulate(
        both, "found/3", keep=["found/0"], search=True, kinds=["html", "gif"], out=tmp_path / "one"
    )
    red = edited.concepts.index("seen/red")
    scores = edited.frames[0].scores
    assert (np.diff(scores[:, :, red], axis=1) > 0.0).all()
    restricted = ganstrata.manipulate(both, "found/6", out=tmp_path / "two")
    assert restricted.strips[0].layers == (6, 7)
    words = " ".join(Page(tmp_path / "two" / "manipulate.html").words)
    assert "found without labels; target seen/red; meaning: +seen/red" in re.sub(r"\s+", " ", words)


def test_why_there_is_no_hierarchy_is_said_in_the_words_of_the_command_line(effects: Effects) -> None:
    bound = replace(
        effects, boundaries=type(effects.boundaries)(replace(b, layers=(6, 7)) for b in effects.boundaries)
    )
    with pytest.raises(UserError, match=r"^rooms: all these directions move layers of their own alone"):
        hierarchy_of_run(bound, "rooms")
    # Single layers would not help these, so nobody is sent to re-score them.
    coarse = {"sets": {"all": effects.sets["all"]}}
    with pytest.raises(UserError, match=r"move layers of their own alone"):
        hierarchy_of_run(replace(bound, **coarse), "rooms")
    with pytest.raises(
        UserError, match=r"make a run with rescoring.layers: \[all, each, groups\]$"
    ) as caught:
        hierarchy_of_run(replace(effects, **coarse), "rooms")
    assert "rescore()" not in str(caught.value)


def test_studies_ask_about_meanings(fakes, both: Run, effects: Effects, tmp_path: Path, capsys) -> None:
    asked = default_words(effects)
    assert asked["found/2"].words == "stripes"
    assert asked["found/3|found/0"].words == asked["seen/red"].words == "red"
    assert "found/5" not in asked
    make_study(
        both.path,
        tmp_path / "a",
        StudyRequest(concepts=("found/*",), strips=1),
        progress=Progress(quiet=True),
    )
    said = capsys.readouterr().err
    assert "found/5 is left out: it is unnamed: say what raters are to look for, with --words" in said
    assert "found/6 is left out: it moves layers 6-7 alone, and a study compares all layer groups" in said
    assert "found/1 is left out" not in said
    key = Key.read(tmp_path / "a")
    assert {(q.boundary, q.words) for q in key.questions} >= {("found/1", "checks"), ("found/4", "red")}
    assert not {"found/5", "found/6", "found/7"} & {q.boundary for q in key.questions}
    for name, fault in (("found/6", "moves layers 6-7 alone"), ("found/5", "it is unnamed")):
        with pytest.raises(UserError, match=f"--concepts {name}: .*{fault}"):
            make_study(both.path, tmp_path / "b", StudyRequest(concepts=(name,)), progress=QUIET)
    words = StudyRequest(concepts=("found/5",), strips=1, words={"found/5": "grain"})
    key = make_study(both.path, tmp_path / "c", words, progress=QUIET)
    assert {question.words for question in key.questions} == {"grain"}
