"""Replace the codes that sub-modules receive, and capture the w that a mapping network returns.

The module itself is called as usual. A forward hook replaces the code among the arguments of a sub-module.
The forward method of a mapping network is wrapped, so that it returns the requested w.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ....core.messages import quantity
from .config import config_error


class _StopCall(BaseException):
    """End a call as soon as w is computed; a BaseException, which modules are unlikely to catch."""


class Mapping:
    """Wrap the sub-module that maps z to w.

    Attributes:
        shape: of its output for one sample.
        stacked: whether it returns (N, L, D), equal rows for all layers.
    """

    def __init__(self, module: nn.Module) -> None:
        self._original_forward = module.forward
        module.forward = self._forward
        self._replacement: Tensor | None = None
        self._stop_after_call = False
        self._output: Tensor | None = None
        self.shape: tuple[int, ...] = ()
        self.stacked = False

    def _forward(self, *arguments: Any, **keywords: Any) -> Any:
        if self._replacement is not None:
            return self._replacement
        self._output = self._original_forward(*arguments, **keywords)
        if self._stop_after_call:
            raise _StopCall
        return self._output

    def infer_shape(self, n: int) -> None:
        """Infer `shape` and `stacked` from the output of the last call, which had n samples.

        Raises:
            ConfigError: the sub-module was not called, or did not return a floating-point tensor (n, ...).
        """
        w = self._output
        if w is None:
            raise config_error("mapping", "the module does not call this sub-module")
        if not isinstance(w, Tensor) or w.ndim < 2 or w.shape[0] != n or not w.is_floating_point():
            raise config_error(
                "mapping",
                f"returns {describe_value(w)} for {quantity(n, 'latent')}, expected a floating-point "
                f"tensor of {quantity(n, 'row')}",
            )
        self.shape = tuple(w.shape[1:])
        self.stacked = w.ndim == 3 and torch.equal(w, w[:, :1].expand_as(w))

    def capture(self, call: Callable[[], object]) -> Tensor:
        """Return w (N, D) from a call of the module, which is stopped as soon as w is computed."""
        self._stop_after_call, self._output = True, None
        try:
            call()
        except _StopCall:
            pass
        finally:
            self._stop_after_call = False
        return self._pop_output()

    def _pop_output(self) -> Tensor:
        """Return the last output as w (N, D), and forget it."""
        w, self._output = self._output, None
        assert w is not None, "the mapping network was called when the generator was loaded"
        return w[:, 0] if self.stacked else w.flatten(1)

    @contextmanager
    def returning(self, codes: Sequence[Tensor]) -> Iterator[None]:
        """Make the sub-module return codes (N, D), one or one per layer, within the block."""
        if self.stacked:
            rows = torch.stack(list(codes), dim=1)  # (N, L, D)
            self._replacement = rows.expand(-1, self.shape[0], -1)
        else:
            self._replacement = codes[0].view(-1, *self.shape)
        try:
            yield
        finally:
            self._replacement = None


class CodeInput:
    """Replace the code of a layer among the arguments of a sub-module.

    Args:
        module: the sub-module.
        name: of the sub-module, for messages.
        key: config field that names it, for messages.
    """

    def __init__(self, module: nn.Module, name: str, key: str) -> None:
        self.name, self.key = name, key
        self._first_call: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # its arguments
        self._shapes: dict[int | str, tuple[int, ...]] = {}  # of one sample, by the arguments that are codes
        self._code: Tensor | None = None
        module.register_forward_pre_hook(self._hook, with_kwargs=True)

    def _hook(
        self, _: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._code is None:
            if not self._shapes and self._first_call is None:
                self._first_call = arguments, keywords
            return None
        positional, keywords = list(arguments), dict(keywords)
        for argument, shape in self._shapes.items():
            code = self._code.view(-1, *shape)
            if isinstance(argument, int):
                positional[argument] = code
            else:
                keywords[argument] = code
        return tuple(positional), keywords

    def locate(self, w: Tensor) -> None:
        """Find the arguments of the first call that equal w (N, D).

        Raises:
            ConfigError: the sub-module was not called, or no argument equals w.
        """
        if self._first_call is None:
            raise config_error(self.key, f"the module does not call '{self.name}'")
        (positional, keywords), self._first_call = self._first_call, None
        arguments: dict[int | str, Any] = dict(enumerate(positional))
        arguments.update(keywords)
        for argument, value in arguments.items():
            if (
                isinstance(value, Tensor)
                and value.shape[:1] == w.shape[:1]
                and value.numel() == w.numel()
                and torch.equal(value.flatten(1), w)
            ):
                self._shapes[argument] = tuple(value.shape[1:])
        if not self._shapes:
            received = ", ".join(describe_value(value) for value in arguments.values()) or "no arguments"
            raise config_error(
                self.key,
                f"'{self.name}' does not receive the unchanged code {tuple(w.shape)}, but {received}. "
                "List sub-modules that receive the output of `mapping`, or without a mapping, the latent",
            )

    @contextmanager
    def receiving(self, code: Tensor) -> Iterator[None]:
        """Make the sub-module receive a code (N, D) within the block."""
        self._code = code
        try:
            yield
        finally:
            self._code = None


def describe_value(value: object) -> str:
    """Return the shape of a tensor, or the type of another value, for a message."""
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
