"""Scene attributes as raw margins, comparable only within an attribute (method D)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...core.checkpoints import locate, read_checkpoint, read_npy
from ...core.errors import CheckpointError
from ...core.plugins.base import PluginConfig
from ...core.plugins.contracts import Scorer
from ...core.plugins.records import Concept, Rendering
from ...core.storage.paths import user_path
from .networks.places365 import PlacesModel, attribute_names, is_residual, load_places, read_names
from .scenes import SceneModel, load_scenes


class Attribute(Scorer):
    """A concept per attribute: the 102 of SUN on the feature of a Places365 network, or those of the bundled network.

    The margins of SUN attributes are the products of the feature, (N, F), with published weights,
    (102, F): unbounded, without an offset, and not comparable between attributes.
    """

    class Config(PluginConfig):
        """Which network, and which weights on its feature."""

        checkpoint: str = Field(
            description="a Places365 network (wideresnet18 for the published weights), or bundled:rooms"
        )
        weights: str | None = Field(
            default=None,
            description="for Places365 networks: W_sceneattribute_wideresnet18.npy, or any (attributes, F)",
        )
        labels: str | None = Field(
            default=None,
            description="a text file with the names of other attributes than SUN's, one per line",
        )
        max_pool: bool | None = Field(
            default=None,
            description="pooling behind the first convolution; default: as the file's `arch` says",
        )

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        checkpoint = read_checkpoint(locate(config.checkpoint, "scenes"))
        self.model: SceneModel | PlacesModel
        if is_residual(checkpoint):
            if config.weights is None:
                raise CheckpointError(
                    "weights: missing. A Places365 network has no attributes of its own; give W_sceneattribute_wideresnet18.npy"
                )
            width = checkpoint.tensors["fc.weight"].shape[1]
            self._weights = _read_weights(user_path(config.weights), int(width)).to(device)  # (B, F)
            names = attribute_names() if config.labels is None else read_names(config.labels, "attribute")
            if len(names) != len(self._weights):
                whose = "SUN has" if config.labels is None else f"{config.labels} has"
                cure = (
                    "give `labels:`, a text file with their names"
                    if config.labels is None
                    else "they must be as many"
                )
                raise CheckpointError(
                    f"weights: {config.weights} holds {len(self._weights)} attributes, but {whose} {len(names)} names; {cure}"
                )
            # The feature does not depend on the classifier, so its labels are not needed.
            self.model = load_places(checkpoint, device, max_pool=config.max_pool, named=False)
        else:
            given = [key for key in ("weights", "labels", "max_pool") if key in config.model_fields_set]
            if given:
                raise CheckpointError(
                    f"{' and '.join(given)}: meant for Places365 networks, which {checkpoint.path} is not; leave it out"
                )
            self.model = load_scenes(checkpoint, device)
            names = self.model.attributes
        self.checkpoint = self.model.sha256
        self.concepts = tuple(Concept(name, "attribute", least=None, threshold=0.0) for name in names)

    def score(self, rendering: Rendering) -> Tensor:
        """Margins (N, C), unbounded; above 0 means present."""
        if isinstance(self.model, PlacesModel):
            return self.model.features(rendering) @ self._weights.t()
        return self.model.outputs(rendering)[1]


def _read_weights(path: Path, width: int) -> Tensor:
    """Weights on a feature of some width, (B, F).

    Raises:
        CheckpointError: no such file, no array of numbers, or of another width.
    """
    if not path.is_file():
        raise CheckpointError(f"weights: no file {path}")
    try:
        found = read_npy(path)
    except CheckpointError as error:
        raise CheckpointError(f"weights: {error}") from None
    if (
        not isinstance(found, np.ndarray)
        or found.ndim != 2
        or found.dtype.kind != "f"
        or not np.isfinite(found).all()
    ):
        raise CheckpointError(f"weights: {path} must hold finite numbers of shape (attributes, {width})")
    if found.shape[1] != width:
        raise CheckpointError(
            f"weights: {path} is for features of {found.shape[1]} numbers, but the network's have {width}; it belongs to another network"
        )
    return torch.from_numpy(found.astype(np.float32))
