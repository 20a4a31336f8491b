"""Painted pictures have what was painted, moves included, and nothing is lost by stopping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import _on_path
from ganstrata import (
    Concept,
    Inputs,
    PluginConfig,
    Rendering,
    Segmenter,
    Stream,
    UserError,
    load_generator,
)
from ganstrata.app.compute import Stopped
from ganstrata.app.handlers import Edit, PictureRef
from ganstrata.app.sessions import MOST_KEPT, Session
from ganstrata.app.views.judging import judge_of
from ganstrata.app.views.pictures import rendered
from ganstrata.app.views.searching import canvas_of
from ganstrata.app.views.segmenting import LEARNT, NONE_HERE, Reader, reader_of, readers
from ganstrata.app.workspace import Workspace, folder_extractor
from ganstrata.core.decimals import percent
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import CodesFile, Source, find_source
from ganstrata.core.runs.run import Run
from ganstrata.core.semantics.extractor_file import save_extractor
from ganstrata.core.semantics.predictors import Predictor
from generators_stylegan2 import small_state
from masks_of_pages import blank, encoded, received
from planted_semantics import Linear, Smooth
from safetensors.torch import save_file
from torch import Tensor

Ask = Callable[..., Any]
BED, SOFA = 2, 1
MOVED = {"picture": {"seed": 3}, "moves": [{"along": "seen/left", "by": 1.5}]}


@pytest.fixture(scope="module")
def opened(site: Path, furnished: Run) -> Workspace:
    with _on_path(site):
        return Workspace.open(Path(furnished.path))


@pytest.fixture(scope="module")
def memory() -> dict[str, Any]:
    """What a workspace keeps: the extractor is learnt once for all tests."""
    return {}


@pytest.fixture
def workspace(fakes: Any, opened: Workspace, memory: dict[str, Any]) -> Workspace:
    return replace(opened, memory=memory)


@pytest.fixture(scope="module")
def planted_memory() -> dict[str, Any]:
    return {}


@pytest.fixture
def planted(workspace: Workspace, planted_memory: dict[str, Any]) -> Workspace:
    """The same with a generator whose classes are linear in its feature maps, and their segmenter."""
    prepared = replace(workspace.prepared, generator=Smooth(), scorers={"planted": Linear()}, batch=8)
    return replace(workspace, prepared=prepared, memory=planted_memory)


@pytest.fixture
def ask_planted(planted: Workspace, asking: Callable[[Workspace], Ask]) -> Ask:
    return asking(planted)


@pytest.fixture
def learnt(ask: Ask) -> str:
    answer, _ = ask("learn")
    return str(answer["by"])


def labels(ask: Ask, edit: dict[str, Any], by: str) -> tuple[dict[str, Any], np.ndarray]:
    """Legend, and the class of each pixel as the page reads it off the colours."""
    answer, (shown, message) = ask("segment", edit=edit, by=by)
    header, picture = received(message)
    assert [received(shown)[0]["of"], header["of"]] == ["picture", "labels"]
    assert picture.mode == "P"
    assert (header["width"], header["height"]) == (answer["width"], answer["height"]) == picture.size
    colours = [tuple(bytes.fromhex(one["colour"][1:])) for one in answer["classes"]]
    rgb = np.asarray(picture.convert("RGB"))
    return answer, np.array([[colours.index(tuple(pixel)) for pixel in row] for row in rgb.tolist()])


def test_an_extractor_is_learnt_once_from_the_segmenter_of_the_run(ask: Ask, workspace: Workspace):
    workspace.memory.clear()
    before, _ = ask("segmenters")
    assert [(one["by"], one["ready"]) for one in before["readers"]] == [
        ("learnt", False),
        ("scorer regions", True),
    ]
    with pytest.raises(UserError, match="not learnt yet"):
        ask("segment", edit=MOVED, by="learnt")
    answer, sent = ask("learn")
    assert answer["from"] == "Scorer regions"
    assert 0.0 < answer["miou"] <= 1.0
    assert sent[-1]["progress"]["step"] == sent[-1]["progress"]["total"]
    extractor = workspace.memory[LEARNT]
    again, silent = ask("learn")
    assert (again["by"], silent) == ("learnt", [])
    assert workspace.memory[LEARNT] is extractor
    after, _ = ask("segmenters")
    assert after["readers"][0]["ready"]
    assert after["why"] == ""


def test_a_job_that_is_stopped_leaves_no_half_an_extractor(ask: Ask, workspace: Workspace, opened: Workspace):
    def breathe() -> None:
        raise Stopped

    workspace.memory.clear()
    with pytest.raises(Stopped):
        ask("learn", breathe=breathe)
    assert LEARNT not in workspace.memory
    answer, _ = ask("segmenters")
    assert not answer["readers"][0]["ready"]


def test_the_picture_comes_with_its_labels_or_alone(ask: Ask):
    _, (frame,) = ask("frame", edit=MOVED, final=True)
    _, (alone,) = ask("segment", edit=MOVED)
    _, (beside, _) = ask("segment", edit=MOVED, by="scorer regions")
    pictures = [np.asarray(received(message)[1]) for message in (frame, alone, beside)]
    assert (pictures[0] == pictures[1]).all()
    assert np.abs(pictures[0].astype(int) - pictures[2]).max() <= 1


def test_labels_are_those_of_the_moved_picture(ask: Ask, workspace: Workspace):
    answer, found = labels(ask, MOVED, "scorer regions")
    assert [one["name"] for one in answer["classes"]] == ["wall", "sofa", "bed", "lamp"]
    assert (found[:4] == 0).all()
    assert sum(one["share"] for one in answer["classes"]) == pytest.approx(1.0, abs=1e-3)
    assert answer["classes"][0]["share"] == pytest.approx((found == 0).mean())
    # The corner has a lamp exactly where the picture is dark at the left: the move along `left` decides it.
    corners = {
        by: labels(ask, {**MOVED, "moves": [{"along": "seen/left", "by": by}]}, "scorer regions")[1][0, 0]
        for by in (-6.0, 6.0)
    }
    assert corners == {-6.0: 3, 6.0: 0}


def other_class(found: np.ndarray) -> tuple[int, np.ndarray]:
    """A bed for a sofa, or the other way round, painted over the lower half."""
    wanted = SOFA if (found[6] == BED).mean() > 0.5 else BED
    strokes = blank()
    strokes[5:8, 1:7] = wanted
    return wanted, strokes


@pytest.mark.parametrize("by", ["learnt", "scorer planted"])
def test_painted_pixels_get_their_class(ask_planted: Ask, by: str):
    answer, _ = ask_planted("learn")
    assert answer["miou"] > 0.9
    edit = {"picture": {"seed": 3}}
    found = labels(ask_planted, edit, by)[1]
    wanted = (int(found[4, 4]) + 1) % 3
    strokes = blank()
    strokes[2:6, 2:6] = wanted
    painted = {"edit": edit, "strokes": encoded(strokes), "by": by}
    answer, _ = ask_planted("paint", **painted, steps=60, emphasis=1.0)
    after = labels(ask_planted, {"picture": {"kept": answer["kept"]}}, by)[1]
    assert (after[2:6, 2:6] == wanted).mean() > 0.9
    assert (found[2:6, 2:6] == wanted).mean() < 0.6
    assert "100 %" in answer["words"] or (after[2:6, 2:6] == wanted).mean() < 1.0


@pytest.mark.parametrize(
    ("by", "other", "words"),
    [("learnt", "scorer planted", "Scorer planted"), ("scorer planted", "learnt", "The extractor")],
)
def test_a_segmentation_that_did_not_steer_judges_the_painted_picture(
    ask_planted: Ask, by: str, other: str, words: str
):
    ask_planted("learn")
    edit = {"picture": {"seed": 3}}
    before, steering = (labels(ask_planted, edit, one)[1][2:6, 2:6] for one in (other, by))
    wanted = (int(steering[2, 2]) + 1) % 3
    strokes = blank()
    strokes[2:6, 2:6] = wanted
    painted = {"edit": edit, "strokes": encoded(strokes), "by": by}
    answer, _ = ask_planted("paint", **painted, steps=8, emphasis=1.0)
    after = labels(ask_planted, {"picture": {"kept": answer["kept"]}}, other)[1][2:6, 2:6]
    painted_over = steering != wanted  # what has its class already is not painted
    had, has = (percent(float((found == wanted)[painted_over].mean())) for found in (before, after))
    assert answer["words"].endswith(
        f". {words}, which did not steer the search, sees the wanted class in {has} of the painted pixels "
        f"(before: {had})"
    )


def test_only_what_knows_the_same_classes_judges(planted: Workspace, ask_planted: Ask, session: Session):
    ask_planted("learn")
    classes = reader_of(planted, session, "learnt").predictor.classes
    assert judge_of(planted, "learnt", classes) is not None
    assert judge_of(planted, "own 1", ("above", "below")) is None
    planted.memory.pop(LEARNT)
    assert judge_of(planted, "scorer planted", classes) is None


def test_what_is_shown_is_what_is_kept(ask: Ask, session: Session, workspace: Workspace, learnt: str):
    _, found = labels(ask, MOVED, learnt)
    _, strokes = other_class(found)
    answer, sent = ask("paint", edit=MOVED, strokes=encoded(strokes), by=learnt, steps=40, emphasis=1.0)
    assert not answer["stopped"]
    assert answer["steps"] == 40
    kept = session.kept[answer["kept"]]
    assert kept.name == "Seed 3, painted"
    assert kept.facts["words"] == answer["words"]
    # What was shown is what was kept.
    texts = [message for message in sent if isinstance(message, dict)]
    shown = [received(message) for message in sent if isinstance(message, bytes)]
    assert all(header["preview"] for header, _ in shown)
    assert texts[-1]["progress"]["total"] == 40
    _, (frame,) = ask("frame", edit={"picture": {"kept": answer["kept"]}})
    assert np.abs(np.asarray(shown[-1][1], int) - np.asarray(received(frame)[1], int)).max() <= 2


def test_moves_become_part_of_the_painted_picture(
    ask: Ask, session: Session, workspace: Workspace, learnt: str
):
    _, strokes = other_class(labels(ask, MOVED, learnt)[1])
    still, _ = ask("paint", edit=MOVED, strokes=encoded(strokes), by=learnt, steps=1)
    edits = (MOVED, {"picture": {"kept": still["kept"]}}, {"picture": {"seed": 3}})
    moved, painted, plain = (
        rendered(workspace, session, Edit.model_validate(edit)).pictures for edit in edits
    )
    assert (painted - moved).abs().max() < 0.3 * (plain - moved).abs().max()
    assert not torch.equal(painted, moved)


def stopping_after(steps: int) -> Callable[[], None]:
    left = [steps]

    def breathe() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped

    return breathe


def test_what_was_reached_is_kept_when_it_is_stopped(ask: Ask, session: Session, learnt: str):
    _, strokes = other_class(labels(ask, MOVED, learnt)[1])
    fields = {"edit": MOVED, "strokes": encoded(strokes), "by": learnt}
    answer, _ = ask("paint", **fields, steps=400, breathe=stopping_after(6))
    assert answer["stopped"]
    assert answer["steps"] == 6
    assert answer["kept"] in session.kept
    answer, _ = ask("paint", **fields, steps=400, breathe=stopping_after(0))
    assert answer == {"kept": None, "steps": 0, "stopped": True}
    assert len(session.kept) == 1


def test_a_painted_picture_goes_home_in_a_recipe(ask: Ask, session: Session, learnt: str):
    _, strokes = other_class(labels(ask, MOVED, learnt)[1])
    kept = ask("paint", edit=MOVED, strokes=encoded(strokes), by=learnt, steps=3)[0]["kept"]
    edit = {"picture": {"kept": kept}, "moves": [{"along": "seen/red", "by": 1.0}]}
    recipe, _ = ask("export", edit=edit, kind="recipe")
    text = session.downloads[recipe["file"]].content.decode()
    again, _ = ask("open_recipe", text=text)
    assert again["same"]
    first, second = (
        np.asarray(received(ask("frame", edit=one, final=True)[1][0])[1]) for one in (edit, again["edit"])
    )
    assert (first == second).all()


def test_nothing_is_searched_for_which_there_is_no_room(ask: Ask, session: Session, learnt: str):
    _, strokes = other_class(labels(ask, MOVED, learnt)[1])
    fields = {"edit": MOVED, "strokes": encoded(strokes), "by": learnt, "steps": 1}
    kept = ask("paint", **fields)[0]["kept"]
    for _ in range(MOST_KEPT - 1):
        session.keep("another", session.kept[kept].source)
    with pytest.raises(UserError, match="remove one first"):
        ask("paint", **fields, breathe=stopping_after(0))
    with pytest.raises(UserError, match="remove one first"):
        ask("sample_like", mask=encoded(strokes), by=learnt, breathe=stopping_after(0))


def test_a_picture_may_be_painted_again(ask: Ask, session: Session, learnt: str):
    _, strokes = other_class(labels(ask, MOVED, learnt)[1])
    first, _ = ask("paint", edit=MOVED, strokes=encoded(strokes), by=learnt, steps=20)
    edit = {"picture": {"kept": first["kept"]}}
    _, strokes = other_class(labels(ask, edit, learnt)[1])
    second, _ = ask("paint", edit=edit, strokes=encoded(strokes), by=learnt, steps=5)
    assert session.kept[second["kept"]].name == "Seed 3, painted"
    assert first["kept"] != second["kept"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"by": "nobody"}, "not held any more"),
        ({"by": "own 7"}, "not held any more"),
        ({"strokes": encoded(blank())}, "nothing is painted yet"),
        ({"strokes": encoded(np.full((8, 8), 4, np.uint8))}, "the classes are 0 to 3"),
        ({"by": "scorer regions"}, "gives no gradients"),
        ({"edit": {"picture": {"kept": "k9"}}}, "not held any more"),
    ],
)
def test_what_cannot_be_painted_is_refused(ask: Ask, learnt: str, session: Session, fields: Any, words: str):
    _, strokes = other_class(labels(ask, MOVED, learnt)[1])
    with pytest.raises(UserError, match=words):
        ask("paint", **{"edit": MOVED, "strokes": encoded(strokes), "by": learnt, "steps": 2, **fields})
    assert not session.kept


class InColours(Segmenter):
    """The class of a pixel is its strongest colour, as a network that sees pictures alone would say."""

    concepts = tuple(Concept(name, "object") for name in ("red", "green", "blue"))

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 3, 8, 8)."""
        return 10.0 * rendering.images


