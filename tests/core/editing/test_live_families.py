"""A picture of every generator is dragged with the bits of a full pass, and previewed where it can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from built_in_plugins import GENERATORS
from ganstrata import Boundary
from ganstrata.core.config.reading import validate
from ganstrata.core.editing.compose import picture_source
from ganstrata.core.editing.directions import find_parts
from ganstrata.core.editing.live import LivePicture
from ganstrata.core.editing.recipe import RecipePicture
from ganstrata.core.editing.recipe_making import picture_of
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import find_source
from ganstrata.core.errors import DataError
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.runs.prepare import Prepared, prepare

# They add up RGB from size to size, so that a smaller picture is there before the last layers.
SKIP = {"lucidrains' StyleGAN2", "StyleGAN2", "StyleGAN-T"}


def prepared_for(config: dict[str, Any], folder: Path, name: str, **options: Any) -> Prepared:
    use, make = GENERATORS[name]
    config["generator"] = {"use": use, "with": {**make(folder), **options}}
    config["scorers"] = [{"use": "hue", "as": "colour"}]
    config["synthesis"]["batch_size"], config["rescoring"]["groups"] = 3, None
    return prepare(validate(config, "test"), check=False)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_is_dragged_truncated_and_previewed(
    config: dict[str, Any], tmp_path: Path, name: str
) -> None:
    prepared = prepared_for(config, tmp_path, name)
    generator, card = prepared.generator, prepared.generator.card
    random = np.random.default_rng(5)
    normals = random.standard_normal((2, card.code_size)).astype(np.float32)
    known = Boundaries(
        Boundary(key, "", n / np.linalg.norm(n), np.float32(0), generator.space, generator.fingerprint)
        for key, n in zip(("a/b", "c/d"), normals, strict=True)
    )
    along = (f"a/b@{card.layers - 1}", "c/d@0")
    parts = find_parts(prepared, known, EditRequest(along), unit_in=lambda _: 2.0)
    source = find_source(prepared, EditRequest(along, seeds="4"))
    live = LivePicture(prepared, source)
    for amounts, moving in (([0.0, 0.0], 0), ([1.0, 0.0], 0), ([1.0, -1.0], 1), ([2.0, -1.0], 0)):
        frame = live.render(parts, amounts, moving)
        fresh = LivePicture(prepared, source).render(parts, amounts)
        assert torch.equal(frame.pictures, fresh.pictures), (amounts, moving)
        np.testing.assert_array_equal(prepared.score(frame), prepared.score(fresh))
    half = max(card.height, card.width) // 2
    small = live.preview(parts, [1.0, -1.0], None, most=half)
    assert (small is not None) == (name in SKIP)
    if small is not None:
        assert small.shape == (1, card.channels, card.height // 2, card.width // 2)
    assert torch.equal(
        live.render(parts, [1.0, -1.0]).pictures,
        LivePicture(prepared, source).render(parts, [1.0, -1.0]).pictures,
    )
    # Every built-in generator truncates towards a point, or has a prior whose mean is 0.
    at_mean = live.render((), (), truncation=0.0).pictures
    assert torch.isfinite(at_mean).all()
    if source.condition is None and not source.noise:
        other = LivePicture(prepared, find_source(prepared, EditRequest(along, seeds="5")))
        torch.testing.assert_close(other.render((), (), truncation=0.0).pictures, at_mean)


def test_truncation_goes_to_the_mean_of_the_class(config: dict[str, Any], tmp_path: Path) -> None:
    prepared = prepared_for(config, tmp_path, "StyleGAN-XL", truncation_psi=0.5)
    means, classes = prepared.generator.network.mapping.w_avg, set()  # (Y, D)
    for seed in range(4):
        source = find_source(prepared, EditRequest((), seeds=str(seed)))
        (number,) = source.condition.tolist()
        codes = LivePicture(prepared, source).codes((), (), truncation=0.0)  # (1, L, D)
        torch.testing.assert_close(codes, means[number].expand_as(codes))
        classes.add(number)
    assert len(classes) > 1


@pytest.mark.parametrize(
    ("name", "options"), [("BigGAN", {}), ("StyleGAN-T", {}), ("StyleGAN2", {"noise": "fresh"})]
)
@pytest.mark.parametrize("asked", [{"seeds": "5"}, {"samples": "7"}])
def test_codes_in_a_recipe_keep_class_stream_and_noise(
    config: dict[str, Any], tmp_path: Path, name: str, options: dict[str, Any], asked: dict[str, str]
) -> None:
    prepared = prepared_for(config, tmp_path, name, **options)
    source = find_source(prepared, EditRequest((), **asked))
    picture = picture_of(source, "as a test")
    again = picture_source(prepared, RecipePicture.model_validate_json(picture.model_dump_json()), None)
    expected = LivePicture(prepared, source).render((), ()).pictures
    assert torch.equal(LivePicture(prepared, again).render((), ()).pictures, expected)
    assert again.names == ("as a test",)
    other = replace(source, noise_seed=9)
    kept = picture_source(prepared, picture_of(other), None)
    pictures = [LivePicture(prepared, each).render((), ()).pictures for each in (other, kept)]
    assert torch.equal(*pictures)
    assert torch.equal(pictures[0], expected) == (name != "StyleGAN2")  # which alone has fresh noise


def test_weights_of_classes_come_back(config: dict[str, Any], tmp_path: Path) -> None:
    """The inversion step `classes` finds such, in place of one class."""
    prepared = prepared_for(config, tmp_path, "BigGAN")
    weights = torch.rand(1, prepared.generator.classes, generator=torch.Generator().manual_seed(3))
    source = replace(find_source(prepared, EditRequest((), seeds="5")), condition=weights)
    again = picture_source(prepared, picture_of(source), None)
    assert torch.equal(
        LivePicture(prepared, again).render((), ()).pictures,
        LivePicture(prepared, source).render((), ()).pictures,
    )


def test_classes_that_do_not_fit_are_refused(config: dict[str, Any], tmp_path: Path) -> None:
    prepared = prepared_for(config, tmp_path, "BigGAN")
    picture = picture_of(find_source(prepared, EditRequest((), seeds="5")))
    assert picture.codes is not None
    assert isinstance(picture.codes.condition, int)
    for condition in (None, [0.5, 0.5]):
        codes = picture.codes.model_copy(update={"condition": condition})
        with pytest.raises(
            DataError,
            match=r"shape \(\), or weights of its \d+ classes, is needed \(got (None|\[0\.5, 0\.5\])",
        ):
            picture_source(prepared, RecipePicture(codes=codes), None)
    codes = picture.codes.model_copy(update={"condition": 10**8})
    source = picture_source(prepared, RecipePicture(codes=codes), None)
    with pytest.raises(DataError, match="the condition holds \\[100000000\\]"):
        LivePicture(prepared, source).render((), ())
