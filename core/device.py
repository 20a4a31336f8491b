"""Where and how precisely to compute."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import nn

from .errors import UserError

M = TypeVar("M", bound=nn.Module)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU.

    Raises:
        UserError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device '{name}' is none of auto, cpu, cuda, cuda:N") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UserError(
                f"device '{name}' was asked for, but torch sees no CUDA device here; use --device cpu or auto"
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise UserError(
                f"device '{name}' does not exist; there are cuda:0 to cuda:{torch.cuda.device_count() - 1}"
            )
    elif device.type != "cpu":
        raise UserError(f"device '{name}' is none of auto, cpu, cuda, cuda:N")
    return device


def resolve_precision(name: str, device: torch.device) -> str:
    """`auto` is fp32: full precision is never given up unasked.

    Raises:
        UserError: fp16 on a CPU, where convolutions do not support it well.
    """
    if name == "fp16" and device.type == "cpu":
        raise UserError(
            "precision fp16 needs CUDA; on the CPU use fp32, or bf16 where the processor is fast at it"
        )
    return "fp32" if name == "auto" else name


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context in which torch computes in the given precision where that is safe."""
    enabled = precision != "fp32"
    return torch.autocast(
        device.type, dtype=PRECISIONS[precision] if enabled else torch.bfloat16, enabled=enabled
    )


def compute_dtype(device: torch.device) -> torch.dtype:
    """The precision that is in force for convolutions on this device."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32


def for_inference(module: M, device: torch.device) -> M:
    """A network ready for inference: on its device, frozen, its weights in the layout that convolves fastest."""
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.eval().requires_grad_(False)


def cores() -> int:
    """Processors this process may use: no more than its affinity and the quota of its container allow, on every system."""
    from joblib import cpu_count

    return int(cpu_count())


def auto_batch(resolution: int, device: torch.device) -> int:
    """A batch that fills the device without filling its memory: a fixed number of pixels."""
    pixels, most = (2**17, 64) if device.type == "cpu" else (2**22, 256)
    return max(1, min(most, pixels // resolution**2))