def test_what_sees_the_picture_leads_with_longer_steps(
    planted: Workspace, asking: Callable[[Workspace], Ask], session: Session
):
    colours = InColours(PluginConfig(), planted.prepared.device)
    scorers = {**planted.prepared.scorers, "colours": colours}
    ask = asking(replace(planted, prepared=replace(planted.prepared, scorers=scorers), memory={}))
    answer, _ = ask("segmenters")
    hints = {one["by"]: one.get("hint", "") for one in answer["readers"]}
    assert hints["scorer planted"] == hints["learnt"] == ""
    assert "sees the picture leads with longer steps" in hints["scorer colours"]
    edit = {"picture": {"seed": 3}}
    for by, rate in (("scorer planted", 0.03), ("scorer colours", 0.1)):
        found = labels(ask, edit, by)[1]
        strokes = blank()
        strokes[2:6, 2:6] = (int(found[4, 4]) + 1) % 3
        before = find_source(planted.prepared, EditRequest((), seeds="3")).codes
        answer, _ = ask("paint", edit=edit, strokes=encoded(strokes), by=by, steps=1, emphasis=5.0)
        # The first step of Adam moves each entry by the rate, in standard deviations, which are 1 here.
        moved = (session.kept[answer["kept"]].source.codes - before).abs()
        assert moved.median() == pytest.approx(rate, rel=0.05)


