"""From a dotted path to a module with its weights. Importing the user's code is what the user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import torch
from torch import Tensor, nn

from ....core.checkpoints import Checkpoint, Part, locate, read_checkpoint, unreal
from ....core.errors import UserError, nearest
from ....core.messages import listed, shown
from ....core.plugins.imports import check_arguments, find, reason
from .config import ModuleConfig, mistake

SHOWN = 8  # faults of a checkpoint that a message lists
PREFIXES = (
    20  # that are tried on all names; of 50,000 tensors each may end with the name of the module's first
)


def build(config: ModuleConfig) -> nn.Module:
    """The module with the weights its constructor gives, on the CPU, in float32.

    It is built under a fixed seed: what is drawn and not stored is the same in every process.

    Raises:
        ConfigError: the target is not there, is no module, or refuses its arguments.
    """
    try:
        found = find(config.target)
    except UserError as error:
        raise mistake("target", str(error)) from error
    name = config.target.rpartition(":")[2]
    if isinstance(found, nn.Module):
        raise mistake(
            "target",
            f"'{name}' is a module that is built already; name its class, or a function that returns it",
        )
    if not callable(found):
        raise mistake("target", f"'{name}' is no class and no function, but {type(found).__name__}")
    try:
        check_arguments(found, name, config.arguments)
    except UserError as error:
        raise mistake("arguments", str(error)) from None
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = found(**config.arguments)
    except Exception as error:
        raise mistake(
            "arguments",
            f"{name}({', '.join(f'{k}={shown(v)}' for k, v in config.arguments.items())}) failed: "
            f"{reason(error)}",
        ) from error
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
        raise mistake(
            "part",
            f"{checkpoint.path} has no part '{config.part}'.{nearest(config.part, parts)} It has {known}",
        )
    chosen = checkpoint.parts if config.part is None else (parts[config.part],)
    # Several may fit: a generator and its moving average, which comes first.
    part = next((p for p in chosen if not _misfits(module, _stripped(p, config.prefix))), chosen[0])
    tensors = _stripped(part, config.prefix)
    faults = _misfits(module, tensors)
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        inside = f" (part {part.name})" if part.name else ""
        hint = _prefix_hint(module, part, config.prefix)
        raise mistake(
            "checkpoint",
            f"{checkpoint.path}{inside} does not fit the module: {'; '.join(faults[:SHOWN])}{more}{hint}",
        )
    if senseless := unreal(tensors):
        raise mistake(
            "checkpoint",
            f"{checkpoint.path}: {listed(senseless)}: "
            "these tensors hold values that are not finite real numbers",
        )
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
        raise mistake(
            key,
            f"the module has no sub-module '{name}'.{nearest(name, names)} At its top it has "
            f"{', '.join(top) or 'none'}",
        )
    found: nn.Module = names[name]
    return found


def _stripped(part: Part, prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor for name, tensor in part.tensors.items() if name.startswith(prefix)
    }


def _misfits(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """List tensors that are missing, unexpected or of another shape.

    Counters of batch normalisation may be missing, because they have no effect.
    """
    own = {
        name: tuple(value.shape) for name, value in module.state_dict().items() if isinstance(value, Tensor)
    }
    missing = [
        f"missing {name}" for name in own if name not in tensors and not name.endswith("num_batches_tracked")
    ]
    superfluous = [f"superfluous {name}" for name in tensors if name not in own]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    misshapen = [
        f"{name} is {shape}, expected {own[name]}"
        for name, shape in shapes.items()
        if name in own and shape != own[name]
    ]
    return [*missing, *superfluous, *misshapen]


def _prefix_hint(module: nn.Module, part: Part, prefix: str) -> str:
    """The prefix with which everything would fit, if there is one."""
    first = next(iter(module.state_dict()), "")
    others = (name.removesuffix(first) for name in part.tensors if first and name.endswith(first))
    for other in islice(others, PREFIXES):
        if other != prefix and not _misfits(module, _stripped(part, other)):
            return f". All fits with prefix: {shown(other)}"
    return ""
