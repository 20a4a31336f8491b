"""Define the networks that read a segmentation off feature maps: LSE, NSE-1 and NSE-2.

All contract before they enlarge: up(T x) = T up(x) for a linear T on channels and bilinear enlargement, and
M class planes are far smaller than c_s channels.

Source: Xu & Zheng, "Linear Semantics in Generative Adversarial Networks", CVPR 2021, sections 3.1 and 3.2.
Shapes: N samples, M classes, c_s channels and h_s x w_s pixels of the feature map of stratum s.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cache, reduce
from itertools import groupby, pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HeadName = Literal["LSE", "NSE-1", "NSE-2"]
LayerWeights = Literal["equal", "softplus"]
Size = tuple[int, int]
PRODUCTS = 64  # pixels up to which products of matrices enlarge faster on a CPU: 3 to 7 times


def enlarge(planes: Tensor, size: Size) -> Tensor:
    """Enlarge planes (N, M, h, w) to (N, M, H, W), bilinear, with corner pixels on corner pixels."""
    small = tuple(planes.shape[-2:])
    if small == size:
        return planes
    if _is_multiplied(planes, size):
        with torch.autocast("cpu", enabled=False):
            return lines(small[0], size[0]) @ planes @ lines(small[1], size[1]).T
    return F.interpolate(planes, size=size, mode="bilinear", align_corners=True)


@cache
def lines(small: int, large: int) -> Tensor:
    """Return the matrix U (large, small) of bilinear enlargement along one axis, corners on corners.

    U_h x U_w^T enlarges a plane x (h, w).

    >>> lines(2, 3).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    with torch.inference_mode(False), torch.no_grad(), torch.device("cpu"):
        # In single precision throughout, to round as torch's interpolation does.
        scale = torch.tensor(float(small - 1)) / max(large - 1, 1)
        place = scale * torch.arange(large)
        first = place.long().clamp(max=small - 1)
        share = place - first
        matrix, rows = torch.zeros(large, small), torch.arange(large)
        matrix[rows, first] = 1.0 - share
        matrix[rows, (first + 1).clamp(max=small - 1)] += share
        return matrix


def enlarged_sum(planes: Sequence[Tensor], size: Size) -> Tensor:
    """Return the sum (A, B, H, W) of planes (A, B, h_s, w_s) enlarged to one size.

    Planes of one size that follow each other are added before they are enlarged, which is the same. What is
    enlarged by products of matrices is added up by them too: the sum over s of U_s Y_s is one product of all
    U_s beside each other with all Y_s below each other.
    """
    sums = [reduce(torch.add, same) for _, same in groupby(planes, key=lambda x: x.shape[-2:])]
    multiplied = [x for x in sums if _is_multiplied(x, size)]
    others = [enlarge(x, size) for x in sums if not _is_multiplied(x, size)]
    if multiplied:
        return _multiplied_sum(multiplied, size, reduce(torch.add, others) if others else None)
    return reduce(torch.add, others)


def _is_multiplied(planes: Tensor, size: Size) -> bool:
    """Return whether planes (..., h, w) are enlarged by products of matrices."""
    small = tuple(planes.shape[-2:])
    on_cpu = planes.device.type == "cpu" and planes.dtype == torch.float32
    return small != size and max(small) <= PRODUCTS and on_cpu


def _multiplied_sum(planes: Sequence[Tensor], size: Size, total: Tensor | None) -> Tensor:
    """Return the sum (A, B, H, W) of small planes (A, B, h_s, w_s), enlarged by products, and of a total."""
    shape = (*planes[0].shape[:2], *size)
    with torch.autocast("cpu", enabled=False):
        across = [x @ lines(x.shape[-1], size[1]).T for x in planes]  # (A, B, h_s, W)
        below = torch.cat(across, dim=-2).flatten(0, 1)  # (A B, sum of h_s, W)
        beside = torch.cat([lines(x.shape[-2], size[0]) for x in planes], dim=1).expand(len(below), -1, -1)
        if total is None:
            return torch.bmm(beside, below).view(shape)
        return torch.baddbmm(total.flatten(0, 1), beside, below).view(shape)


