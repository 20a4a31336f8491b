"""Check that the methods of a plugin take the arguments with which they are called, before one is called."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature, signature, unwrap

from ..errors import PluginBroken
from ..plugins.base import Plugin, owner_of
from ..plugins.generator import Generator
from ..plugins.learner import BoundaryLearner
from ..plugins.scorer import Scorer, Segmenter

# What an own method may lack, because it is only given to one that has it.
OPTIONAL: Mapping[str, tuple[str, ...]] = {"broadcast": ("condition",)}


def check_calls(plugin: Plugin) -> None:
    """Refuse a plugin with a method that does not take the arguments of the contract.

    Raises:
        PluginBroken: the message says file and line, and the signature that is wanted.
    """
    for contract in (Segmenter, Scorer, Generator, BoundaryLearner):
        if isinstance(plugin, contract):
            for name in contract.guarded:
                _check_call(plugin, contract, name)
            return


def _check_call(plugin: Plugin, contract: type[Plugin], name: str) -> None:
    wanted, own = getattr(contract, name, None), getattr(type(plugin), name, None)
    if not callable(wanted) or not callable(own) or own is wanted:
        return
    function = unwrap(own)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    expected = signature(wanted)
    given = [parameter for key, parameter in expected.parameters.items() if key not in OPTIONAL.get(name, ())]
    by_place = [parameter for parameter in given if parameter.kind is not Parameter.KEYWORD_ONLY]
    by_name = [parameter.name for parameter in given if parameter.kind is Parameter.KEYWORD_ONLY]
    if name == "learn" and isinstance(plugin, BoundaryLearner) and plugin.within_classes:
        by_name.append("classes")
    if name == "learn" and isinstance(plugin, BoundaryLearner) and plugin.trains:
        by_name += ["precision", "on_share"]
    actual = signature(own)
    try:
        actual.bind(*by_place, **dict.fromkeys(by_name))
    except TypeError as error:
        raise PluginBroken(
            f"{owner_of(plugin)} defines {name}{_plain(actual)} ({code.co_filename}:{code.co_firstlineno}), "
            f"which cannot be called as it will be: {error}. Write {name}{_plain(expected)}"
        ) from None


def _plain(function: Signature) -> str:
    """Return a signature without types."""
    parameters = [each.replace(annotation=Parameter.empty) for each in function.parameters.values()]
    return str(function.replace(parameters=parameters, return_annotation=Signature.empty))
