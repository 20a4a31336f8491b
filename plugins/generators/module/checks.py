"""Check a module on two samples when it is loaded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ....core.conformance import passes
from ....core.conformance.passes import BATCH_TOLERANCE, REPEAT_TOLERANCE, SAMPLES
from ....core.errors import GanstrataError
from ....core.plugins.colours import CHANNELS
from ....core.plugins.imports import reason
from ....core.plugins.picture_checks import range_fault
from .config import ModuleConfig, config_error
from .wiring import describe_value


def check_first_call(call: Callable[[], Tensor], config: ModuleConfig, shape: tuple[int, ...]) -> Tensor:
    """Call the module for the first time, and check its images (N, C, H, W) against the config.

    Args:
        call: calls the module on SAMPLES latents.
        config: of the plugin.
        shape: of one latent, for messages.

    Raises:
        ConfigError: the call fails, or returns no images, or images of another range.
    """
    z = f"z of shape {(SAMPLES, *shape)}"
    try:
        x = call()
    except TypeError as error:
        raise config_error(
            "call",
            f"the module does not take {z} with these arguments (`call`, `classes`, `latent.argument`): "
            f"{reason(error)}",
        ) from error
    except GanstrataError:
        raise
    except Exception as error:
        raise config_error(
            "latent.shape",
            f"the module failed when it was called with {z}: {reason(error)}. "
            "If it takes another shape, correct latent.size or latent.shape",
        ) from error
    if (
        not isinstance(x, Tensor)
        or not x.is_floating_point()
        or x.ndim != 4
        or x.shape[0] != SAMPLES
        or x.shape[1] not in CHANNELS
        or (x.shape[1] == 4 and x.shape[3] in (1, 3))  # pictures of 4 rows with their channels last
    ):
        hint = "; the channels seem to come last" if x.ndim == 4 and x.shape[3] in CHANNELS else ""
        raise config_error(
            "output",
            f"the module maps {SAMPLES} latents to {describe_value(x)} of {x.dtype}, "
            f"expected floats ({SAMPLES}, 1, 3 or 4, height, width){hint}",
        )
    if not x.isfinite().all():
        share = float((~x.isfinite()).float().mean())
        raise config_error(
            "output",
            f"the images are not finite: {100.0 * share:.0f} % of their values are NaN or infinite",
        )
    if config.output.check:
        _check_range(x, config)
    return x


def _check_range(x: Tensor, config: ModuleConfig) -> None:
    """Check that images (N, C, H, W) look as if they had the configured range."""
    low, high = config.output.range
    fault = range_fault(x, low, high)
    if fault:
        raise config_error(
            "output.range",
            f"is [{low:g}, {high:g}], but the first images {fault}. "
            "If the range is correct nevertheless, set output.check: false",
        )


def check_repeatable(images: Tensor, repeated: Tensor, config: ModuleConfig) -> None:
    """Check that two calls with the same latents return the same images (N, C, H, W).

    Raises:
        ConfigError: the images differ.
    """
    difference = distance(images, repeated, config)
    if difference <= REPEAT_TOLERANCE:
        return
    finding = f"two calls with the same latents return images that differ by {difference:.2g} of the range"
    if config.noise == "none":
        raise config_error(
            "noise",
            f"{finding}, because the module draws noise. "
            "Set noise: fixed (the same for all samples) or noise: fresh (each sample's own); "
            "both compute every sample by itself, which is slower. "
            "Or switch the noise off by `arguments` or `call.arguments`",
        )
    raise config_error(
        "noise",
        f"{finding}, although torch's generators are seeded: the module draws random numbers from elsewhere",
    )


def check_batch_independence(images: Tensor, single: Tensor, config: ModuleConfig) -> None:
    """Check that the first of the images (N, C, H, W) equals the one computed alone, (1, C, H, W).

    Raises:
        ConfigError: the images differ.
    """
    difference = distance(images[:1], single, config)
    if difference > BATCH_TOLERANCE:
        raise config_error(
            "target",
            f"an image changes by {difference:.2g} of the range with the other images in its batch, "
            "although the module is in evaluation mode: "
            "some layer computes statistics of the batch (BatchNorm without running statistics, "
            "or called in training mode)",
        )


def check_composition(
    direct: Tensor, compose: Callable[[], Tensor], config: ModuleConfig, key: str, advice: str
) -> None:
    """Check that the configured composition of sub-modules returns the images of the module itself.

    Args:
        direct: images of the module, (N, C, H, W).
        compose: computes the images from the sub-modules that the config names.
        config: of the plugin.
        key: config field that names the sub-modules.
        advice: last sentence of the message.

    Raises:
        ConfigError: the composition fails, or returns other images.
    """
    try:
        composed = compose()
    except GanstrataError:
        raise
    except Exception as error:
        raise config_error(key, f"the composition failed: {reason(error)}. {advice}") from error
    if not isinstance(composed, Tensor) or composed.shape != direct.shape:
        raise config_error(
            key,
            f"the composition returns {describe_value(composed)}, the module a tensor "
            f"{tuple(direct.shape)}. {advice}",
        )
    difference = distance(direct, composed, config)
    if not difference <= REPEAT_TOLERANCE:
        raise config_error(
            key,
            f"the composition returns images that differ from the module's by {difference:.2g} of the "
            f"range. {advice}",
        )


def distance(a: Tensor, b: Tensor, config: ModuleConfig) -> float:
    """Return the largest absolute difference, relative to the range of the output."""
    low, high = config.output.range
    return passes.distance(a, b, high - low)


def call_and_compare(module: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, bool]:
    """Return the output of a module for x, and whether the call changed x."""
    before = x.clone()
    y = module(x)
    return y, not torch.equal(before, x)
