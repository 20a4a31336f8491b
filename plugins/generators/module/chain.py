"""Apply the sub-modules of `strata` one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ....core.messages import quantity
from . import checks
from .config import config_error
from .target import submodule
from .wiring import Mapping, describe_value

ADVICE = (
    "Each sub-module must take the output of the one before it, with no reshape, function or shortcut "
    "between or after them; list all of them in order, or leave `strata` out"
)


class Chain:
    """Represent sub-modules whose composition is the module.

    Args:
        network: the module.
        names: of the sub-modules, in order.
        mapping: its mapping network, if it has one.
        latent_shape: shape in which the module takes one sample.

    Raises:
        ConfigError: the module has no such sub-module.
    """

    def __init__(
        self, network: nn.Module, names: Sequence[str], mapping: Mapping | None, latent_shape: tuple[int, ...]
    ) -> None:
        self._names, self._mapping, self._latent_shape = names, mapping, latent_shape
        self._modules = [submodule(network, name, f"strata.{i}") for i, name in enumerate(names)]
        self._overwrites = [True] * len(self._modules)  # whether each sub-module writes into its argument

    def __len__(self) -> int:
        """Return the number of sub-modules; a chain without any is false."""
        return len(self._modules)

    def input(self, code: Tensor) -> Tensor:
        """Reshape a code (N, D) to the argument of the first sub-module."""
        if self._mapping is None:
            return code.reshape(-1, *self._latent_shape)
        return (
            code[:, None].expand(-1, *self._mapping.shape)
            if self._mapping.stacked
            else code.reshape(-1, *self._mapping.shape)
        )

    def apply(self, s: int, x: Tensor) -> Tensor:
        """Return the output of sub-module s for x (N, ...), which stays as it is."""
        output: Tensor = self._modules[s](x.clone() if self._overwrites[s] else x)
        return output

    def run(self, w: Tensor, outputs: list[Tensor]) -> Tensor:
        """Apply all sub-modules to codes (N, D), and record which write into their arguments.

        Args:
            w: codes.
            outputs: an empty list, to which the output of each sub-module is appended.

        Raises:
            ConfigError: a sub-module does not return a tensor (N, ...).
        """
        x = self.input(w).clone()
        for i, (name, module) in enumerate(zip(self._names, self._modules, strict=True)):
            x, self._overwrites[i] = checks.call_and_compare(module, x)
            if not isinstance(x, Tensor) or x.shape[:1] != w.shape[:1]:
                raise config_error(
                    f"strata.{i}",
                    f"'{name}' returns {describe_value(x)}, expected a tensor of "
                    f"{quantity(len(w), 'row')}. {ADVICE}",
                )
            outputs.append(x)
        self._overwrites[0] = True  # so that the codes of the caller are always copied
        return x
