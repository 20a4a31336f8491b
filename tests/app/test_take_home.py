"""Files of an edit are those that the command line reads, and a recipe is opened again as it was."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from fakes import LAYERS, WIDTH
from ganstrata.app.sessions import MOST_KEPT, Session
from ganstrata.app.views import take_home
from ganstrata.core.editing.recipe import RecipeMove, RecipePicture
from ganstrata.core.editing.recipe_making import recipe_of
from ganstrata.core.editing.sources import source_of
from ganstrata.core.errors import MismatchError, UserError
from ganstrata.core.figures.pictures import read_stored
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversions import read_inversion
from inverted_pictures import write_inverted
from PIL import Image

EDIT: dict[str, Any] = {
    "picture": {"seed": 3},
    "truncation": 0.8,
    "moves": [
        {"along": "seen/red", "by": 1.5, "layers": "6-7", "keep": ["seen/left"]},
        {"along": "seen/left", "by": -1.0, "layers": None, "keep": []},
    ],
}

MEDIA = {
    "png": "image/png",
    "gif": "image/gif",
    "json": "application/json",
    "safetensors": "application/octet-stream",
}


@pytest.fixture
def fetched(ask, session: Session):
    """Return fetched(name, **fields): the answer, and the content of the file that it offers."""

    def of(name: str, **fields: Any) -> tuple[dict[str, Any], bytes]:
        answer, _ = ask(name, **fields)
        file = session.downloads[answer["file"]]
        assert (answer["name"], answer["bytes"]) == (file.name, len(file.content))
        assert file.type == MEDIA[file.name.rpartition(".")[2]]
        return answer, file.content

    return of


@pytest.fixture
def folder(fakes, workspace, tmp_path: Path) -> Path:
    """A folder of two inverted pictures."""
    codes = 2.0 * torch.randn(2, LAYERS, WIDTH, generator=torch.Generator().manual_seed(4))
    return write_inverted(
        tmp_path / "photographs", Inversion(codes), ("sofa", "cat"), workspace.prepared.generator
    )


def kept(workspace, session: Session, folder: Path, **changes: Any) -> dict[str, Any]:
    source = source_of(read_inversion(folder, workspace.prepared.generator)).rows([1])
    return {**EDIT, "picture": {"kept": session.keep("Cat, painted", replace(source, **changes))}}


def test_the_recipe_makes_the_picture_that_was_taken_home(fetched, copied: Path, tmp_path: Path) -> None:
    answer, picture = fetched("export", edit=EDIT, kind="picture")
    assert answer["name"].endswith("-seed-3-edited.png")
    answer, text = fetched("export", edit=EDIT, kind="recipe")
    assert answer["name"].endswith("-seed-3-recipe.json")
    (tmp_path / "edit.json").write_bytes(text)
    again = ganstrata.replay(copied, tmp_path / "edit.json")
    assert again.same_pixels is True
    np.testing.assert_array_equal(read_stored(picture), again.picture)
    answer, before = fetched("export", edit=EDIT, kind="before")
    assert answer["name"].endswith("-seed-3.png")
    np.testing.assert_array_equal(read_stored(before), again.before)
    assert not np.array_equal(again.before, again.picture)


def test_codes_are_read_by_the_command_line(fetched, copied: Path, tmp_path: Path) -> None:
    answer, content = fetched("export", edit=EDIT, kind="codes")
    assert answer["remarks"] == []
    (tmp_path / answer["name"]).write_bytes(content)
    edited = ganstrata.manipulate(copied, "seen/red", codes=tmp_path / answer["name"], steps=1, kinds=())
    _, picture = fetched("export", edit=EDIT, kind="picture")
    assert np.abs(edited.before[0].pictures[0, 0].astype(int) - read_stored(picture)).max() <= 1
    answer, _ = fetched("export", edit={**EDIT, "picture": {"sample": 5}}, kind="codes")
    assert answer["remarks"] == ["Where the generator draws fresh noise, these codes get other noise."]


def test_codes_have_the_seed_of_the_noise_of_their_picture(
    fetched, workspace, session: Session, folder: Path, tmp_path: Path
) -> None:
    for given, seed in ((None, workspace.prepared.seed), (77, 77)):
        edit = kept(workspace, session, folder, noise_seed=given)
        (tmp_path / "codes.safetensors").write_bytes(fetched("export", edit=edit, kind="codes")[1])
        assert read_inversion(tmp_path / "codes.safetensors", workspace.prepared.generator).seed == seed


def test_steps_along_styles_are_raw_where_the_run_learns_in_w(workspace) -> None:
    red = replace(workspace.known.of("seen/red"), space="s")
    move = RecipeMove(along="seen/red", by=1.0)
    run, prepared = workspace.run, workspace.prepared
    unit = recipe_of(run, prepared, Boundaries([red]), RecipePicture(seed=1), [move]).unit
    assert (unit.name, unit.space, unit.length) == ("raw", "s", 1.0)


def test_a_recipe_is_opened_as_the_edit_that_it_was(ask, fetched, session: Session) -> None:
    _, text = fetched("export", edit=EDIT, kind="recipe")
    answer, _ = ask("open_recipe", text=text.decode())
    assert answer["edit"] == {**EDIT, "picture": {"seed": 3, "sample": None, "kept": None}}
    assert answer["same"] is True
    assert answer["words"] == "The picture has the same pixels as when the recipe was made."
    assert session.kept == {}
    other = json.loads(text)
    other["moves"][0]["by"] = 0.5
    answer, _ = ask("open_recipe", text=json.dumps(other))
    assert answer["same"] is False
    assert "of 64 pixels differ from the recipe" in answer["words"]
    del other["pixels"]
    assert ask("open_recipe", text=json.dumps(other))[0]["same"] is None


def test_a_picture_of_this_tab_comes_back_in_another(
    ask, fetched, session, workspace, folder, copied
) -> None:
    edit = kept(workspace, session, folder)
    _, text = fetched("export", edit=edit, kind="recipe")
    _, picture = fetched("export", edit=edit, kind="picture")
    session.kept.clear()
    session.live.clear()
    answer, _ = ask("open_recipe", text=text.decode())
    assert answer["same"] is True
    assert answer["name"] == "Cat, painted"
    assert list(session.kept) == [answer["kept"]]
    _, again = fetched("export", edit=answer["edit"], kind="picture")
    assert again == picture
    assert ganstrata.replay(copied, json.loads(text)).same_pixels is True


def test_a_file_of_codes_holds_no_weights(ask, session, workspace, folder) -> None:
    edit = kept(workspace, session, folder, weights=({"a": torch.ones(1)},))
    with pytest.raises(UserError, match="has weights of its own, which a file of codes does not hold"):
        ask("export", edit=edit, kind="codes")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda data: data["moves"].append({**data["moves"][0], "layers": "0-1"}),
            "twice, at different layers",
        ),
        (
            lambda data: data["moves"][0].update(by=1e5),
            r"goes farther than this page does \(moves -> 0 -> by\)",
        ),
        (lambda data: data.update(truncation=5.0), r"goes farther than this page does \(truncation\)"),
        (lambda data: data["moves"][0].update(along="seen/rde"), "Did you mean 'seen/red'"),
        (lambda data: data["run"].update(learn="0" * 64), "does not belong to"),
        (lambda data: data.update(format=2), "which a newer ganstrata wrote"),
    ],
)
def test_recipes_that_do_not_fit_are_refused_and_nothing_is_kept(
    ask, fetched, session, workspace, folder, change, words: str
) -> None:
    _, text = fetched("export", edit=kept(workspace, session, folder), kind="recipe")
    session.kept.clear()
    data = json.loads(text)
    change(data)
    with pytest.raises(UserError, match=words):
        ask("open_recipe", text=json.dumps(data))
    assert session.kept == {}


def test_what_is_no_recipe_is_refused_without_naming_a_path(ask, fetched, workspace) -> None:
    for text in ("", "[" * 100_000, "{}", "/etc/passwd"):
        with pytest.raises(UserError) as caught:
            ask("open_recipe", text=text)
        assert str(caught.value).startswith("the recipe")
    recipe = json.loads(fetched("export", edit=EDIT, kind="recipe")[1])
    with pytest.raises(MismatchError) as refused:
        ask("open_recipe", text=json.dumps({**recipe, "run": {**recipe["run"], "seed": 9}}))
    assert str(workspace.run.path.parent) not in str(refused.value)


def test_a_strip_and_a_film_show_the_steps(ask, fetched) -> None:
    breaths: list[int] = []
    answer, content = fetched(
        "export_series", edit=EDIT, kind="strip", sweep=0, start=-2.0, end=2.0, steps=5,
        breathe=lambda: breaths.append(1),
    )  # fmt: skip
    assert answer["name"].endswith("-seed-3-strip.png")
    assert len(breaths) >= 5
    sheet = read_stored(content)
    moved = [{**EDIT["moves"][0], "by": by} for by in (-2.0, 0.0, 2.0)]
    for by, move in zip((0, 2, 4), moved, strict=True):
        edit = {**EDIT, "moves": [move, EDIT["moves"][1]]}
        picture = read_stored(fetched("export", edit=edit, kind="picture")[1])
        large = picture.repeat(16, axis=0).repeat(16, axis=1)
        left = sheet.shape[1] - (5 - by) * 128 - (4 - by) * 4
        np.testing.assert_array_equal(sheet[18:146, left : left + 128], large)
    breaths.clear()
    _, gif = fetched("export_series", edit=EDIT, kind="gif", steps=4, breathe=lambda: breaths.append(1))
    assert len(breaths) == 5 + 6  # also between the frames of the film
    with Image.open(io.BytesIO(gif)) as film:
        assert (film.format, film.n_frames) == ("GIF", 6)  # forwards and back
        assert film.size == (256, 256)


def test_the_whole_edit_goes_from_nothing_to_all_of_it(fetched) -> None:
    edit = {**EDIT, "truncation": 1.0}
    _, content = fetched("export_series", edit=edit, kind="strip", steps=3)
    sheet = read_stored(content)
    for place, kind in ((0, "before"), (2, "picture")):
        picture = read_stored(fetched("export", edit=edit, kind=kind)[1])
        left = sheet.shape[1] - (3 - place) * 128 - (2 - place) * 4
        np.testing.assert_array_equal(
            sheet[18:146, left : left + 128], picture.repeat(16, axis=0).repeat(16, axis=1)
        )


def test_a_film_of_large_pictures_is_smaller(fetched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_home, "FILM_SIDE", 4)
    _, gif = fetched("export_series", edit=EDIT, kind="gif", steps=2)
    with Image.open(io.BytesIO(gif)) as film:
        blocks = np.asarray(film.convert("RGB")).reshape(4, 64, 4, 64, 3)  # small films are enlarged to 256
    assert (blocks == blocks[:, :1, :, :1]).all()


def test_a_strip_that_would_be_too_large_is_refused(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_home, "STRIP_PIXELS", 3 * 8 * 8)
    with pytest.raises(UserError, match="a strip of 4 pictures would be too large; ask for at most 3 steps"):
        ask("export_series", edit=EDIT, kind="strip", steps=4)
    for kind, steps in (("strip", 3), ("gif", 4)):
        assert "file" in ask("export_series", edit=EDIT, kind=kind, steps=steps)[0]


@pytest.mark.parametrize("kind", ["picture", "recipe", "codes"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"picture": {}}, "a picture is named by one of seed, sample and kept"),
        ({"picture": {"seed": 1, "sample": 1}}, "a picture is named by one of seed, sample and kept"),
        ({"picture": {"sample": 10**8}}, "there is no sample 100000000"),
        ({"moves": [{"along": "seen/red", "by": 1.0, "layers": ""}]}, "no layers follow the @"),
        ({"moves": [{"along": "seen/rde", "by": 1.0}]}, "Did you mean 'seen/red'"),
    ],
)
def test_edits_that_are_none_are_refused(ask, session, kind: str, change, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask("export", edit={**EDIT, **change}, kind=kind)
    assert session.downloads == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"edit": {**EDIT, "moves": []}}, "nothing is moved in this edit"),
        ({"sweep": 5}, "there is no move 5; the edit has 2"),
        ({"sweep": 0, "start": 1.0, "end": 1.0}, "the first and the last distance are both 1"),
        ({"edit": {**EDIT, "picture": {"kept": "k9"}}}, "is not held any more"),
    ],
)
def test_series_that_show_nothing_are_refused(ask, session, fields, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ask("export_series", **{"edit": EDIT, "kind": "strip"} | fields)
    assert session.downloads == {}


def test_mp4_needs_its_library_and_says_so(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"ganstrata\[video\]"):
        ask("export_series", edit=EDIT, kind="mp4")


def test_a_picture_that_is_removed_while_its_film_is_drawn_is_in_it(
    ask, workspace, session: Session, folder: Path
) -> None:
    edit = kept(workspace, session, folder)
    key = edit["picture"]["kept"]
    answer, _ = ask("export_series", edit=edit, kind="gif", steps=3, breathe=lambda: session.forget(key))
    assert answer["name"].endswith("-cat-film.gif")
    assert session.kept == {}


def test_a_recipe_with_a_picture_needs_room_for_it(
    ask, fetched, workspace, session: Session, folder: Path
) -> None:
    _, content = fetched("export", edit=kept(workspace, session, folder), kind="recipe")
    for number in range(MOST_KEPT - len(session.kept)):
        session.keep(str(number), None)
    with pytest.raises(UserError, match="remove one first"):
        ask("open_recipe", text=content.decode())
    assert len(session.kept) == MOST_KEPT