def test_a_search_that_comes_no_nearer_is_said(
    ask_planted: Ask, session: Session, monkeypatch: pytest.MonkeyPatch
):
    """As the page tells it from a search that was stopped: steps were done, and no picture is kept."""
    edit, by = {"picture": {"seed": 3}}, "scorer planted"
    strokes = blank()
    strokes[2:6, 2:6] = (int(labels(ask_planted, edit, by)[1][4, 4]) + 1) % 3
    monkeypatch.setattr(Predictor, "learning_rate", 1e4)
    answer, _ = ask_planted("paint", edit=edit, strokes=encoded(strokes), by=by, steps=3)
    assert answer == {"kept": None, "steps": 3, "stopped": False}
    assert not session.kept


def test_nothing_is_searched_where_everything_has_its_class(ask: Ask, learnt: str):
    _, found = labels(ask, MOVED, learnt)
    with pytest.raises(UserError, match="has its class already"):
        ask("paint", edit=MOVED, strokes=encoded(found.astype(np.uint8)), by=learnt, steps=2)


def test_samples_look_like_the_mask(ask_planted: Ask, session: Session):
    ask, by = ask_planted, "scorer planted"
    mask = blank()
    mask[2:6, 2:6] = 1
    fields = {"mask": encoded(mask), "by": by, "count": 2, "candidates": 5, "steps": 40}
    answer, sent = ask("sample_like", **fields)
    assert len(answer["kept"]) == len(session.kept) == 2
    for one in answer["kept"]:
        found = labels(ask, {"picture": {"kept": one["kept"]}}, by)[1]
        assert (found[2:6, 2:6] == 1).mean() > 0.9
    pictures = [received(message)[0] for message in sent if isinstance(message, bytes)]
    assert [h["kept"] for h in pictures if "kept" in h] == [one["kept"] for one in answer["kept"]]
    steps = [m["progress"]["step"] for m in sent if isinstance(m, dict)]
    assert steps == sorted(steps)
    # The next ones are others, and the same number gives the same ones.
    sources = [session.kept[one["kept"]].source.codes for one in answer["kept"]]
    again, _ = ask("sample_like", **fields)
    more, _ = ask("sample_like", **fields, first=answer["next"])
    torch.testing.assert_close(session.kept[again["kept"][0]["kept"]].source.codes, sources[0])
    assert not torch.allclose(session.kept[more["kept"][0]["kept"]].source.codes, sources[0], atol=0.1)


