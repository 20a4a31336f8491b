"""A segmenter: DeepLab with a MobileNet, from a JSON file of its operations and the weights beside it."""

import hashlib
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from ganstrata import Concept, PluginConfig, Segmenter, hookimpl
from pydantic import Field
from safetensors.torch import load_file

# The 31 most frequent classes of ADE20K, behind all the rest.
CLASSES = (
    "other", "wall", "building", "sky", "floor", "tree", "ceiling", "road", "bed", "windowpane", "grass",
    "cabinet", "sidewalk", "person", "earth", "door", "table", "mountain", "plant", "curtain", "chair", "car",
    "water", "painting", "sofa", "shelf", "house", "sea", "mirror", "rug", "field", "armchair",
)  # fmt: skip


def same_padding(x, kernel, stride, dilation):
    """Zeros around a map, as TensorFlow counts them: an odd one more at the right and at the bottom."""
    around = []
    for size, k, s, d in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], dilation[::-1], strict=True):
        need = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        around += [need // 2, need - need // 2]
    return F.pad(x, around)


def enlarged(x, size):
    """Bilinear as in old TensorFlow: the first pixel stays where it is."""
    for axis, after in ((2, size[0]), (3, size[1])):
        before = x.shape[axis]
        place = torch.arange(after, device=x.device) * (before / after)
        low = place.floor().long()
        share = (place - low).view([-1 if i == axis else 1 for i in range(4)])
        x = (
            x.index_select(axis, low) * (1.0 - share)
            + x.index_select(axis, (low + 1).clamp(max=before - 1)) * share
        )
    return x


class DeepLab(Segmenter):
    """Area shares of 31 classes of ADE20K; pictures are seen at 512 pixels."""

    class Config(PluginConfig):
        """Where the network is."""

        folder: str = Field(description="with one *.graph.json and one *.safetensors")

    def __init__(self, config, device):
        super().__init__(config, device)
        (graph,), (weights,) = (
            sorted(Path(config.folder).glob(pattern)) for pattern in ("*.graph.json", "*.safetensors")
        )
        self.graph = json.loads(graph.read_text())
        self.weights = {name: tensor.to(device) for name, tensor in load_file(weights).items()}
        self.checkpoint = hashlib.sha256(graph.read_bytes() + weights.read_bytes()).hexdigest()
        self.concepts = tuple(Concept(name, "object", threshold=0.02) for name in CLASSES)

    def logits(self, rendering):
        return rendering.once(
            ("deeplab", self.checkpoint),
            lambda: torch.cat([self.run(image) for image in rendering.images.split(1)]),
        )

    def run(self, images):
        size = self.graph["input_shape"][1:3]
        images = F.interpolate(
            images.clamp(0.0, 1.0), size=size, mode="bilinear", antialias=True, align_corners=False
        )
        maps = {self.graph["input"]: (images * 255.0 - self.graph["input_zero"]) * self.graph["input_scale"]}
        for node in self.graph["nodes"]:
            if node["op"] == "ARG_MAX":
                return maps[node["inp"][0]]
            low, high = node["clamp"]
            maps[node["out"]] = self.apply(node, [maps[i] for i in node["inp"]]).clamp(low, high)
        raise ValueError("the graph has no ARG_MAX at its end")

    def apply(self, node, given):
        x, op = given[0], node["op"]
        if op in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weight, bias = (self.weights[f"{node['w']}.{part}"] for part in ("weight", "bias"))
            if node["pad"] == 0:
                x = same_padding(x, weight.shape[2:], node["s"], node["d"])
            return F.conv2d(
                x, weight, bias, node["s"], 0, node["d"], groups=x.shape[1] if op.startswith("DEPTH") else 1
            )
        if op == "AVERAGE_POOL_2D":
            return F.avg_pool2d(x, node["k"], node["s"])
        if op == "RESIZE_BILINEAR":
            return enlarged(x, node["size"])
        if op == "CONCATENATION":
            return torch.cat(given, dim=1)
        if op == "ADD":
            return given[0] + given[1]
        raise ValueError(f"the graph has an operation that is not known here: {op}")


@hookimpl
def ganstrata_register_scorers(register):
    register("deeplab", "guest_deeplab:DeepLab", "ADE20K by a small DeepLab")
