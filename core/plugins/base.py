"""Define the base class of plugins: a config, a device, a name, and calls whose errors name the plugin."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Iterable
from functools import cached_property, wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Generic

import torch
from pydantic import ConfigDict

from .activity import noted
from .failures import is_interrupt, is_own_error, plugin_error
from .process_settings import ProcessSettings
from .strict_numbers import StrictNumbers


class PluginConfig(StrictNumbers):
    """Base of every plugin's Config: frozen, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


if TYPE_CHECKING:
    from typing_extensions import TypeVar

    ConfigT = TypeVar("ConfigT", bound=PluginConfig, default=Any)
else:
    from typing import TypeVar

    ConfigT = TypeVar("ConfigT", bound=PluginConfig)  # `default` is of Python 3.13


class Plugin(ABC, Generic[ConfigT]):
    """Base of generators, scorers and boundary learners.

    For type checkers, `Scorer[MyConfig]` says of which class `self.config` is; of a bare `Scorer` it is Any.

    Attributes:
        Config: the model of the plugin's options.
        noun: the kind of plugin, for messages.
        relief: advice to add to the error when memory runs out.
        guarded: methods and properties that the core calls; their exceptions are reported as the plugin's.
        origin: name and distribution, for messages. Set when the plugin is built by its registered name.
        name: the registered name; empty if the plugin was built from its class.
    """

    Config: ClassVar[type[PluginConfig]] = PluginConfig
    noun: ClassVar[str] = "plugin"
    relief: ClassVar[str] = ""
    guarded: ClassVar[tuple[str, ...]] = ()
    origin: str = ""
    name: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the guarded members, so that their exceptions are reported as the plugin's."""
        super().__init_subclass__(**kwargs)
        for name, member in _own_members(cls, cls.guarded):
            if isinstance(member, property):
                getter = _reporting(name, member.fget)
                setattr(cls, name, property(getter, member.fset, member.fdel, member.__doc__))
            elif isinstance(member, cached_property):
                cached: cached_property[Any] = cached_property(_reporting(name, member.func))
                setattr(cls, name, cached)
                cached.__set_name__(cls, name)
            elif isinstance(member, FunctionType):
                setattr(cls, name, _reporting(name, member))

    def __init__(self, config: ConfigT, device: torch.device) -> None:
        self.config, self.device = config, device

    def __repr__(self) -> str:
        """Return the class, the registered name and the device; a config may be long."""
        name = f" '{self.name}'" if self.name else ""
        return f"<{type(self).__name__}{name} on {getattr(self, 'device', 'no device')}>"


def owner_of(plugin: Plugin) -> str:
    """Describe a plugin for messages: by name and distribution, or by class if it was not built by name."""
    return plugin.origin or class_in_words(type(plugin))


def class_in_words(plugin: type[Plugin]) -> str:
    """Describe a class of plugins for messages, such as "scorer my_package.scorer.Mine"."""
    return f"{plugin.noun} {plugin.__module__}.{plugin.__qualname__}"


def _own_members(cls: type, names: Iterable[str]) -> list[tuple[str, Any]]:
    """Return the members with these names that a class defines itself or inherits from a non-plugin base."""
    members = []
    for name in names:
        home = next((base for base in cls.__mro__ if name in vars(base)), None)
        if home is not None and (home is cls or not issubclass(home, Plugin)):
            members.append((name, vars(home)[name]))
    return members


def _reporting(name: str, method: Callable[..., Any] | None) -> Callable[..., Any]:
    """Wrap a method: report its exceptions as the plugin's, and restore the process settings after it."""
    assert method is not None

    @wraps(method)
    def call(self: Plugin, *args: Any, **kwargs: Any) -> Any:
        before = ProcessSettings.current()
        try:
            with noted(owner_of(self), name):
                return method(self, *args, **kwargs)
        except BaseException as error:
            if is_interrupt(error) or is_own_error(error):
                raise
            what = f"{name}({args[0]})" if name in ("stratum", "style", "style_weights") and args else name
            raise plugin_error(
                error, owner_of(self), what, home=type(self).__module__, relief=self.relief
            ) from error
        finally:
            before.restore()

    return call
