"""Load scene networks trained on Places365, and any residual classifier stored in the same layout.

Source: Zhou et al. 2017, "Places: A 10 Million Image Database for Scene Recognition".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ....core.checkpoints import Checkpoint
from ....core.device import for_inference
from ....core.errors import CheckpointError
from ....core.messages import quantity, visible
from ....core.plugins.records import Rendering
from ....core.storage.disk import read_bytes
from ....core.storage.name_rules import fault_of
from ....core.storage.paths import user_path
from ...shared.preprocessing import centre_cropped, normalised, resized
from ..bundles import COUNTER, load_network
from .resnet import ResNet, infer

SIZE = 224
RESIZED = 256  # size before the central crop, for networks with the pooling
LABELS = Path(__file__).resolve().parents[1] / "labels"
MAX_BYTES = 1_000_000  # of a file of names
MAX_LINE = 500  # characters of a line in it


@dataclass(frozen=True)
class PlacesModel:
    """Hold a loaded network and the names of its categories.

    Attributes:
        network: the residual network.
        categories: one per output.
        indoor: indices of those that are indoors; empty if unknown.
        sha256: of its file.
        crop: whether images are resized to 256 pixels and cropped to 224, as for the networks with the
            pooling; otherwise they are resized to 224 pixels.
    """

    network: ResNet
    categories: tuple[str, ...]
    indoor: tuple[int, ...]
    sha256: str
    crop: bool
    input_size = (SIZE, SIZE)

    def features(self, rendering: Rendering) -> Tensor:
        """Return features (N, F), computed once per rendering for all scorers."""

        def compute() -> Tensor:
            prepared = normalised(self.prepared(rendering.images))
            with rendering.in_precision():
                return self.network.features(prepared).float()

        return rendering.once(("places365", self.sha256, self.crop, self.network.max_pool), compute)

    def stages(self, rendering: Rendering) -> list[Tensor]:
        """Return the feature maps after the first convolution and each stage, in float32."""
        return list(self.network.stages(normalised(self.prepared(rendering.images))))

    def prepared(self, images: Tensor) -> Tensor:
        """Resize and crop images (N, 3, H, W) to (N, 3, 224, 224) in [0, 1], before normalisation."""
        return centre_cropped(resized(images, RESIZED), SIZE) if self.crop else resized(images, SIZE)

    def logits(self, rendering: Rendering, *, clamp: bool = False) -> Tensor:
        """Return the logits of all categories, (N, Y).

        Args:
            rendering: the images.
            clamp: set negative weights to 0, as the paper's code did by accident.
        """
        weight, bias = self.network.fc.weight, self.network.fc.bias
        return F.linear(self.features(rendering), weight.clamp(min=0.0) if clamp else weight, bias)


def is_residual(checkpoint: Checkpoint) -> bool:
    """Return whether a checkpoint has the tensor names of a residual classifier."""
    return {"conv1.weight", "bn1.weight", "layer4.0.conv1.weight", "fc.weight"} <= checkpoint.tensors.keys()


def load_places(
    checkpoint: Checkpoint,
    device: torch.device,
    *,
    labels: str | None = None,
    max_pool: bool | None = None,
    named: bool = True,
) -> PlacesModel:
    """Load the network of a checkpoint.

    Args:
        checkpoint: with the tensor names of a residual classifier.
        device: on which it runs.
        labels: a file with one category per line; default the 365 of Places365.
        max_pool: whether the network pools after its first convolution; None decides by the file's `arch`:
            networks with `wide` in it do not.
        named: whether the names of its outputs are needed.

    Raises:
        CheckpointError: not a residual network, or labels that do not match it.
    """
    path = checkpoint.path
    try:
        shape = infer(checkpoint.parts[0].shapes)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    pooled = _has_pooling(checkpoint, max_pool, bottleneck=shape.bottleneck)
    tensors = {name: tensor for name, tensor in checkpoint.tensors.items() if not name.endswith(COUNTER)}
    network = load_network(lambda: ResNet(shape, max_pool=pooled), tensors, path, "a residual network")
    network.eval().requires_grad_(False).fuse()
    names, indoor = _names(labels, shape.classes, path) if named else ((), ())
    return PlacesModel(
        for_inference(network, device), names, indoor, checkpoint.sha256, crop=network.max_pool
    )


def attribute_names() -> tuple[str, ...]:
    """Return the 102 attributes of SUN (Patterson and Hays 2012), in the order of the published weights."""
    return tuple(json.loads((LABELS / "sun_attributes.json").read_text(encoding="utf-8"))["attributes"])


def read_names(path: str, what: str) -> tuple[str, ...]:
    r"""Read names from a text file, one per line; a line such as `/a/airfield 0` becomes `airfield`.

    Args:
        path: of the file.
        what: kind of the names, for messages.

    Raises:
        CheckpointError: the file cannot be read, or holds a name that is invalid or occurs twice.
    """
    try:
        lines = [line.strip() for line in read_bytes(user_path(path), MAX_BYTES).decode("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CheckpointError(
            f"labels: cannot read {path}: {reason}; give a text file with one {what} per line"
        ) from None
    long = next((line for line in lines if len(line) > MAX_LINE), None)
    if long is not None:
        raise CheckpointError(
            f"labels: {visible(path)}: the line '{visible(long)}' has {len(long)} characters; "
            f"at most {MAX_LINE} are allowed"
        )
    names = [
        re.sub(r"^/\w/", "", re.sub(r"\s+\d+$", "", line)).replace("/", "__").replace(" ", "_")
        for line in lines
        if line
    ]
    for name, count in Counter(names).items():
        if count > 1 or fault_of(name):
            raise CheckpointError(
                f"labels: {visible(path)}: the name '{visible(name)}' {fault_of(name) or 'occurs twice'}"
            )
    return tuple(names)


def _names(labels: str | None, count: int, path: Path) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the names of the outputs and the indices of those that are indoors.

    Raises:
        CheckpointError: there are not as many names as outputs.
    """
    table = json.loads((LABELS / "places365.json").read_text(encoding="utf-8"))
    places: Sequence[str] = table["categories"]
    if labels is None:
        if len(places) != count:
            raise CheckpointError(
                f"{path} has {quantity(count, 'output')}, not the {len(places)} categories of Places365; "
                "give `labels:`, a text file with their names"
            )
        return tuple(places), tuple(table["indoor"])
    names = read_names(labels, "category")
    if len(names) != count:
        raise CheckpointError(
            f"labels: {labels} has {quantity(len(names), 'name')}, but {path} has {quantity(count, 'output')}"
        )
    return names, tuple(table["indoor"]) if names == tuple(places) else ()


def _has_pooling(checkpoint: Checkpoint, requested: bool | None, *, bottleneck: bool) -> bool:
    """Return whether a network pools after its first convolution, by the config, the file or the depth.

    The two kinds of 18-layer network have the same tensors, so shapes do not decide.

    Raises:
        CheckpointError: neither the config nor the file decides.
    """
    if requested is not None:
        return requested
    stored = checkpoint.settings.get("arch")
    if isinstance(stored, str):
        return "wide" not in stored.lower()
    if bottleneck:
        return True  # as all published networks with bottlenecks do
    raise CheckpointError(
        f"{checkpoint.path} does not store which network it is, "
        "and resnet18 and wideresnet18 have the same tensors. "
        "Write `max_pool: true` for resnet18_places365, `max_pool: false` for wideresnet18_places365"
    )
