"""What a module must keep to, found out once on two samples when it is loaded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ....core.conformance import passes
from ....core.conformance.passes import BATCH_TOLERANCE, REPEAT_TOLERANCE, SAMPLES
from ....core.errors import GanstrataError
from ....core.plugins.imports import reason
from ....core.plugins.picture_checks import range_fault
from .config import ModuleConfig, mistake
from .wiring import shown


def first_call(run: Callable[[], Tensor], config: ModuleConfig, shape: tuple[int, ...]) -> Tensor:
    """The pictures (N, 1 or 3, H, W) of the first call, held against the config.

    Raises:
        ConfigError: the call fails, or returns no pictures, or such of another range.
    """
    z = f"z of shape {(SAMPLES, *shape)}"
    try:
        x = run()
    except TypeError as error:
        raise mistake(
            "call",
            f"the module does not take {z} with these arguments (`call`, `classes`, `latent.argument`): "
            f"{reason(error)}",
        ) from error
    except GanstrataError:
        raise
    except Exception as error:
        raise mistake(
            "latent.shape", f"the module failed when it was called with {z}: {reason(error)}"
        ) from error
    if (
        not isinstance(x, Tensor)
        or not x.is_floating_point()
        or x.ndim != 4
        or x.shape[0] != SAMPLES
        or x.shape[1] not in (1, 3)
    ):
        hint = "; it seems to have its channels last" if x.ndim == 4 and x.shape[3] in (1, 3) else ""
        raise mistake(
            "output",
            f"{SAMPLES} latents give {shown(x)} of {x.dtype}, expected ({SAMPLES}, 1 or 3, height, "
            f"width){hint}",
        )
    if not x.isfinite().all():
        share = float((~x.isfinite()).float().mean())
        raise mistake(
            "output",
            f"the pictures are not finite: {100.0 * share:.0f} % of their values are NaN or infinite",
        )
    if config.output.check:
        _check_range(x, config)
    return x


def _check_range(x: Tensor, config: ModuleConfig) -> None:
    low, high = config.output.range
    fault = range_fault(x, low, high)
    if fault:
        raise mistake(
            "output.range",
            f"is [{low:g}, {high:g}], but the first pictures {fault}. "
            "If it is right all the same, set output.check: false",
        )


def repeatable(first: Tensor, again: Tensor, config: ModuleConfig) -> None:
    """The same latents give the same pictures.

    Raises:
        ConfigError: they do not.
    """
    apart = distance(first, again, config)
    if apart <= REPEAT_TOLERANCE:
        return
    said = f"one latent gave pictures that differ by {apart:.2g} of the range"
    if config.noise == "none":
        raise mistake(
            "noise",
            f"{said}: the module draws noise of its own. "
            "Set noise: fixed (the same for all samples) or noise: fresh (each sample's own); "
            "both compute every sample by itself, which is slower. "
            "Or switch its noise off by `arguments` or `call.arguments`",
        )
    raise mistake(
        "noise", f"{said}, though torch's generators were seeded: the module draws numbers from elsewhere"
    )


def alone(first: Tensor, single: Tensor, config: ModuleConfig) -> None:
    """A picture does not depend on the others in its batch.

    Raises:
        ConfigError: it does.
    """
    apart = distance(first[:1], single, config)
    if apart > BATCH_TOLERANCE:
        raise mistake(
            "target",
            f"a picture changes by {apart:.2g} of the range with the company it is computed in, "
            "though the module is in evaluation mode: "
            "some layer takes statistics of the batch (BatchNorm without running statistics, "
            "or called in training mode)",
        )


def composed(direct: Tensor, run: Callable[[], Tensor], config: ModuleConfig, key: str, advice: str) -> None:
    """What is put together from the user's list is what the module itself makes.

    Raises:
        ConfigError: it fails or differs.
    """
    try:
        x = run()
    except GanstrataError:
        raise
    except Exception as error:
        raise mistake(key, f"putting the picture together failed: {reason(error)}. {advice}") from error
    if not isinstance(x, Tensor) or x.shape != direct.shape:
        raise mistake(
            key,
            f"put together they give {shown(x)}, the module itself a tensor {tuple(direct.shape)}. {advice}",
        )
    apart = distance(direct, x, config)
    if not apart <= REPEAT_TOLERANCE:
        raise mistake(
            key,
            f"put together they give a picture that differs from the module's own by {apart:.2g} of the "
            f"range. {advice}",
        )


def distance(a: Tensor, b: Tensor, config: ModuleConfig) -> float:
    """The largest difference, in parts of the output's range."""
    low, high = config.output.range
    return passes.distance(a, b, high - low)


def writes_into(module: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, bool]:
    """What a module makes of x, and whether it changes x itself."""
    before = x.clone()
    y = module(x)
    return y, not torch.equal(before, x)
