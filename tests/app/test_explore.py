"""Frames, scores, grids and searches are those of the run: of its generator, scorers and samples."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ganstrata.app.handlers import PictureRef
from ganstrata.app.sessions import MOST_LIVE, Kept, Session
from ganstrata.app.views import explore
from ganstrata.app.views.description import best_set, described
from ganstrata.app.views.pictures import source_of
from ganstrata.app.workspace import Workspace
from ganstrata.core.errors import GanstrataError, UserError
from ganstrata.core.pipeline.results import open_run
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.runs.run import Run
from PIL import Image
from pydantic import ValidationError

Ask = Callable[..., Any]
MOVES = [{"along": "seen/red", "by": 1.5, "layers": "4-7"}, {"along": "seen/left", "by": -2.0}]


def opened(message: bytes) -> tuple[dict[str, Any], np.ndarray]:
    """Return header and picture of a binary message."""
    end = 4 + int.from_bytes(message[:4], "big")
    return json.loads(message[4:end]), np.asarray(Image.open(io.BytesIO(message[end:])))


def close(answer: list[float | None], expected: np.ndarray) -> None:
    """Compare scores; "chance" hangs on the last bit of each pixel, which a larger batch may change."""
    known = [np.nan if value is None else value for value in answer]
    kept = [0, 1, 2, 3, 5, 6]
    assert np.array(known)[kept] == pytest.approx(expected[kept], abs=1e-5, nan_ok=True)


def frame(ask: Ask, picture: dict[str, Any], moves: Any = (), **fields: Any) -> np.ndarray:
    _, (message,) = ask("frame", edit={"picture": picture, "moves": moves}, final=True, **fields)
    return opened(message)[1]


def test_a_frame_is_the_picture_that_manipulate_makes(
    ask: Ask, workspace: Workspace, finished: Run, tmp_path: Any
) -> None:
    import ganstrata

    made = ganstrata.manipulate(
        finished.path,
        ["seen/red:1.5@4-7", "seen/left:-2"],
        mode="joint",
        seeds=[3],
        steps=1,
        end=1.0,
        out=tmp_path,
    )
    assert (frame(ask, {"seed": 3}, MOVES) == made.frames[0].pictures[0, 0]).all()
    assert (frame(ask, {"seed": 3}) == made.before[0].pictures[0, 0]).all()
    answer, _ = ask("scores", edit={"picture": {"seed": 3}, "moves": MOVES})
    assert made.frames[0].scores is not None
    assert made.before[0].scores is not None
    close(answer["scores"], made.frames[0].scores[0, 0])
    close(answer["base"], made.before[0].scores[0, 0])


def test_dragging_changes_no_pixel(ask: Ask) -> None:
    still = frame(ask, {"seed": 3}, MOVES)
    for moving in (0, 1):
        ask(
            "frame", edit={"picture": {"seed": 3}, "moves": [{**m, "by": 0.25} for m in MOVES]}, moving=moving
        )
        assert (frame(ask, {"seed": 3}, MOVES, moving=moving) == still).all()


def test_a_move_with_other_layers_or_that_keeps_something_is_another_one(ask: Ask) -> None:
    red = {"along": "seen/red", "by": 1.5}
    changes = ({}, {"keep": ["seen/left"]}, {"layers": "4-7"}, {"layers": "4-7", "keep": ["seen/left"]}, {})
    pictures = [frame(ask, {"seed": 3}, [{**red, **change}]).tobytes() for change in changes]
    assert pictures[0] == pictures[-1]
    assert len(set(pictures)) == 4


def test_a_frame_while_dragging_is_small_and_the_last_one_without_loss(ask: Ask) -> None:
    _, (moving,) = ask("frame", edit={"picture": {"seed": 1}})
    _, (still,) = ask("frame", edit={"picture": {"seed": 1}}, final=True)
    header, picture = opened(moving)
    assert (header["type"], header["final"], header["frame"], header["n"]) == ("image/jpeg", False, True, 7)
    assert opened(still)[0]["type"] == "image/png"
    assert (header["height"], header["width"]) == picture.shape[:2]


def test_a_sample_has_the_scores_that_the_run_stored(ask: Ask, finished: Run) -> None:
    answer, _ = ask("scores", edit={"picture": {"sample": 40}})
    close(answer["scores"], open_run(finished.path).samples.scores[40])
    assert answer["scores"] == answer["base"]


@pytest.mark.parametrize("order", ["most", "least"])
def test_a_search_returns_the_samples_with_the_extreme_scores(
    ask: Ask, finished: Run, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(explore, "BLOCK", 64)  # several of them
    samples = open_run(finished.path).samples
    name = samples.concepts[1].name
    scores = samples.scores[:300, 1]
    answer, _ = ask("search", concept=name, order=order, among=300, count=5)
    expected = np.argsort(-scores if order == "most" else scores, kind="stable")[:5]
    assert [each["index"] for each in answer["samples"]] == expected.tolist()
    assert [each["score"] for each in answer["samples"]] == pytest.approx(scores[expected].tolist())


def test_a_search_among_more_than_there_are_looks_at_all(ask: Ask) -> None:
    first, _ = ask("search", concept="seen/red", count=3)
    assert first == ask("search", concept="seen/red", count=3, among=10**6)[0]


def test_a_grid_sends_each_picture_with_its_place(ask: Ask) -> None:
    refs = [{"seed": 5}, {"sample": 5}, {"seed": 6}]
    _, sent = ask("grid", refs=refs, size=32)
    assert [opened(message)[0]["ref"] for message in sent] == [0, 1, 2]
    assert ask("grid", refs=refs, size=32)[1] == sent  # from memory


def test_a_grid_is_as_large_as_it_is_asked_for(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "reduced", lambda _, size: np.zeros((2, size, 3), np.uint8))
    for size in (32, 64, 32):
        _, (message,) = ask("grid", refs=[{"seed": 5}], size=size)
        assert opened(message)[1].shape == (2, size, 3)


def test_small_pictures_of_what_was_made_in_a_tab_are_not_those_of_another(
    ask: Ask, workspace: Workspace, session: Session
) -> None:
    sent = []
    for seed in (1, 2):  # the first picture of two tabs
        session.live.clear()
        session.kept["k1"] = Kept("painted", source_of(workspace, session, PictureRef(seed=seed)), {})
        sent.append(ask("grid", refs=[{"kept": "k1"}])[1])
    assert sent[0] != sent[1]


def test_a_grid_lets_others_pass_between_its_pictures(ask: Ask) -> None:
    breaths: list[int] = []
    ask("grid", refs=[{"seed": i} for i in range(4)], breathe=lambda: breaths.append(1))
    assert len(breaths) >= 4


def test_sliders_say_where_a_boundary_works_and_how_well(workspace: Workspace, finished: Run) -> None:
    page = described(workspace)
    effects = open_run(finished.path).effects
    assert {slider["along"] for slider in page["sliders"]} == set(effects.boundaries.names)
    assert [slider["verified"] for slider in page["sliders"]] == sorted(
        (slider["verified"] for slider in page["sliders"]), reverse=True
    )
    for slider in page["sliders"]:
        i = effects.boundaries.names.index(slider["along"])
        s = list(effects.sets).index(slider["set"])
        own = effects.own[i]
        assert slider["effect"] == pytest.approx(effects.in_sd[i, s, 0, own])
        assert slider["effect_low"] < slider["effect"] < slider["effect_high"]
        groups = [list(effects.sets).index(name) for name in effects.groups]
        assert slider["effect"] == pytest.approx(np.nanmax(effects.in_sd[i, groups, 0, own]))
        assert slider["verified"] == effects.factors[i]
    json.dumps(page, allow_nan=False)


def test_a_slider_begins_at_layers_that_its_boundary_moves(workspace: Workspace) -> None:
    effects = workspace.effects
    i, (where, layers) = effects.boundaries.names.index("seen/red"), next(iter(effects.groups.items()))
    boundaries = [
        replace(one, layers=layers) if one.name == "seen/red" else one for one in effects.boundaries
    ]
    mean = effects.mean.copy()
    mean[i] = 0.0  # as it is where nothing is moved
    mean[i, list(effects.sets).index(where), 0] = -1.0
    moved = replace(effects, boundaries=Boundaries(boundaries), mean=mean)
    assert best_set(moved, i) == (where, tuple(effects.sets[where]))


def test_the_page_learns_no_path(workspace: Workspace, finished: Run) -> None:
    assert str(finished.path.parent) not in json.dumps(described(workspace))


@pytest.mark.parametrize(
    ("picture", "moves", "words"),
    [
        ({}, [], "one of seed"),
        ({"seed": 1, "sample": 2}, [], "one of seed"),
        ({"kept": "k9"}, [], "not held any more"),
        ({"sample": 640}, [], "no sample 640"),
        ({"seed": 1}, [{"along": "seen/rde", "by": 1.0}], "seen/red"),
        ({"seed": 1}, [{"along": "seen/red", "by": 1.0, "layers": "4-99"}], "99"),
        ({"seed": 1}, [{"along": "seen/red", "by": 1.0, "keep": ["seen/blu"]}], "seen/blu"),
        ({"seed": 1}, [{"along": "seen/red", "by": 1.0, "keep": ["seen/red"]}], "nothing is left"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_words(ask: Ask, picture: Any, moves: Any, words: str) -> None:
    with pytest.raises(GanstrataError, match=words):
        ask("frame", edit={"picture": picture, "moves": moves})


@pytest.mark.parametrize(
    "fields",
    [
        {"edit": {"picture": {"seed": -1}}},
        {"edit": {"picture": {"seed": 10**12}}},
        {"edit": {"picture": {"seed": 1.5}}},
        {"edit": {"picture": {"seed": "1"}}},
        {"edit": {"picture": {"kept": "../../etc/passwd"}}},
        {"edit": {"picture": {"seed": 1}, "truncation": float("nan")}},
        {"edit": {"picture": {"seed": 1}, "moves": [{"along": "a", "by": float("inf")}]}},
        {"edit": {"picture": {"seed": 1}, "moves": [{"along": "a" * 1000, "by": 1.0}]}},
        {"edit": {"picture": {"seed": 1}, "moves": [{"along": "a", "by": 1.0}] * 100}},
        {"edit": {"picture": {"seed": 1}, "more": 1}},
        {"edit": {"picture": {"seed": 1}}, "moving": -1},
    ],
)
def test_fields_out_of_bounds_are_refused(ask: Ask, fields: Any) -> None:
    with pytest.raises(ValidationError):
        ask("frame", **fields)


def test_a_part_that_does_not_exist_cannot_be_dragged(ask: Ask) -> None:
    with pytest.raises(UserError, match="moving 2"):
        ask("frame", edit={"picture": {"seed": 1}, "moves": MOVES}, moving=2)


def test_the_few_pictures_that_were_shown_last_are_kept_ready(ask: Ask, session: Session) -> None:
    for seed in (*range(MOST_LIVE), 0, MOST_LIVE):
        ask("frame", edit={"picture": {"seed": seed}})
    assert list(session.live) == [f"seed {seed}" for seed in (*range(2, MOST_LIVE), 0, MOST_LIVE)]


def test_a_seed_and_a_sample_of_one_number_are_two_pictures(ask: Ask, finished: Run) -> None:
    answers = {kind: ask("scores", edit={"picture": {kind: 40}})[0]["scores"] for kind in ("seed", "sample")}
    assert answers["seed"] != answers["sample"]
    close(answers["sample"], open_run(finished.path).samples.scores[40])
