"""Directions: what is known of them, strips, names that people give, and two learners side by side."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from conftest import CONFIG, _on_path
from fakes import LAYERS, WIDTH
from ganstrata.app.sessions import Session
from ganstrata.app.views.comparing import Compare, Side
from ganstrata.app.workspace import Folders, Workspace
from ganstrata.core.editing.sources import source_of
from ganstrata.core.errors import GanstrataError, MismatchError, UserError
from ganstrata.core.pipeline.results import open_run
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversions import read_inversion
from ganstrata.core.runs.run import Run
from inverted_pictures import write_inverted
from PIL import Image
from pydantic import ValidationError

Ask = Callable[..., Any]
SEED = {"seed": 3}


def opened(message: bytes) -> tuple[dict[str, Any], np.ndarray]:
    end = 4 + int.from_bytes(message[:4], "big")
    return json.loads(message[4:end]), np.asarray(Image.open(io.BytesIO(message[end:])))


@pytest.fixture(scope="module")
def unlabelled(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run whose directions were found without labels."""
    config = deepcopy(CONFIG) | {"boundary": {"use": "random", "with": {"directions": 5}}}
    with _on_path(site):
        run = ganstrata.run(config, tmp_path_factory.mktemp("unlabelled") / "run")
        return Workspace.open(Path(run.path))


