"""Hands codes to sub-modules in place of what they would be given, and takes w from where it is made.

A module keeps its own flow of control. Where a sub-module takes the code, a hook exchanges the
argument that holds it; where a mapping network makes w, its call returns the w that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .config import mistake


class _Reached(BaseException):
    """Ends a call as soon as w is there; no exception of a kind that the module itself might catch."""


class Mapping:
    """The sub-module that makes w of z.

    Attributes:
        shape: of one sample of what it returns.
        stacked: whether it returns a row per layer, (N, L, D), all alike.
    """

    def __init__(self, module: nn.Module) -> None:
        self._own = module.forward
        module.forward = self._forward
        self._instead: Tensor | None = None
        self._stopping = False
        self._last: Tensor | None = None
        self.shape: tuple[int, ...] = ()
        self.stacked = False

    def _forward(self, *arguments: Any, **named: Any) -> Any:
        if self._instead is not None:
            return self._instead
        self._last = self._own(*arguments, **named)
        if self._stopping:
            raise _Reached
        return self._last

    def learn(self, n: int) -> None:
        """Look at what the last call returned for n samples.

        Raises:
            ConfigError: it was not called, or returned no tensor with a row per sample.
        """
        w = self._last
        if w is None:
            raise mistake("mapping", "this sub-module is not called when a picture is made")
        if not isinstance(w, Tensor) or w.ndim < 2 or w.shape[0] != n or not w.is_floating_point():
            raise mistake(
                "mapping", f"returns {shown(w)} for {n} latents, expected numbers with a row for each"
            )
        self.shape = tuple(w.shape[1:])
        self.stacked = w.ndim == 3 and torch.equal(w, w[:, :1].expand_as(w))

    def outcome(self, run: Callable[[], object]) -> Tensor:
        """W (N, D) of a call that is ended once w is there."""
        self._stopping, self._last = True, None
        try:
            run()
        except _Reached:
            pass
        finally:
            self._stopping = False
        return self._taken()

    def _taken(self) -> Tensor:
        w, self._last = self._last, None
        assert w is not None, "the mapping network was called when the generator was loaded"
        return w[:, 0] if self.stacked else w.flatten(1)

    @contextmanager
    def giving(self, codes: Sequence[Tensor]) -> Iterator[None]:
        """Return these codes (N, D), one or a row per layer, instead of computing w."""
        if self.stacked:
            rows = torch.stack(list(codes), dim=1)
            self._instead = rows.expand(-1, self.shape[0], -1)
        else:
            self._instead = codes[0].view(-1, *self.shape)
        try:
            yield
        finally:
            self._instead = None


class Socket:
    """A sub-module that takes the code of a layer among its arguments."""

    def __init__(self, module: nn.Module, name: str, key: str) -> None:
        self.name, self.key = name, key
        self._seen: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._places: dict[int | str, tuple[int, ...]] = {}  # argument to the shape of one sample
        self._code: Tensor | None = None
        module.register_forward_pre_hook(self._hook, with_kwargs=True)

    def _hook(
        self, _: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if self._code is None:
            if not self._places and self._seen is None:
                self._seen = arguments, named
            return None
        positional, named = list(arguments), dict(named)
        for place, shape in self._places.items():
            code = self._code.view(-1, *shape)
            if isinstance(place, int):
                positional[place] = code
            else:
                named[place] = code
        return tuple(positional), named

    def learn(self, w: Tensor) -> None:
        """Find the argument that holds w (N, D), or several.

        Raises:
            ConfigError: the sub-module was not called, or was given something else.
        """
        if self._seen is None:
            raise mistake(self.key, f"'{self.name}' is not called when a picture is made")
        (positional, named), self._seen = self._seen, None
        given: dict[int | str, Any] = dict(enumerate(positional))
        given.update(named)
        for place, value in given.items():
            if (
                isinstance(value, Tensor)
                and value.shape[:1] == w.shape[:1]
                and value.numel() == w.numel()
                and torch.equal(value.flatten(1), w)
            ):
                self._places[place] = tuple(value.shape[1:])
        if not self._places:
            seen = ", ".join(shown(value) for value in given.values()) or "nothing"
            raise mistake(
                self.key,
                f"'{self.name}' is not given the code {tuple(w.shape)} as it is, but {seen}. "
                "List sub-modules that take what `mapping` returns, "
                "or the latent itself where there is no mapping",
            )

    @contextmanager
    def giving(self, code: Tensor) -> Iterator[None]:
        """Hand over this code (N, D)."""
        self._code = code
        try:
            yield
        finally:
            self._code = None


def shown(value: object) -> str:
    """A value in words: tensors by their shape."""
    return f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
