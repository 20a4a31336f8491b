"""What all plugins share: a config, a device, a name to be called by, and calls whose failures are reported as the plugin's."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable
from functools import cached_property, wraps
from types import FunctionType
from typing import Any, ClassVar

import torch
from pydantic import ConfigDict

from .failures import is_own_error, plugin_error
from .process_settings import ProcessSettings
from .strict_numbers import StrictNumbers


class PluginConfig(StrictNumbers):
    """Base of every plugin's Config: frozen, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Plugin(ABC):  # noqa: B024 - what is abstract differs by kind
    """Base of generators, scorers and boundary learners.

    Attributes:
        origin: name and distribution in words, for messages; set when the plugin is built by its name.
        name: under which it is registered; empty where it was not built by its name.
    """

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    noun: ClassVar[str] = "plugin"
    relief: ClassVar[str] = ""  # what helps where memory runs out
    guarded: ClassVar[tuple[str, ...]] = ()  # names of the methods and properties that the core calls
    origin: str = ""
    name: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have what the core calls report its exceptions as the plugin's."""
        super().__init_subclass__(**kwargs)
        for name, defined in _own(cls, cls.guarded):
            if isinstance(defined, property):
                setattr(
                    cls,
                    name,
                    property(_reported(name, defined.fget), defined.fset, defined.fdel, defined.__doc__),
                )
            elif isinstance(defined, cached_property):
                replaced: cached_property[Any] = cached_property(_reported(name, defined.func))
                setattr(cls, name, replaced)
                replaced.__set_name__(cls, name)
            elif isinstance(defined, FunctionType):
                setattr(cls, name, _reported(name, defined))

    def __init__(self, config: PluginConfig, device: torch.device) -> None:
        self.config, self.device = config, device


def owner_of(plugin: Plugin) -> str:
    """A plugin in words: by its name and distribution, or by its class where it was not built by name."""
    return plugin.origin or f"{plugin.noun} {type(plugin).__module__}.{type(plugin).__qualname__}"


def _own(cls: type, names: Iterable[str]) -> list[tuple[str, Any]]:
    """What a class defines under these names itself, or takes from a base that is no plugin."""
    found = []
    for name in names:
        home = next((base for base in cls.__mro__ if name in vars(base)), None)
        if home is not None and (home is cls or not issubclass(home, Plugin)):
            found.append((name, vars(home)[name]))
    return found


def _reported(name: str, method: Callable[..., Any] | None) -> Callable[..., Any]:
    assert method is not None

    @wraps(method)
    def call(self: Plugin, *args: Any, **kwargs: Any) -> Any:
        before = ProcessSettings.current()
        try:
            return method(self, *args, **kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if is_own_error(error):
                raise
            what = f"{name}({args[0]})" if name in ("stratum", "style", "style_weights") and args else name
            raise plugin_error(
                error, owner_of(self), what, home=type(self).__module__, relief=self.relief
            ) from error
        finally:
            before.restore()

    return call
