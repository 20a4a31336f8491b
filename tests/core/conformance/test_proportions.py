"""Sides and channels of pictures are those of the card, and become RGB for scorers in one place."""

from __future__ import annotations

from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Concept, ModelCard, PluginConfig, Rendering, State, Stratum
from ganstrata.core.errors import PluginBroken
from sound_plugins import SIZE, Sound
from torch import Tensor


def wide(shape: tuple[int, int, int] = (4, 4, SIZE), **card: Any) -> type[Sound]:
    """Pictures of this shape (channels, height, width), and what the card says of them."""
    channels, height, width = shape

    class Wide(Sound):
        def __init__(self, config: PluginConfig, device: torch.device) -> None:
            super().__init__(config, device)
            self.card = ModelCard("wide", SIZE, layers=2, code_size=3, latent_size=3, **card)

        def finish(self, state: State) -> Tensor:
            images = super().finish(state)
            return torch.cat([images, images[:, :1]], dim=1)[:, :channels, :height, :width]

    Wide.__qualname__ = "Tried"  # where the registry finds it
    globals()["Tried"] = Wide
    return Wide


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ({"height": SIZE, "width": 4, "channels": 4}, r"pictures of 4 x 8 pixels; its card says height 8"),
        ({"width": SIZE, "channels": 4}, r"write ModelCard\(\.\.\., resolution=8, height=4, width=8\)"),
        ({"height": 4, "channels": 3}, "with 4 channels; its card says channels=3"),
        ({"height": 4, "channels": 2}, r"card\.channels is 2; 1 \(grey\)"),
        ({"height": 4, "width": 4}, "resolution is the longer side"),
        ({"height": 4, "channels": 4, "background": "white"}, "a colour such as '#ffffff'"),
        ({"height": -4, "channels": 4}, r"card\.height is -4; a whole number above 0"),
    ],
)
def test_a_card_that_says_something_else_is_refused(card: dict[str, Any], words: str, register) -> None:
    register("generator", "wide", wide(**card))
    with pytest.raises(PluginBroken, match=words):
        ganstrata.load_generator("wide", device="cpu")


def test_a_card_that_names_the_resolution_alone_works_as_before(register) -> None:
    register("generator", "wide", wide((3, 4, SIZE)))
    generator = ganstrata.load_generator("wide", device="cpu")
    assert (generator.card.channels, generator.card.names_sides) == (3, False)
    assert Stratum("place", 0, SIZE).height == SIZE


class Brightness(ganstrata.Scorer):
    """The mean of what scorers read, and of the alpha."""

    concepts = (Concept("mean", "colour"), Concept("alpha", "colour"))

    def score(self, rendering: Rendering) -> Tensor:
        assert rendering.images.shape[1] == 3
        alpha = rendering.pictures[:, -1]
        return torch.stack([rendering.images.mean(dim=(1, 2, 3)), alpha.mean(dim=(1, 2))], dim=1)


@pytest.mark.parametrize("background", ["#000000", "#ffffff"])
def test_scorers_read_rgb_on_the_background_of_the_card(background: str, register) -> None:
    register("generator", "wide", wide(height=4, channels=4, background=background))
    register("scorer", "brightness", Brightness)
    generator = ganstrata.load_generator("wide", device="cpu")
    samples = ganstrata.probe(
        generator, ganstrata.load_scorer("brightness", device="cpu"), samples=6, batch=3
    )
    z = generator.sample(6, 0, 0, ganstrata.Stream.PROBING).z
    pictures = ganstrata.render(generator, generator.broadcast(z))
    assert pictures.shape == (6, 4, 4, SIZE)
    colour, alpha = pictures[:, :3], pictures[:, 3:]
    ground = 0.0 if background == "#000000" else 1.0
    wanted = (colour * alpha + ground * (1.0 - alpha)).mean(dim=(1, 2, 3))
    assert torch.allclose(torch.from_numpy(samples.scores[:, 0]), wanted, atol=1e-5)
    assert torch.allclose(torch.from_numpy(samples.scores[:, 1]), alpha.mean(dim=(1, 2, 3)), atol=1e-5)
