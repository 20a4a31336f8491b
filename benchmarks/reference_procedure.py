"""Re-enact how the scene-semantics paper's released tools synthesise and score, written from a description.

Batches of four, gradients switched on, float32; every picture goes to the host, becomes a PIL image, is
resized there, and comes back as a tensor for the scorers' network; codes and scores are kept in memory and
written at the end. The generator is the plain pass of plain/, channels first, and the scorers' network is a
plain ResNet, both with the tensors that ganstrata is given. Left out is what the tools compute and throw away
(the RGB of all lower resolutions), which favours them here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plain
import torch
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.checkpoints.inspect import examine
from PIL import Image
from torch import Tensor, nn

BATCH = 4
SIDE = 224
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


class Procedure:
    """Synthesise and score as the released tools do.

    Args:
        checkpoint: file of a StyleGAN.
        network: maps prepared pictures (N, 3, 224, 224) to class scores (N, 365) and features (N, F).
        attributes: matrix (102, F) of the attributes.
    """

    def __init__(self, checkpoint: Path, network: nn.Module, attributes: np.ndarray) -> None:
        claim = choose(read_checkpoint(locate(str(checkpoint), "generator")))
        examined = examine(claim)
        assert examined is not None
        self.forward: Any = plain.prepare(
            claim.plugin,
            {name: nn.Parameter(tensor.float()) for name, tensor in examined.tensors.items()},
            examined.architecture,
            torch.contiguous_format,
        )
        self.tensors = {name: nn.Parameter(tensor.float()) for name, tensor in examined.tensors.items()}
        self.layers, self.size = examined.layers, examined.latent_size
        self.network, self.attributes = network, attributes

    def w(self, z: Tensor) -> Tensor:
        """Map z (N, Z) to w (N, D): pixel norm, then linear layers with leaky ReLU."""
        x = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + 1e-8)
        i = 0
        while f"mapping.layers.{i}.weight" in self.tensors:
            weight, bias = (self.tensors[f"mapping.layers.{i}.{name}"] for name in ("weight", "bias"))
            gain = 0.01 * 2.0**0.5 / weight.shape[1] ** 0.5
            x = nn.functional.leaky_relu(nn.functional.linear(x, weight * gain, bias * 0.01), 0.2)
            i += 1
        return x

    def run(self, pictures: int, out: Path) -> dict[str, np.ndarray]:
        """Synthesise and score so many pictures, write the arrays to a folder, and return them."""
        codes = np.random.RandomState(0).randn(pictures, self.size).astype(np.float32)
        kept: dict[str, list[np.ndarray]] = {name: [] for name in ("z", "w", "wp", "category", "attribute")}
        for start in range(0, pictures, BATCH):
            z = torch.from_numpy(codes[start : start + BATCH])
            w = self.w(z)
            wp = w[:, None].repeat(1, self.layers, 1)
            category, found = self.scores(wp)
            values = (z.numpy(), w.detach().numpy(), wp.detach().numpy(), category, found)
            for name, value in zip(kept, values, strict=True):
                kept[name].append(value)
        arrays = {name: np.concatenate(values) for name, values in kept.items()}
        for name, values in arrays.items():
            np.save(out / f"{name}.npy", values)
        return arrays

    def rescore(
        self, pictures: int, normals: np.ndarray, columns: list[int], step: float, *, layerwise: bool
    ) -> np.ndarray:
        """Re-score attributes along boundaries: every boundary makes and scores the unedited pictures anew.

        Args:
            pictures: number of samples N.
            normals: unit normals in w, (B, D).
            columns: attribute of each boundary, (B,).
            step: length of the step in w.
            layerwise: whether each layer is moved by itself as well.

        Returns:
            Changes of each boundary's own attribute, (B, N, S), at all layers first.
        """
        codes = np.random.RandomState(0).randn(pictures, self.size).astype(np.float32)
        wp = self.w(torch.from_numpy(codes)).detach()[:, None].repeat(1, self.layers, 1)
        sets = [range(self.layers), *([layer] for layer in range(self.layers) if layerwise)]
        changes = np.zeros((len(normals), pictures, len(sets)))
        for b, (normal, column) in enumerate(zip(normals, columns, strict=True)):
            for n in range(pictures):  # sample by sample, as the tools do
                variants = wp[n].repeat(1 + len(sets), 1, 1)  # the sample itself, then moved at each set
                for s, layers in enumerate(sets, start=1):
                    variants[s, list(layers)] += step * torch.from_numpy(normal)
                found = [self.scores(variants[i : i + BATCH])[1] for i in range(0, len(variants), BATCH)]
                own = np.concatenate(found)[:, column]  # (1 + S,), of scores (1 + S, 102)
                changes[b, n] = own[1:] - own[0]
        return changes

    def scores(self, wp: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities of categories (N, 365) and attributes (N, 102) of the pictures of codes."""
        images = self.forward(wp, None)  # with a graph of gradients
        pixels = (images.detach().cpu().numpy() * 255.0 + 0.5).clip(0, 255).astype(np.uint8)
        prepared = np.stack([self._prepared(picture) for picture in pixels.transpose(0, 2, 3, 1)])
        logits, features = self.network(torch.from_numpy(prepared))
        category = torch.softmax(logits, dim=1).detach().cpu().numpy()
        return category, features.detach().cpu().numpy() @ self.attributes.T

    def _prepared(self, picture: np.ndarray) -> np.ndarray:
        """Prepare one picture (H, W, 3), uint8, for the network: (3, 224, 224)."""
        small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        values = (np.asarray(small, dtype=np.float32) / 255.0 - MEAN) / DEVIATION
        return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)
