"""Objects in a run of known truth: moving along red turns every sofa into a bed and keeps the wall."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Stream
from ganstrata.core.analyses import objects as analysis
from ganstrata.core.analyses.objects import TransitionRequest
from ganstrata.core.analyses.objects_record import Objects, read_objects, table_text
from ganstrata.core.analyses.objects_result import description, sentences_of
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.errors import GanstrataError, UserError
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.pipeline.analyse import objects
from ganstrata.core.rescoring.stored_effects import read_effects
from ganstrata.core.rescoring.transitions import Transition
from ganstrata.core.runs.progress import Progress
from ganstrata.core.runs.run import Run
from ganstrata.core.strata.moves import edit_direction, move

FILES = ("transitions.csv", "flow.svg", "flow.csv", "masks.png", "objects.json")
QUIET = Progress(quiet=True)


@pytest.fixture
def analysed(fakes, refurnished: Path):
    """Return a function analysed(along, ...) that analyses a copy of the run."""

    def call(
        *along: str, samples: int = 40, step: float | None = 4.0, layers: str | None = "all", **rest
    ) -> Objects:
        return objects(
            refurnished,
            TransitionRequest(along, samples=samples, step=step, layers=layers, **rest),
            progress=QUIET,
        )

    return call


def rows_of(result: Objects, hop: int = 1) -> dict[tuple[str, str], Transition]:
    return {(row.source, row.target): row for row in result.rows if row.hop == hop}


def test_planted_transitions_are_counted(analysed) -> None:
    result = analysed("seen/red")
    rows = rows_of(result)
    assert sum(row.pixels for row in rows.values()) == 40 * 64
    assert not {("sofa", "sofa"), ("bed", "sofa")} & set(rows)
    turned = rows["sofa", "bed"]
    assert (turned.of_source, turned.low, turned.high) == (1.0, 1.0, 1.0)
    assert turned.pixels == 32 * turned.samples
    assert 10 <= turned.samples <= 30
    assert rows["wall", "wall"].of_source > 0.98  # the corner may change
    assert rows["bed", "bed"].of_source == 1.0
    assert result.stuff == ("wall",)
    text = " ".join(sentences_of(result, 1))
    assert "seen/red rises" in text
    assert "100 % after" in text
    assert "keep their label: wall" in text
    assert "sofa to bed 1.00 [1.00, 1.00]" in text


def test_counts_are_those_of_full_passes(analysed, refurnished: Path) -> None:
    """Compare with full passes, where each hop starts from the code of the last one."""
    run = ganstrata.open_run(refurnished)
    boundaries, _ = load_boundaries(refurnished)
    layers = (1, 6, 7)
    result = analysed("seen/red", "seen/left", step=-0.5, layers="7,1,6")
    generator, segmenter = (
        ganstrata.load_generator("fake_layers", device="cpu"),
        ganstrata.load_scorer("fake_regions", device="cpu"),
    )
    with torch.inference_mode():
        codes = generator.broadcast(generator.map(generator.sample(40, 3, 0, Stream.EDITING).z))
        labels = []
        for name in (None, "seen/red", "seen/left"):
            if name is not None:
                codes = move(
                    codes,
                    edit_direction(boundaries.of(name).normal, layers, np.ones(8)),
                    -0.5 * run.manifest["spread"],
                )
            labels.append(segmenter.labels(ganstrata.Rendering(ganstrata.render(generator, codes))).numpy())
    for hop in (1, 2):
        rows = rows_of(result, hop)
        pairs, pixels = np.unique(labels[hop - 1] * 4 + labels[hop], return_counts=True)
        expected = {
            (result.classes[pair // 4], result.classes[pair % 4]): count
            for pair, count in zip(pairs, pixels, strict=True)
        }
        assert {key: row.pixels for key, row in rows.items()} == expected
    changed = labels[0] != labels[1]
    assert result.hops[1].returned is not None
    assert result.hops[1].returned[0] == pytest.approx(
        (changed & (labels[0] == labels[2])).sum() / changed.sum()
    )


def test_a_hop_back_is_called_one(analysed) -> None:
    on = analysed("seen/red", "seen/red", step=3.0)
    assert on.hops[1].cosine == pytest.approx(1.0)
    assert on.hops[1].returned is not None
    assert on.hops[1].returned[2] < 0.01
    words = (
        "0.00 [0.00, 0.01] of the pixels that hop 1 changed have their earlier label again; "
        "the cosine of the two directions is 1.00."
    )
    assert words in sentences_of(on, 2)
    assert not [sentence for sentence in sentences_of(on, 1) if "earlier label" in sentence]
    back = replace(on, hops=[on.hops[0], replace(on.hops[1], returned=(0.9, 0.6, 0.95), cosine=-0.85)])
    assert "so this hop mostly goes back; the cosine of the two directions is −0.85." in " ".join(
        sentences_of(back, 2)
    )
    unsure = replace(on, hops=[on.hops[0], replace(on.hops[1], returned=(0.6, 0.4, 0.7))])
    assert "goes back" not in " ".join(sentences_of(unsure, 2))


def test_conditional_directions_can_be_followed_too(analysed) -> None:
    result = analysed("seen/red|seen/left")
    assert result.hops[0].concept == "seen/red"
    assert rows_of(result)["sofa", "bed"].of_source == 1.0


def test_only_samples_that_have_the_start_are_taken(analysed) -> None:
    result = analysed("seen/red", start="seen/red", samples=50, step=-4.0)
    rows = rows_of(result)
    assert {row.source for row in rows.values()} <= {"wall", "lamp", "bed"}
    assert sum(row.pixels for row in rows.values()) == 50 * 64
    assert result.hops[0].above_before == 1.0
    assert result.hops[0].above_after == 0.0
    assert "that have seen/red" in description(result)
    assert "So most samples" not in " ".join(sentences_of(result, 1))  # it was moved backwards


def test_a_hop_that_does_not_arrive_is_called_one(analysed) -> None:
    result = analysed("seen/red", layers="2-5")
    assert result.hops[0].above_after is not None
    missed = replace(result, hops=[replace(result.hops[0], above_after=0.49)])
    reached = replace(result, hops=[replace(result.hops[0], above_after=0.5)])
    assert "So most samples do not have the concept afterwards" in " ".join(sentences_of(missed, 1))
    assert "So most samples" not in " ".join(sentences_of(reached, 1))


@pytest.mark.full
def test_layers_where_nothing_is_planted_change_nothing(analysed) -> None:
    early = analysed("seen/red", layers="2-5")
    assert early.settings.layers == (2, 3, 4, 5)
    assert rows_of(early)["sofa", "sofa"].of_source > 0.8
    assert rows_of(analysed("seen/red", layers="7"))["sofa", "bed"].of_source == 1.0


@pytest.mark.parametrize(("concept", "planted"), [("seen/left", 0), ("seen/red", 7)])
def test_the_default_is_the_group_where_the_concept_is_planted(
    analysed, refurnished: Path, concept: str, planted: int
) -> None:
    result = analysed(concept, step=None, layers=None, samples=8)
    name = result.settings.set_name
    assert planted in result.settings.layers
    assert result.settings.layers == tuple(Run.open(refurnished).record.groups[name])
    assert f"at the {name} layers" in description(result)
    assert "the group where this boundary has its largest effect by re-scoring" in description(result)
    assert "largest effect" not in description(analysed(concept, layers=name, samples=8))


def test_the_default_step_is_that_of_rescoring(analysed) -> None:
    result = analysed("seen/left", step=None, samples=8)
    assert result.settings.step == 2.0
    assert result.settings.step_in_w == pytest.approx(4.0, rel=0.05)  # the spread of w is 2


def test_without_groups_all_layers_are_the_default(refurnished: Path) -> None:
    effects = read_effects(Run.open(refurnished))
    assert analysis.strongest_group(replace(effects, groups={}), ["seen/red"]) == "all"
    upper = analysis.strongest_group(effects, ["seen/red"])
    assert analysis.strongest_group(effects, ["seen/red", "seen/red", "seen/left"]) == upper


def test_files_are_written_and_say_the_same(analysed, refurnished: Path) -> None:
    result = analysed("seen/red", "seen/left")
    folder = refurnished / "analysis/objects"
    assert {file.name for file in folder.iterdir()} == set(FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["objects"]
    with (folder / "transitions.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(int(r["hop"]), r["from"], r["to"], int(r["pixels"]), int(r["samples"])) for r in table] == [
        (row.hop, row.source, row.target, row.pixels, row.samples) for row in result.rows
    ]
    for r in table:
        assert 0.0 <= float(r["low"]) <= float(r["share_of_from"]) + 1e-6 <= float(r["high"]) + 2e-6
    index = json.loads((folder / "objects.json").read_text(encoding="utf-8"))
    assert index["asked"]["layers"] == list(range(8))
    assert index["files"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES[:-1]
    }
    masks = read_picture((folder / "masks.png").read_bytes())
    assert masks.shape[1] == 6 * 132 - 4


@pytest.mark.full
def test_the_same_request_writes_the_same_bytes(analysed, refurnished: Path) -> None:
    folder = refurnished / "analysis/objects"
    analysed("seen/red", start="seen/left")
    first = {name: (folder / name).read_bytes() for name in FILES}
    analysed("seen/left", samples=8)
    assert (folder / "transitions.csv").read_bytes() != first["transitions.csv"]
    analysed("seen/red", start="seen/left")
    assert {name: (folder / name).read_bytes() for name in FILES} == first


def test_a_run_is_still_finished_afterwards(analysed, refurnished: Path) -> None:
    before = (refurnished / "rescoring.csv").read_bytes()
    analysed("seen/red")
    run = Run.open(refurnished)
    run.require("synthesize", "learn", "rescore", "edit", "report")
    assert (refurnished / "rescoring.csv").read_bytes() == before


def test_what_is_damaged_or_out_of_date_is_not_shown(analysed, refurnished: Path) -> None:
    analysed("seen/red")
    run, folder = Run.open(refurnished), refurnished / "analysis/objects"
    text = (folder / "transitions.csv").read_text(encoding="utf-8")
    (folder / "transitions.csv").write_text(text.replace("sofa", "sofas"), encoding="utf-8")
    damaged = read_objects(run)
    assert damaged is not None
    assert "transitions.csv in analysis/objects was changed after the analysis" in damaged.faults[0]
    (folder / "transitions.csv").unlink()
    missing = read_objects(run)
    assert missing is not None
    assert "damaged or incomplete" in missing.faults[0]
    (folder / "transitions.csv").write_text(text, encoding="utf-8")
    whole = read_objects(run)
    assert whole is not None
    assert whole.faults == []
    assert table_text(whole.rows) == text
    run.keys.scores["regions"] = "another"
    other = read_objects(run)
    assert other is not None
    assert "its segmenter has changed" in other.faults[0]
    run = Run.open(refurnished)
    boundaries = refurnished / "boundaries.json"
    boundaries.write_text(boundaries.read_text(encoding="utf-8") + " ", encoding="utf-8")
    stale = read_objects(run)
    assert stale is not None
    assert "learnt again since" in stale.faults[0]
    assert stale.along == ["seen/red"]
    for content in ("{", "[]", '{"files": {}}'):
        (folder / "objects.json").write_text(content, encoding="utf-8")
        broken = read_objects(run)
        assert broken is not None
        assert broken.faults


def test_a_run_without_the_analysis_has_no_chapter(furnished: Run) -> None:
    assert read_objects(furnished) is None
    assert 'id="objects"' not in (furnished.path / "report.html").read_text(encoding="utf-8")


def test_a_write_that_fails_leaves_what_was_there(analysed, refurnished: Path, fill_disk_at) -> None:
    analysed("seen/red")
    folder = refurnished / "analysis/objects"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    page = (refurnished / "report.html").read_bytes()
    fill_disk_at("masks.png")
    with pytest.raises(GanstrataError, match="the disk is full"):
        analysed("seen/left")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["objects"]
    assert (refurnished / "report.html").read_bytes() == page


def test_of_several_one_must_be_named() -> None:
    choose = analysis._one_of
    assert choose(None, ("a",), what="segmenter", option="--segmenter") == "a"
    assert choose("b", ("a", "b"), what="segmenter", option="--segmenter") == "b"
    with pytest.raises(UserError, match="2 segmenters: a, b; choose one with --segmenter"):
        choose(None, ("a", "b"), what="segmenter", option="--segmenter")
    with pytest.raises(UserError, match=r"Did you mean 'object'\? There is object"):
        choose("objcet", ("object",), what="segmenter", option="--segmenter")


def test_workers_find_the_same(analysed, refurnished: Path, request: pytest.FixtureRequest) -> None:
    folder = refurnished / "analysis/objects"
    analysed("seen/red", samples=100, start="seen/left")
    alone = {name: (folder / name).read_bytes() for name in FILES}
    request.getfixturevalue("two_cores")
    analysed("seen/red", samples=100, start="seen/left")
    assert {name: (folder / name).read_bytes() for name in FILES} == alone


def test_a_score_at_the_threshold_is_not_above_it(analysed) -> None:
    """A bed fills exactly half of a red picture, and the threshold of its share is one half."""
    with pytest.raises(GanstrataError, match=r"only 0 of .* samples have it"):
        analysed("seen/red", start="regions/bed", samples=1)
