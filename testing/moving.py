"""Move the tensors that a plugin holds to another device, and put everything back afterwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from .kit import DoesNotApply

_CLOSED = (type, FunctionType, ModuleType)  # belong to the process, not to a plugin


class Mover:
    """Replace the tensors and devices that a plugin holds, wherever they lie in its attributes.

    Networks may be shared by plugins, or kept in a cache. So whatever is changed here, or by the plugin while
    it runs on the device, is as it was after `restore`.

    Attributes:
        mode: makes tensors without values.
        where: the device of the new tensors.
        staying: the tensors, by `id`, that stay as they are.
    """

    def __init__(
        self, mode: FakeTensorMode, where: torch.device, staying: Collection[int] = frozenset()
    ) -> None:
        self.mode, self.where, self.staying = mode, where, staying
        self._moved: dict[int, tuple[Any, Any]] = {}  # id -> old (kept, so that its id stays its own) and new
        self._undo: list[Callable[[], None]] = []

    def restore(self) -> None:
        """Put back what was there before, in the opposite order."""
        while self._undo:
            self._undo.pop()()

    def move(self, value: Any) -> Any:
        """Return a value on the device; containers, modules and objects are changed in place.

        Raises:
            DoesNotApply: it holds a network of TorchScript, whose tensors cannot be replaced.
        """
        if id(value) not in self._moved:
            new = self._rebuilt(value)
            self._moved[id(value)] = value, new
            if new is value:
                self._enter(value)
        return self._moved[id(value)][1]

    def _rebuilt(self, value: Any) -> Any:
        """Return what takes the place of a value that cannot be changed; other values as they are."""
        if isinstance(value, torch.device):
            return self.where
        if isinstance(value, Tensor):
            if id(value) in self.staying:
                return value
            detached = value.detach()
            with self.mode:
                moved = self.mode.from_tensor(detached).to(self.where)
            return nn.Parameter(moved, requires_grad=False) if isinstance(value, nn.Parameter) else moved
        if isinstance(value, MappingProxyType):
            return MappingProxyType({key: self.move(item) for key, item in value.items()})
        if not isinstance(value, tuple | set | frozenset):
            return value
        items = [self.move(item) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        make: Callable[[list[Any]], Any] = getattr(value, "_make", type(value))  # of a NamedTuple
        return make(items)

    def _enter(self, value: Any) -> None:
        """Move what lies in a container, a module or another object."""
        if isinstance(value, torch.jit.ScriptModule):
            raise DoesNotApply("it holds a network of TorchScript, whose tensors cannot be replaced")
        if isinstance(value, dict):
            self._enter_dict(value)
        elif isinstance(value, list | deque):
            before = list(value)
            self._undo += [lambda: value.extend(before), value.clear]  # the last one is done first
            for i, item in enumerate(before):
                value[i] = self.move(item)
        elif not isinstance(value, _CLOSED):
            if hasattr(value, "__dict__"):
                self._enter_dict(vars(value))
            for slot in slots_of(value):
                self._enter_slot(value, slot)

    def _enter_dict(self, values: dict[Any, Any]) -> None:
        before = dict(values)
        self._undo += [lambda: values.update(before), values.clear]
        values.update({key: self.move(item) for key, item in before.items()})

    def _enter_slot(self, value: Any, slot: str) -> None:
        # Through `object`, because the class may be frozen.
        before = getattr(value, slot)
        self._undo.append(lambda: object.__setattr__(value, slot, before))
        object.__setattr__(value, slot, self.move(before))


def slots_of(value: Any) -> Iterator[str]:
    """Yield the names of the slots of an object that hold something."""
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot.startswith("__") and not slot.endswith("__"):
                slot = f"_{cls.__name__.lstrip('_')}{slot}"
            if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                yield slot
