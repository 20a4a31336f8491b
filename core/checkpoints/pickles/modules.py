"""Extract state dicts and settings from pickled networks of torch and of NVIDIA (PyTorch, TensorFlow)."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..limits import DEPTH, LENGTH, Budget, Damaged
from .arrays import Array
from .names import NETWORKS, PERSISTENT
from .unpickler import Foreign, Name, Record

TEXT = 100_000  # characters of a setting, at most


def is_tensorflow(value: Any) -> bool:
    """Return whether a value is a network of NVIDIA's TensorFlow releases."""
    return isinstance(value, Record) and value.name.full in NETWORKS and isinstance(value.state, dict)


def is_persistent(value: Any) -> bool:
    """Return whether a value is an object of NVIDIA's PyTorch releases, stored with its source code."""
    return (
        isinstance(value, Record)
        and value.name.full == PERSISTENT
        and len(value.args) == 1
        and isinstance(value.args[0], dict)
    )


def is_module(value: Any) -> bool:
    """Return whether a value is a torch module."""
    return (
        isinstance(value, Record)
        and isinstance(value.state, dict)
        and isinstance(value.state.get("_modules"), dict)
    )


def is_network(value: Any) -> bool:
    """Return whether a value is a network of any supported kind."""
    return is_tensorflow(value) or is_module(value)


def network(value: Record, budget: Budget) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the settings of a network.

    Raises:
        Damaged: it makes no sense, or is nested too deeply.
        Refused: it takes too many steps.
    """
    if is_tensorflow(value):
        return _tensorflow(value, budget)
    return _state_dict(value, budget), _constructor(value, budget)


def foreign_class(value: Record, budget: Budget) -> str:
    """Return a class of a network that is not known here, so that nobody knows what it does; or "".

    Only the modules and their tensors count: what else hangs on a network is not needed.
    """
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        record, depth = pending.pop()
        budget.step()
        if not isinstance(record, Record):
            continue
        if isinstance(record.name, Foreign):
            return record.name.full
        if depth > DEPTH:
            raise Damaged("its modules are nested without end")
        if not isinstance(record.state, dict):
            continue
        for kind in ("_parameters", "_buffers", "_modules"):
            held = record.state.get(kind)
            if isinstance(held, dict):
                budget.step(len(held))
                pending.extend((item, depth + 1) for item in held.values() if isinstance(item, Record))
    return ""


def as_tensor(value: Any) -> Tensor | None:
    """Return a tensor as it is, and an array of numbers as a tensor; None for anything else."""
    if isinstance(value, Array):
        return value.tensor
    return value if isinstance(value, Tensor) else None


def _name(prefix: str, name: str) -> str:
    """Return the full name of a member of a module.

    Raises:
        Damaged: it is too long.
    """
    if len(prefix) + len(name) > LENGTH:
        raise Damaged(
            f"it has a tensor or a module whose name has {len(prefix) + len(name)} characters; "
            f"at most {LENGTH} are allowed"
        )
    return prefix + name


def _state_dict(module: Record, budget: Budget) -> dict[str, Tensor]:
    """Return what `module.state_dict()` would: the parameters and the persistent buffers."""
    tensors: dict[str, Tensor] = {}
    pending: list[tuple[str, Any, int]] = [("", module, 0)]
    while pending:
        prefix, record, depth = pending.pop()
        budget.step()
        if depth > DEPTH:
            raise Damaged("its modules are nested without end")
        state = record.state if isinstance(record, Record) else None
        if not isinstance(state, dict):
            continue
        non_persistent_list = state.get("_non_persistent_buffers_set")
        budget.step(len(non_persistent_list) if isinstance(non_persistent_list, list | tuple) else 0)
        non_persistent = (
            {name for name in non_persistent_list if isinstance(name, str)}
            if isinstance(non_persistent_list, list | tuple)
            else ()
        )
        for kind in ("_parameters", "_buffers"):
            stored = state.get(kind)
            for name, value in stored.items() if isinstance(stored, dict) else ():
                budget.step()
                tensor = as_tensor(value)
                if (
                    isinstance(name, str)
                    and tensor is not None
                    and not (kind == "_buffers" and name in non_persistent)
                ):
                    tensors[_name(prefix, name)] = tensor
        inner = state.get("_modules")
        for name, value in reversed(inner.items()) if isinstance(inner, dict) else ():
            budget.step()
            if isinstance(name, str):
                pending.append((_name(prefix, name) + ".", value, depth + 1))
    return tensors


def _constructor(module: Record, budget: Budget) -> dict[str, Any]:
    """Return the constructor arguments of a network, if they were stored, and the name of its class."""
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
    """Return the variables of a network and its components by plain name, and the settings of the network.

    If a name occurs more than once, the outermost variable counts.
    """
    tensors: dict[str, Tensor] = {}
    pending = [outer]
    for record in pending:
        if len(pending) > DEPTH:
            raise Damaged("its networks are nested without end")
        variables = record.state.get("variables")
        for pair in variables if isinstance(variables, list | tuple) else ():
            budget.step()
            if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise Damaged("a network whose variables are not arrays by name")
            tensor = as_tensor(pair[1])
            if tensor is None and isinstance(pair[1], int | float):
                tensor = torch.tensor(float(pair[1]))
            if tensor is not None:
                tensors.setdefault(_name("", pair[0]), tensor)
        components = record.state.get("components")
        if isinstance(components, dict):
            pending.extend(value for value in components.values() if is_tensorflow(value))
    settings = plain(outer.state.get("static_kwargs"), budget)
    settings = settings if isinstance(settings, dict) else {}
    return tensors, settings | {
        key: plain(outer.state.get(key), budget) for key in ("build_func_name", "version", "name")
    }


_LEFT_OUT = object()


def plain(value: Any, budget: Budget) -> Any:
    """Return settings as JSON values: None, booleans, numbers, text, lists and dictionaries.

    Other values inside a list or dictionary are left out; another value at the top becomes None.
    """
    settings = _plain(value, 0, budget)
    return None if settings is _LEFT_OUT else settings


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
            if value.entries is None
            and (value.name.last in ("Namespace", "SimpleNamespace") or isinstance(value.name, Foreign))
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
