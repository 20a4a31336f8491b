"""Texts that name a perceptual distance."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata import CheckpointError, Generator, Rendering, Scorer, UserError, load_scorer
from ganstrata.core.inversion.perceptual_named import perceptual_named


@pytest.fixture(scope="module")
def rooms() -> Generator:
    return ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")


@pytest.fixture(scope="module")
def scorers() -> dict[str, Scorer]:
    return {
        "colour": load_scorer("hue", device="cpu"),
        "kind": load_scorer("category", checkpoint="bundled:rooms", device="cpu"),
    }


def test_none_is_none(rooms: Generator, scorers: dict[str, Scorer]):
    assert perceptual_named("none", rooms, scorers) is None


def test_auto_is_the_first_scorer_with_feature_maps(rooms: Generator, scorers: dict[str, Scorer]):
    found = perceptual_named("auto", rooms, scorers)
    assert found is not None
    assert found.name == f"kind bundled:rooms {scorers['kind'].checkpoint[:8]}, 5 stages"


def test_auto_without_scorers_is_what_is_bundled_with_the_generator(rooms: Generator):
    found = perceptual_named("auto", rooms)
    assert found is not None
    assert found.name.startswith("attribute bundled:rooms ")


def test_auto_is_none_where_nothing_has_feature_maps(fakes: None, scorers: dict[str, Scorer]):
    generator = ganstrata.load_generator("fake_flat", device="cpu")
    assert perceptual_named("auto", generator, {"colour": scorers["colour"]}) is None


def test_an_alias_and_a_plugin_with_its_checkpoint(rooms: Generator, scorers: dict[str, Scorer]):
    x = Rendering(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    by_alias, by_plugin = (
        perceptual_named(text, rooms, scorers) for text in ("kind", "attribute:bundled:rooms")
    )
    assert by_alias is not None
    assert by_plugin is not None
    assert by_plugin.name.startswith("attribute bundled:rooms ")
    assert all(torch.equal(a, b) for a, b in zip(by_alias.features(x), by_plugin.features(x), strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour", "no feature maps to compare pictures by"),
        ("kinds", r"is unknown\. Did you mean 'kind'\?.*the scorers of the run \(colour, kind\)"),
        ("nothing:at:all", "is unknown"),
        ("", "is unknown"),
        ("hue:file.pth", "scorer 'hue' has no network"),
        ("lpips", "lpips:vgg:TRUNK:HEADS"),
        ("lpips:vgg", "lpips:vgg:TRUNK:HEADS"),
        ("lpips:squeeze:a.pth:b.pth", "lpips:vgg:TRUNK:HEADS"),
        ("lpips:vgg::b.pth", "lpips:vgg:TRUNK:HEADS"),
    ],
)
def test_wrong_names_are_refused(text: str, message: str, rooms: Generator, scorers: dict[str, Scorer]):
    with pytest.raises(UserError, match=message):
        perceptual_named(text, rooms, scorers)


def test_missing_files_are_refused(rooms: Generator):
    with pytest.raises(CheckpointError, match=r"no checkpoint file missing\.pth"):
        perceptual_named("lpips:vgg:missing.pth:heads.pth", rooms)
    with pytest.raises(CheckpointError, match=r"missing\.pth"):
        perceptual_named("category:missing.pth", rooms)


def test_the_name_of_a_file_is_without_its_folder(tmp_path: Path, rooms: Generator):
    from ganstrata.core.checkpoints import locate

    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(locate("bundled:rooms", "scenes").read_bytes())
    found = perceptual_named(f"category:{copy}", rooms)
    assert found is not None
    assert found.name.startswith("category mine.safetensors ")