@pytest.fixture(scope="module")
def compared(site: Path, finished: Run, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The finished run with a leaderboard."""
    folder = tmp_path_factory.mktemp("board") / "board"
    config = deepcopy(CONFIG) | {"concepts": {"include": ["seen/left", "seen/red"]}}
    with _on_path(site):
        ganstrata.leaderboard(
            config, ["ridge", "random:{directions: 6}"], out=folder, samples=96, verify=16, fresh=40, null=3
        )
        return Workspace.open(Path(finished.path), folders=Folders(leaderboard=folder))


def test_directions_without_labels_are_as_the_run_knows_them(
    fakes: Any, asking: Callable[[Workspace], Ask], unlabelled: Workspace
) -> None:
    answer, _ = asking(unlabelled)("directions")
    expected = open_run(unlabelled.run.path).directions
    assert answer["found"] == len(expected) == len(answer["rows"]) == 5
    for row, direction in zip(answer["rows"], expected, strict=True):
        assert row["along"] == direction.name
        assert row["found"]
        assert row["effect"] == pytest.approx(direction.value)
        assert (row["low"], row["high"]) == pytest.approx((direction.low, direction.high))
        assert row["target"] == direction.target
        assert [move["concept"] for move in row["moves"]] == [m.concept for m in direction.moves[:6]]
    json.dumps(answer, allow_nan=False)


def test_sliders_of_directions_without_labels_say_what_they_move(
    fakes: Any, asking: Callable[[Workspace], Ask], unlabelled: Workspace
) -> None:
    words = {slider["along"]: slider["words"] for slider in asking(unlabelled)("hello")[0]["sliders"]}
    for direction in open_run(unlabelled.run.path).directions:
        most = [move.concept.partition("/")[2] for move in direction.moves[:2]]
        assert words[direction.name].startswith(direction.name)
        assert [
            word.strip("+\u2212()")
            for word in words[direction.name].split(" ", 1)[1:]
            and words[direction.name].split(" ", 1)[1].split(", ")
        ] == most


def test_boundaries_of_labels_have_effects_and_what_else_they_move(ask: Ask, finished: Run) -> None:
    answer, _ = ask("directions")
    effects = open_run(finished.path).effects
    assert answer["found"] == 0
    assert [row["along"] for row in answer["rows"]] == [effects.boundaries[i].name for i in effects.ranking()]
    best = answer["rows"][0]
    i = effects.ranking()[0]
    assert best["effect"] == pytest.approx(
        effects.mean[i, effects.all_set, 0, effects.own[i]] / effects.units[effects.own[i]]
    )
    for row, i in zip(answer["rows"], effects.ranking(), strict=True):
        q, own = effects.q[i, effects.all_set, 0], effects.own[i]
        beside = {
            c.id for j, c in enumerate(effects.concepts) if j != own and c.varies and q[j] < effects.rate
        }
        assert {move["concept"] for move in row["moves"]} == beside
    json.dumps(answer, allow_nan=False)


def test_what_a_boundary_moves_besides_begins_with_the_strongest(
    asking: Callable[[Workspace], Ask], workspace: Workspace
) -> None:
    effects = workspace.effects
    signs = (-1.0) ** np.arange(len(effects.concepts))
    mixed = replace(effects, rate=2.0, mean=np.abs(effects.mean) * signs)  # everything is beyond chance
    answer, _ = asking(replace(workspace, effects=mixed))("directions")
    values = [[move["value"] for move in row["moves"]] for row in answer["rows"]]
    assert values == [sorted(row, key=abs, reverse=True) for row in values]
    assert values != [sorted(row, reverse=True) for row in values]


def test_a_strip_has_the_pictures_of_its_distances(ask: Ask) -> None:
    _, sent = ask("strips", alongs=["seen/red", "seen/left"], picture=SEED)
    read = [opened(message) for message in sent]
    assert [(header["ref"], header["column"]) for header, _ in read] == [
        (r, c) for r in range(2) for c in range(5)
    ]
    assert [header["by"] for header, _ in read[:5]] == [-3.0, -1.5, 0.0, 1.5, 3.0]
    for header, picture in (read[4], read[5]):
        along = ["seen/red", "seen/left"][header["ref"]]
        edit = {"picture": SEED, "moves": [{"along": along, "by": header["by"]}]}
        _, (frame,) = ask("frame", edit=edit, final=True)
        assert np.abs(opened(frame)[1].astype(int) - picture).mean() < 6  # JPEG


def test_strips_let_others_pass_between_pictures(ask: Ask) -> None:
    breaths = 0

    def breathe() -> None:
        nonlocal breaths
        breaths += 1

    ask("strips", alongs=["seen/red"], picture=SEED, breathe=breathe)
    assert breaths == 5


@pytest.mark.parametrize("fields", [{"alongs": []}, {"alongs": ["seen/red"] * 61}, {"size": 4}])
def test_strips_out_of_bounds_are_refused(ask: Ask, fields: Any) -> None:
    with pytest.raises(ValidationError):
        ask("strips", **{"alongs": ["seen/red"], "picture": SEED, **fields})


def test_a_name_is_kept_shown_on_sliders_and_taken_home(
    ask: Ask, session: Session, workspace: Workspace
) -> None:
    assert ask("name_direction", along="seen/red", words="  sun\nset ")[0]["names"] == {
        "seen/red": "sun\\nset"
    }
    ask("name_direction", along="seen/left", words="to the left")
    sliders = {slider["along"]: slider["words"] for slider in ask("hello")[0]["sliders"]}
    assert sliders["seen/left"] == "to the left"
    assert sliders["seen/checks"] == "checks"
    assert ask("name_direction", along="seen/red", words="")[0]["names"] == {"seen/left": "to the left"}
    answer, _ = ask("names_file")
    file = session.downloads[answer["file"]]
    content = json.loads(file.content)
    assert (file.name, answer["name"]) == ("names.json", "names.json")
    assert content["names"] == {"seen/left": "to the left"}
    assert content["generator"] == workspace.prepared.generator.fingerprint
    assert str(workspace.run.path) not in file.content.decode()
    session.memory.clear()
    again, _ = ask("read_names", content=file.content.decode())
    assert again == {"names": {"seen/left": "to the left"}, "unknown": []}


def test_names_of_what_is_not_here_are_told(ask: Ask, session: Session) -> None:
    ask("name_direction", along="seen/left", words="x")
    content = json.loads(session.downloads[ask("names_file")[0]["file"]].content)
    content["names"] = {"seen/left": "y" * 200, "gone": "z", "seen/red": "  "}
    answer, _ = ask("read_names", content=json.dumps(content))
    assert answer == {"names": {"seen/left": "y" * 80}, "unknown": ["gone"]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"holds": "names of directions", "format": 2, "generator": "", "names": {}}',
    ],
)
def test_files_that_are_no_names_are_refused(ask: Ask, content: str) -> None:
    with pytest.raises(UserError, match="not a file of names"):
        ask("read_names", content=content)


def test_names_of_another_generator_are_refused(ask: Ask) -> None:
    content = {
        "holds": "names of directions",
        "format": 1,
        "generator": "another",
        "names": {"seen/red": "x"},
    }
    with pytest.raises(UserError, match="are for the generator 'another'"):
        ask("read_names", content=json.dumps(content))


def test_nothing_can_be_taken_home_before_anything_is_named(ask: Ask) -> None:
    with pytest.raises(UserError, match="nothing has a name yet"):
        ask("names_file")


def test_what_does_not_exist_cannot_be_named(ask: Ask) -> None:
    with pytest.raises(UserError, match="Did you mean 'seen/red'"):
        ask("name_direction", along="seen/rde", words="x")


def board(ask: Ask, **fields: Any) -> tuple[Any, list[tuple[dict[str, Any], np.ndarray]]]:
    asked = {
        "picture": SEED,
        "concept": "seen/red",
        "sides": ["ridge", "random, directions: 6"],
        "of": "learners",
        "amount": 1.0,
    }
    answer, sent = ask("compare", **(asked | fields))
    return answer, [opened(message) for message in sent]


def test_learners_at_the_same_step_have_the_effects_of_the_leaderboard(
    fakes: Any, asking: Callable[[Workspace], Ask], compared: Workspace
) -> None:
    ask = asking(replace(compared, memory={}))
    answer, pictures = board(ask, amount=2.0)
    assert compared.board is not None
    column = compared.board.concepts.index("seen/red")
    for side, learner in zip(answer["sides"], compared.board.learners, strict=True):
        assert side["step"] == 2.0
        assert side["effect"] == pytest.approx(learner.changes[column, -1, column])
        assert side["low"] < side["effect"] < side["high"]
        assert side["here"][2] == pytest.approx(0.0, abs=1e-6)
    assert [(header["ref"], header["column"]) for header, _ in pictures] == [
        (r, c) for r in range(2) for c in range(5)
    ]
    assert (pictures[2][1] == pictures[7][1]).all()  # both begin with the same picture
    assert (pictures[4][1] != pictures[9][1]).any()
    json.dumps(answer, allow_nan=False)


def test_learners_at_the_same_effect_take_their_own_steps(
    fakes: Any, asking: Callable[[Workspace], Ask], compared: Workspace
) -> None:
    ask = asking(replace(compared, memory={}))
    assert compared.board is not None
    column = compared.board.concepts.index("seen/red")
    reached = [float(one.changes[column, -1, column]) for one in compared.board.learners]
    wanted = 0.5 * min(reached)
    answer, _ = board(ask, at="effect", amount=wanted)
    steps = [side["step"] for side in answer["sides"]]
    assert steps[0] < steps[1]  # who is moved further by the same step needs less of it
    for side in answer["sides"]:
        assert side["effect"] == pytest.approx(wanted)
    with pytest.raises(UserError, match="at most, as far as it was measured"):
        board(ask, at="effect", amount=1.1 * max(reached))


def test_a_side_takes_the_step_with_an_effect_in_either_direction_and_knows_nothing_beyond() -> None:
    steps, effects = np.array([-2.0, -1.0, 0.0, 1.0]), np.array([0.9, 0.5, 0.0, -0.25])
    part: Any = None
    side = Side("one", part, steps, effects, effects - 0.1, effects + 0.1, "sd")
    asked = Compare.model_validate(
        {"picture": SEED, "concept": "seen/red", "sides": ["one", "other"], "of": "learners"}
        | {"at": "effect", "amount": 0.7}
    )
    assert side.step(asked) == pytest.approx(-1.5)
    assert side.step(asked.model_copy(update={"at": "step"})) == 0.7
    with pytest.raises(UserError, match=r"one moves red by 0\.90 sd at most"):
        side.step(asked.model_copy(update={"amount": 1.0}))
    assert side.at(-1.5) == pytest.approx({"effect": 0.7, "low": 0.6, "high": 0.8})
    for beyond in (-2.1, 1.1):
        assert side.at(beyond) == {"effect": None, "low": None, "high": None}


def test_the_step_of_a_leaderboard_is_in_its_own_unit(
    fakes: Any, asking: Callable[[Workspace], Ask], compared: Workspace
) -> None:
    """What is seen is the picture that is moved by so many sd of w of the leaderboard's samples."""
    workspace = replace(compared, memory={})
    assert workspace.board is not None
    _, pictures = board(asking(workspace), amount=2.0)
    boundary = workspace.board.learner("ridge").boundaries[workspace.board.concepts.index("seen/red")]
    generator, prepared = workspace.prepared.generator, workspace.prepared
    latents = generator.sample(prepared.batch, prepared.seed, 0, ganstrata.Stream.EDITING)
    w = generator.map(latents.z) + 2.0 * workspace.board.spread * torch.from_numpy(boundary.normal)
    made = ganstrata.render(generator, generator.broadcast(w))[3]
    expected = (made.clamp(0, 1) * 255 + 0.5).byte().movedim(0, -1).numpy()
    assert np.abs(pictures[4][1].astype(int) - expected).mean() < 6  # JPEG


def test_two_boundaries_of_the_run_are_compared_without_a_leaderboard(ask: Ask, finished: Run) -> None:
    effects = open_run(finished.path).effects
    distance = open_run(finished.path).config.rescoring.distance
    answer, _ = board(ask, of="boundaries", sides=["seen/red", "seen/left"], amount=distance)
    names = [concept.id for concept in effects.concepts]
    i, j = effects.boundaries.names.index("seen/left"), names.index("seen/red")
    red, left = answer["sides"]
    assert left["effect"] == pytest.approx(effects.mean[i, effects.all_set, 0, j] / effects.units[j])
    assert red["effect"] > 0.3
    assert red["here"][4] > red["here"][3] > 0 > red["here"][0]
    wanted = 0.5 * red["effect"]
    answer, _ = board(ask, of="boundaries", sides=["seen/red", "seen/red"], at="effect", amount=wanted)
    assert answer["sides"][0]["step"] == pytest.approx(0.5 * distance)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "there is no leaderboard here"),
        ({"of": "boundaries", "sides": ["seen/red", "seen/lef"]}, "no boundary"),
        (
            {"of": "boundaries", "sides": ["seen/red", "seen/left"], "concept": "seen/rde"},
            "Did you mean 'seen/red'",
        ),
        ({"of": "boundaries", "sides": ["seen/red", "seen/red"], "at": "effect", "amount": 40.0}, "at most"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(ask: Ask, fields: Any, words: str) -> None:
    with pytest.raises(GanstrataError, match=words):
        board(ask, **fields)


def test_a_leaderboard_of_another_generator_is_refused(
    site: Path, finished: Run, compared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners = compared.board.learners if compared.board else ()
    other = [replace(b, generator="another") for b in learners[0].boundaries]
    wrong = replace(compared.board, learners=(replace(learners[0], boundaries=ganstrata.Boundaries(other)),))
    monkeypatch.setattr("ganstrata.app.workspace.read_board", lambda folder: wrong)
    with _on_path(site), pytest.raises(MismatchError):
        Workspace.open(Path(finished.path), folders=Folders(leaderboard=Path("somewhere")))


def test_a_picture_lies_where_manipulate_says(
    ask: Ask, finished: Run, tmp_path: Path, workspace: Workspace, session: Session
) -> None:
    generator = workspace.prepared.generator
    codes = torch.randn(1, LAYERS, WIDTH, generator=torch.Generator().manual_seed(4))  # others at each layer
    folder = write_inverted(tmp_path / "photographs", Inversion(codes), ("sofa",), generator)
    kept = session.keep("sofa", source_of(read_inversion(folder, generator)))
    answer, _ = ask("places", picture={"kept": kept})
    sliders = ask("hello")[0]["sliders"]
    (layers,) = (slider["layers"] for slider in sliders if slider["along"] == "seen/red")
    assert layers is not None
    made = ganstrata.manipulate(
        finished.path, [f"seen/red@{layers}"], codes=folder, steps=1, kinds=(), out=tmp_path / "out"
    )
    there = float(made.before[0].distances[0, 0, 0])
    assert answer["places"]["seen/red"] == pytest.approx(there, abs=1e-4)
    assert set(answer["places"]) == {slider["along"] for slider in sliders}