def test_a_segmenter_judges_samples_that_an_extractor_steers(ask_planted: Ask):
    ask_planted("learn")
    mask = blank()
    mask[2:6, 2:6] = 1
    fields = {"mask": encoded(mask), "count": 1, "candidates": 2, "steps": 4}
    answer, _ = ask_planted("sample_like", **fields, by="learnt")
    (one,) = answer["kept"]
    seen = labels(ask_planted, {"picture": {"kept": one["kept"]}}, "scorer planted")[1][2:6, 2:6]
    assert one["words"].endswith(f"; Scorer planted sees it in {percent(float((seen == 1).mean()))}")


def test_samples_that_are_there_when_it_is_stopped_are_kept(ask: Ask, session: Session, learnt: str):
    mask = blank()
    mask[5:8] = BED
    # Two batches of candidates and the looks of three steps make a picture; the second one is begun.
    fields = {"mask": encoded(mask), "by": learnt, "count": 4, "candidates": 5, "steps": 3}
    answer, _ = ask("sample_like", **fields, breathe=stopping_after(7))
    assert answer["stopped"]
    assert len(answer["kept"]) == len(session.kept) == 1


def test_the_folder_that_the_command_named_comes_first(
    ask: Ask, workspace: Workspace, session: Session, learnt: str, tmp_path: Path
):
    save_extractor(workspace.memory[LEARNT], tmp_path / "extractor.safetensors")
    extractor = folder_extractor(tmp_path, workspace.prepared)
    named = replace(workspace, extractor=extractor, memory={})
    assert [one["by"] for one in readers(named, session)] == ["folder", "scorer regions"]
    assert reader_of(named, session, "folder").predictor.classes == ("wall", "sofa", "bed", "lamp")


