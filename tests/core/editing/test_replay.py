"""A recipe gives the same pixels again, another one gives others, and one of another run is refused."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from fakes import LAYERS, WIDTH
from ganstrata.core.boundaries.files import load_boundaries, save_boundaries
from ganstrata.core.editing import recipe_making
from ganstrata.core.editing.recipe_making import picture_of
from ganstrata.core.editing.recipe_pixels import difference, pixels_of
from ganstrata.core.editing.replay import Replayed, perform
from ganstrata.core.editing.sources import CodesFile, source_of
from ganstrata.core.errors import ConfigError, GanstrataError, MismatchError, RunError, UserError
from ganstrata.core.figures.pictures import from_image, png, read_stored
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.inversions import read_inversion
from ganstrata.core.runs.progress import Progress
from ganstrata.core.storage.disk import content_hash
from ganstrata.core.storage.result_folder import faults_of
from ganstrata.core.storage.seal import sealed_text
from inverted_pictures import write_inverted
from PIL import Image
from recipe_edits import MOVES, changed, data_of, made
from safetensors.numpy import save_file


def inverted(folder: Path, **more: Any) -> Path:
    """Two inverted pictures."""
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    codes = 2.0 * torch.randn(2, LAYERS, WIDTH, generator=torch.Generator().manual_seed(4))
    return write_inverted(folder, Inversion(codes, **more), ("sofa", "cat"), generator)


def test_what_was_replayed_is_shown_in_a_line(fakes, copied: Path, tmp_path: Path) -> None:
    recipe = made(copied, seed=3, truncation=0.8)
    again = ganstrata.replay(copied, recipe)
    line = repr(again)
    height, width = again.picture.shape[:2]
    assert line == (
        f"<Replayed: seed 3 of {recipe.run.name}; moved by seen/red:1.5@6-7 keeping seen/left, seen/left:-1; "
        f"truncation 0.8; {width} x {height} pixels, the same as in the recipe>"
    )
    out = tmp_path / ("deep" * 60)
    other = replace(again, same_pixels=False, path=out, recipe=made(copied, moves=(), sample=40))
    assert "sample 40" in repr(other)
    assert "; not moved; 8 x 8 pixels, not those of the recipe; written to " in repr(other)
    assert str(out) in repr(other)
    assert "holds none to compare" in repr(replace(again, same_pixels=None))


@pytest.mark.parametrize("picture", [{"seed": 3}, {"sample": 40}])
def test_the_same_pixels_come_again(fakes, copied: Path, tmp_path: Path, picture) -> None:
    recipe = made(copied, **picture, truncation=0.8)
    again = ganstrata.replay(copied, recipe)
    assert again.same_pixels is True
    assert again.difference is None
    assert again.remarks == ()
    assert again.path is None
    assert not (copied / "manipulations").exists()
    (tmp_path / "edit.json").write_text(recipe.text(), encoding="utf-8")
    for given in (tmp_path / "edit.json", str(tmp_path / "edit.json"), data_of(recipe)):
        other = ganstrata.replay(copied, given)
        assert other.same_pixels is True
        np.testing.assert_array_equal(other.picture, again.picture)
    assert hashlib.sha256(again.picture.tobytes()).hexdigest() == recipe.pixels.sha256
    assert again.picture.shape == (8, 8, 3)


def test_scores_and_codes_are_those_of_the_picture(fakes, copied: Path) -> None:
    moves = ({"along": "seen/red", "by": 2.0, "layers": "7"},)
    recipe = made(copied, 1, moves=moves)
    again = ganstrata.replay(copied, recipe)
    red = again.concepts.index("seen/red")
    assert again.scores[red] - again.scores_before[red] == pytest.approx(0.2, rel=0.2)
    np.testing.assert_allclose(
        again.edited.frames.distances - again.edited.before.distances, [[[2.0]]], atol=1e-5
    )
    still = ganstrata.replay(copied, made(copied, 1, moves=()))
    np.testing.assert_array_equal(still.picture, still.before)
    np.testing.assert_array_equal(still.before, again.before)
    moved = again.codes - still.codes
    assert again.codes.shape == (LAYERS, WIDTH)
    assert set(np.flatnonzero(np.abs(moved).sum(axis=1))) == {7}
    edited = ganstrata.manipulate(copied, "seen/red:2@7", seeds="1", steps=1, kinds=())
    chance = again.concepts.index("seen/chance")  # which hangs on the batch
    np.testing.assert_allclose(
        np.delete(edited.frames[0].scores[0, 0], chance), np.delete(again.scores, chance), atol=1e-4
    )
    assert np.abs(edited.frames[0].pictures[0, 0].astype(int) - again.picture).max() <= 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("moves", 0, "by"), 1.0),
        (("moves", 1, "by"), -0.5),
        (("moves", 0, "layers"), "7"),
        (("moves", 0, "keep"), []),
        (("moves",), [dict(MOVES[0])]),
        (("truncation",), 0.9),
        (("picture", "seed"), 4),
        (("picture",), {"sample": 3}),
    ],
)
def test_another_recipe_gives_other_pixels(fakes, copied: Path, path, value) -> None:
    recipe = made(copied, truncation=0.8)
    other = ganstrata.replay(copied, changed(recipe, *path, to=value))
    assert other.same_pixels is False
    assert other.difference is not None
    assert other.difference.pixels is not None
    assert 0 < other.difference.pixels <= 64
    assert other.difference.most is not None
    assert other.difference.most >= 1


def test_pictures_that_no_seed_gives_are_replayed_from_their_codes(
    fakes, copied: Path, tmp_path: Path
) -> None:
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    source = source_of(read_inversion(inverted(tmp_path / "photographs"), generator)).rows([1])
    recipe = made(copied, source=source, origin="inverted cat")
    assert recipe.picture.codes is not None
    again = ganstrata.replay(copied, recipe)
    assert again.same_pixels is True
    np.testing.assert_array_equal(again.codes.shape, (LAYERS, WIDTH))
    values = recipe.picture.codes.values()
    values[3, 2] += 0.5
    text = base64.b64encode(values.tobytes()).decode()
    other = ganstrata.replay(copied, changed(recipe, "picture", "codes", "codes", to=text))
    assert other.same_pixels is False


def test_pictures_with_large_noise_maps_come_from_their_folder(
    fakes, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_making, "NOISE_BYTES", 255)  # and the map below has 256
    generator = ganstrata.load_generator("fake_layers", device="cpu")
    folder = inverted(tmp_path / "photographs")
    source = replace(
        source_of(read_inversion(folder, generator)).rows([1]), noise={3: torch.zeros(1, 1, 8, 8)}
    )
    recipe = made(copied, 0).model_copy(update={"picture": picture_of(source), "pixels": None})
    assert recipe.picture.inverted is not None
    assert (recipe.picture.inverted.folder, recipe.picture.inverted.name) == ("photographs", "cat")
    again = ganstrata.replay(copied, recipe, codes=folder)
    assert again.same_pixels is None
    plain = replace(source, noise={})
    np.testing.assert_array_equal(again.picture, ganstrata.replay(copied, made(copied, source=plain)).picture)
    for codes, words in (
        (None, "the picture 'cat' of the folder 'photographs' of inverted pictures; name that folder with"),
        (
            write_inverted(tmp_path / "b", Inversion(torch.zeros(1, LAYERS, WIDTH)), ("cat",), generator),
            "others",
        ),
    ):
        with pytest.raises(ConfigError, match=words):
            ganstrata.replay(copied, recipe, codes=codes)
    renamed = changed(recipe, "picture", "inverted", "name", to="dog")
    with pytest.raises(
        ConfigError, match="the picture 'dog' of the folder 'photographs', and photographs has"
    ):
        ganstrata.replay(copied, renamed, codes=folder)
    with pytest.raises(ConfigError, match="leave out --codes"):
        ganstrata.replay(copied, made(copied, 0), codes=folder)
    of_no_folder = replace(source, origin=CodesFile("codes.npy", "a" * 64, "codes", 1))
    with pytest.raises(UserError, match=r"noise maps of 0 KiB, and a recipe holds 0, .* it is of none"):
        picture_of(of_no_folder)
    assert picture_of(replace(source, noise={3: torch.zeros(1, 1, 7, 9)})).codes is not None


def test_the_folder_holds_both_pictures_their_scores_and_a_page(fakes, copied: Path, tmp_path: Path) -> None:
    recipe = made(copied, truncation=0.8)
    result = perform(copied, recipe, progress=Progress())
    assert result.path is not None
    assert result.path.parent == copied / "manipulations"
    assert {file.name for file in result.path.iterdir()} == set(result.files)
    assert set(result.files) == {
        "picture.png", "before.png", "recipe.json", "scores.csv", "steps.csv", "manipulate.html",
        "manipulate.json",
    }  # fmt: skip
    np.testing.assert_array_equal(read_stored((result.path / "picture.png").read_bytes()), result.picture)
    np.testing.assert_array_equal(read_stored((result.path / "before.png").read_bytes()), result.before)
    with (result.path / "scores.csv").open(newline="") as file:
        unedited, edited = csv.DictReader(file)
    assert float(edited["seen/red"]) == pytest.approx(
        float(result.scores[result.concepts.index("seen/red")]), rel=1e-5
    )
    assert unedited["step"] == "unedited"
    assert faults_of(result.path, "manipulate.json") == []
    record = json.loads((result.path / "manipulate.json").read_text(encoding="utf-8"))
    assert record["recipe"] == data_of(recipe)
    assert (record["same_pixels"], record["difference"], record["batch_size"]) == (True, None, 1)
    assert record["strips"][0]["parts"][0]["kept"] == ["seen/left"]
    page = (result.path / "manipulate.html").read_text(encoding="utf-8")
    assert "its codes 0.80 times as far from their mean" in page
    assert ganstrata.replay(copied, result.path / "recipe.json").same_pixels is True
    # Another recipe has another folder; the same has the same, byte by byte.
    before = {file.name: file.read_bytes() for file in result.path.iterdir()}
    assert perform(copied, recipe, progress=Progress()).path == result.path
    assert {file.name: file.read_bytes() for file in result.path.iterdir()} == before
    assert perform(copied, made(copied, moves=()), progress=Progress()).path != result.path
    out = ganstrata.replay(copied, recipe, out=tmp_path / "out").path
    assert out == tmp_path / "out"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(RunError, match=r"thesis\.tex"):
        ganstrata.replay(copied, recipe, out=tmp_path / "mine")


def test_nothing_is_written_where_the_picture_cannot_be_made(fakes, copied: Path, tmp_path: Path) -> None:
    recipe = changed(made(copied), "moves", 0, "along", to="seen/rde")
    with pytest.raises(ConfigError, match="seen/rde"):
        ganstrata.replay(copied, recipe, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            ("moves", 0, "along"),
            "seen/rde",
            "moves -> 0 -> along: no boundary of this run is called 'seen/rde'. Did you mean 'seen/red'?",
        ),
        (("moves", 1, "along"), "seen/red:2", "moves -> 1 -> along: no boundary of this run is called"),
        (("moves", 0, "keep"), ["seen/lfet"], "moves -> 0 -> keep -> 0: no boundary of this run is called"),
        (("moves", 0, "layers"), "8", "moves -> 0 -> layers: layers '8': there is no layer 8"),
        (("moves", 0, "layers"), "each", "moves -> 0 -> layers: seen/red@each: that is 8 layer sets"),
        (("picture",), {"sample": 640}, "picture: --samples 640: there is no sample 640"),
        (
            ("picture",),
            {"codes": {"codes": "AAAAAA==", "shape": [1, 1]}},
            "picture: its codes have the shape (1, 1); those of this generator have (8, 16)",
        ),
        (
            ("picture",),
            {"codes": {"codes": base64.b64encode(bytes(512)).decode(), "shape": [8, 16], "condition": 3}},
            "picture: it has a condition, but this generator takes none",
        ),
    ],
)
def test_what_the_run_does_not_have_is_named_by_its_place(
    fakes, copied: Path, path, value, words: str
) -> None:
    recipe = changed(made(copied), *path, to=value)
    with pytest.raises(ConfigError) as caught:
        ganstrata.replay(copied, recipe)
    assert words in str(caught.value)
    assert "one fault, nothing was written" in str(caught.value)


def test_all_that_does_not_fit_is_said_at_once(fakes, copied: Path) -> None:
    data = data_of(made(copied))
    data["moves"][0]["along"], data["moves"][1]["layers"] = "a/b", "99"
    data["picture"] = {"sample": 10**9}
    with pytest.raises(ConfigError, match="3 faults, nothing was written"):
        ganstrata.replay(copied, data)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("run", "generator"), "0" * 16, "it is for generator 0000000000000000"),
        (("run", "checkpoints"), {"seen": "0" * 64}, "the weights of seen are others"),
        (("run", "seed"), 4, "its seeds count from seed 4, those of this run from 3"),
        (("run", "learn"), "0" * 64, "were learnt from other samples, or in another way"),
        (("boundaries", "seen/red"), "0" * 64, "seen/red was learnt again since it was made"),
        (("boundaries",), {}, "seen/red, seen/left were learnt again"),
        (("unit", "length"), 1.0, "one of its steps (sd) is 1 in w, and one of this run (sd) is"),
        (("unit", "space"), "s", "in s, and one of this run"),
        (("unit", "scaled"), False, "its steps do not shrink with truncation, and those of this run do"),
    ],
)
def test_a_recipe_of_another_run_is_refused_with_the_difference(
    fakes, copied: Path, path, value, words: str
) -> None:
    recipe = changed(made(copied), *path, to=value)
    with pytest.raises(MismatchError) as caught:
        ganstrata.replay(copied, recipe)
    assert words in str(caught.value)


def test_a_boundary_that_was_learnt_again_is_refused(fakes, copied: Path) -> None:
    recipe = made(copied)
    known = load_boundaries(copied)[0]
    save_boundaries(
        Boundaries(replace(b, normal=-b.normal) if b.name == "seen/left" else b for b in known), copied
    )
    file = copied / "run.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    for name in manifest["stages"]["learn"]["files"]:
        manifest["stages"]["learn"]["files"][name] = content_hash(copied / name)
    file.write_text(sealed_text(manifest), encoding="utf-8")
    with pytest.raises(
        MismatchError, match="seen/left was learnt again since it was made, and is not the same"
    ):
        ganstrata.replay(copied, recipe)
    assert ganstrata.replay(copied, made(copied)).same_pixels is True


def test_a_run_that_is_not_finished_is_refused(fakes, copied: Path) -> None:
    recipe = made(copied)
    file = copied / "run.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    del manifest["stages"]["learn"]
    file.write_text(sealed_text(manifest), encoding="utf-8")
    with pytest.raises(RunError, match="the stage `learn` is not complete"):
        ganstrata.replay(copied, recipe)


def shifted(recipe: Any, by: int, *, count: int) -> Any:
    """The recipe, made where some pixels came out a few levels higher."""
    picture = read_stored(base64.b64decode(recipe.pixels.png)).copy()
    flat = picture.reshape(-1, 3)
    assert flat[:count].max() + by < 256
    flat[:count, 1] += np.uint8(by)
    return recipe.model_copy(update={"pixels": pixels_of(picture)})


def test_pixels_of_another_processor_are_counted_and_nothing_fails(fakes, copied: Path) -> None:
    recipe = shifted(made(copied), 1, count=5)
    again = ganstrata.replay(copied, recipe)
    assert again.same_pixels is False
    assert again.difference == (5, 64, 1)
    assert again.remarks == (
        "5 of 64 pixels differ from the recipe, by at most 1 level of 255, as another processor or version "
        "of torch rounds them (docs/determinism.md)",
    )
    data = data_of(shifted(recipe, 3, count=2))
    data["made_with"] |= {"device": "cuda:0", "precision": "bf16"}
    data["made_with"]["versions"] = {"torch": "1.0"}
    first, second = ganstrata.replay(copied, data).remarks
    assert "by at most 4 levels of 255, which is more than processors differ" in first
    assert second == (
        "It was made with device cuda:0, here cpu; precision bf16, here fp32; torch 1.0, "
        f"here {version('torch')}"
    )


def test_a_large_picture_has_its_digest_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    pixels = pixels_of(noise)
    assert pixels.png is None
    assert difference(pixels, noise) is None
    noise[0, 0, 0] ^= 1
    apart = difference(pixels, noise)
    assert apart == (None, 360_000, None)
    assert "How much it differs is not known" in apart.in_words


def test_a_picture_in_a_recipe_that_is_not_what_it_says_counts_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded: list[tuple[int, int]] = []

    def noting(image: Image.Image) -> np.ndarray:
        decoded.append(image.size)
        return from_image(image)

    monkeypatch.setattr("ganstrata.core.editing.recipe_pixels.from_image", noting)
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    other = picture ^ 1
    honest = pixels_of(picture)
    assert difference(honest, other) == (64, 64, 1)
    bomb = io.BytesIO()
    Image.new("RGB", (20_000, 20_000)).save(bomb, "PNG")
    for content in (
        b"",
        b"\x89PNG\r\n\x1a\n",
        png(other)[:-20],
        png(other),
        png(picture[:4]),
        bomb.getvalue(),
    ):
        said = honest.model_copy(update={"png": base64.b64encode(content).decode()})
        assert difference(said, other) == (None, 64, None)
    assert difference(honest.model_copy(update={"shape": (4, 16, 3)}), other) == (None, 64, None)
    assert set(decoded) == {(8, 8)}  # nothing of another size, which may be made to fill the memory
    for shape in ((8, 8, 1), (8, 8, 4), (4, 16, 3)):
        pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        assert difference(pixels_of(pixels), pixels ^ 1) == (64, 64, 1)


def test_codes_that_are_taken_home_are_read_by_codes(fakes, copied: Path, tmp_path: Path) -> None:
    again: Replayed = ganstrata.replay(copied, made(copied, truncation=0.5))
    save_file({"codes": again.codes[None]}, tmp_path / "codes.safetensors")
    edited = ganstrata.manipulate(copied, "seen/red", codes=tmp_path / "codes.safetensors", kinds=())
    assert np.abs(edited.before[0].pictures[0, 0].astype(int) - again.picture).max() <= 1


def test_a_picture_that_is_not_finite_is_an_error_and_no_folder(fakes, copied: Path, tmp_path: Path) -> None:
    recipe = changed(made(copied), "moves", 0, "by", to=1e6)
    huge = changed(
        recipe,
        "picture",
        to={
            "codes": {
                "codes": base64.b64encode(np.full((LAYERS, WIDTH), 3e38, "<f4").tobytes()).decode(),
                "shape": [LAYERS, WIDTH],
            }
        },
    )
    with pytest.raises(GanstrataError):
        ganstrata.replay(copied, huge, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
