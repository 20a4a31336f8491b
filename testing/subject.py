"""Hold the plugin that is checked, and build it when a check asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from pydantic import ValidationError

from ..core.config.faults import describe
from ..core.errors import ConfigError, UserError
from ..core.plugins.base import Plugin
from ..core.plugins.contracts import BoundaryLearner, Generator, Scorer
from ..core.plugins.registry import Kind, registry
from ..core.runs.loading import build_class

GeneratorSource = Generator | Callable[[], Generator] | None
CPU = torch.device("cpu")
CONTRACTS: Mapping[Kind, type[Plugin]] = {
    "generator": Generator,
    "scorer": Scorer,
    "boundary": BoundaryLearner,
}


@dataclass(frozen=True)
class Subject:
    """Hold a plugin and its config.

    Attributes:
        kind: generator, scorer or boundary.
        plugin: its class, or the name under which it is registered.
        config: its options.
        generator: for a scorer that reads feature maps, the generator that makes them, or a function that
            builds it.
    """

    kind: Kind
    plugin: type[Plugin] | str
    config: Mapping[str, Any] = field(default_factory=dict)
    generator: GeneratorSource = None

    @cached_property
    def plugin_class(self) -> type[Plugin]:
        """Class of the plugin.

        Raises:
            UserError: it is not of its kind, or not registered.
        """
        found = (
            registry().info(self.kind, self.plugin).load() if isinstance(self.plugin, str) else self.plugin
        )
        contract = CONTRACTS[self.kind]
        if not isinstance(found, type) or not issubclass(found, contract):
            raise UserError(
                f"{found!r} is no {self.kind}: it must inherit from ganstrata.{contract.__name__}"
            )
        return found

    @property
    def owner(self) -> str:
        """The plugin in words, for messages."""
        cls = self.plugin_class
        return f"{cls.noun} {cls.__module__}.{cls.__qualname__}"

    @cached_property
    def feature_maker(self) -> Generator | None:
        """The generator that makes the feature maps of a scorer; None if none was given."""
        source = self.generator
        return source if source is None or isinstance(source, Generator) else source()

    @cached_property
    def built(self) -> Plugin:
        """The plugin, built once for all checks that leave it as it is."""
        return self.build()

    @property
    def is_built(self) -> bool:
        """Whether the plugin could be built."""
        return "built" in vars(self)

    def build(self, **changed: Any) -> Plugin:
        """Build the plugin anew on the CPU, with some options changed.

        Raises:
            ConfigError: its Config does not allow the options, or a file is missing.
            PluginBroken: its constructor fails, or a declaration is wrong.
        """
        cls, options = self.plugin_class, {**self.config, **changed}
        source = f"config of {self.owner}"
        try:
            cls.Config.model_validate(options)
        except ValidationError as error:
            raise ConfigError(source, describe(error, cls.Config, options, ("config",), self.owner)) from None
        name = self.plugin if isinstance(self.plugin, str) else ""
        return build_class(cls, options, CPU, name=name, source=source)
