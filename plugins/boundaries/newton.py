"""Solve a batch of linear support vector machines with squared hinge loss in the primal.

For every problem of the batch this minimises the function of liblinear's LinearSVC(dual=False), in which the
intercept b is penalised like a coefficient:

    f(v, b) = 1/2 |v|^2 + 1/2 b^2 + C sum_k max(0, 1 - y_k (v.x_k + b))^2

With u = (v, b), z_k = y_k (x_k, 1) and the active rows A = {k: z_k.u < 1}, gradient and Hessian are

    g(u) = u - 2 C sum_{k in A} (1 - z_k.u) z_k        H(u) = I + 2 C sum_{k in A} z_k z_k^T

f is convex and piecewise quadratic, so Newton's method with an exact line search ends after finitely many
steps.

Source: Keerthi and DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs",
JMLR 6, 2005.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FLOAT32_STEPS = 60  # steps with a Hessian in float32; problems that need more get float64
INITIAL_C_SHARE = 0.1  # every problem is first solved with this share of C,
INITIAL_TOLERANCE = 1e-3  # to this tolerance
RELATIVE_DISTANCE = 1e-3  # steps go on until the distance from the optimum is at most this share of |u|
LINE_SEARCH_STEPS = 60


@dataclass(frozen=True)
class Solution:
    """Hold the hyperplanes of B problems, and how well each problem was solved."""

    coefficients: Tensor  # v, (B, D) float64
    intercepts: Tensor  # b, (B,) float64
    steps: Tensor  # (B,) number of Newton steps
    converged: Tensor  # (B,) bool


def solve_squared_hinge(
    x: Tensor, y: Tensor, C: float, *, tolerance: float = 1e-6, max_steps: int = 200
) -> Solution:
    """Minimise f of B problems by Newton's method (see the module).

    The first step goes along -g(0) = 2 C sum_k z_k, which needs no Hessian; for centred codes its v is
    parallel to the difference of the class means. A problem is first solved roughly with a smaller C, because
    fewer steps lead from there to the optimum. Gradients are float64. The Hessian only gives the direction of
    a step, so it is float32 until that is too inexact. It is kept from step to step and updated by the rows
    that became active or inactive.

    A problem has converged when |g(u)| <= tolerance * r * |g(0)|, with r the share of the rarer label: the
    criterion of liblinear. Steps go on beyond that until |g(u)| <= RELATIVE_DISTANCE * |u|. As H - I is
    positive semidefinite, f is strongly convex with modulus 1, so u is at most |g(u)| away from the optimum.

    Args:
        x: codes, (B, n, D) float64.
        y: labels, (B, n) float64: 1, -1, or 0 for rows that only pad a shorter problem.
        C: weight of the loss.
        tolerance: of the convergence criterion.
        max_steps: limit on Newton steps.
    """
    signed = torch.empty((*y.shape, x.shape[2] + 1), dtype=x.dtype, device=x.device)  # z: (B, n, D+1)
    torch.mul(x, y[:, :, None], out=signed[:, :, :-1])
    signed[:, :, -1] = y
    rarer = torch.minimum((y > 0.0).sum(dim=1), (y < 0.0).sum(dim=1)).clamp(min=1)  # (B,)
    hessian = _Hessian(signed)
    u = signed.new_zeros((signed.shape[0], signed.shape[2]))  # (B, D+1)
    margins = torch.zeros_like(y)  # z_k.u, (B, n)
    steps = torch.zeros_like(rarer)
    weight = torch.full_like(u[:, 0], INITIAL_C_SHARE * C)  # the current C of each problem, (B,)
    limit = previous_norm = torch.full_like(weight, torch.inf)
    stalled = torch.zeros_like(weight, dtype=torch.bool)  # rounding errors allow no progress, (B,)
    for step in range(max_steps + 1):
        slack = (1.0 - margins).clamp(min=0.0)  # (B, n)
        loss_descent = 2.0 * (slack[:, None, :] @ signed)[:, 0]  # minus the loss gradient, (B, D+1)
        gradient = u - weight[:, None] * loss_descent
        norm = gradient.norm(dim=1)  # (B,)
        if step == 0:
            limit = tolerance * rarer / y.ne(0.0).sum(dim=1).clamp(min=1) * C * loss_descent.norm(dim=1)
        warmed_up = (weight < C) & (norm <= INITIAL_TOLERANCE / tolerance * INITIAL_C_SHARE * limit)
        if bool(warmed_up.any()):
            weight = weight.masked_fill(warmed_up, C)
            gradient = u - weight[:, None] * loss_descent
            norm = gradient.norm(dim=1)
        converged = (weight == C) & (norm <= limit)
        unsolved = ~(converged & (norm <= RELATIVE_DISTANCE * u.norm(dim=1))) & ~stalled
        if step == max_steps or not bool(unsolved.any()):
            break
        if step == 0:
            direction = -gradient
        else:
            changed = hessian.update((slack > 0.0) & (y != 0.0), weight)
            # With an exact Hessian one step solves the quadratic of an unchanged set of active rows.
            stuck = ~changed & (norm > 0.1 * previous_norm) & unsolved
            if step >= FLOAT32_STEPS or bool(stuck.any()):
                stalled |= stuck & hessian.is_float64
                hessian.use_float64()
            direction = -hessian.solve(gradient)
        margin_direction = (signed @ direction[:, :, None])[:, :, 0]  # z_k.direction, (B, n)
        # Solved problems stay as they are, so that no problem depends on how many steps others take.
        length = _line_search(u, direction, margins, margin_direction, weight) * unsolved
        u += length[:, None] * direction
        margins += length[:, None] * margin_direction
        steps += unsolved
        previous_norm = norm
    return Solution(u[:, :-1], u[:, -1], steps, converged)


class _Hessian:
    """Hold H = I + 2 C S and its Cholesky factor; S is the sum of z z^T over the active rows of a problem."""

    def __init__(self, signed: Tensor) -> None:
        self._signed = signed  # (B, n, D+1)
        self._weight = signed.new_zeros(signed.shape[0])  # (B,)
        self._restart(torch.float32)

    def _restart(self, dtype: torch.dtype) -> None:
        """Set S to 0, with no active rows."""
        batch, n, size = self._signed.shape
        self._rows = self._signed.to(dtype).view(batch * n, size)
        self._sum = torch.zeros((batch, size, size), dtype=dtype, device=self._rows.device)
        self._active = torch.zeros((batch, n), dtype=torch.bool, device=self._rows.device)
        self._factor: Tensor | None = None

    @property
    def is_float64(self) -> bool:
        """True if the Hessian is computed in float64."""
        return self._sum.dtype == torch.float64

    def update(self, active: Tensor, weight: Tensor) -> Tensor:
        """Update H for other active rows (B, n) and weights C (B,).

        Returns:
            The problems whose Hessian changed, (B,) bool.
        """
        rows = active ^ self._active
        changed = rows.any(dim=1) | (weight != self._weight)
        if bool(changed.any()):
            self._factor, self._weight = None, weight
            self._update_sum(active, rows)
        return changed

    def _update_sum(self, active: Tensor, changed: Tensor) -> None:
        """Add rows that became active to S, and subtract rows that became inactive; both masks are (B, n)."""
        count = int(changed.sum(dim=1).max())
        if count > int(active.sum(dim=1).max()):  # summing all active rows anew is less work
            self._restart(self._sum.dtype)
            changed = active
            count = int(changed.sum(dim=1).max())
        batch, n = active.shape
        dtype = self._sum.dtype
        # Take the same number of rows from each problem: the changed ones, padded with rows of sign 0.
        order = changed.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :count]  # (B, count)
        signs = (active.to(dtype) - self._active.to(dtype)).gather(1, order)
        order = order + n * torch.arange(batch, device=order.device)[:, None]
        rows = self._rows.index_select(0, order.flatten()).view(batch, count, self._rows.shape[1])
        self._sum.baddbmm_((rows * signs[:, :, None]).transpose(1, 2), rows)  # (B, D+1, D+1)
        self._active = active

    def use_float64(self) -> None:
        """Compute the Hessian in float64 from now on."""
        if not self.is_float64:
            active = self._active
            self._restart(torch.float64)
            self._update_sum(active, active)

    def solve(self, gradient: Tensor) -> Tensor:
        """Return H^-1 g for gradients g (B, D+1)."""
        if self._factor is None:
            factor, failed = torch.linalg.cholesky_ex(self._matrix())
            if bool(failed.any()):
                self.use_float64()
                factor = torch.linalg.cholesky(self._matrix())
            self._factor = factor
        return torch.cholesky_solve(gradient[:, :, None].to(self._factor.dtype), self._factor)[:, :, 0].to(
            gradient.dtype
        )

    def _matrix(self) -> Tensor:
        """Return I + 2 C S, (B, D+1, D+1)."""
        matrix = self._sum * (2.0 * self._weight.to(self._sum.dtype))[:, None, None]
        matrix.diagonal(dim1=1, dim2=2).add_(1.0)
        return matrix


def _line_search(
    u: Tensor, direction: Tensor, margins: Tensor, margin_direction: Tensor, C: Tensor
) -> Tensor:
    """Return the step lengths t (B,) that minimise f(u + t d) for the directions d.

    The derivative is piecewise linear and increasing in t:

        f'(t) = u.d + t |d|^2 - 2 C sum_k max(0, 1 - z_k.u - t z_k.d) z_k.d

    Its zero is found by Newton's method between two bounds; a step that leaves them is replaced by bisection.

    Args:
        u: (B, D+1).
        direction: d, (B, D+1).
        margins: z_k.u, (B, n).
        margin_direction: z_k.d, (B, n).
        C: (B,).
    """
    linear, square = (u * direction).sum(dim=1), direction.square().sum(dim=1)  # (B,) each
    slack_at_zero = 1.0 - margins  # (B, n)
    low, high = torch.zeros_like(linear), torch.full_like(linear, torch.inf)
    length = torch.ones_like(linear)
    for _ in range(LINE_SEARCH_STEPS):
        slack = (slack_at_zero - length[:, None] * margin_direction).clamp(min=0.0)
        slope = linear + length * square - 2.0 * C * (slack * margin_direction).sum(dim=1)
        curvature = square + 2.0 * C * (margin_direction.square() * (slack > 0.0)).sum(dim=1)
        low, high = torch.where(slope < 0.0, length, low), torch.where(slope > 0.0, length, high)
        proposal = length - slope / curvature.clamp(min=torch.finfo(curvature.dtype).tiny)
        middle = torch.where(high.isinf(), 2.0 * length, (low + high) / 2.0)
        proposal = torch.where((proposal >= low) & (proposal <= high), proposal, middle)
        # The last step is exact, since it stays within one linear piece.
        unchanged = (proposal - length).abs() <= 1e-8 * length
        length = proposal
        if bool(unchanged.all()):
            break
    return length
