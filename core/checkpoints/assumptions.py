"""Tell what was stripped, ignored, converted, made up or assumed between a file and its network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from torch import Tensor

from ..messages import listed, visible
from .content import Checkpoint, Part

if TYPE_CHECKING:
    from .detect import Examined

    E = TypeVar("E", bound=Examined)

STATED = "assumptions"  # key of the settings under which `model convert` keeps what it was told
NUMBER = 40  # assumptions that a file may state, at most
SENTENCE = 500  # characters of one
NAMED = 6  # parts that are named in a sentence


def tell(examined: E, part: Part, checkpoint: Checkpoint | None = None) -> E:
    """Return what a plugin has examined, with everything that was assumed on the way from the file to it.

    The order is that of the way: the file, the part of it, its tensors, the network.
    """
    others = [] if checkpoint is None else [other.name for other in checkpoint.parts if other is not part]
    sentences = (
        *stated(part.settings),
        *(() if checkpoint is None else checkpoint.notes),
        *_left_aside(part.name, others),
        *part.notes,
        *precision(part.tensors),
        *examined.assumptions,
    )
    return replace(examined, assumptions=tuple(dict.fromkeys(sentences)))


def _left_aside(used: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the sentence on the parts of a file that are not used."""
    if not others:
        return ()
    which = f"the part {visible(used)}" if used else "the part without a name"
    names = listed((name or "one without a name" for name in others), NAMED)
    return (f"of the file, {which} is used; not used: {names}",)


def precision(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return a sentence for each floating-point type that is not float32, in which networks are loaded.

    >>> import torch
    >>> precision({"a": torch.ones(2, dtype=torch.float16), "b": torch.ones(2)})
    ('1 of 2 tensors is stored in float16 and is converted to float32',)
    """
    types = Counter(
        str(tensor.dtype).removeprefix("torch.")
        for tensor in tensors.values()
        if tensor.is_floating_point() and str(tensor.dtype) != "torch.float32"
    )
    return tuple(
        f"{count} of {len(tensors)} tensors {'is' if count == 1 else 'are'} stored in {name} "
        f"and {'is' if count == 1 else 'are'} converted to float32"
        for name, count in sorted(types.items())
    )


def stated(settings: Mapping[str, object]) -> tuple[str, ...]:
    """Return the assumptions that `model convert` wrote into a file, as short, printable text."""
    sentences = settings.get(STATED)
    if not isinstance(sentences, list | tuple):
        return ()
    return tuple(
        visible(sentence, SENTENCE) for sentence in list(sentences)[:NUMBER] if isinstance(sentence, str)
    )
