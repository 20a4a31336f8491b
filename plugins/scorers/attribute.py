"""Score scene attributes as raw margins, which are comparable only within an attribute (method D)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...core.checkpoints import locate, read_checkpoint, read_npy
from ...core.errors import CheckpointError
from ...core.messages import quantity
from ...core.plugins.base import PluginConfig
from ...core.plugins.records import Concept, Rendering
from ...core.plugins.scorer import Scorer
from ...core.storage.paths import user_path
from .networks.places365 import PlacesModel, attribute_names, is_residual, load_places, read_names
from .scenes import SceneModel, load_scenes


class Attribute(Scorer):
    """Score SUN's 102 attributes on the features of a Places365 network, or the bundled network's attributes.

    The margin of attribute a is m_a = W_a.f, with f (F,) the features of the image and W (102, F) the
    published weights. Margins are unbounded, have no offset, and cannot be compared between attributes.

    Source: Patterson and Hays, "SUN Attribute Database", 2012; Zhou et al., "Places", 2017.
    """

    class Config(PluginConfig):
        """Set the network, and the weights on its features."""

        checkpoint: str = Field(
            examples=["bundled:rooms"],
            description="a Places365 network (wideresnet18 for the published weights), or bundled:rooms",
        )
        weights: str | None = Field(
            default=None,
            description="for Places365 networks: W_sceneattribute_wideresnet18.npy, or any array "
            "(attributes, F)",
        )
        labels: str | None = Field(
            default=None,
            description="for attributes other than SUN's: a text file with their names, one per line",
        )
        max_pool: bool | None = Field(
            default=None,
            description="whether the network pools after its first convolution; "
            "default: by the file's `arch`",
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        checkpoint = read_checkpoint(locate(config.checkpoint, "scenes"))
        self.model: SceneModel | PlacesModel
        if is_residual(checkpoint):
            if config.weights is None:
                raise CheckpointError(
                    "weights: missing. A Places365 network needs weights for attributes; "
                    "give W_sceneattribute_wideresnet18.npy"
                )
            width = checkpoint.tensors["fc.weight"].shape[1]
            self._weights = _read_weights(user_path(config.weights), int(width)).to(device)  # (B, F)
            names = attribute_names() if config.labels is None else read_names(config.labels, "attribute")
            if len(names) != len(self._weights):
                owner = "SUN has" if config.labels is None else f"{config.labels} has"
                remedy = (
                    "give `labels:`, a text file with their names"
                    if config.labels is None
                    else "the numbers must be equal"
                )
                raise CheckpointError(
                    f"weights: {config.weights} holds {quantity(len(self._weights), 'attribute')}, "
                    f"but {owner} {quantity(len(names), 'name')}; {remedy}"
                )
            # The feature does not depend on the classifier, so its labels are not needed.
            self.model = load_places(checkpoint, device, max_pool=config.max_pool, named=False)
        else:
            unused = [key for key in ("weights", "labels", "max_pool") if key in config.model_fields_set]
            if unused:
                raise CheckpointError(
                    f"{' and '.join(unused)}: meant for Places365 networks, "
                    f"which {checkpoint.path} is not; leave it out"
                )
            self.model = load_scenes(checkpoint, device)
            names = self.model.attributes
        self.checkpoint, self.input_size = self.model.sha256, self.model.input_size
        self.concepts = tuple(Concept(name, "attribute", least=None, threshold=0.0) for name in names)

    def score(self, rendering: Rendering) -> Tensor:
        """Return margins (N, C), unbounded; above 0 means present."""
        if isinstance(self.model, PlacesModel):
            return self.model.features(rendering) @ self._weights.t()
        return self.model.outputs(rendering)[1]

    def embed(self, rendering: Rendering) -> Tensor:
        """Return the features (N, F) that the network's last layer reads."""
        return self.model.features(rendering)

    def feature_stages(self, rendering: Rendering) -> Sequence[Tensor]:
        """Return the network's feature maps (N, C_k, H_k, W_k), shallow to deep."""
        return self.model.stages(rendering)


def _read_weights(path: Path, width: int) -> Tensor:
    """Read weights (B, F) on features of width F.

    Raises:
        CheckpointError: no such file, not an array of finite numbers, or of another width.
    """
    if not path.exists():
        raise CheckpointError(f"weights: no file {path}")
    try:
        weights = read_npy(path)
    except CheckpointError as error:
        raise CheckpointError(f"weights: {error}") from None
    if (
        not isinstance(weights, np.ndarray)
        or weights.ndim != 2
        or weights.dtype.kind != "f"
        or not np.isfinite(weights).all()
    ):
        raise CheckpointError(f"weights: {path} must hold finite numbers of shape (attributes, {width})")
    if weights.shape[1] != width:
        raise CheckpointError(
            f"weights: {path} is for {quantity(weights.shape[1], 'feature')}, but the network has {width}; "
            "the file belongs to another network"
        )
    return torch.from_numpy(weights.astype(np.float32))
