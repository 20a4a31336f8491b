"""Hold the plugin that is checked, and build it when a check asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch

from ..core.errors import GanstrataError, UserError
from ..core.messages import shown
from ..core.plugins.base import Plugin, class_in_words
from ..core.plugins.generator import Generator
from ..core.plugins.kinds import class_fault
from ..core.plugins.plugin_info import Kind
from ..core.plugins.registry import registry
from ..core.runs.loading import build, build_class

if TYPE_CHECKING:
    from .kit import Check, Outcome


class CannotBeBuilt(Exception):
    """Say that a check was not run because the plugin cannot be built.

    Attributes:
        check: name of the check that says why.
    """

    check = "declarations are complete"


GeneratorSource = Generator | Callable[[], Generator] | None
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Subject:
    """Hold a plugin and its config.

    Attributes:
        kind: generator, scorer, boundary, engine or inverter.
        plugin: its class, or the name under which it is registered.
        config: its options.
        generator: of the feature maps that a scorer reads, or of what an inverter inverts; or a function that
            builds it.
        ended: how the checks that were run ended.
    """

    kind: Kind
    plugin: type[Plugin] | str
    config: Mapping[str, Any] = field(default_factory=dict)
    generator: GeneratorSource = None
    ended: dict[Check, Outcome] = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def plugin_class(self) -> type[Plugin]:
        """Class of the plugin.

        Raises:
            UserError: it is not of its kind, or not registered.
        """
        if isinstance(self.plugin, str):
            return cast("type[Plugin]", registry().info(self.kind, self.plugin).load())
        fault = class_fault(self.kind, self.plugin)
        if fault:
            raise UserError(f"{shown(self.plugin)} {fault}")
        return self.plugin

    @property
    def owner(self) -> str:
        """The plugin in words, for messages."""
        return class_in_words(self.plugin_class)

    @cached_property
    def feature_maker(self) -> Generator | None:
        """The generator that makes the feature maps of a scorer; None if none was given."""
        source = self.generator
        return source if source is None or isinstance(source, Generator) else source()

    @cached_property
    def attempt(self) -> Plugin | GanstrataError:
        """The plugin, built once for all checks that leave it as it is, or why it cannot be built."""
        try:
            return self.build()
        except GanstrataError as fault:
            return fault

    @property
    def built(self) -> Plugin:
        """The plugin.

        Raises:
            CannotBeBuilt: there is none.
        """
        if isinstance(self.attempt, GanstrataError):
            raise CannotBeBuilt
        return self.attempt

    def build(self, **changed: Any) -> Plugin:
        """Build the plugin anew on the CPU, with some options changed.

        Raises:
            ConfigError: its Config does not allow the options, or a file is missing.
            PluginBroken: its constructor fails, or a declaration is wrong.
        """
        options = {**self.config, **changed}
        if isinstance(self.plugin, str):
            return build(self.kind, self.plugin, options, device="cpu", check=False)
        return self._of_class(CPU, options)

    def build_for(self, device: torch.device) -> Plugin:
        """Build the plugin anew for a device; raise as `build` does."""
        return self._of_class(device, self.config)

    def _of_class(self, device: torch.device, options: Mapping[str, Any]) -> Plugin:
        return build_class(self.plugin_class, options, device, source=f"config of {self.owner}")
