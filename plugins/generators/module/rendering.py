"""Render images from latents, or from a code per layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from ....core.randomness import Stream, Use, uniforms
from .calling import ModuleCall, seeded
from .config import ModuleConfig, config_error
from .target import submodule
from .wiring import CodeInput, Mapping

INPUT = "input"  # among `codes`: the argument of the module's own call


class CodeInputs:
    """Find the sub-modules that receive the code of each layer.

    Attributes:
        layers: for each layer, the sub-modules that receive its code.
        argument_layer: the layer whose code is the argument of the module's own call; None if none is.

    Raises:
        ConfigError: the module has no such sub-module, or it is listed twice.
    """

    def __init__(self, network: nn.Module, codes: Sequence[str | list[str]]) -> None:
        self.layers: list[list[CodeInput]] = []
        self.argument_layer: int | None = None
        names: dict[nn.Module, str] = {}
        for layer, item in enumerate(codes):
            self.layers.append([])
            for name in [item] if isinstance(item, str) else item:
                if name == INPUT and INPUT not in network._modules:
                    self.argument_layer = layer
                    continue
                module = submodule(network, name, f"codes.{layer}")
                if module in names:
                    alias = f", as '{names[module]}'" if names[module] != name else ""
                    raise config_error(f"codes.{layer}", f"'{name}' is listed twice{alias}")
                names[module] = name
                self.layers[-1].append(CodeInput(module, name, f"codes.{layer}"))

    def locate(self, w: Tensor) -> None:
        """Find the arguments that receive w (N, D), from the first call of the module.

        Raises:
            ConfigError: a sub-module was not called, or does not receive w.
        """
        for layer in self.layers:
            for code_input in layer:
                code_input.locate(w)


class Renderer:
    """Render images (N, C, H, W) in the range of the module.

    Args:
        call: calls the module.
        mapping: its mapping network, if it has one.
        code_inputs: where codes enter it.
        config: of the plugin.
        device: of the module.
    """

    def __init__(
        self,
        call: ModuleCall,
        mapping: Mapping | None,
        code_inputs: CodeInputs,
        config: ModuleConfig,
        device: torch.device,
    ) -> None:
        self._call, self._mapping, self._code_inputs = call, mapping, code_inputs
        self._config, self._device = config, device

    def from_latents(self, z: Tensor, labels: Tensor | None, keys: Tensor | None) -> Tensor:
        """Return the images of the module's own call.

        Args:
            z: latents, (N, Z).
            labels: in the form that the module takes.
            keys: of fresh noise, (N, 2).
        """
        return self._in_batches(lambda rows: self._call(z[rows], select(labels, rows)), len(z), keys)

    def from_codes(
        self,
        codes: Sequence[Tensor],
        labels: Tensor | None,
        keys: Tensor | None = None,
        argument: Tensor | None = None,
    ) -> Tensor:
        """Return the images for a code per layer.

        Args:
            codes: of each layer, (N, D).
            labels: in the form that the module takes.
            keys: of fresh noise, (N, 2).
            argument: code (N, D) for the module's own call; None takes that of the layer that lists
                `input`, else the first.
        """
        own = codes[self._code_inputs.argument_layer or 0] if argument is None else argument
        return self._in_batches(
            lambda rows: self._with_codes([code[rows] for code in codes], select(labels, rows), own[rows]),
            len(own),
            keys,
        )

    def _in_batches(self, run: Callable[[slice], Tensor], n: int, keys: Tensor | None) -> Tensor:
        """Run all samples at once; if the module draws noise, run them singly, each with its own seed.

        Args:
            run: computes the images of a range of samples.
            n: number of samples.
            keys: of fresh noise, (N, 2); None takes the seed 0 for every sample.
        """
        if self._config.noise == "none":
            return run(slice(None))
        images = []
        for i in range(n):
            seed = (
                0
                if keys is None
                else int(uniforms(int(keys[i, 0]), Stream.PROBING, Use.NOISE, int(keys[i, 1]), 1)[0] * 2**53)
            )
            with seeded(seed, self._device):
                images.append(run(slice(i, i + 1)))
        return torch.cat(images)

    def _with_codes(self, codes: Sequence[Tensor], labels: Tensor | None, argument: Tensor) -> Tensor:
        """Call the module with a code (N, D) per layer, and `argument` (N, D) as its w or z."""
        layers = self._code_inputs.layers
        with ExitStack() as stack:
            for code, code_inputs in zip(codes, layers, strict=False):
                for code_input in code_inputs:
                    stack.enter_context(code_input.receiving(code))
            if self._mapping is None:
                return self._call(argument, labels)
            stack.enter_context(self._mapping.returning([argument] if layers else codes))
            # The mapping network ignores its input here, so any z will do.
            return self._call(argument.new_ones(len(argument), self._config.latent.size), labels)


def select(values: Tensor | None, rows: slice) -> Tensor | None:
    """Return these rows of a tensor, or None for None."""
    return None if values is None else values[rows]
