"""Choose the device, precision and batch size of computations."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .errors import UserError

M = TypeVar("M", bound=nn.Module)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Return a device by name; `auto` is CUDA if it is available, else the CPU.

    Raises:
        UserError: the name is invalid, or there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device '{name}' is not one of auto, cpu, cuda, cuda:N") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UserError(
                f"device '{name}' was requested, but torch finds no CUDA device; use --device cpu or auto"
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise UserError(
                f"device '{name}' does not exist; there are cuda:0 to cuda:{torch.cuda.device_count() - 1}"
            )
    elif device.type != "cpu":
        raise UserError(f"device '{name}' is not one of auto, cpu, cuda, cuda:N")
    return device


def resolve_precision(name: str, device: torch.device) -> str:
    """Return a precision by name; `auto` is fp32, since lower precision is used only on request.

    Raises:
        UserError: fp16 on a CPU, where convolutions do not support it well.
    """
    if name == "fp16" and device.type == "cpu":
        raise UserError(
            "precision fp16 needs CUDA; on the CPU use fp32, or bf16 where the processor is fast at it"
        )
    return "fp32" if name == "auto" else name


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context in which torch computes in the given precision where that is safe."""
    enabled = precision != "fp32"
    return torch.autocast(
        device.type, dtype=PRECISIONS[precision] if enabled else torch.bfloat16, enabled=enabled
    )


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype in which convolutions on this device are computed now."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32


def sent(values: Tensor | NDArray[Any], device: torch.device) -> Tensor:
    """Send values of the host to a device without waiting for what it has to do before.

    A plain copy to a GPU waits until all work that was given to it is done; one from pinned memory does not.

    Args:
        values: of any shape, on the host.
        device: where they are needed; on the CPU they are returned as they are.
    """
    tensor = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # its memory is kept until it has been copied
    return tensor.to(device, non_blocking=True)


def for_inference(module: M, device: torch.device) -> M:
    """Prepare a network for inference: move it to the device, freeze it, use the fastest memory layout."""
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.eval().requires_grad_(False)


def cores() -> int:
    """Return the number of processors that this process may use, given its affinity and container quota."""
    from joblib import cpu_count

    return int(cpu_count())


def auto_batch(height: int, device: torch.device, width: int | None = None) -> int:
    """Return a batch size for pictures of height x width pixels: a fixed number of pixels per device type.

    `width` is `height` by default. The number is 2^17 pixels and at most 64 pictures on a CPU, 2^22 and at
    most 256 elsewhere.
    """
    pixels, most = (2**17, 64) if device.type == "cpu" else (2**22, 256)
    return max(1, min(most, pixels // (height * (width or height))))
