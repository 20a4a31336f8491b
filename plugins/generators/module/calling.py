"""Call the user's module with latents and labels in the form that it takes."""

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
from .config import ModuleConfig, config_error
from .wiring import describe_value


class ModuleCall:
    """Call a method of the module as configured.

    Raises:
        ConfigError: the module has no such method.
    """

    def __init__(self, module: nn.Module, config: ModuleConfig) -> None:
        self._config = config
        self.shape = tuple(config.latent.shape or [config.latent.size])
        method = config.call.method
        function: Any = module if method == "forward" else getattr(module, method, None)
        if not callable(function):
            raise config_error(
                "call.method", f"the module has no method '{method}'.{nearest(method, dir(module))}"
            )
        self._function: Callable[..., Any] = function

    def __call__(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Map latents (N, Z) and labels, or None, to the images in the output of the module."""
        # A copy, because some modules write into their arguments.
        z = latent.reshape(-1, *self.shape).clone()
        positional, keywords = [], dict(self._config.call.arguments)
        classes = self._config.classes
        for value, name in ((z, self._config.latent.argument), (label, classes.argument)):
            if value is None:
                continue
            if name is None:
                positional.append(value)
            else:
                keywords[name] = value
        return self._select_images(self._function(*positional, **keywords))

    def _select_images(self, output: Any) -> Tensor:
        """Return the item of the output that holds the images."""
        item = self._config.output.item
        if item is not None:
            try:
                output = output[item]
            except (KeyError, IndexError, TypeError):
                raise config_error(
                    "output.item",
                    f"the module returns no item {messages.shown(item)}, but {_describe_output(output)}",
                ) from None
        if not isinstance(output, Tensor):
            raise config_error(
                "output.item",
                f"the module returns {_describe_output(output)}; set the index or key of the images",
            )
        return output


def label(config: ModuleConfig, classes: Classes, condition: Tensor | None, like: Tensor) -> Tensor | None:
    """Return labels in the form that the module takes, integers (N,) or weights (N, Y).

    Args:
        config: sets the form.
        classes: of this module.
        condition: classes (N,) or class weights (N, Y).
        like: a tensor (N, ...) that sets the device of the labels.

    Returns:
        The labels, or None if the module is unconditional.

    Raises:
        DataError: the condition is missing, names classes that the module does not have, or holds weights
            although the module takes integers.
    """
    weights = classes.weights(condition, like)
    if weights is None or condition is None or config.classes.form == "one_hot":
        return weights
    if condition.is_floating_point():
        raise DataError(
            "this module takes classes as integers (form: index), and the condition holds class weights"
        )
    check_shape(condition, "N", where="classes", N=like.shape[0])
    return condition.long().to(like.device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators for the module, and restore their states afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _describe_output(output: object) -> str:
    """Return the shapes and types in the output of a module, for a message."""
    if isinstance(output, dict):
        return "a dictionary with " + ", ".join(
            f"{messages.shown(key)}: {describe_value(value)}" for key, value in islice(output.items(), 8)
        )
    if isinstance(output, list | tuple):
        return f"a {type(output).__name__} of " + ", ".join(describe_value(value) for value in output[:8])
    return describe_value(output)
