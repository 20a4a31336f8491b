"""Score scene categories as probabilities, and pairs of categories as log ratios (method D)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from ...core.checkpoints import locate, read_checkpoint
from ...core.errors import CheckpointError, nearest
from ...core.plugins.base import PluginConfig
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer
from .networks.places365 import PlacesModel, is_residual, load_places
from .scenes import SceneModel, load_scenes

LISTED_NAMES = 12  # in a message


class Category(Scorer):
    """Score each category a as p_a, each pair `a-vs-b` as log p_a - log p_b, and `indoor` as a sum of p.

    p = softmax(logits) is over all categories. `indoor` sums the categories that Places365 lists as indoors.

    Supported are the published Places365 networks (resnet18, resnet50, wideresnet18), other residual
    classifiers in that layout, and scene networks of this project. The pass through the network is shared
    with an `attribute` scorer on the same file.
    """

    class Config(PluginConfig):
        """Set the scene network, and the pairs of categories."""

        checkpoint: str = Field(
            examples=["bundled:rooms"],
            description="a Places365 network, another residual classifier, or bundled:rooms",
        )
        against: list[tuple[str, str]] = Field(
            default=[], description="pairs [a, b] scored as log p_a - log p_b"
        )
        labels: str | None = Field(
            default=None,
            description="for categories other than those of Places365: a text file, one per line",
        )
        max_pool: bool | None = Field(
            default=None,
            description="whether the network pools after its first convolution; "
            "default: by the file's `arch`",
        )
        clamp_fc: bool = Field(
            default=False,
            description="set the classifier's negative weights to zero, as the paper's code did by accident",
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        checkpoint = read_checkpoint(locate(config.checkpoint, "scenes"))
        self.model: SceneModel | PlacesModel
        indoor: tuple[int, ...] = ()
        if is_residual(checkpoint):
            self.model = load_places(checkpoint, device, labels=config.labels, max_pool=config.max_pool)
            indoor = self.model.indoor
        else:
            self.model = load_scenes(checkpoint, device)
            unused = [key for key in ("labels", "max_pool", "clamp_fc") if key in config.model_fields_set]
            if unused:
                raise CheckpointError(
                    f"{' and '.join(unused)}: meant for Places365 networks, "
                    f"which {checkpoint.path} is not; leave it out"
                )
        self.checkpoint, self.input_size = self.model.sha256, self.model.input_size
        names = self.model.categories
        for name in sorted({name for pair in config.against for name in pair} - set(names)):
            shown = ", ".join(names[:LISTED_NAMES]) + (
                f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
            )
            raise CheckpointError(
                f"against: this network has no category '{name}'.{nearest(name, names)} Categories: {shown}"
            )
        self._pairs = [(names.index(a), names.index(b)) for a, b in config.against]
        self._indoor = torch.tensor(indoor, dtype=torch.long, device=device)
        single = tuple(Concept(name, "category") for name in names)
        pairs = tuple(
            Concept(f"{a}-vs-{b}", "category", least=None, threshold=0.0) for a, b in config.against
        )
        self.concepts = (*single, *pairs, *((Concept("indoor", "category"),) if indoor else ()))

    def score(self, rendering: Rendering) -> Tensor:
        """Return probabilities in [0, 1], then log ratios, then the probability of indoors: (N, C)."""
        log_p = self._logits(rendering).log_softmax(dim=1)  # (N, Y)
        p = log_p.exp()
        columns = [p, *((log_p[:, a] - log_p[:, b])[:, None] for a, b in self._pairs)]
        if len(self._indoor):
            columns.append(p[:, self._indoor].sum(dim=1, keepdim=True).clamp(max=1.0))
        return torch.cat(columns, dim=1)

    def embed(self, rendering: Rendering) -> Tensor:
        """Return the features (N, F) that the network's last layer reads."""
        return self.model.features(rendering)

    def feature_stages(self, rendering: Rendering) -> Sequence[Tensor]:
        """Return the network's feature maps (N, C_k, H_k, W_k), shallow to deep."""
        return self.model.stages(rendering)

    def _logits(self, rendering: Rendering) -> Tensor:
        """Return the logits of all categories, (N, Y)."""
        if isinstance(self.model, PlacesModel):
            return self.model.logits(rendering, clamp=self.config.clamp_fc)
        return self.model.outputs(rendering)[0]
