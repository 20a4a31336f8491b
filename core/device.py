"""Choose the device, precision and batch size of computations."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .errors import UserError

M = TypeVar("M", bound=nn.Module)

INPUT_PIXELS = 2**18  # of the input of a scorer's network, of all pictures of a batch on a CPU
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


def has_bf16() -> bool | None:
    """Return whether this processor computes in bf16; None if that is not known."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    asked = [
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    ]
    return any(ask() for ask in asked if ask is not None) if any(asked) else None


def slow_precision(device: torch.device, precision: str) -> str:
    """Return a sentence if a precision is slow on a device because the processor lacks it; else nothing.

    Args:
        device: that computes.
        precision: auto, fp32, bf16 or fp16.
    """
    if device.type != "cpu" or precision != "bf16" or has_bf16() is not False:
        return ""
    return (
        "precision: bf16 is slow here: this processor has no bf16 arithmetic (AVX512-BF16 or AMX), so it is "
        "emulated, at two to twelve times the time of fp32"
    )


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


def rows_at(values: Tensor, rows: Sequence[int]) -> Tensor:
    """Return some rows of a tensor, in the order of `rows`, without waiting for its device.

    >>> rows_at(torch.tensor([5, 6, 7]), [2, 0]).tolist()
    [7, 5]
    """
    return values[sent(torch.tensor(list(rows), dtype=torch.int64), values.device)]


def for_inference(module: M, device: torch.device) -> M:
    """Prepare a network for inference: move it to the device, freeze it, use the fastest memory layout."""
    module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module.eval().requires_grad_(False)


def cores() -> int:
    """Return the number of processors that this process may use, given its affinity and container quota."""
    from joblib import cpu_count

    return int(cpu_count())


def auto_batch(
    height: int,
    device: torch.device,
    width: int | None = None,
    inputs: Iterable[tuple[int, int] | None] = (),
) -> int:
    """Return a batch size for pictures of height x width pixels: a fixed number of pixels per device type.

    The number is 2^17 pixels and at most 64 pictures on a CPU, 2^22 and at most 256 elsewhere. On a CPU, a
    network that pictures are resized for takes at most 2^18 pixels in a batch: more of them are not faster,
    and take far more memory (docs/scale.md).

    Args:
        height: of the pictures.
        device: that makes and scores them.
        width: of the pictures; by default their height.
        inputs: height and width of the input of each scorer's network, `Scorer.input_size`; None has no say.

    >>> auto_batch(64, torch.device("cpu")), auto_batch(64, torch.device("cpu"), inputs=[None, (224, 224)])
    (32, 5)
    """
    pixels, most = (2**17, 64) if device.type == "cpu" else (2**22, 256)
    sizes = [most, pixels // (height * (width or height))]
    if device.type == "cpu":
        sizes += [INPUT_PIXELS // (size[0] * size[1]) for size in inputs if size is not None]
    return max(1, min(sizes))
