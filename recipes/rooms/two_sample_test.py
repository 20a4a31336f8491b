"""Train a small network to tell generated pictures from rendered ones."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Pixels = NDArray[np.uint8]


class Verdict(NamedTuple):
    """Hold how well the network tells the sets apart on held-out pictures."""

    accuracy: float
    train_accuracy: float  # over the last pass
    held_out: int  # pictures, of both sets


def network() -> nn.Sequential:
    """Build four strided convolutions, a mean over the picture and an output, high for generated pictures."""
    widths = (3, 32, 48, 64, 96)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [
            nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2, inplace=True),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 1))


def _tensor(pictures: Pixels) -> Tensor:
    """Convert 8-bit (n, H, W, 3) to (n, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def two_sample_test(
    generated: Pixels,
    rendered: Pixels,
    *,
    passes: int = 8,
    batch: int = 64,
    held_out: float = 0.2,
    seed: int = 0,
) -> Verdict:
    """Train on most of both sets, and measure accuracy on the rest: 0.5 means indistinguishable.

    The number of passes is fixed in advance, and accuracy is measured once, after the last.

    Args:
        generated: pictures (N, H, W, 3), 8 bits.
        rendered: the same number of rendered pictures.
        passes: number of passes over the training pictures.
        batch: number of pictures in a step.
        held_out: share of each set that is held out.
        seed: seed of weights, order and split.
    """
    n = min(len(generated), len(rendered))
    rng = np.random.default_rng(seed)
    pictures = np.concatenate([generated[:n], rendered[:n]])
    truth = np.repeat(np.float32([1.0, 0.0]), n)
    kept = round(n * held_out)
    split = rng.permutation(n)
    test, rest = (
        np.concatenate([split[:kept], n + split[:kept]]),
        np.concatenate([split[kept:], n + split[kept:]]),
    )
    batch = min(batch, len(rest))
    steps = passes * (len(rest) // batch)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps, pct_start=0.2)
    right: list[float] = []
    for _ in range(passes):
        order, right = rng.permutation(rest), []
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            x, y = _tensor(pictures[chosen]), torch.from_numpy(truth[chosen])
            if rng.random() < 0.5:
                x = x.flip(3)  # a mirrored room is as likely as the room
            margin = model(x)[:, 0]
            loss = F.binary_cross_entropy_with_logits(margin, y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            right.append(float(((margin > 0) == (y > 0.5)).float().mean()))
    model.eval()
    with torch.inference_mode():
        margins = torch.cat(
            [
                model(_tensor(pictures[block]))[:, 0]
                for block in np.array_split(test, max(1, len(test) // 250))
            ]
        )
    accuracy = float(((margins.numpy() > 0) == (truth[test] > 0.5)).mean())
    return Verdict(accuracy, float(np.mean(right)), len(test))
