"""A generator whose style channels each do one known thing, and a segmenter with known regions.

Picture = 0.5 + GAIN * sum_u s_u * EFFECTS[u]. Styles are a rotation of w, shifted and of different scales, so
no direction of w is a channel. Class 0 of the regions is the upper half, 1 and 2 the quarters below it.
"""

from __future__ import annotations

from collections.abc import Mapping

import ganstrata
import numpy as np
import torch
from ganstrata import Concept, Inputs, ModelCard, PluginConfig, Rendering, State, Stratum
from torch import Tensor

SIZE, WIDTH, GAIN = 8, 9, 0.02
CLASSES = ("wall", "floor", "bed")
SCALES = (1.0, 2.0, 0.5, 3.0, 1.0, 0.2, 1.0, 1.0, 2.0)  # standard deviation of each channel
MEAN = 0.7
STRATA = ("first", "second", "torgb")  # three channels each; the last is one of ToRGB


def _effects() -> Mapping[str, Tensor]:
    """What a unit of each channel adds to a picture, (3, SIZE, SIZE), in the order of s."""
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    low, left = y >= SIZE // 2, x < SIZE // 2
    red = torch.tensor([1.0, -0.5, -0.5])[:, None, None]

    def everywhere(mask: Tensor) -> Tensor:
        return mask.float().expand(3, SIZE, SIZE)

    return {
        "first/0": everywhere(torch.zeros(SIZE, SIZE)),  # does nothing
        "first/1": everywhere(~low),  # lights the wall
        "first/2": everywhere(torch.ones(SIZE, SIZE)),  # lights everything
        "second/0": everywhere(low & ~left),  # lights the bed
        "second/1": red.expand(3, SIZE, SIZE),  # reddens everything
        "second/2": red * (low & left).float(),  # reddens the floor
        "torgb/0": everywhere(low & left),  # lights the floor
        "torgb/1": everywhere((x + y) % 2),
        "torgb/2": everywhere(torch.zeros(SIZE, SIZE)),
    }


EFFECTS = _effects()


class Painted(ganstrata.Generator):
    """Three strata of three channels."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.card = ModelCard("painted", resolution=SIZE, layers=2, code_size=WIDTH, latent_size=WIDTH)
        self.strata = (
            Stratum("first", 0, 4, style_width=3),
            Stratum("second", 1, SIZE, style_width=3),
            Stratum("torgb", 1, SIZE, style_width=3, is_feature=False),
        )
        rotation, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((WIDTH, WIDTH)))
        rows = np.array(SCALES)[:, None] * rotation
        self.affine = torch.from_numpy(rows.astype(np.float32)).view(3, 3, WIDTH).to(device)
        self.effects = torch.stack(list(EFFECTS.values())).view(3, 3, -1).to(device)

    def begin(self, inputs: Inputs) -> State:
        """Grey."""
        return State(torch.full((inputs.n, 3, SIZE, SIZE), 0.5, device=self.device))

    def style(self, s: int, code: Tensor) -> Tensor:
        """Return the channels (N, 3)."""
        return code @ self.affine[s].T + MEAN

    def style_weights(self, s: int) -> Tensor:
        """Return the rows (3, WIDTH)."""
        return self.affine[s]

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add what the channels do."""
        assert state.x is not None
        if style is None:
            assert code is not None
            style = self.style(s, code)
        return State(state.x + GAIN * (style @ self.effects[s]).view(-1, 3, SIZE, SIZE))

    def finish(self, state: State) -> Tensor:
        """The picture."""
        assert state.x is not None
        return state.x


class Plain(Painted):
    """Without styles."""

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        super().__init__(config, device)
        self.strata = tuple(Stratum(name, min(s, 1), SIZE) for s, name in enumerate(STRATA))


class Detached(Painted):
    """Passes no gradients."""

    def finish(self, state: State) -> Tensor:
        """The picture, detached."""
        return super().finish(state).detach()


def regions() -> Tensor:
    """Return the class of each pixel, (SIZE, SIZE)."""
    labels = torch.zeros(SIZE, SIZE, dtype=torch.long)
    labels[SIZE // 2 :, : SIZE // 2] = 1
    labels[SIZE // 2 :, SIZE // 2 :] = 2
    return labels


class Quarters(ganstrata.Segmenter):
    """Regions that are the same in all pictures."""

    concepts = tuple(Concept(name, "object") for name in CLASSES)

    def logits(self, rendering: Rendering) -> Tensor:
        """(N, 3, SIZE, SIZE)."""
        one = torch.nn.functional.one_hot(regions(), len(CLASSES)).permute(2, 0, 1).float()
        return one.expand(len(rendering.images), -1, -1, -1)


class Light(ganstrata.Scorer):
    """How light the bed is in comparison with the wall, and how red everything is."""

    concepts = (Concept("bed", "attribute", least=0.001), Concept("red", "colour", least=0.001))

    def score(self, rendering: Rendering) -> Tensor:
        """(N, 2)."""
        images = rendering.images
        grey = images.mean(dim=1)
        half = SIZE // 2
        bed = grey[:, half:, half:].mean(dim=(1, 2)) - grey[:, half:, :half].mean(dim=(1, 2))
        red = images[:, 0, :half].mean(dim=(1, 2)) - images[:, 1:, :half].mean(dim=(1, 2, 3))
        return torch.stack([bed, red], dim=1)
