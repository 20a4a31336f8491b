"""Moves codes along boundaries: independent, joint, conditional, jittered and absolute edits (method C).

All functions are pure. Codes are (N, L, D); a normal is (D,), or (L, D) with one per layer; `scale`
(L,) is the generator's layer_scale, or ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DataError, LayerError

Floats = NDArray[np.floating]
DEGENERATE = 1e-6


def edit_direction(normal: Floats, layers: Sequence[int], scale: Floats) -> NDArray[np.float32]:
    """What one unit of an edit adds to each layer: (L, D), zero on layers that are not edited."""
    field = np.zeros((len(scale), normal.shape[-1]), dtype=np.float32)
    chosen = list(layers)
    field[chosen] = (normal if normal.ndim == 1 else normal[chosen]) * np.asarray(scale, dtype=np.float32)[
        chosen, None
    ]
    return field


def move(codes: Tensor, field: Floats, amount: float | Tensor) -> Tensor:
    """Independent edit: c' = c + a scale n on the field's layers; amount is one number or one per sample (N,)."""
    step = torch.as_tensor(np.asarray(field), dtype=codes.dtype, device=codes.device)
    if isinstance(amount, Tensor):
        amount = amount.to(codes).view(-1, 1, 1)
    return codes + amount * step


def move_jointly(codes: Tensor, fields: Sequence[Floats], amounts: Sequence[float]) -> Tensor:
    """Joint edit: c' = c + scale sum_i a_i n_i, each on its own layers."""
    total = np.zeros_like(np.asarray(fields[0], dtype=np.float32))
    for field, amount in zip(fields, amounts, strict=True):
        total = total + amount * field
    return move(codes, total, 1.0)


def conditioned(
    normal: Floats, conditions: Sequence[Floats], *, name: str = "the direction", names: Sequence[str] = ()
) -> NDArray[np.float64]:
    """The direction that leaves the conditions alone: normalise(n - C^+ C n), C the conditions as rows.

    Any number of conditions, by least squares. Conditions that depend on each other to within single
    precision, in which boundaries are kept, count as dependent: their rounding errors are no direction.

    Raises:
        DataError: the direction lies in the span of the conditions, so nothing is left.

    Example:
        >>> n = np.array([0.6, 0.8, 0.0])
        >>> conditioned(n, [np.array([1.0, 0.0, 0.0])]).round(3).tolist()
        [0.0, 1.0, 0.0]
    """
    direction = np.asarray(normal, dtype=np.float64)
    rows = np.stack([np.asarray(c, dtype=np.float64) for c in conditions])  # (K, D)
    _, size, basis = np.linalg.svd(rows, full_matrices=False)
    span = basis[size > DEGENERATE * size[0]]  # (rank, D), orthonormal, so C^+ C = span^T span
    rest = direction - span.T @ (span @ direction)
    length = float(np.linalg.norm(rest))
    if length < DEGENERATE:
        listed = ", ".join(names) or f"{len(rows)} directions"
        raise DataError(
            f"{name} lies in the span of its conditions ({listed}): nothing is left to move along; drop a condition"
        )
    return np.asarray(rest / length)


def jitter(codes: Tensor, field: Floats, amount: float, noise: Tensor, layers: Sequence[int]) -> Tensor:
    """Jittered edit: an independent edit plus noise (N, L, D) on the same layers."""
    mask = torch.zeros(codes.shape[1], dtype=torch.bool, device=codes.device)
    mask[list(layers)] = True
    return move(codes, field, amount) + torch.where(mask[:, None], noise.to(codes), 0.0)


def move_to(
    codes: Tensor,
    normal: Floats,
    offset: Floats | float,
    target: float,
    layers: Sequence[int],
    scale: Floats,
    mean: Tensor,
) -> Tensor:
    """Absolute edit: on every layer, to the signed distance `target` from the boundary.

    w_l = mean + (c_l - mean) / scale_l, a_l = target - (n.w_l + b), c'_l = c_l + a_l scale_l n.

    Args:
        codes: (N, L, D).
        normal: unit normal (D,), or one per layer (L, D).
        offset: b of the boundary, or one per layer (L,).
        target: signed distance to move to.
        layers: where to move.
        scale: the generator's layer_scale (L,).
        mean: the mean w (D,), or one per layer (L, D), towards which truncation pulls.

    Raises:
        LayerError: scale is 0 on a chosen layer, where no step has any effect.
    """
    dead = [layer for layer in layers if scale[layer] == 0.0]
    if dead:
        raise LayerError(f"an absolute edit is impossible on layers {dead}: truncation has scaled them to 0")
    edited = codes.clone()
    offsets = np.broadcast_to(np.asarray(offset), (codes.shape[1],))
    for layer in layers:
        n = torch.as_tensor(
            np.asarray(normal if normal.ndim == 1 else normal[layer]), dtype=codes.dtype, device=codes.device
        )
        w = untruncated(codes, layer, scale, mean)  # (N, D)
        amount = target - (w @ n + float(offsets[layer]))  # (N,)
        edited[:, layer] = codes[:, layer] + (amount * float(scale[layer]))[:, None] * n
    return edited


def untruncated(codes: Tensor, layer: int, scale: Floats, mean: Tensor) -> Tensor:
    """The w (N, D) that truncation made one layer's codes of: w_l = mean + (c_l - mean) / scale_l; mean is (D,) or (L, D)."""
    centre = mean if mean.ndim == 1 else mean[layer]
    return centre + (codes[:, layer] - centre) / float(scale[layer])


def signed_distance(
    codes: Tensor, normal: Floats, offset: Floats | float, layers: Sequence[int], scale: Floats, mean: Tensor
) -> Tensor:
    """How far codes (N, L, D) lie beyond a boundary, n.w_l + b averaged over the layers: (N,), in units of w.

    Arguments are those of `move_to`, which makes it `target` on each of the layers. Layers that truncation
    has scaled to 0 do not count; with no other it is NaN.
    """
    offsets = np.broadcast_to(np.asarray(offset), (codes.shape[1],))
    found = []
    for layer in layers:
        if scale[layer] != 0.0:
            n = torch.as_tensor(
                np.asarray(normal if normal.ndim == 1 else normal[layer]),
                dtype=codes.dtype,
                device=codes.device,
            )
            found.append(untruncated(codes, layer, scale, mean) @ n + float(offsets[layer]))
    return torch.stack(found).mean(dim=0) if found else codes.new_full((codes.shape[0],), float("nan"))
