"""Build the user's module from its dotted path, and load its weights.

Importing a target runs the user's code, which the config asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import torch
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint, Part, locate, read_checkpoint, unreal
from ....core.errors import UserError, nearest
from ....core.messages import listed, shown
from ....core.plugins.imports import check_arguments, find, reason
from .config import ModuleConfig, config_error

MAX_FAULTS = 8  # that a message lists
# Prefixes that are tried to find one that fits. Each trial compares all names, and in a large file many names
# may end with that of the module's first tensor.
MAX_PREFIXES = 20


def build(config: ModuleConfig) -> nn.Module:
    """Build the module on the CPU, in float32, with the weights that its constructor gives.

    The random seed is fixed, so that tensors that are drawn and not stored are the same in every process.

    Raises:
        ConfigError: the target does not exist, is not a module, or does not take its arguments.
    """
    try:
        target = find(config.target)
    except UserError as error:
        raise config_error("target", str(error)) from error
    name = config.target.rpartition(":")[2]
    if isinstance(target, nn.Module):
        raise config_error(
            "target", f"'{name}' is an instance of a module; name its class, or a function that returns it"
        )
    if not callable(target):
        raise config_error(
            "target", f"'{name}' is neither a class nor a function, but {type(target).__name__}"
        )
    try:
        check_arguments(target, name, config.arguments)
    except UserError as error:
        raise config_error("arguments", str(error)) from None
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = target(**config.arguments)
    except Exception as error:
        raise config_error(
            "arguments",
            f"{name}({', '.join(f'{k}={shown(v)}' for k, v in config.arguments.items())}) failed: "
            f"{reason(error)}",
        ) from error
    if not isinstance(module, nn.Module):
        raise config_error("target", f"{name}(...) returns {type(module).__name__}, not a torch.nn.Module")
    if isinstance(module, torch.jit.ScriptModule):
        raise config_error(
            "target",
            f"{name}(...) returns a module of TorchScript (torch.jit), which cannot be taken apart; return "
            "the torch.nn.Module that it was made from, with its weights as `checkpoint`",
        )
    return module.float()


def fill(module: nn.Module, config: ModuleConfig) -> Checkpoint | None:
    """Load the weights of the checkpoint into the module; the names must be the same on both sides.

    Raises:
        CheckpointError: the file cannot be read.
        ConfigError: the file has another hash or lacks the part, or tensors do not fit; the message lists
            them.
    """
    if config.checkpoint is None:
        return None
    checkpoint = read_checkpoint(locate(config.checkpoint, "generator"))
    if config.sha256 is not None and config.sha256.lower() != checkpoint.sha256:
        raise config_error("sha256", f"{checkpoint.path} has another one, {checkpoint.sha256}")
    parts = {part.name: part for part in checkpoint.parts}
    if config.part is not None and config.part not in parts:
        known = ", ".join(name for name in parts if name) or "one, unnamed"
        raise config_error(
            "part",
            f"{checkpoint.path} has no part '{config.part}'.{nearest(config.part, parts)} Its parts: {known}",
        )
    candidates = checkpoint.parts if config.part is None else (parts[config.part],)
    # Several may fit: a generator and its moving average, which comes first.
    part = next(
        (p for p in candidates if not _faults(module, _without_prefix(p, config.prefix))), candidates[0]
    )
    tensors = _without_prefix(part, config.prefix)
    faults = _faults(module, tensors)
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        origin = f" (part {part.name})" if part.name else ""
        hint = _prefix_hint(module, part, config.prefix)
        raise config_error(
            "checkpoint",
            f"{checkpoint.path}{origin} does not fit the module: "
            f"{'; '.join(faults[:MAX_FAULTS])}{more}{hint}",
        )
    if invalid := unreal(tensors):
        raise config_error(
            "checkpoint",
            f"{checkpoint.path}: {listed(invalid)}: "
            "these tensors hold values that are not finite real numbers",
        )
    module.load_state_dict(tensors, strict=False)
    return checkpoint


def submodule(module: nn.Module, name: str, key: str) -> nn.Module:
    """Return a sub-module by its name.

    Args:
        module: the whole module.
        name: dotted, as in its state dict.
        key: config field that names it, for messages.

    Raises:
        ConfigError: there is no such sub-module; the message proposes names.
    """
    modules = dict(module.named_modules(remove_duplicate=False))
    if not name or name not in modules:
        children = [child for child, _ in module.named_children()]
        raise config_error(
            key,
            f"the module has no sub-module '{name}'.{nearest(name, modules)} Its children are "
            f"{', '.join(children) or 'none'}",
        )
    named: nn.Module = modules[name]
    return named


def _without_prefix(part: Part, prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, by the rest of their names."""
    return {
        name.removeprefix(prefix): tensor for name, tensor in part.tensors.items() if name.startswith(prefix)
    }


def _faults(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """List tensors that are missing, unexpected or of another shape.

    Counters of batch normalisation may be missing, because inference does not use them.
    """
    expected = {
        name: tuple(value.shape) for name, value in module.state_dict().items() if isinstance(value, Tensor)
    }
    missing = [
        f"missing {name}"
        for name in expected
        if name not in tensors and not name.endswith("num_batches_tracked")
    ]
    superfluous = [f"superfluous {name}" for name in tensors if name not in expected]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    misshapen = [
        f"{name} is {shape}, expected {expected[name]}"
        for name, shape in shapes.items()
        if name in expected and shape != expected[name]
    ]
    return [*missing, *superfluous, *misshapen]


def _prefix_hint(module: nn.Module, part: Part, prefix: str) -> str:
    """Return a sentence about the prefix with which all tensors fit, or ""."""
    first = next(iter(module.state_dict()), "")
    prefixes = (name.removesuffix(first) for name in part.tensors if first and name.endswith(first))
    for candidate in islice(prefixes, MAX_PREFIXES):
        if candidate != prefix and not _faults(module, _without_prefix(part, candidate)):
            return f". All tensors fit with prefix: {shown(candidate)}"
    return ""
