"""The file of a recipe: what is written is read again, and whatever else it holds is refused by its place."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ganstrata.core.editing.recipe import BYTES, Recipe, parse_recipe, read_recipe, recipe_of_data
from ganstrata.core.editing.recipe_making import MAP_BYTES, NOISE_BYTES
from ganstrata.core.editing.recipe_values import encoded
from ganstrata.core.errors import ConfigError, UserError

DATA: dict[str, Any] = {
    "format": 1,
    "run": {
        "name": "rooms",
        "learn": "a" * 64,
        "generator": "b" * 16,
        "family": "StyleGAN2",
        "checkpoints": {"generator": "c" * 64},
        "seed": 3,
    },
    "boundaries": {"seen/red": "d" * 64},
    "unit": {"name": "sd", "space": "w", "length": 1.25, "scaled": True},
    "picture": {"seed": 17},
    "truncation": 0.7,
    "moves": [{"along": "seen/red", "by": 1.5, "layers": "6-7", "keep": ["seen/left"]}],
    "made_with": {"versions": {"torch": "2.0"}, "device": "cpu", "precision": "fp32"},
    "pixels": {"sha256": "e" * 64, "shape": [8, 8, 3], "png": "AAAA"},
}


def codes(values: object = (1.0, 2.0), **rest: object) -> dict[str, Any]:
    """A picture of codes with one layer."""
    array = np.asarray(values, dtype="<f4")
    return {"codes": {"codes": base64.b64encode(array.tobytes()).decode(), "shape": [1, array.size], **rest}}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for picture in (
        {"seed": 17},
        {"sample": 0},
        codes(condition=3, index=9, stream="probing", noise_seed=2**62, origin="painted"),
        codes(condition=[0.25, 0.75]),
        codes(noise={"0": "AACAPw==", "12": ""}),
        {"inverted": {"folder": "photographs", "name": "sofa", "sha256": "f" * 64}},
        {
            "inverted": {
                "folder": "photographs", "name": "sofa", "sha256": "f" * 64, "weights": "a" * 64,
                "painted": {"codes": "AACAPw==", "shape": [1, 1]}, "origin": "Sofa, painted",
            }
        },
    ):  # fmt: skip
        recipe = recipe_of_data({**DATA, "picture": picture})
        (tmp_path / "edit.json").write_text(recipe.text(), encoding="utf-8")
        assert read_recipe(tmp_path / "edit.json") == recipe
        assert json.loads(recipe.text()) == {
            **DATA,
            "picture": {
                **_defaults(picture),
            },
        }
    bare = {key: value for key, value in DATA.items() if key not in ("truncation", "moves", "pixels")}
    recipe = recipe_of_data(bare)
    assert (recipe.truncation, recipe.moves, recipe.pixels) == (1.0, (), None)


def _defaults(picture: dict[str, Any]) -> dict[str, Any]:
    if "codes" not in picture:
        return picture
    return {"codes": {"index": 0, "stream": "editing", "origin": "", **picture["codes"]}}


def test_codes_come_back_bit_by_bit() -> None:
    values = np.array([1e-45, -0.0, 3.4e38, 0.1], np.float32)
    picture = recipe_of_data({**DATA, "picture": codes(values)}).picture.codes
    assert picture is not None
    assert picture.values().tobytes() == values.tobytes()
    assert picture.values().shape == (1, 4)


MISTAKES: list[tuple[tuple[str | int, ...], object, str]] = [
    (("format",), 2, "format: is 2, which a newer ganstrata wrote"),
    (("format",), "1", "format: must be 1 (got '1')"),
    (("format",), None, "format: is missing, so this is not a recipe of ganstrata"),
    (("run",), 5, "run: must be a section with keys and values (got 5)"),
    (("run", "learn"), "zz", "run -> learn: must have the form"),
    (("run", "seed"), -1, "run -> seed: must be greater than or equal to 0 (got -1)"),
    (("unit", "length"), 0.0, "unit -> length: must be greater than 0 (got 0.0)"),
    (("unit", "name"), "mm", "unit -> name: must be 'sd' or 'raw' (got 'mm')"),
    (("truncation",), 1e9, "truncation: must be less than or equal to 100"),
    (("truncation",), True, "truncation: must be a number (got True)"),
    (("moves", 0, "by"), float("nan"), "moves -> 0 -> by: must be a finite number (got nan)"),
    (("moves", 0, "by"), float("inf"), "moves -> 0 -> by: must be a finite number (got inf)"),
    (("moves", 0, "by"), 1e7, "moves -> 0 -> by: must be less than or equal to 1000000"),
    (("moves", 0, "by"), "2", "moves -> 0 -> by: must be a number (got '2')"),
    (("moves", 0, "alonx"), "a", "moves -> 0 -> alonx: is not an option. Did you mean 'along'?"),
    (("moves", 0, "layers"), "", "moves -> 0 -> layers: must have at least 1 character"),
    (("moves", 0, "keep"), "seen/left", "moves -> 0 -> keep: must be a list (got 'seen/left')"),
    (("moves",), [DATA["moves"][0]] * 65, "moves: must have at most 64 items, but has 65"),
    (("picture",), {}, "picture: give one of seed, sample, codes and inverted (there are none)"),
    (("picture", "sample"), 3, "give one of seed, sample, codes and inverted (there are seed and sample)"),
    (("picture", "seed"), -3, "picture -> seed: must be greater than or equal to 0 (got -3)"),
    (("picture", "seed"), 10**15, "picture -> seed: must be less than 1000000000000000"),
    (("picture", "seed"), 1.5, "picture -> seed: must be an integer (got 1.5)"),
    (("picture",), codes([1.0, float("nan")]), "picture -> codes: the codes are not all finite numbers"),
    (("picture",), codes([1.0, float("-inf")]), "picture -> codes: the codes are not all finite numbers"),
    (("picture",), codes(shape=[2, 2]), "codes of shape (2, 2) have 16 bytes; these have 8"),
    (("picture",), codes(shape=[1000, 10**5]), "codes of shape (1000, 100000) have 400000000 bytes"),
    (("picture",), codes(shape=[1, 10**9]), "picture -> codes -> shape -> 1: must be less than or equal to"),
    (("picture",), codes(codes="AAA"), "picture -> codes: it is not valid base64"),
    (("picture",), codes(codes="A A="), "picture -> codes -> codes: must have the form"),
    (("picture",), codes(index=-1), "picture -> codes -> index: must be greater than or equal to 0"),
    (("picture",), codes(stream="training"), "stream: must be 'editing' or 'probing' (got 'training')"),
    (("picture",), codes(noise={"-1": ""}), "picture -> codes -> noise"),
    (("picture",), codes(noise={"0": "AACAfw=="}), "the numbers of the noise map 0 are not all finite"),
    (("picture",), codes(noise={"0": "AAA="}), "numbers of the noise map 0 have 4 bytes each; these have 2"),
    (
        ("picture",),
        codes(noise={str(s): "" for s in range(201)}),
        "noise: must have at most 200 items",
    ),
    (("picture",), codes(path="/etc/passwd"), "picture -> codes -> path: is not an option"),
    (("boundaries",), {"x": "short"}, "boundaries -> x: must have the form"),
    (("pixels", "shape"), [8, 8], "pixels -> shape"),
    (("made_with", "device"), "\x1b[31m", "made_with -> device: contains a control character, U+001B"),
    (("extra",), 1, "extra: is not an option. Allowed: format, run"),
]


@pytest.mark.parametrize(
    ("path", "value", "words"), MISTAKES, ids=[" ".join(map(str, p)) for p, *_ in MISTAKES]
)
def test_what_is_no_recipe_is_refused_by_its_place(path, value, words: str) -> None:
    data = json.loads(json.dumps(DATA))
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ConfigError) as caught:
        parse_recipe(json.dumps(data), "edit.json")
    assert str(caught.value).startswith("edit.json: one fault, nothing was written.\n  ")
    assert words in str(caught.value)


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        recipe_of_data({**DATA, "truncation": "x", "moves": [{"along": ""}], "unit": {}})
    text = str(caught.value)
    for words in (
        "truncation: must be a number",
        "moves -> 0 -> by: is missing",
        "along: must have at least 1",
    ):
        assert words in text
    assert "unit -> length, unit -> name, unit -> scaled" in text or "unit -> name: is missing" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a recipe: Expecting value"),
        (b"[" * 10**6, "is not a recipe: it is nested far too deep"),
        (b'{"a":' * 10**5, "is not a recipe: it is nested far too deep"),
        (b'{"format": 1, "moves": ' + b"[" * 40 + b"]" * 40 + b"}", "is nested more than 32 deep"),
        (b'{"format": 1, "format": 1}', "'format' is given twice"),
        (b'{"format": ' + b"9" * 10**6 + b"}", "a number has 1000000 digits"),
        (b'{"format": 1, "boundaries": [' + b"0," * 200_000 + b"0]}", "holds more than 100000 values"),
        (b"[1]", "expected the keys of a recipe, got [1]"),
        (b"NaN", "expected the keys of a recipe, got nan"),
        (b'{"format": 1, "run": "\xff"}', "it is not UTF-8 from byte 22 on"),
        (b'{"format": 1, "run": "\\ud800"}', "run: contains half of a surrogate pair"),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "edit.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_recipe(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "edit.json"
    with file.open("wb") as sparse:
        sparse.truncate(10**11)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(UserError, match="has more than 3 MiB, so it is not a recipe"):
        read_recipe(file)
    assert time.process_time() - began < 1.0
    assert tracemalloc.get_traced_memory()[1] < 4 * BYTES
    tracemalloc.stop()
    with pytest.raises(UserError, match="the recipe has more than 3 MiB"):
        parse_recipe(" " * (BYTES + 1))


def test_places_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: there is no such file"):
        read_recipe(tmp_path / "none.json")
    with pytest.raises(UserError, match="cannot read"):
        read_recipe(tmp_path)


def test_a_recipe_of_the_largest_generators_fits_into_a_file() -> None:
    values = np.random.default_rng(0).standard_normal(18 * 512).astype(np.float32)
    picture = codes(values)
    picture["codes"]["shape"] = [18, 512]
    # Each of them as large as a recipe may hold it (recipe_making).
    sizes = {"16": MAP_BYTES, "14": NOISE_BYTES - MAP_BYTES}
    picture["codes"]["noise"] = {s: encoded(bytes(size)) for s, size in sizes.items()}
    recipe = recipe_of_data({**DATA, "picture": picture, "pixels": {**DATA["pixels"], "png": "A" * 2**20}})
    assert isinstance(recipe, Recipe)
    assert len(recipe.text()) < BYTES
    assert parse_recipe(recipe.text()) == recipe
