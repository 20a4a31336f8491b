"""Edits of a run in which it is known what each direction does."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closeness import assert_pictures_near
from filelock import FileLock
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.editing import films
from ganstrata.core.editing.folder_name import folder_name
from ganstrata.core.editing.manipulate import Manipulated
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.strips import split_strip
from ganstrata.core.errors import DataError, GanstrataError, RunError, UserError
from ganstrata.core.figures.pictures import read_picture
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.seal import sealed_text
from ganstrata.core.storage.shards import Shards

LEFT, CHECKS, STRIPES, RED = range(4)


def changes(edited: Manipulated, strip: int = 0) -> np.ndarray:
    """Return the change of all scores from the unedited pictures, (N, T, C)."""
    return edited.frames[strip].scores - edited.before[strip].scores


def test_the_default_is_the_strip_of_the_report(manipulate, copied: Path) -> None:
    edited = manipulate("seen/red", kinds=("strip",))
    assert edited.names == ("seed 0", "seed 1")
    assert edited.strips[0].distances.tolist() == [[-3.0, 0.0, 3.0]]
    strip = split_strip(read_picture((copied / "edits/seen.red.all.png").read_bytes()), 3)
    np.testing.assert_array_equal(edited.frames[0].pictures, strip)
    np.testing.assert_array_equal(edited.frames[0].pictures[:, 1], edited.before[0].pictures[:, 0])
    assert set(edited.files) == {"steps.csv", "scores.csv", "seen.red.all.png", "manipulate.json"}
    assert edited.path == copied / "manipulations/seen.red.independent.kinds-strip"
    assert {file.name for file in edited.path.iterdir()} == set(edited.files)


def test_different_edits_have_different_folders_and_the_same_has_one(manipulate, copied: Path) -> None:
    quick = {"seeds": "0", "steps": 1, "kinds": ("strip",), "scores": False}
    paths = [
        manipulate(*along, **(quick | options)).path.name
        for along, options in [
            (("seen/red",), {}),
            (("seen/red@all",), {}),  # the same edit
            (("seen/red@7",), {}),
            (("seen/red@bottom",), {}),
            (("seen/red:2",), {}),
            (("seen/red",), {"steps": 3}),
            (("seen/red",), {"seeds": "1"}),
            (("seen/red",), {"keep": ["seen/left"]}),
            (("seen/red", "seen/left"), {"mode": "joint"}),
        ]
    ]
    assert paths[0] == paths[1] == "seen.red.independent.seeds-0.steps-1.no-scores.kinds-strip"
    assert paths[2:5] == [
        "seen.red.7.independent.seeds-0.steps-1.no-scores.kinds-strip",
        "seen.red.bottom.independent.seeds-0.steps-1.no-scores.kinds-strip",
        "seen.red.independent.to-2.seeds-0.steps-1.no-scores.kinds-strip",
    ]
    assert len({path.casefold() for path in paths}) == len(paths) - 1
    assert {path.name for path in (copied / "manipulations").iterdir()} >= set(paths)


def test_options_that_are_no_file_name_become_a_digest() -> None:
    names = [
        folder_name(EditRequest(along=("a/x",), codes=Path(path), space="w"), [])
        for path in ("codes/one.npy", "codes/two.npy")
    ]
    assert all(re.fullmatch(r"\.independent-[0-9a-f]{12}", name) for name in names)
    assert len(set(names)) == 2
    long = folder_name(EditRequest(along=("a/x",), seeds=",".join(map(str, range(100)))), [])
    assert re.fullmatch(r"\.independent-[0-9a-f]{12}", long)
    assert folder_name(EditRequest(along=("a/x",), out=Path("o"), device="cpu"), []) == ".independent"


def test_layers_for_which_a_boundary_was_not_made_are_said(manipulate, copied: Path, tmp_path: Path) -> None:
    boundaries = load_boundaries(copied)[0]
    save_boundaries(
        Boundaries(replace(b, layers=(6, 7)) if b.name == "seen/red" else b for b in boundaries), tmp_path
    )
    quick = {"seeds": "0", "steps": 1, "kinds": ("strip",), "scores": False, "boundaries": tmp_path}
    assert manipulate("seen/red", **quick).remarks == ()
    assert manipulate("seen/red@7", **quick).remarks == ()
    assert manipulate("seen/left@0", **quick).remarks == ()
    (remark,) = manipulate("seen/red@1,6", **quick).remarks
    assert remark.startswith("seen/red was made for layers 6-7 and re-scored there alone")
    assert "not known for layer 1, which is moved" in remark


def test_each_concept_moves_by_its_own_layers_alone(manipulate) -> None:
    edited = manipulate(
        "seen/red@7", "seen/red@0-6", "seen/left:1@bottom", seeds="0-4", start=-2, end=2, steps=3
    )
    assert [strip.name for strip in edited.strips] == [
        "seen/red at 7",
        "seen/red at 0-6",
        "seen/left at bottom",
    ]
    assert edited.strips[2].distances.tolist() == [[-1.0, 0.0, 1.0]]
    # One unit is the spread of w, about 2, and a unit of w is worth 0.05.
    red = changes(edited, 0)[:, [0, 2], RED].mean(axis=0)
    np.testing.assert_allclose(red, [-0.2, 0.2], rtol=0.1)
    assert np.abs(changes(edited, 1)[..., RED]).max() < 0.02
    assert changes(edited, 2)[:, 2, LEFT].min() > 0.08


def test_distances_are_those_moved_and_lie_on_the_boundary_where_it_is(manipulate, copied: Path) -> None:
    edited = manipulate("seen/red", samples="0-9", start=-1, end=1.5, steps=3)
    moved = edited.frames[0].distances - edited.before[0].distances
    np.testing.assert_allclose(moved[..., 0], np.broadcast_to([-1.0, 0.25, 1.5], (10, 3)), atol=1e-5)
    boundary, unit = load_boundaries(copied)[0].of("seen/red"), Run.open(copied).manifest["spread"]
    w = Shards(copied / "samples.zarr").read("w")[:10]
    np.testing.assert_allclose(
        edited.before[0].distances[:, 0, 0], (w @ boundary.normal + boundary.offset) / unit, atol=1e-5
    )


def test_a_joint_edit_moves_both_and_a_grid_crosses_them(manipulate) -> None:
    edited = manipulate(
        "seen/red:2@top", "seen/left:-1@bottom", mode="joint", seeds="0,5", steps=3, kinds=("grid",)
    )
    (strip,) = edited.strips
    np.testing.assert_allclose(strip.distances, [[-2.0, 0.0, 2.0], [1.0, 0.0, -1.0]])
    assert strip.labels == ("−2.0 +1.0", "0.0 0.0", "+2.0 −1.0")
    last = changes(edited)[:, 2]
    assert last[:, RED].min() > 0.15
    assert last[:, LEFT].max() < -0.08
    for name, pictures in zip(("seed-0", "seed-5"), edited.frames[0].pictures, strict=True):
        sheet = read_picture((edited.path / f"grid.{name}.png").read_bytes())
        width = (sheet.shape[0] - 18 + 4) // 3 - 4
        for t in range(3):  # both grow along the diagonal from the corner below
            y, x = 18 + (2 - t) * (width + 4), sheet.shape[1] - (3 - t) * (width + 4) + 4
            small = sheet[y : y + width, x : x + width][:: width // 8, :: width // 8]
            np.testing.assert_array_equal(small, pictures[t])


def test_an_absolute_edit_reaches_its_distances_from_everywhere(manipulate) -> None:
    edited = manipulate("seen/red:2@6-7", mode="absolute", seeds="0-39", start=-1, end=1, steps=3)
    np.testing.assert_allclose(
        edited.frames[0].distances[..., 0], np.broadcast_to([-2.0, 0.0, 2.0], (40, 3)), atol=1e-5
    )
    assert edited.before[0].distances.std() > 0.5
    # The score of all pictures is that of the distance, up to what the boundary misses.
    assert edited.frames[0].scores[..., RED].std(axis=0).max() < 0.2 * edited.before[0].scores[..., RED].std()


def test_jitter_is_drawn_at_each_step_and_only_in_mode_jitter(manipulate) -> None:
    edited = manipulate("seen/red@7", mode="jitter", seeds="0-39", end=2, steps=4, noise_sd=0.5)
    assert edited.strips[0].labels == ("draw 1", "draw 2", "draw 3", "draw 4")
    change = changes(edited)
    np.testing.assert_allclose(change[..., RED].mean(axis=0), 0.2, rtol=0.25)
    # Noise of half a spread in w on layer 7, where red is: 0.05 times 0.5 times 2.
    np.testing.assert_allclose(change[..., RED].std(axis=0), 0.05, rtol=0.35)
    assert np.abs(np.corrcoef(change[..., RED].T) - np.eye(4)).max() < 0.5
    assert np.abs(change[..., LEFT]).max() < 0.02
    alone = manipulate("seen/red@7", mode="jitter", seeds="17", end=2, steps=2, noise_sd=0.5)
    assert_pictures_near(alone.frames[0].pictures[0], edited.frames[0].pictures[17, :2])


def test_a_search_finds_how_far_and_says_so(manipulate, copied: Path) -> None:
    edited = manipulate("seen/red@top", search=True, start=-10, end=10, steps=5, seeds="0")
    entry = json.loads((edited.path / "manipulate.json").read_text(encoding="utf-8"))["strips"][0]
    (search,) = entry["search"]
    distances = edited.strips[0].distances[0]
    assert (distances[0], distances[-1]) == (search["low"], search["high"])
    # Red grows along a straight line, so that steps that are even in score are even in distance.
    assert search["high"] > 2.0
    np.testing.assert_allclose(np.diff(distances), np.diff(distances).mean(), rtol=0.15)
    assert len(search["curve"]) == 17
    with pytest.raises(UserError, match="says how far to go, and --search finds it"):
        manipulate("seen/red:2", search=True)
    with pytest.raises(DataError, match="seen/red at 0: no range was found"):
        manipulate("seen/red@0", search=True)


def test_a_run_that_has_learnt_is_enough(manipulate, copied: Path) -> None:
    file = copied / "run.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["stages"] = {name: manifest["stages"][name] for name in ("synthesize", "learn")}
    file.write_text(sealed_text(manifest), encoding="utf-8")
    assert manipulate("seen/red", steps=1).frames
    del manifest["stages"]["learn"]
    file.write_text(sealed_text(manifest), encoding="utf-8")
    with pytest.raises(RunError, match="the stage `learn` is not complete"):
        manipulate("seen/red")


def test_the_same_command_writes_the_same_bytes(manipulate, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        out = tmp_path / name / "deep"
        manipulate(
            "seen/red:2@top",
            "seen/left@bottom",
            mode="joint",
            search=False,
            seeds="0-2",
            kinds=("strip", "grid", "gif", "html"),
            out=out,
        )
        written.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert written[0] == written[1]
    record = json.loads(written[0].pop("manipulate.json"))
    assert record["files"] == {
        name: hashlib.sha256(content).hexdigest() for name, content in written[0].items()
    }


def test_tables_hold_what_the_pictures_are(manipulate) -> None:
    edited = manipulate("seen/red", seeds="3,1", steps=2, end=1, start=-1)
    with (edited.path / "steps.csv").open(newline="") as file:
        steps = list(csv.DictReader(file))
    with (edited.path / "scores.csv").open(newline="") as file:
        scores = list(csv.DictReader(file))
    first = [(row["sample"], row["step"], row["distance"]) for row in steps[:3]]
    assert first == [
        ("seed 3", "unedited", ""),
        ("seed 3", "0", "-1"),
        ("seed 3", "1", "1"),
    ]
    assert float(steps[4]["from_boundary"]) == pytest.approx(edited.frames[0].distances[1, 0, 0], rel=1e-5)
    assert len(scores) == 6
    assert float(scores[5]["seen/red"]) == pytest.approx(edited.frames[0].scores[1, 1, RED], rel=1e-5)
    assert scores[5]["seen/half"] == "" or np.isfinite(float(scores[5]["seen/half"]))
    bare = manipulate("seen/red", scores=False, kinds=("html",))
    assert bare.frames[0].scores is None
    assert bare.concepts == ()
    assert "scores.csv" not in bare.files


def test_what_was_there_stays_until_all_is_made(
    manipulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "edits"
    manipulate("seen/red", out=out, kinds=("strip",))
    before = {file.name: file.read_bytes() for file in out.iterdir()}

    def broken(*_):
        raise GanstrataError("the disk is full")

    monkeypatch.setattr(films, "gif", broken)
    with pytest.raises(GanstrataError, match="disk"):
        manipulate("seen/left", out=out, kinds=("strip", "gif"))
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    manipulate("seen/left", out=out, kinds=("strip",))
    assert "seen.left.all.png" in {file.name for file in out.iterdir()}
    assert "seen.red.all.png" not in {file.name for file in out.iterdir()}
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("edits")] == ["edits"]


def test_a_folder_of_something_else_is_left_alone(manipulate, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match=r"contains files that `manipulate` did not write there: thesis\.tex"):
        manipulate("seen/red", out=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_notes_beside_earlier_edits_are_not_lost(manipulate, tmp_path: Path) -> None:
    out = tmp_path / "edits"
    manipulate("seen/red", out=out, kinds=("strip",))
    manipulate("seen/left", out=out, kinds=("strip",))
    (out / "my_notes.md").write_text("years of work")
    with pytest.raises(RunError, match=r"my_notes\.md"):
        manipulate("seen/red", out=out)
    assert (out / "my_notes.md").read_text() == "years of work"
    assert "seen/left" in (out / "steps.csv").read_text()


@pytest.mark.parametrize(
    ("along", "rest", "words"),
    [
        (("seen/red", "seen/red"), {}, "seen/red at all layers is named twice"),
        (
            ("seen/red",),
            {"keep": ("seen/lfet",)},
            "--keep seen/lfet: no boundary has this name. Did you mean 'seen/left'?",
        ),
        (("seen/red@groups",), {}, "that is 4 layer sets; name one, such as all, bottom"),
        (("seen/red@8",), {}, "there is no layer 8"),
        (("seen/red",), {"samples": "640"}, "there is no sample 640; this run has 0 to 639"),
        (("seen/red",), {"start": 1.0, "end": 1.0}, "--start and --end are both 1"),
        (("seen/red:2",), {"start": -1.0, "end": 0.0}, "--end is 0"),
    ],
)
def test_mistakes(manipulate, along, rest, words: str) -> None:
    with pytest.raises(UserError) as caught:
        manipulate(*along, **rest)
    assert words in str(caught.value)


def test_a_run_that_cannot_be_written_to_is_edited_elsewhere(
    manipulate, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents
) -> None:
    acquire = FileLock.acquire

    def refuse(lock: FileLock, *args: Any, **kwargs: Any) -> Any:
        if Path(lock.lock_file).is_relative_to(copied):
            raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))
        return acquire(lock, *args, **kwargs)

    before = contents(copied)
    monkeypatch.setattr(FileLock, "acquire", refuse)
    monkeypatch.setattr("ganstrata.core.runs.session.os.access", lambda *_: False)
    assert manipulate("seen/red", steps=1, out=tmp_path / "elsewhere").frames
    with pytest.raises(GanstrataError, match=r"cannot be written, and the result would go into it.*--out"):
        manipulate("seen/red", steps=1)
    assert contents(copied) == before