def test_a_folder_without_a_fitting_extractor_is_refused_at_the_start(
    workspace: Workspace, learnt: str, tmp_path: Path
):
    with pytest.raises(UserError, match=r"--segmentation .*it holds no extractor\.safetensors"):
        folder_extractor(tmp_path, workspace.prepared)
    save_extractor(workspace.memory[LEARNT], tmp_path / "extractor.safetensors")
    with pytest.raises(UserError, match="trained for another generator"):
        folder_extractor(tmp_path, replace(workspace.prepared, generator=Smooth()))


def test_noise_and_weights_of_a_picture_stay_with_it(workspace: Workspace, session: Session, tmp_path: Path):
    """An inverted picture may have noise maps, and weights that are added to the generator's."""
    save_file(small_state(), tmp_path / "tiny.safetensors")
    generator = load_generator("stylegan2", checkpoint=str(tmp_path / "tiny.safetensors"), device="cpu")
    prepared = replace(workspace.prepared, generator=generator, scorers={}, batch=2)
    tiny = replace(workspace, prepared=prepared, memory={})
    latents = generator.sample(1, 3, 0, Stream.EDITING)
    codes = generator.broadcast(generator.map(latents.z))
    inputs = Inputs(1, None, latents.index, 0)
    maps = ((s, generator.noise_map(s, inputs)) for s in range(len(generator.strata)))
    stratum, noise = next((s, noise) for s, noise in maps if noise is not None)
    name, tensor = list(generator.tunable.items())[-1]  # the first ones are of the mapping, which makes codes
    source = Source(
        codes,
        None,
        latents.index,
        Stream.EDITING,
        ("mine",),
        CodesFile("", "", "codes", 1),
        noise={stratum: noise + 3.0},
        weights=({name: torch.full_like(tensor, 0.3)},),
        noise_seed=5,
    )
    edit = Edit(picture=PictureRef(kept=session.keep("mine", source)))
    reader = Reader(
        "anything", Predictor(("a", "b"), (), lambda rendering: rendering.images), lambda _: (8, 8)
    )
    canvas = canvas_of(tiny, session, edit, reader)
    with torch.no_grad():
        found = canvas.renderer.render(canvas.codes).images
    shown = rendered(tiny, session, edit).images
    assert torch.equal(found, shown)
    for other in (replace(source, noise={}), replace(source, weights=())):
        without = Edit(picture=PictureRef(kept=session.keep("other", other)))
        assert not torch.allclose(rendered(tiny, session, without).images, shown, atol=1e-4)


def test_the_bundled_rooms_have_a_segmenter_that_no_run_names(workspace: Workspace, session: Session):
    rooms = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    prepared = replace(workspace.prepared, generator=rooms, scorers={})
    here = replace(workspace, prepared=prepared, memory={})
    assert [one["by"] for one in readers(here, session)] == ["learnt", "bundled"]
    assert "bed" in reader_of(here, session, "bundled").predictor.classes


def test_where_nothing_segments_the_view_says_so(workspace: Workspace, session: Session):
    from ganstrata.app.handlers import Answer, Nothing
    from ganstrata.app.views.paint import HANDLERS

    scorers = {name: one for name, one in workspace.prepared.scorers.items() if name != "regions"}
    bare = replace(workspace, prepared=replace(workspace.prepared, scorers=scorers), memory={})
    answer = Answer(1, lambda message: None, lambda: None)
    assert HANDLERS["segmenters"].perform(bare, session, Nothing(), answer) == {
        "readers": [],
        "why": NONE_HERE,
    }
    with pytest.raises(UserError, match="--segmentation"):
        HANDLERS["learn"].perform(bare, session, Nothing(), answer)
