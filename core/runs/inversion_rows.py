"""Take some pictures of an inversion, and join several inversions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..device import rows_at
from ..plugins.inverter import Inversion, Mixture


def rows_of(inversion: Inversion, rows: Sequence[int]) -> Inversion:
    """Return some of the pictures of an inversion, in the order of `rows`."""
    mixture = inversion.mixture
    return replace(
        inversion,
        codes=rows_at(inversion.codes, rows),
        condition=None if inversion.condition is None else rows_at(inversion.condition, rows),
        latent=None if inversion.latent is None else rows_at(inversion.latent, rows),
        noise={s: rows_at(maps, rows) for s, maps in inversion.noise.items()},
        weights=tuple(inversion.weights[i] for i in rows) if inversion.weights else (),
        mixture=None
        if mixture is None
        else replace(mixture, codes=rows_at(mixture.codes, rows), weights=rows_at(mixture.weights, rows)),
        losses=None if inversion.losses is None else rows_at(inversion.losses.T, rows).T,
    )


def joined(parts: Sequence[Inversion]) -> Inversion:
    """Return one inversion of the pictures of several, in their order; at least one, all of the same steps.

    Losses are joined if all have equally many steps.
    """
    first = parts[0]
    mixtures = [part.mixture for part in parts if part.mixture is not None]
    losses = [part.losses for part in parts if part.losses is not None]
    alike = len(losses) == len(parts) and len({len(one) for one in losses}) == 1
    return replace(
        first,
        codes=torch.cat([part.codes for part in parts]),
        condition=_all([part.condition for part in parts]),
        latent=_all([part.latent for part in parts]),
        noise={s: torch.cat([part.noise[s] for part in parts]) for s in first.noise},
        weights=tuple(weights for part in parts for weights in part.weights),
        mixture=Mixture(
            torch.cat([mixture.codes for mixture in mixtures]),
            torch.cat([mixture.weights for mixture in mixtures]),
            mixtures[0].stratum,
        )
        if mixtures
        else None,
        losses=torch.cat(losses, dim=1) if alike else None,
    )


def _all(tensors: Sequence[Tensor | None]) -> Tensor | None:
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(present) if present else None
