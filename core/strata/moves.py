"""Move codes along boundaries: independent, joint, conditional, jittered and absolute edits (method C).

All functions are pure. Codes are (N, L, D). A normal is (D,), or (L, D) with one per layer. `scale` (L,) is
the generator's layer_scale, or ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..device import sent
from ..errors import DataError, LayerError
from ..messages import quantity
from ..plugins.boundary import Boundary

Floats = NDArray[np.floating]
DEGENERATE = 1e-6  # relative length that counts as zero, in single precision


def step_unit(distance_unit: Literal["sd", "raw"], spread: float) -> float:
    """Return the unit of a step: how far in w, or in s, a distance of 1 is.

    Args:
        distance_unit: `rescoring.distance_unit` of the config.
        spread: s_w = sqrt(trace Cov(w) / D), see core.probing.concept_stats, or s_s of the styles (N, S).

    Returns:
        The spread for `sd`, 1 for `raw`.
    """
    return spread if distance_unit == "sd" else 1.0


def own_layers(boundary: Boundary, layers: Sequence[int]) -> tuple[int, ...]:
    """Return those of these layers that a boundary moves: all, or those among its own `layers`."""
    return moved_of(boundary.layers, layers)


def moved_of(own: Sequence[int] | None, layers: Sequence[int]) -> tuple[int, ...]:
    """Return those of these layers that a direction with the layers `own` moves; with None, all.

    >>> moved_of((2, 3), [0, 1, 2]), moved_of(None, [0, 1])
    ((2,), (0, 1))
    """
    return tuple(layers) if own is None else tuple(layer for layer in layers if layer in own)


def unit_in_words(distance_unit: str, *, styles: bool) -> str:
    """Return what distances are counted in: `sd` or `raw`, of w or of the styles.

    >>> unit_in_words("sd", styles=False), unit_in_words("raw", styles=True)
    ('standard deviations of w', 'units of s')
    """
    if distance_unit == "sd":
        return f"standard deviations of {'the styles' if styles else 'w'}"
    return f"units of {'s' if styles else 'w'}"


def edit_direction(normal: Floats, layers: Sequence[int], scale: Floats) -> NDArray[np.float32]:
    """Return what one unit of an edit adds to the codes: scale_l n on the edited layers, 0 elsewhere.

    Args:
        normal: unit normal n (D,), or one per layer (L, D).
        layers: layers to edit.
        scale: (L,).

    Returns:
        (L, D).
    """
    direction = np.zeros((len(scale), normal.shape[-1]), dtype=np.float32)
    chosen = list(layers)
    direction[chosen] = (normal if normal.ndim == 1 else normal[chosen]) * np.asarray(
        scale, dtype=np.float32
    )[chosen, None]
    return direction


def move(codes: Tensor, direction: Floats, amount: float | Tensor) -> Tensor:
    """Compute an independent edit: c' = c + a scale n on the edited layers.

    Args:
        codes: c (N, L, D).
        direction: from `edit_direction`, (L, D).
        amount: a, or one per sample (N,).

    Returns:
        c' (N, L, D).
    """
    step = sent(torch.as_tensor(np.asarray(direction), dtype=codes.dtype), codes.device)
    if isinstance(amount, Tensor):
        amount = sent(amount, codes.device).to(codes).view(-1, 1, 1)
    return codes + amount * step


def move_jointly(codes: Tensor, directions: Sequence[Floats], amounts: Sequence[float]) -> Tensor:
    """Compute a joint edit: c' = c + scale sum_i a_i n_i, each n_i on its own layers.

    Args:
        codes: c (N, L, D).
        directions: from `edit_direction`, (L, D) each.
        amounts: a_i, one for each direction.

    Returns:
        c' (N, L, D).
    """
    total = np.zeros_like(np.asarray(directions[0], dtype=np.float32))
    for direction, amount in zip(directions, amounts, strict=True):
        total = total + amount * direction
    return move(codes, total, 1.0)


def conditioned(
    normal: Floats, conditions: Sequence[Floats], *, name: str = "the direction", names: Sequence[str] = ()
) -> NDArray[np.float64]:
    """Compute the direction that does not move along the conditions: n' = normalise(n - C^+ C n).

    The rows of C (K, D) are the normals of the conditions, and C^+ is its pseudo-inverse. Conditions that are
    linearly dependent to within single precision, in which boundaries are stored, count as dependent.

    Args:
        normal: n (D,).
        conditions: K normals (D,).
        name: name of the direction, for messages.
        names: names of the conditions, for messages.

    Returns:
        n' (D,), of unit length.

    Raises:
        DataError: n lies in the span of the conditions, so nothing is left.

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
        listed = ", ".join(names) or quantity(len(rows), "direction")
        raise DataError(
            f"{name} lies in the span of its conditions ({listed}): nothing is left to move along; "
            "drop a condition"
        )
    return np.asarray(rest / length)


