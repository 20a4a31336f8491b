"""Say what to give instead of a file that holds no network: an optimiser's state, a training log."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch import Tensor

from ..messages import shown
from .pickles.unpickler import Record
from .refused_kinds import ARRAYS

LOOKED_AT = 1_000  # entries of a dictionary that are looked at
GIVE = "give the file of the generator, often called G_ema.pth, g_ema or network-snapshot"


def advice(content: Any) -> str:
    """Return what a readable file without tensors by name is, and what to give instead; empty if unknown."""
    if isinstance(content, Tensor) or _has_tensors(content):
        return f". {ARRAYS}"
    if isinstance(content, Record) and content.name.full.startswith("torch.optim."):
        return f". This is an optimiser, which makes no pictures: {GIVE}"
    if not isinstance(content, dict) or not content:
        return ""
    entries = list(islice(content.items(), LOOKED_AT))
    if _is_optimiser(content):
        return f". This is an optimiser's state, which makes no pictures: {GIVE}"
    unnamed = next((key for key, value in entries if _has_tensors(value)), None)
    if unnamed is not None:
        return (
            f". The tensors of {shown(unnamed)} are stored without names: save the network's state_dict(), "
            "which has them"
        )
    if any(_is_optimiser(inner) for _, value in entries for inner in _several(value)):
        return f". There is an optimiser's state in it, but no network: {GIVE}"
    if all(isinstance(key, str) and _is_fact(value) for key, value in entries):
        return f". This is a training log or a list of settings, without weights: {GIVE}"
    return ""


def _has_tensors(value: Any) -> bool:
    """Return whether a value is a list of tensors."""
    return isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in islice(value, LOOKED_AT))


def _several(value: Any) -> Iterator[dict[Any, Any]]:
    """Yield a dictionary, or those in a list of them, as trainers keep their optimisers."""
    for inner in islice(value, LOOKED_AT) if isinstance(value, list | tuple) else (value,):
        if isinstance(inner, dict):
            yield inner


def _is_optimiser(content: dict[Any, Any]) -> bool:
    """Return whether a dictionary is what torch.optim's state_dict() gives, or an entry of one by number."""
    if "state" in content and ("param_groups" in content or isinstance(content["state"], dict)):
        state = content["state"]
        return isinstance(state, dict) and all(isinstance(key, int) for key in islice(state, LOOKED_AT))
    return "param_groups" in content


def _is_fact(value: Any) -> bool:
    """Return whether a value is a number, text, or a list or dictionary, as logs hold them."""
    return value is None or isinstance(value, bool | int | float | str | list | tuple | dict)
