"""Switch units of a feature map off, or paint them in: set channels of State.x to given values.

    x'[u, pixel] = x[u, pixel] (1 - a[pixel]) + r_u a[pixel]

a is 1 where the unit is set, and r_u is its value: 0 or its mean ablates it, a high quantile inserts it.
Source: Bau et al., "GAN Dissection", ICLR 2019, section 3.2; Bau et al., "Understanding the role of
individual units in a deep neural network", PNAS 2020.

Shapes: N samples, C channels and H x W pixels of the feature map, margins included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..device import sent
from ..errors import PluginBroken, ShapeError, UserError
from ..messages import listed, quantity, visible
from ..plugins.base import owner_of
from ..plugins.generator import Generator
from ..plugins.records import State


@dataclass(frozen=True)
class UnitEdit:
    """Set units of one stratum to given values, everywhere or at chosen pixels.

    Attributes:
        stratum: number of the stratum.
        units: numbers of its units, the channels of its feature map; at least one, none twice.
        values: value of each unit, or one for all. 0 switches off.
        where: share of the new value at each pixel of the picture, in [0, 1]: (h, w), or (N, h, w) with one
            map per sample; True and False are 1 and 0. At another size than the feature map's, each pixel of
            the feature map takes the nearest. None is everywhere, margins included.

    Raises:
        UserError: there are no units, one is named twice or negative, or there is not one value for each.

    Source: Bau et al., "GAN Dissection", ICLR 2019, section 3.2.

    Example:
        >>> import ganstrata
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> latents = generator.sample(2, seed=0, start=0, stream=ganstrata.Stream.EDITING)
        >>> codes = generator.broadcast(generator.map(latents.z))
        >>> off = ganstrata.UnitEdit(stratum=6, units=(3, 17))
        >>> pictures = ganstrata.render(generator, codes, units=[off])
        >>> tuple(pictures.shape)
        (2, 3, 64, 64)
    """

    stratum: int
    units: Sequence[int]
    values: float | Sequence[float] = 0.0
    where: Tensor | None = None

    def __post_init__(self) -> None:
        units = [int(u) for u in self.units]
        if not units or min(units) < 0 or len(set(units)) < len(units):
            raise UserError(
                f"units of an edit must be different whole numbers from 0 on, at least one; got "
                f"{listed([str(u) for u in units]) or 'none'}"
            )
        values = np.atleast_1d(np.asarray(self.values, dtype=np.float32))
        if values.shape not in ((1,), (len(units),)):
            raise UserError(
                f"{quantity(len(units), 'unit')} need one value for all, or one for each; got the shape "
                f"{values.shape}"
            )
        if not np.isfinite(values).all():
            raise UserError("values of units must be finite numbers")


def by_stratum(generator: Generator, edits: Sequence[UnitEdit]) -> dict[int, tuple[UnitEdit, ...]]:
    """Return the edits of each stratum, in their order.

    Raises:
        UserError: the generator has no such stratum, or it has no feature map.
    """
    found: dict[int, list[UnitEdit]] = defaultdict(list)
    possible = [s for s, stratum in enumerate(generator.strata) if stratum.is_feature]
    for edit in edits:
        if edit.stratum not in possible:
            raise UserError(
                f"stratum {edit.stratum} has no feature map whose units could be set; strata of "
                f"{owner_of(generator)} with feature maps are {listed([str(s) for s in possible], 30)}"
            )
        found[edit.stratum].append(edit)
    return {s: tuple(one) for s, one in found.items()}


def with_units(generator: Generator, s: int, state: State, edits: Mapping[int, Sequence[UnitEdit]]) -> State:
    """Return the state after stratum s with the units set that are edited there.

    Raises:
        PluginBroken: the stratum declares a feature map, but gives none.
        UserError: a unit is beyond the channels, or there is not one map for each sample.
    """
    if s not in edits:
        return state
    if state.x is None or state.x.ndim != 4:
        raise PluginBroken(
            f"{owner_of(generator)}: stratum {s} ('{visible(generator.strata[s].name)}') has "
            "is_feature=True, but gives no feature map (N, C, H, W)"
        )
    x = state.x
    for edit in edits[s]:
        x = set_units(x, edit, generator.strata[s].margin)
    return state.with_x(x)


def set_units(x: Tensor, edit: UnitEdit, margin: int = 0) -> Tensor:
    """Return a feature map (N, C, H, W) with the units of an edit set; the original is not changed.

    Args:
        x: the feature map.
        edit: which units, to what and where.
        margin: pixels of x beyond the picture on every side; they take the edge of `where`.

    Raises:
        UserError: a unit is beyond the channels.
        ShapeError: `where` has another number of samples or of axes.

    >>> x = torch.ones(1, 2, 1, 3)
    >>> set_units(x, UnitEdit(0, [1], 5.0, torch.tensor([[0.0, 0.5, 1.0]]))).tolist()
    [[[[1.0, 1.0, 1.0]], [[1.0, 3.0, 5.0]]]]
    """
    if max(edit.units) >= x.shape[1]:
        beyond = [str(u) for u in edit.units if u >= x.shape[1]]
        raise UserError(
            f"stratum {edit.stratum} has {quantity(x.shape[1], 'unit')}, 0 to {x.shape[1] - 1}; "
            f"there is no unit {listed(beyond)}"
        )
    units = sent(torch.as_tensor(edit.units, dtype=torch.long), x.device)
    values = sent(torch.as_tensor(edit.values, dtype=x.dtype), x.device).reshape(
        -1, 1, 1
    )  # (1 or units, 1, 1)
    old = x[:, units]
    if edit.where is None:
        new = values.expand_as(old)
    else:
        share = _share(edit.where, x, margin)[:, None]  # (1 or N, 1, H, W)
        new = old * (1.0 - share) + values * share
    return x.index_copy(1, units, new)


def _share(where: Tensor, x: Tensor, margin: int) -> Tensor:
    """Return the share of the new values at each pixel of a feature map, (1 or N, H, W)."""
    planes = where[None] if where.ndim == 2 else where
    if planes.ndim != 3 or planes.shape[0] not in (1, x.shape[0]):
        raise ShapeError(
            f"`where` of an edit of units must be (h, w), or ({x.shape[0]}, h, w) with a map per sample; "
            f"got {tuple(where.shape)}"
        )
    planes = sent(planes, x.device).to(x.dtype)[:, None]
    size = (x.shape[2] - 2 * margin, x.shape[3] - 2 * margin)
    if tuple(planes.shape[-2:]) != size:
        planes = F.interpolate(planes, size=size, mode="nearest-exact")
    if margin:
        planes = F.pad(planes, (margin,) * 4, mode="replicate")
    return planes[:, 0]
