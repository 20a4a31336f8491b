"""Keep host and stand-in device apart: values are known on the host alone. Note what waits for the device."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from ..core.plugins import pending


class HostApart(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Compute for real what is on the host alone, and note what would wait for a real accelerator.

    Drawing reads values, such as the index of a sample, which only tensors with values have. On the device
    there are none. What is copied there, or back, makes the host wait unless it is `non_blocking`.

    Args:
        mode: makes tensors without values.
        made_up: whether values of the device can be read, see `_made_up`; else that is an error.

    Attributes:
        waits: operation and place in the code of all that waits, but for `Fetch`, which does so one batch
            late on a real device.
    """

    def __init__(self, mode: FakeTensorMode, *, made_up: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.mode, self.made_up = mode, made_up
        self.waits: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        with self:  # in inference mode an operation that consists of others arrives whole
            whole = func.decompose(*args, **options) if func.namespace == "aten" else NotImplemented
        if whole is not NotImplemented:
            return whole
        tensors = [x for x in tree_leaves((args, options)) if isinstance(x, Tensor)]
        target = options.get("device")
        on_host = target is None or torch.device(target).type == "cpu"
        if on_host and not any(isinstance(x, FakeTensor) for x in tensors):
            with unset_fake_temporarily():
                return func(*args, **options)
        if _waits(func, args, options, tensors) and not (place := _place()).startswith(pending.__file__):
            self.waits.append(f"{func} in {place}")
        if self.made_up and (value := _made_up(func, args, options)) is not None:
            return value
        args, options = tree_map_only(Tensor, self._without_values, (args, options))
        return func(*args, **options)

    def _without_values(self, tensor: Tensor) -> Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self.mode.from_tensor(tensor)


def _waits(func: Any, args: tuple[Any, ...], options: Mapping[str, Any], tensors: list[Tensor]) -> bool:
    """Return whether the host waits for the device in an operation."""
    name = func.overloadpacket.__name__
    if name in ("_local_scalar_dense", "equal"):  # item(), bool(), torch.equal
        return True
    if name == "_to_copy":
        return _crosses(args[0].device, options.get("device")) and not options.get("non_blocking")
    if name == "copy_":
        blocks = not (options.get("non_blocking") or args[2:3] == (True,))
        return blocks and _crosses(args[0].device, args[1].device)
    if name.startswith("index"):  # an index on the host is copied first
        return len({tensor.device.type for tensor in tensors if tensor.ndim}) > 1
    return False


def _crosses(one: torch.device, other: torch.device | None) -> bool:
    """Return whether a copy goes from the host to a device, or back."""
    return other is not None and (one.type == "cpu") != (torch.device(other).type == "cpu")


def _made_up(func: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Return what is made up in place of values read from the device; None if nothing is read.

    A single value is 1 or True. Others are 1 or True too, but floats vary between 0 and 1.
    """
    name = func.overloadpacket.__name__
    if name == "equal":
        return True
    with unset_fake_temporarily():
        if name == "_local_scalar_dense":
            return torch.ones((), dtype=args[0].dtype).item()
        if name == "_to_copy" and torch.device(options.get("device") or args[0].device).type == "cpu":
            dtype = options.get("dtype") or args[0].dtype
            if not dtype.is_floating_point:
                return torch.ones(args[0].shape, dtype=dtype)
            steps = torch.arange(1, args[0].numel() + 1, dtype=torch.float64)
            return (0.5 + 0.5 * (steps * steps).sin()).to(dtype).view(args[0].shape)  # irregular
    return None


def _place() -> str:
    """Return the file and line of ganstrata, or of a plugin, that called the present operation."""
    passed = (os.path.dirname(torch.__file__), os.path.dirname(__file__))
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(passed):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