def jitter(codes: Tensor, direction: Floats, amount: float, noise: Tensor, layers: Sequence[int]) -> Tensor:
    """Compute a jittered edit: an independent edit (see `move`) plus noise (N, L, D) on the same layers."""
    mask = torch.zeros(codes.shape[1], dtype=torch.bool)
    mask[list(layers)] = True
    mask = sent(mask, codes.device)
    return move(codes, direction, amount) + torch.where(
        mask[:, None], sent(noise, codes.device).to(codes), 0.0
    )


def move_to(
    codes: Tensor,
    normal: Floats,
    offset: Floats | float,
    target: float,
    layers: Sequence[int],
    scale: Floats,
    mean: Tensor,
) -> Tensor:
    """Compute an absolute edit: move each layer to the signed distance `target` from the boundary.

        w_l  = mean + (c_l - mean) / scale_l        a_l = target - (n.w_l + b)
        c'_l = c_l + a_l scale_l n

    Args:
        codes: (N, L, D).
        normal: unit normal (D,), or one per layer (L, D).
        offset: b, or one per layer (L,).
        target: signed distance, in units of w.
        layers: layers to edit.
        scale: the generator's layer_scale (L,).
        mean: mean w of truncation (D,), one per layer (L, D), or one per sample and layer (N, L, D).

    Returns:
        c' (N, L, D).

    Raises:
        LayerError: the scale of an edited layer is 0, so no step has an effect there.
    """
    dead = [layer for layer in layers if scale[layer] == 0.0]
    if dead:
        raise LayerError(f"an absolute edit is impossible on layers {dead}: truncation has scaled them to 0")
    edited = codes.clone()
    offsets = np.broadcast_to(np.asarray(offset), (codes.shape[1],))
    for layer in layers:
        n = _normal_at(normal, layer, codes)
        w = untruncated(codes, layer, scale, mean)  # (N, D)
        amount = target - (w @ n + float(offsets[layer]))  # (N,)
        edited[:, layer] = codes[:, layer] + (amount * float(scale[layer]))[:, None] * n
    return edited


def _normal_at(normal: Floats, layer: int, codes: Tensor) -> Tensor:
    """Return the normal of one layer (D,), with the type and on the device of the codes."""
    n = np.asarray(normal if normal.ndim == 1 else normal[layer])
    return sent(torch.as_tensor(n, dtype=codes.dtype), codes.device)


def untruncated(codes: Tensor, layer: int, scale: Floats, mean: Tensor) -> Tensor:
    """Compute the w (N, D) of one layer before truncation: w_l = mean + (c_l - mean) / scale_l.

    Args:
        codes: c (N, L, D).
        layer: l.
        scale: (L,), not 0 at l.
        mean: (D,), (L, D), or (N, L, D) if each sample has its own.
    """
    centre = mean if mean.ndim == 1 else mean[..., layer, :]  # (D,) or (N, D)
    return centre + (codes[:, layer] - centre) / float(scale[layer])


def signed_distance(
    codes: Tensor, normal: Floats, offset: Floats | float, layers: Sequence[int], scale: Floats, mean: Tensor
) -> Tensor:
    """Compute the signed distance of codes from a boundary, n.w_l + b averaged over the layers.

        distance = mean over l of (n.w_l + b)    with scale_l not 0 and w_l from `untruncated`

    The arguments are those of `move_to`, which makes the distance `target`.

    Returns:
        (N,), in units of w; NaN if all layers have scale 0.
    """
    offsets = np.broadcast_to(np.asarray(offset), (codes.shape[1],))
    distances = []
    for layer in layers:
        if scale[layer] != 0.0:
            n = _normal_at(normal, layer, codes)
            distances.append(untruncated(codes, layer, scale, mean) @ n + float(offsets[layer]))
    if not distances:
        return codes.new_full((codes.shape[0],), float("nan"))
    return torch.stack(distances).mean(dim=0)