class Head(nn.Module):
    """Map feature maps to the logits of M classes.

    Args:
        widths: channels c_s of the feature maps, first stratum first.
        classes: number M of classes.
    """

    def __init__(self, widths: Sequence[int], classes: int) -> None:
        super().__init__()
        self.widths, self.classes = tuple(widths), classes

    @abstractmethod
    def forward(self, maps: Sequence[Tensor], size: Size) -> Tensor:
        """Return logits (N, M, H, W) of feature maps (N, c_s, h_s, w_s)."""


class Additive(Head):
    """Add up what each stratum says: S = sum over s of lambda_s up(f_s(x_s)).

    The layer weights lambda_s are 1, or softplus(theta_s) / sum over s' of softplus(theta_s'), as in the
    authors' code.
    """

    def __init__(self, widths: Sequence[int], classes: int, layer_weights: LayerWeights) -> None:
        super().__init__(widths, classes)
        self.layer_weights: LayerWeights = layer_weights
        if layer_weights == "softplus":
            self.theta = nn.Parameter(torch.ones(len(self.widths)))

    @property
    def lambdas(self) -> Tensor:
        """Layer weights (S,), which add up to 1 if they are learnt."""
        if self.layer_weights == "equal":
            return next(self.parameters()).new_ones(len(self.widths))
        positive = F.softplus(self.theta)
        return positive / positive.sum()

    @abstractmethod
    def read(self, i: int, x: Tensor) -> Tensor:
        """Return f_s(x_s) (N, M, h_s, w_s) of the i-th feature map (N, c_s, h_s, w_s)."""

    def readings(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return f_s(x_s) (N, M, h_s, w_s) of every feature map: what each stratum says by itself."""
        return [self.read(i, x) for i, x in enumerate(maps)]

    def combined(self, readings: Sequence[Tensor], size: Size) -> Tensor:
        """Return logits (N, M, H, W), the weighted sum of the enlarged readings (N, M, h_s, w_s)."""
        if self.layer_weights == "softplus":
            readings = [weight * reading for weight, reading in zip(self.lambdas, readings, strict=True)]
        return enlarged_sum(readings, size)

    def forward(self, maps: Sequence[Tensor], size: Size) -> Tensor:
        """Return logits (N, M, H, W) of feature maps (N, c_s, h_s, w_s)."""
        return self.combined(self.readings(maps), size)


class LSE(Additive):
    """Linear semantic extractor: f_s(x) = T_s x at every pixel, T_s (M, c_s).

    Without a bias, as in the paper, classes are convex cones in feature space. Solutions in closed form have
    a bias.
    """

    def __init__(
        self, widths: Sequence[int], classes: int, layer_weights: LayerWeights = "equal", bias: bool = False
    ) -> None:
        super().__init__(widths, classes, layer_weights)
        # A uniform start within 1/sqrt(c_s), which is torch's for linear layers.
        self.T = nn.ParameterList(nn.Linear(c, classes, bias=False).weight for c in self.widths)
        self.bias = nn.Parameter(torch.zeros(classes)) if bias else None

    def read(self, i: int, x: Tensor) -> Tensor:
        """Return T_s x (N, M, h_s, w_s) of the i-th feature map x (N, c_s, h_s, w_s)."""
        return contracted([self.T[i]], [x]).transpose(0, 1)

    def forward(self, maps: Sequence[Tensor], size: Size) -> Tensor:
        """Return logits (N, M, H, W) of feature maps (N, c_s, h_s, w_s); in memory they lie class by class.

        The maps of one size are contracted into one sum, which is not done one by one as in `combined`.
        """
        weights = list(self.T)
        if self.layer_weights == "softplus":
            weights = [share * weight for share, weight in zip(self.lambdas, weights, strict=True)]
        logits = linear_logits(weights, maps, size)
        return (logits if self.bias is None else logits + self.bias[:, None, None, None]).transpose(0, 1)

    def combined(self, readings: Sequence[Tensor], size: Size) -> Tensor:
        """Return logits (N, M, H, W), the weighted sum of the enlarged readings, and the bias."""
        logits = super().combined(readings, size)
        return logits if self.bias is None else logits + self.bias[:, None, None]


class NSE1(Additive):
    """First nonlinear extractor: three convolutions with ReLU per stratum, then the sum as in LSE.

    Widths are c_s, (c_s + M) // 2 twice, and M. Kernels are 3x3 in the paper's figure 7, 1x1 in the code that
    gave its numbers.
    """

    def __init__(
        self, widths: Sequence[int], classes: int, layer_weights: LayerWeights = "equal", kernel: int = 1
    ) -> None:
        super().__init__(widths, classes, layer_weights)
        self.read_each = nn.ModuleList(_three_convolutions(c, classes, kernel) for c in self.widths)

    def read(self, i: int, x: Tensor) -> Tensor:
        """Return the logits (N, M, h_s, w_s) of the i-th feature map x (N, c_s, h_s, w_s)."""
        logits: Tensor = self.read_each[i](x)
        return logits


def _three_convolutions(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    between = (inputs + outputs) // 2
    sides = (inputs, between), (between, between), (between, outputs)
    first, second, third = (nn.Conv2d(a, b, kernel, padding=kernel // 2) for a, b in sides)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)


class NSE2(Head):
    """Second nonlinear extractor: a decoder that refines a hidden map h_s from stratum to stratum.

    h_1 = e_1(x_1), h_s = r_s(up2(h_(s-1))) + e_s(x_s), S = up(v(h_last)), with 3x3 convolutions and ReLU in
    e and r, a 3x3 convolution v, and nearest-neighbour enlargement up2 where the size changes.
    """

    def __init__(self, widths: Sequence[int], classes: int) -> None:
        super().__init__(widths, classes)
        self.extract = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for c in self.widths)
        self.revise = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(self.widths))
        self.show = nn.Conv2d(self.widths[-1], classes, 3, padding=1)

    def forward(self, maps: Sequence[Tensor], size: Size) -> Tensor:
        """Return logits (N, M, H, W) of feature maps (N, c_s, h_s, w_s)."""
        hidden = F.relu(self.extract[0](maps[0]))
        for extract, revise, x in zip(self.extract[1:], self.revise, maps[1:], strict=True):
            if hidden.shape[-2:] != x.shape[-2:]:
                hidden = F.interpolate(hidden, size=tuple(x.shape[-2:]), mode="nearest")
            hidden = F.relu(revise(hidden)) + F.relu(extract(x))
        return enlarge(self.show(hidden), size)


def linear_logits(weights: Sequence[Tensor], maps: Sequence[Tensor], size: Size) -> Tensor:
    """Return the sum over s of up(T_s x_s), (M, N, H, W).

    Args:
        weights: matrices T_s (M, c_s).
        maps: feature maps x_s (N, c_s, h_s, w_s).
        size: H and W.
    """
    left, planes = list(weights), []
    for _, same in groupby(maps, key=lambda x: x.shape[-2:]):
        alike = list(same)
        planes.append(contracted(left[: len(alike)], alike))
        left = left[len(alike) :]
    return enlarged_sum(planes, size)


def contracted(weights: Sequence[Tensor], maps: Sequence[Tensor]) -> Tensor:
    """Return the sum over s of T_s x_s, (M, N, h, w), of maps x_s (N, c_s, h, w) and matrices T_s (M, c_s).

    Nothing is copied of maps in channels last, or of one sample: their pixels are columns as they lie in
    memory.
    """
    n, _, h, w = maps[0].shape
    total: Tensor | None = None
    with torch.autocast(maps[0].device.type, enabled=False):
        for weight, x in zip(weights, maps, strict=True):
            pixels = x.transpose(0, 1).flatten(1)  # (c_s, N h w)
            total = weight @ pixels if total is None else torch.addmm(total, weight, pixels)
    assert total is not None
    return total.view(-1, n, h, w)


def build_head(
    name: HeadName,
    widths: Sequence[int],
    classes: int,
    *,
    layer_weights: LayerWeights = "equal",
    bias: bool = False,
    kernel: int = 1,
) -> Head:
    """Build a head by its name.

    Args:
        name: LSE, NSE-1 or NSE-2.
        widths: channels c_s of the feature maps.
        classes: number of classes M.
        layer_weights: LSE and NSE-1: whether the weights of strata are learnt.
        bias: LSE: whether there is a bias per class.
        kernel: NSE-1: width of its kernels, 1 or 3.

    >>> sum(p.numel() for p in build_head("LSE", [16, 8], 5).parameters())
    120
    """
    if name == "LSE":
        return LSE(widths, classes, layer_weights, bias)
    if name == "NSE-1":
        return NSE1(widths, classes, layer_weights, kernel)
    return NSE2(widths, classes)
