"""What watches a search sees each step of it, and may end it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ganstrata import Rendering, Stream, load_generator
from ganstrata.core.strata.code_search import Found, Look, Renderer, Search, Watch, penalties, search_codes
from ganstrata.core.strata.code_spaces import CodeSpace, SpaceName
from ganstrata.core.strata.truncation import start_of_codes
from generators_stylegan2 import small_state
from planted_semantics import Smooth
from safetensors.torch import save_file


def brightness(rendering: Rendering) -> torch.Tensor:
    return rendering.images.flatten(1).mean(1)


def found_by(watch: Watch | None, steps: int = 5, name: SpaceName = "z") -> Found:
    generator = Smooth()
    latents = generator.sample(2, 0, 0, Stream.EDITING)
    space = CodeSpace.of(generator, name)
    renderer = Renderer(space, latents)
    return search_codes(renderer, space.start(latents), brightness, Search(steps, 0.1), watch=watch)


def test_it_is_shown_the_picture_before_every_step_and_after_the_last():
    looks: list[Look] = []
    found = found_by(lambda look: looks.append(look) is None)
    assert [(look.step, look.total) for look in looks] == [(step, 5) for step in range(6)]
    assert torch.equal(torch.stack([look.losses for look in looks]), found.losses)
    assert torch.equal(looks[0].codes, found.codes_before)
    assert torch.equal(looks[-1].codes, found.codes)
    assert torch.equal(looks[-1].rendering.images, found.after.images)
    # What was shown stays as it was: each has a loss of its own picture, which a later step does not change.
    for look in looks:
        wanted = brightness(look.rendering) + penalties(look.codes[:, :1], found.start, Search())
        torch.testing.assert_close(wanted, look.losses)
    assert not looks[2].rendering.images.requires_grad
    assert not looks[2].codes.requires_grad


@pytest.mark.parametrize("last", [0, 2])
def test_a_search_that_is_ended_holds_what_was_shown_last(last: int):
    looks: list[Look] = []

    def watch(look: Look) -> bool:
        looks.append(look)
        return look.step < last

    found = found_by(watch)
    whole = found_by(None)
    assert len(looks) == len(found.losses) == last + 1
    assert torch.equal(found.codes, looks[-1].codes)
    assert torch.equal(found.losses, whole.losses[: last + 1])
    assert torch.equal(found.after.images, looks[-1].rendering.images)


@pytest.mark.parametrize("name", ["z", "layers"])
def test_codes_that_are_the_variables_themselves_keep_their_values(name: SpaceName):
    found = found_by(None, name=name)
    rows = found.start.expand_as(found.codes_before)
    assert torch.equal(found.codes_before, rows)
    assert not torch.equal(found.codes, found.codes_before)


@pytest.mark.parametrize(("psi", "name"), [(1.0, "w+"), (0.5, "w+")])
def test_a_search_may_start_from_codes_that_were_moved(psi: float, name: SpaceName, tmp_path: Path):
    save_file(small_state(), tmp_path / "tiny.safetensors")
    generator = load_generator(
        "stylegan2", checkpoint=str(tmp_path / "tiny.safetensors"), truncation_psi=psi, device="cpu"
    )
    latents = generator.sample(1, 0, 0, Stream.EDITING)
    codes = generator.broadcast(generator.map(latents.z)).clone()
    codes[:, 2] += 0.5
    space = CodeSpace.of(generator, name)
    start = start_of_codes(space, codes)
    assert start is not None
    torch.testing.assert_close(space.codes(start), codes, atol=1e-5, rtol=1e-5)
