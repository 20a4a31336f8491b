"""Read the stored settings of a StyleGAN, from the header of this package or NVIDIA's arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import shown
from .layouts import FUSED_FROM

# NVIDIA's arguments of which only the default is supported.
_SUPPORTED: dict[str, object] = {
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "normalize_latents": True,
    "use_wscale": True,
    "mapping_use_wscale": True,
    "use_styles": True,
    "const_input_layer": True,
    "use_pixel_norm": False,
    "use_instance_norm": True,
}


@dataclass(frozen=True)
class StoredSettings:
    """Hold the settings that shapes do not show.

    Attributes:
        fused_from: resolution from which upsampling is fused with the convolution that follows it.
        lr_multiplier: factor of the mapping network's stored weights.
        tanh: whether tanh is applied to the image; None if the file does not store it.
        without_mean: whether the file states that it has no mean w.
    """

    fused_from: int = FUSED_FROM
    lr_multiplier: float = 0.01
    tanh: bool | None = None
    without_mean: bool = False


def read_settings(settings: Mapping[str, Any]) -> StoredSettings:
    """Read the settings of a part of a checkpoint.

    Raises:
        CheckpointError: a setting is invalid or not supported.
    """
    network = settings.get("network")
    if isinstance(network, Mapping):
        tanh = network.get("tanh")
        if tanh is not None and not isinstance(tanh, bool):
            raise CheckpointError(f"tanh stored in the file is {shown(tanh)}, expected true or false")
        return StoredSettings(
            lr_multiplier=_multiplier(network.get("lr_multiplier", 0.01)),
            tanh=tanh,
            without_mean=network.get("mean") == 0,
        )
    for name, value in _SUPPORTED.items():
        if settings.get(name, value) != value:
            raise CheckpointError(
                f"this StyleGAN was built with {name} = {shown(settings[name])}; "
                f"only {shown(value)} is supported"
            )
    if list(_sequence(settings.get("blur_filter", (1, 2, 1)))) != [1, 2, 1]:
        raise CheckpointError(
            f"this StyleGAN has the low-pass filter {shown(settings['blur_filter'])}; "
            "only [1, 2, 1] is supported"
        )
    return StoredSettings(
        _fused_from(settings.get("fused_scale", "auto")), _multiplier(settings.get("mapping_lrmul", 0.01))
    )


def _sequence(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _fused_from(fused: object) -> int:
    """Return the resolution from which NVIDIA's `fused_scale` fuses upsampling."""
    if fused is True:
        return 8
    if fused is False:
        return 2**30  # above any resolution: never
    if fused == "auto":
        return FUSED_FROM
    raise CheckpointError(f"fused_scale stored in the file is {shown(fused)}, expected true, false or 'auto'")


def _multiplier(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise CheckpointError(
            f"the mapping's learning rate multiplier stored in the file is {shown(value)}, "
            "expected a number above 0"
        )
    return float(value)
