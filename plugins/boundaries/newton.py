"""Many linear support vector machines with the squared hinge at once, in the primal.

For every problem of a batch this minimises what liblinear's LinearSVC(dual=False) minimises, the
intercept b being shrunk like a coefficient:

    f(v, b) = 1/2 |v|^2 + 1/2 b^2 + C sum_k max(0, 1 - y_k (v.x_k + b))^2

f is convex and piecewise quadratic, so Newton's method with an exact line search ends after finitely
many steps (Keerthi and DeCoste, "A modified finite Newton method for fast solution of large scale
linear SVMs", JMLR 6, 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROUGH = 60  # steps with a Hessian in float32; problems that need more get float64
EASIER = 0.1  # share of C with which a problem begins, and
NEARLY = 1e-3  # how well, as tolerances go, it is solved with that
CLOSE = 1e-3  # distance from the optimum that is aimed at, over the length of w


@dataclass(frozen=True)
class Solution:
    """The machines of a batch of B problems, and how well each was solved."""

    coefficients: Tensor  # (B, D) float64
    intercepts: Tensor  # (B,) float64
    steps: Tensor  # (B,) steps taken
    converged: Tensor  # (B,) bool


def squared_hinge(x: Tensor, y: Tensor, C: float, *, tolerance: float = 1e-6, steps: int = 200) -> Solution:
    """Solve B problems.

    The first step goes along the difference of the means, which needs no Hessian. A problem is first
    solved roughly for a smaller C, from where fewer steps lead to the end. Gradients are float64; the
    Hessian only points the way, so it is float32 until that is too rough. It is kept from step to
    step: only rows that begin or cease to break the margin change it.

    Args:
        x: codes (B, n, D), float64.
        y: labels (B, n), float64: 1, -1, and 0 for rows that only fill a shorter problem up.
        C: weight of errors.
        tolerance: liblinear's: converged means that the gradient's norm is at most this share of that
            at 0, times the share of the rarer label. Beyond that steps go on until w is as CLOSE to
            the optimum, from which it is never farther than the gradient is long: f curves at least by 1.
        steps: at most so many.
    """
    signed = torch.empty((*y.shape, x.shape[2] + 1), dtype=x.dtype, device=x.device)  # (B, n, D+1): y (x, 1)
    torch.mul(x, y[:, :, None], out=signed[:, :, :-1])
    signed[:, :, -1] = y
    rarer = torch.minimum((y > 0.0).sum(dim=1), (y < 0.0).sum(dim=1)).clamp(min=1)
    hessian = _Hessian(signed)
    w = signed.new_zeros((signed.shape[0], signed.shape[2]))
    margins = torch.zeros_like(y)
    taken = torch.zeros_like(rarer)
    weight = torch.full_like(w[:, 0], EASIER * C)  # of each problem: an easier C first, then the true one
    limit = before = torch.full_like(weight, torch.inf)
    hopeless = torch.zeros_like(weight, dtype=torch.bool)  # rounding allows no better
    for step in range(steps + 1):
        slack = (1.0 - margins).clamp(min=0.0)
        pull = 2.0 * (slack[:, None, :] @ signed)[:, 0]
        gradient = w - weight[:, None] * pull
        norm = gradient.norm(dim=1)
        if step == 0:
            limit = tolerance * rarer / y.ne(0.0).sum(dim=1).clamp(min=1) * C * pull.norm(dim=1)
        begun = (weight < C) & (norm <= NEARLY / tolerance * EASIER * limit)
        if bool(begun.any()):
            weight = weight.masked_fill(begun, C)
            gradient = w - weight[:, None] * pull
            norm = gradient.norm(dim=1)
        converged = (weight == C) & (norm <= limit)
        unsolved = ~(converged & (norm <= CLOSE * w.norm(dim=1))) & ~hopeless
        if step == steps or not bool(unsolved.any()):
            break
        if step == 0:
            towards = -gradient
        else:
            changed = hessian.update((slack > 0.0) & (y != 0.0), weight)
            # On one and the same quadratic an exact Hessian would be done in one step.
            stuck = ~changed & (norm > 0.1 * before) & unsolved
            if step >= ROUGH or bool(stuck.any()):
                hopeless |= stuck & hessian.fine
                hessian.refine()
            towards = -hessian.solve(gradient)
        along = (signed @ towards[:, :, None])[:, :, 0]
        # What is solved stays as it is, so that no problem depends on how long others take.
        length = _line_search(w, towards, margins, along, weight) * unsolved
        w += length[:, None] * towards
        margins += length[:, None] * along
        taken += unsolved
        before = norm
    return Solution(w[:, :-1], w[:, -1], taken, converged)


class _Hessian:
    """1 + 2 C S, S the sum of z z^T over the rows z that break the margin, and its Cholesky factor."""

    def __init__(self, signed: Tensor) -> None:
        self._signed = signed
        self._weight = signed.new_zeros(signed.shape[0])
        self._restart(torch.float32)

    def _restart(self, dtype: torch.dtype) -> None:
        batch, n, size = self._signed.shape
        self._rows = self._signed.to(dtype).view(batch * n, size)
        self._sum = torch.zeros((batch, size, size), dtype=dtype, device=self._rows.device)
        self._inside = torch.zeros((batch, n), dtype=torch.bool, device=self._rows.device)
        self._factor: Tensor | None = None

    @property
    def fine(self) -> bool:
        """Whether it is float64."""
        return self._sum.dtype == torch.float64

    def update(self, active: Tensor, weight: Tensor) -> Tensor:
        """Make it that of these rows (B, n) and C (B,); says which problems (B,) have another now."""
        rows = active ^ self._inside
        changed = rows.any(dim=1) | (weight != self._weight)
        if bool(changed.any()):
            self._factor, self._weight = None, weight
            self._add(active, rows)
        return changed

    def _add(self, active: Tensor, changed: Tensor) -> None:
        """Take rows (B, n) in that became active, and take those out that ceased to be."""
        count = int(changed.sum(dim=1).max())
        if count > int(active.sum(dim=1).max()):  # from scratch is less work
            self._restart(self._sum.dtype)
            changed = active
            count = int(changed.sum(dim=1).max())
        batch, n = active.shape
        dtype = self._sum.dtype
        # As many rows of each problem: those that changed, and others with sign 0.
        order = changed.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :count]
        signs = (active.to(dtype) - self._inside.to(dtype)).gather(1, order)
        order = order + n * torch.arange(batch, device=order.device)[:, None]
        rows = self._rows.index_select(0, order.flatten()).view(batch, count, self._rows.shape[1])
        self._sum.baddbmm_((rows * signs[:, :, None]).transpose(1, 2), rows)
        self._inside = active

    def refine(self) -> None:
        """From now on in float64."""
        if not self.fine:
            active = self._inside
            self._restart(torch.float64)
            self._add(active, active)

    def solve(self, gradient: Tensor) -> Tensor:
        """Its inverse times gradients (B, D+1)."""
        if self._factor is None:
            factor, failed = torch.linalg.cholesky_ex(self._matrix())
            if bool(failed.any()):
                self.refine()
                factor = torch.linalg.cholesky(self._matrix())
            self._factor = factor
        return torch.cholesky_solve(gradient[:, :, None].to(self._factor.dtype), self._factor)[:, :, 0].to(
            gradient.dtype
        )

    def _matrix(self) -> Tensor:
        matrix = self._sum * (2.0 * self._weight.to(self._sum.dtype))[:, None, None]
        matrix.diagonal(dim1=1, dim2=2).add_(1.0)
        return matrix


def _line_search(w: Tensor, towards: Tensor, margins: Tensor, along: Tensor, C: Tensor) -> Tensor:
    """How far to go, (B,): where the slope of f along the way, piecewise linear and growing, is 0.

    Newton's method between two bounds that close in.
    """
    forward, square = (w * towards).sum(dim=1), towards.square().sum(dim=1)
    room = 1.0 - margins
    low, high = torch.zeros_like(forward), torch.full_like(forward, torch.inf)
    length = torch.ones_like(forward)
    for _ in range(60):
        slack = (room - length[:, None] * along).clamp(min=0.0)
        slope = forward + length * square - 2.0 * C * (slack * along).sum(dim=1)
        bend = square + 2.0 * C * (along.square() * (slack > 0.0)).sum(dim=1)
        low, high = torch.where(slope < 0.0, length, low), torch.where(slope > 0.0, length, high)
        found = length - slope / bend.clamp(min=torch.finfo(bend.dtype).tiny)
        middle = torch.where(high.isinf(), 2.0 * length, (low + high) / 2.0)
        found = torch.where((found >= low) & (found <= high), found, middle)
        settled = (found - length).abs() <= 1e-8 * length  # a last step within one piece is exact
        length = found
        if bool(settled.all()):
            break
    return length
