"""Read the stored settings of a StyleGAN2, from the header of this package or NVIDIA's arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ....core.errors import CheckpointError
from ....core.messages import shown
from ..shared.modulated import TAPS
from ..shared.unstored import NOTHING, Unstored, is_real, positive

# Places of NVIDIA's arguments, in PyTorch and in TensorFlow: a nested dictionary, or "" for none, and a key.
_ACTIVATIONS = (
    ("mapping_kwargs", "activation"),
    ("synthesis_kwargs", "activation"),
    ("", "mapping_nonlinearity"),
    ("", "nonlinearity"),
)
_TAPS = (("synthesis_kwargs", "resample_filter"), ("", "resample_kernel"))
_LR_MULTIPLIER = (("network", "lr_multiplier"), ("mapping_kwargs", "lr_multiplier"), ("", "mapping_lrmul"))
_CLAMP = (("network", "clamp"), ("synthesis_kwargs", "conv_clamp"), ("", "conv_clamp"))


@dataclass(frozen=True)
class StoredSettings:
    """Hold the settings that shapes do not show.

    Attributes:
        clamp: limit of the absolute output of convolutions.
        lr_multiplier: factor of the mapping network's stored weights.
        tanh: whether tanh is applied to the image; no file but our own states it.
        taps: of the low-pass filter, for files that do not store it.
        without_mean: whether the file states that it has no mean w.
        stated: what the file states of the fields of the config; None for nothing.
    """

    clamp: float | None = None
    lr_multiplier: float = 0.01
    tanh: bool = False
    taps: tuple[float, ...] = TAPS
    without_mean: bool = False
    stated: Mapping[str, Any] = field(default_factory=dict)


def read_settings(settings: Mapping[str, Any], unstored: Unstored = NOTHING) -> StoredSettings:
    """Read the settings of a part of a checkpoint, and what the config says of those that it does not state.

    Raises:
        CheckpointError: a setting is invalid, not supported, or contradicts the config.
    """
    for activation in _values(settings, _ACTIVATIONS):
        if activation != "lrelu":
            raise CheckpointError(
                f"this StyleGAN2 uses the activation {shown(activation)}; only leaky ReLU is supported"
            )
    if settings.get("normalize_latents") is False:
        raise CheckpointError("this StyleGAN2 does not normalise its latents; that is not supported")
    network = settings.get("network")
    multiplier = next(_values(settings, _LR_MULTIPLIER), None)
    if multiplier is not None:
        multiplier = positive("mapping's lr_multiplier", multiplier)
    header = network if isinstance(network, Mapping) else {}
    tanh = header.get("tanh")
    if tanh is not None and not isinstance(tanh, bool):
        raise CheckpointError(f"tanh stored in the file is {shown(tanh)}, expected true or false")
    stated = {"lr_mlp": multiplier, "final_tanh": tanh, "use_wscale": True if header else None}
    unstored.settle("use_wscale", stated["use_wscale"], True)
    taps = next(_values(settings, _TAPS), TAPS)
    if not isinstance(taps, list | tuple) or not all(is_real(tap) for tap in taps) or not sum(taps):
        raise CheckpointError(
            f"this StyleGAN2 has the low-pass filter {shown(taps)}; "
            "expected a list of numbers whose sum is not 0, such as [1, 3, 3, 1]"
        )
    return StoredSettings(
        clamp=next((positive("conv_clamp", value) for value in _values(settings, _CLAMP)), None),
        lr_multiplier=unstored.settle("lr_mlp", multiplier, 0.01),
        tanh=unstored.settle("final_tanh", tanh, False),
        taps=tuple(float(tap) for tap in taps),
        without_mean=isinstance(network, Mapping) and network.get("means") == 0,
        stated=stated,
    )


def told_settings(layout: str) -> tuple[str, ...]:
    """Return the fields of the config of which files of a layout leave a doubt."""
    if layout.startswith("GenForce"):
        return "lr_mlp", "final_tanh", "use_wscale"
    return ("lr_mlp",) if layout.startswith(("rosinality", "MobileStyleGAN")) else ()


def undo_scales(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors whose weights (O, I, ...) are divided by their scales, 1 / sqrt(fan-in).

    The network multiplies by these scales, so it computes with the weights as they were stored. Convolutions
    that are demodulated have no scale.
    """
    return {
        name: tensor.float() * math.sqrt(tensor[0].numel())
        if re.fullmatch(r".*(?<!\.conv0)(?<!\.conv1)\.weight", name)
        and tensor.ndim > 1
        and tensor.numel()
        and not tensor.is_complex()
        else tensor
        for name, tensor in tensors.items()
    }


def _values(settings: Mapping[str, Any], places: tuple[tuple[str, str], ...]) -> Iterator[Any]:
    """Yield the values at these places, except None."""
    for section_name, key in places:
        section = settings.get(section_name) if section_name else settings
        value = section.get(key) if isinstance(section, Mapping) else None
        if value is not None:
            yield value
