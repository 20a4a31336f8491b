"""Calls the user's module: latents and labels in the form it takes, pictures as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ....core import messages
from ....core.errors import DataError, nearest
from ....core.plugins.shapes import check_shape
from ..shared.classes import Classes
from .config import ModuleConfig, mistake
from .wiring import shown


class Calling:
    """How one module is called.

    Raises:
        ConfigError: it has no such method.
    """

    def __init__(self, module: nn.Module, config: ModuleConfig) -> None:
        self._config = config
        self.shape = tuple(config.latent.shape or [config.latent.size])
        method = config.call.method
        found: Any = module if method == "forward" else getattr(module, method, None)
        if not callable(found):
            raise mistake(
                "call.method", f"the module has no method '{method}'.{nearest(method, dir(module))}"
            )
        self._function: Callable[..., Any] = found

    def __call__(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Latents (N, Z) and labels to what is configured to be the picture."""
        # A copy, since some modules write into what they are given.
        shaped = latent.reshape(-1, *self.shape).clone()
        positional, named = [], dict(self._config.call.arguments)
        classes = self._config.classes
        for value, name in ((shaped, self._config.latent.argument), (label, classes.argument)):
            if value is None:
                continue
            if name is None:
                positional.append(value)
            else:
                named[name] = value
        return self._pick(self._function(*positional, **named))

    def _pick(self, returned: Any) -> Tensor:
        item = self._config.output.item
        if item is not None:
            try:
                returned = returned[item]
            except (KeyError, IndexError, TypeError):
                raise mistake(
                    "output.item",
                    f"there is no item {messages.shown(item)} in what the call returns: {_inside(returned)}",
                ) from None
        if not isinstance(returned, Tensor):
            raise mistake(
                "output.item", f"the call returns {_inside(returned)}; say which item is the picture"
            )
        return returned


def label(config: ModuleConfig, classes: Classes, condition: Tensor | None, like: Tensor) -> Tensor | None:
    """Labels as the module takes them, from classes (N,) or class weights (N, Y); None without classes.

    Args:
        config: says which form.
        classes: of this module.
        condition: as sample() or the user gives it.
        like: a tensor (N, ...) whose device the labels get.

    Raises:
        DataError: no condition, classes that are not there, or weights where the module takes numbers.
    """
    weights = classes.weights(condition, like)
    if weights is None or condition is None or config.classes.form == "one_hot":
        return weights
    if condition.is_floating_point():
        raise DataError(
            "this module takes classes as whole numbers (form: index); class weights mean nothing to it"
        )
    check_shape(condition, "N", where="classes", N=like.shape[0])
    return condition.long().to(like.device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators for the module, and restore their states afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _inside(returned: object) -> str:
    if isinstance(returned, dict):
        return "a dictionary with " + ", ".join(
            f"{messages.shown(key)}: {shown(value)}" for key, value in islice(returned.items(), 8)
        )
    if isinstance(returned, list | tuple):
        return f"a {type(returned).__name__} of " + ", ".join(shown(value) for value in returned[:8])
    return shown(returned)
