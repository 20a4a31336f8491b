"""Read the stored settings of a StyleGAN2, from this project's header or NVIDIA's arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....core.errors import CheckpointError
from ....core.messages import shown
from .network import TAPS

# The arguments of NVIDIA's networks, by the name they have in TensorFlow and in PyTorch.
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
        lr_multiplier: factor of the mapping's stored weights.
        taps: of the low-pass filter, for files that do not store it.
        without_mean: whether the file states that it has no mean w.
    """

    clamp: float | None = None
    lr_multiplier: float = 0.01
    taps: tuple[float, ...] = TAPS
    without_mean: bool = False


def read_settings(settings: Mapping[str, Any]) -> StoredSettings:
    """Read the settings of a part of a checkpoint.

    Raises:
        CheckpointError: they are invalid, or of a network that is not supported.
    """
    for activation in _values(settings, _ACTIVATIONS):
        if activation != "lrelu":
            raise CheckpointError(
                f"this StyleGAN2 uses the activation {shown(activation)}; leaky ReLU is supported"
            )
    if settings.get("normalize_latents") is False:
        raise CheckpointError("this StyleGAN2 does not normalise its latents; that is not supported")
    network = settings.get("network")
    multiplier = next(_values(settings, _LR_MULTIPLIER), 0.01)
    taps = next(_values(settings, _TAPS), TAPS)
    if (
        not isinstance(taps, list | tuple)
        or not all(_is_positive(tap) for tap in taps)
        or list(taps) != list(taps)[::-1]
    ):
        raise CheckpointError(
            f"this StyleGAN2 has the low-pass filter {shown(taps)}; "
            "symmetric ones such as [1, 3, 3, 1] are supported"
        )
    return StoredSettings(
        clamp=next((_number("conv_clamp", value) for value in _values(settings, _CLAMP)), None),
        lr_multiplier=_number("mapping's lr_multiplier", multiplier),
        taps=tuple(float(tap) for tap in taps),
        without_mean=isinstance(network, Mapping) and network.get("means") == 0,
    )


def _values(settings: Mapping[str, Any], places: tuple[tuple[str, str], ...]) -> Iterator[Any]:
    """Yield the values at these places, each a key or a nested dictionary's name and a key, except None."""
    for nest, key in places:
        inside = settings.get(nest) if nest else settings
        value = inside.get(key) if isinstance(inside, Mapping) else None
        if value is not None:
            yield value


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < float("inf")


def _number(what: str, value: Any) -> float:
    if not _is_positive(value):
        raise CheckpointError(f"{what} stored in the file is {shown(value)}, expected a number above 0")
    return float(value)
