"""From a dotted path to a module with its weights. Importing the user's code is what the user asks for."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint, Part, locate, read_checkpoint
from ....core.errors import nearest
from .config import ModuleConfig, mistake, reason

SHOWN = 8  # faults of a checkpoint that a message lists


def build(config: ModuleConfig) -> nn.Module:
    """The module with the weights its constructor gives, on the CPU, in float32.

    It is built under a fixed seed: what is drawn and not stored is the same in every process.

    Raises:
        ConfigError: the target is not there, is no module, or refuses its arguments.
    """
    place, _, name = config.target.rpartition(":")
    found: Any = _import(place)
    for part in name.split("."):
        if not hasattr(found, part):
            raise mistake("target", f"{place} has no '{part}'.{nearest(part, vars(found))}")
        found = getattr(found, part)
    if isinstance(found, nn.Module):
        raise mistake("target", f"'{name}' is a module that is built already; name its class, or a function that returns it")
    if not callable(found):
        raise mistake("target", f"'{name}' is no class and no function, but {type(found).__name__}")
    _check_arguments(found, name, config.arguments)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = found(**config.arguments)
    except Exception as error:
        raise mistake("arguments", f"{name}({', '.join(f'{k}={v!r}' for k, v in config.arguments.items())}) failed: {reason(error)}") from error
    if not isinstance(module, nn.Module):
        raise mistake("target", f"{name}(...) gives {type(module).__name__}, no torch.nn.Module")
    return module.float()


def fill(module: nn.Module, config: ModuleConfig) -> Checkpoint | None:
    """Put the checkpoint's weights into the module, all of them and no others.

    Raises:
        CheckpointError: the file cannot be read.
        ConfigError: it has no such part, or does not fit; the message lists what is wrong.
    """
    if config.checkpoint is None:
        return None
    checkpoint = read_checkpoint(locate(config.checkpoint, "generator"))
    if config.sha256 is not None and config.sha256.lower() != checkpoint.sha256:
        raise mistake("sha256", f"{checkpoint.path} has the SHA-256 {checkpoint.sha256}")
    parts = {part.name: part for part in checkpoint.parts}
    if config.part is not None and config.part not in parts:
        known = ", ".join(name for name in parts if name) or "one, unnamed"
        raise mistake("part", f"{checkpoint.path} has no part '{config.part}'.{nearest(config.part, parts)} It has {known}")
    chosen = checkpoint.parts if config.part is None else (parts[config.part],)
    # Several may fit: a generator and its moving average, which comes first.
    part = next((p for p in chosen if not _misfits(module, _stripped(p, config.prefix))), chosen[0])
    tensors = _stripped(part, config.prefix)
    faults = _misfits(module, tensors)
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        inside = f" (part {part.name})" if part.name else ""
        hint = _prefix_hint(module, part, config.prefix)
        raise mistake("checkpoint", f"{checkpoint.path}{inside} does not fit the module: {'; '.join(faults[:SHOWN])}{more}{hint}")
    module.load_state_dict(tensors, strict=False)
    return checkpoint


def submodule(module: nn.Module, name: str, key: str) -> nn.Module:
    """A sub-module by its name.

    Raises:
        ConfigError: there is none; the message has the nearest name, or all at the top.
    """
    names = dict(module.named_modules(remove_duplicate=False))
    if not name or name not in names:
        top = [child for child, _ in module.named_children()]
        raise mistake(key, f"the module has no sub-module '{name}'.{nearest(name, names)} At its top it has {', '.join(top) or 'none'}")
    found: nn.Module = names[name]
    return found


def _import(place: str) -> ModuleType:
    path = Path(place).expanduser()
    try:
        return _import_file(path) if path.suffix == ".py" else importlib.import_module(place)
    except FileNotFoundError:
        raise mistake("target", f"no file {path}" + (f" (looked in {Path.cwd()})" if not path.is_absolute() else "")) from None
    except ModuleNotFoundError as error:
        if path.suffix == ".py" or error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise mistake("target", f"{place} does not import: {reason(error)}") from error
        hint = "install its package, put its folder on PYTHONPATH, or name the file as FILE.py:Name"
        raise mistake("target", f"there is no module '{error.name}' to import; {hint}") from None
    except (Exception, SystemExit) as error:
        raise mistake("target", f"{place} does not import: {reason(error)}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(path)
    path = path.resolve()
    name = f"ganstrata_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found  # dataclasses look their module up
    sys.path.insert(0, str(path.parent))  # the files beside it
    try:
        spec.loader.exec_module(found)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return found


def _check_arguments(target: Any, name: str, arguments: Mapping[str, Any]) -> None:
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return  # made in C: its own complaint must do
    try:
        signature.bind(**arguments)
    except TypeError as error:
        unknown = [key for key in arguments if key not in signature.parameters]
        hint = nearest(unknown[0], signature.parameters) if unknown else ""
        raise mistake("arguments", f"do not fit {name}{signature}: {error}.{hint}") from None


def _stripped(part: Part, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in part.tensors.items() if name.startswith(prefix)}


def _misfits(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """What is missing, superfluous or of another shape. Counters of batch normalisation may be missing: they change nothing."""
    own = {name: tuple(value.shape) for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    missing = [f"missing {name}" for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    superfluous = [f"superfluous {name}" for name in tensors if name not in own]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    misshapen = [f"{name} is {shape}, expected {own[name]}" for name, shape in shapes.items() if name in own and shape != own[name]]
    return [*missing, *superfluous, *misshapen]


def _prefix_hint(module: nn.Module, part: Part, prefix: str) -> str:
    """The prefix with which everything would fit, if there is one."""
    first = next(iter(module.state_dict()), "")
    for name in part.tensors:
        other = name.removesuffix(first)
        if first and name.endswith(first) and other != prefix and not _misfits(module, _stripped(part, other)):
            return f". All fits with prefix: {other!r}"
    return ""
