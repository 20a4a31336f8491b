"""State dicts and settings out of the records of whole networks: torch modules, NVIDIA's of PyTorch and of TensorFlow."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..limits import DEPTH, LENGTH, Budget, Damaged
from .arrays import Array
from .names import NETWORKS, PERSISTENT
from .unpickler import Name, Record

TEXT = 100_000  # of a setting


def is_tensorflow(value: Any) -> bool:
    """Whether it is a network of NVIDIA's TensorFlow releases."""
    return isinstance(value, Record) and value.name.full in NETWORKS and isinstance(value.state, dict)


def is_persistent(value: Any) -> bool:
    """Whether it is an object of NVIDIA's PyTorch releases, stored with its source code."""
    return (
        isinstance(value, Record)
        and value.name.full == PERSISTENT
        and len(value.args) == 1
        and isinstance(value.args[0], dict)
    )


def is_module(value: Any) -> bool:
    """Whether it is a torch module."""
    return (
        isinstance(value, Record)
        and isinstance(value.state, dict)
        and isinstance(value.state.get("_modules"), dict)
    )


def is_network(value: Any) -> bool:
    """Whether it is a whole network of any of these."""
    return is_tensorflow(value) or is_module(value)


def network(value: Record, budget: Budget) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and settings of a whole network.

    Raises:
        Damaged: it makes no sense.
        Refused: it is nested without end.
    """
    if is_tensorflow(value):
        return _tensorflow(value, budget)
    return _state_dict(value, budget), _constructor(value, budget)


def as_tensor(value: Any) -> Tensor | None:
    """A tensor, or an array of numbers as a tensor; None if it is neither."""
    if isinstance(value, Array):
        return value.tensor
    return value if isinstance(value, Tensor) else None


def _name(prefix: str, name: str) -> str:
    """The name of what is in a module.

    Raises:
        Damaged: it is longer than any.
    """
    if len(prefix) + len(name) > LENGTH:
        raise Damaged(
            f"it has a tensor or a module whose name has {len(prefix) + len(name)} characters; {LENGTH} are read"
        )
    return prefix + name


def _state_dict(module: Record, budget: Budget) -> dict[str, Tensor]:
    """As module.state_dict() would give it: parameters and the buffers that are meant to be stored."""
    found: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any, int]] = [("", module, 0)]
    while waiting:
        prefix, record, depth = waiting.pop()
        budget.step()
        if depth > DEPTH:
            raise Damaged("its modules are nested without end")
        state = record.state if isinstance(record, Record) else None
        if not isinstance(state, dict):
            continue
        marked = state.get("_non_persistent_buffers_set")
        budget.step(len(marked) if isinstance(marked, list | tuple) else 0)
        passing = (
            {name for name in marked if isinstance(name, str)} if isinstance(marked, list | tuple) else ()
        )
        for kind in ("_parameters", "_buffers"):
            stored = state.get(kind)
            for name, value in stored.items() if isinstance(stored, dict) else ():
                budget.step()
                tensor = as_tensor(value)
                if (
                    isinstance(name, str)
                    and tensor is not None
                    and not (kind == "_buffers" and name in passing)
                ):
                    found[_name(prefix, name)] = tensor
        inner = state.get("_modules")
        for name, value in reversed(inner.items()) if isinstance(inner, dict) else ():
            budget.step()
            if isinstance(name, str):
                waiting.append((_name(prefix, name) + ".", value, depth + 1))
    return found


def _constructor(module: Record, budget: Budget) -> dict[str, Any]:
    """How the network was made, as far as its class wrote that down."""
    if not is_persistent(module):
        return {"class_name": module.name.full}
    (meta,) = module.args
    settings: dict[str, Any] = {}
    keywords = plain(module.state.get("_init_kwargs"), budget)
    if isinstance(keywords, dict):
        settings |= keywords
    if args := plain(module.state.get("_init_args"), budget):
        settings["init_args"] = args
    settings["class_name"] = plain(meta.get("class_name"), budget)
    source = meta.get("module_src")
    if isinstance(source, str):
        budget.copy(4 * len(source))
        settings["module_src_sha256"] = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return settings


def _tensorflow(outer: Record, budget: Budget) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The variables of a network and of its components, under their plain names; what the outer one says counts."""
    found: dict[str, Tensor] = {}
    waiting = [outer]
    for record in waiting:
        if len(waiting) > DEPTH:
            raise Damaged("its networks are nested without end")
        variables = record.state.get("variables")
        for pair in variables if isinstance(variables, list | tuple) else ():
            budget.step()
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise Damaged("a network whose variables are no names with arrays")
            tensor = as_tensor(pair[1])
            if tensor is None and isinstance(pair[1], int | float):
                tensor = torch.tensor(float(pair[1]))
            if tensor is not None:
                found.setdefault(_name("", pair[0]), tensor)
        components = record.state.get("components")
        if isinstance(components, dict):
            waiting.extend(value for value in components.values() if is_tensorflow(value))
    settings = plain(outer.state.get("static_kwargs"), budget)
    settings = settings if isinstance(settings, dict) else {}
    return found, settings | {
        key: plain(outer.state.get(key), budget) for key in ("build_func_name", "version", "name")
    }


_LEFT_OUT = object()


def plain(value: Any, budget: Budget) -> Any:
    """Settings as JSON has them: None, truth values, numbers, text, lists and dictionaries; what is none of them is left out (None at the top)."""
    found = _plain(value, 0, budget)
    return None if found is _LEFT_OUT else found


def _plain(value: Any, depth: int, budget: Budget) -> Any:
    budget.step()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= TEXT else _LEFT_OUT
    if isinstance(value, Name):
        return value.full  # torch.float16
    if isinstance(value, Record):
        value = (
            value.state
            if value.entries is None and value.name.last in ("Namespace", "SimpleNamespace")
            else value.entries
        )
    if isinstance(value, Array) and isinstance(value.values, np.ndarray) and value.values.size <= DEPTH:
        budget.step(value.values.size)
        return value.values.tolist() if value.values.dtype.kind in "biuf" else _LEFT_OUT
    if depth > DEPTH:
        return _LEFT_OUT
    if isinstance(value, dict):
        pairs = (
            (key, _plain(item, depth + 1, budget)) for key, item in value.items() if isinstance(key, str)
        )
        return {key: item for key, item in pairs if item is not _LEFT_OUT}
    if isinstance(value, list | tuple):
        items = [_plain(item, depth + 1, budget) for item in value]
        return [item for item in items if item is not _LEFT_OUT]
    return _LEFT_OUT
