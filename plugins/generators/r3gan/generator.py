"""Run R3GAN as a plugin whose blocks are strata that the core composes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ....core.checkpoints import Part
from ....core.checkpoints.detect import Examined
from ....core.device import compute_dtype
from ....core.plugins.records import Inputs, ModelCard, State, Stratum
from ..shared.checkpoints import open_checkpoint
from ..shared.classes import Classes
from ..shared.config import ClassConfig
from ..shared.published import PublishedGenerator
from .architecture import Architecture, examine
from .layouts import LAYOUTS


class R3GAN(PublishedGenerator):
    """Run R3GAN (Huang et al. 2024), with one layer and w = z.

    Only the first stratum reads a code: it maps z to the scales of a learned basis of 4x4 feature maps.
    """

    class Config(ClassConfig):
        """Set checkpoint and classes."""

    config: Config
    family = "R3GAN"
    layouts = LAYOUTS

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        opened = open_checkpoint(type(self), config)
        self.architecture = Architecture.from_plain(opened.description.architecture)
        self.network = opened.network(self.architecture.build, device)
        self.card: ModelCard = opened.card()
        self._classes = Classes(self.family, self.architecture.classes, config.classes)
        self._modules: list[torch.nn.Module] = [self.network.basis]
        strata = [Stratum("basis", 0, 4, style_width=self.architecture.widths[0])]
        for i, stage in enumerate(self.network.stages):
            size = 4 * 2**i
            for name, module in stage.named_children():
                parts = (
                    [(f"b{size}.up", module)]
                    if name == "up"
                    else [(f"b{size}.block{j}", block) for j, block in module.named_children()]
                )
                self._modules += [part for _, part in parts]
                strata += [Stratum(part, None, size) for part, _ in parts]
        self._modules.append(self.network.rgb)
        self.strata = (*strata, Stratum("rgb", None, self.architecture.resolution, is_feature=False))

    @classmethod
    def examine(cls, part: Part) -> Examined | None:
        """Return sizes, classes and weights, in any layout."""
        return examine(part)

    def begin(self, inputs: Inputs) -> State:
        """Return an empty state, or one with the term of the class in the scales of the basis, (N, C)."""
        weights = self._classes.weights(inputs.condition, torch.empty(inputs.n, device=self.device))
        if weights is None:
            return State(None)
        with torch.autocast(self.device.type, enabled=False):
            embedded = F.linear(weights, self.network.embed.weight)  # (N, E)
            return State(
                None,
                kept={
                    "class": F.linear(
                        embedded, self.network.basis.linear.weight[:, self.architecture.z_dim :]
                    )
                },
            )

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Apply the basis, an upsampling layer, a residual block, or the output layer."""
        precision = compute_dtype(self.device)
        with torch.autocast(self.device.type, enabled=False):
            if s == 0:
                if style is None:
                    assert code is not None
                    style = self.style(0, code.float())
                assert style is not None
                style = style + state.kept["class"] if self.architecture.classes else style
                return State(self.network.basis(style).to(precision))
            assert state.x is not None
            y = self._modules[s](state.x)
            return State(state.x, y.float()) if s == len(self.strata) - 1 else State(y)

    def finish(self, state: State) -> Tensor:
        """Return images (N, 3, H, W), with [-1, 1] mapped to [0, 1]."""
        assert state.rgb is not None
        return (state.rgb + 1.0) / 2.0

    def style(self, s: int, code: Tensor) -> Tensor | None:
        """Return the term of codes (N, D) in the scales of the basis, (N, C)."""
        weight = self.style_weights(s)
        return None if weight is None else F.linear(code, weight)

    def style_weights(self, s: int) -> Tensor | None:
        """Return the matrix (C, D) from codes to the scales of the basis."""
        weight: Tensor = self.network.basis.linear.weight[:, : self.architecture.z_dim]
        return weight if s == 0 else None
