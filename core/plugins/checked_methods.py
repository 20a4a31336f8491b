"""Wrap methods of plugins, so that what they take and return is checked wherever they are called."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, cast

from torch import Tensor

from ..errors import PluginBroken, ShapeError
from ..messages import quantity, shown
from ..randomness import Stream
from .base import owner_of
from .picture_checks import check_rendering
from .records import Latents, Rendering
from .shapes import check_shape

if TYPE_CHECKING:
    from .generator import Generator
    from .scorer import Scorer

T = TypeVar("T")


def checked_sample(method: Callable[..., Latents]) -> Callable[..., Latents]:
    """Wrap a generator's sample(), so that its result is checked."""

    @wraps(method)
    def sample(self: Generator, n: int, seed: int, start: int, stream: Stream) -> Latents:
        returned: object = method(self, n, seed, start, stream)
        fault = _fault_of_samples(returned, n, start)
        if not fault:
            # Storage is laid out for the condition of the first samples.
            condition = cast("Latents", returned).condition
            kind = None if condition is None else (tuple(condition.shape[1:]), condition.dtype)
            before = self.__dict__.setdefault("_conditioned", kind)
            if kind != before:
                fault = f"a condition of another kind than before ({shown(kind)}, not {shown(before)})"
        if fault:
            raise PluginBroken(f"{owner_of(self)}: sample({n}, ..., start={start}, ...) returned {fault}")
        return cast("Latents", returned)

    return sample


def _fault_of_samples(returned: object, n: int, start: int) -> str:
    """Return what is wrong with the result of sample(); empty if nothing is."""
    if not isinstance(returned, Latents):
        return f"{type(returned).__name__}; a ganstrata.Latents was expected"
    rows: dict[str, object] = {"z": returned.z, "index": returned.index}
    if returned.condition is not None:
        rows["condition"] = returned.condition
    for name, values in rows.items():
        if not isinstance(values, Tensor):
            return f"{name} as {type(values).__name__}; a torch.Tensor was expected"
        if values.ndim == 0 or len(values) != n:
            return f"{name} of shape {tuple(values.shape)}; it needs {quantity(n, 'row')}"
    if not returned.z.is_floating_point():
        return f"z of {returned.z.dtype}; floats were expected"
    if returned.index.tolist() != list(range(start, start + n)):
        return (
            f"an index other than {start} to {start + n - 1}, which identifies the samples; "
            "use torch.arange(start, start + n)"
        )
    return ""


def checked_map(
    method: Callable[[Any, Tensor, Tensor | None], Tensor],
) -> Callable[[Any, Tensor, Tensor | None], Tensor]:
    """Wrap a generator's map(), so that its argument and its result are checked."""

    @wraps(method)
    def map(  # noqa: A001 - the method's own name
        self: Generator, z: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        check_shape(z, "N Z", where="z passed to map", Z=self.card.latent_size)
        w = method(self, z, condition)
        _check_tensor(w, f"{owner_of(self)}: map")
        check_shape(
            w, "N D", where=f"{owner_of(self)}: w returned by map", N=z.shape[0], D=self.card.code_size
        )
        return w

    return map


def checked_broadcast(
    method: Callable[..., Tensor],
) -> Callable[[Any, Tensor, Tensor | None], Tensor]:
    """Wrap a generator's broadcast(), so that its argument and its result are checked."""
    takes_condition = "condition" in signature(method).parameters

    @wraps(method)
    def broadcast(self: Generator, w: Tensor, condition: Tensor | None = None) -> Tensor:
        check_shape(w, "N D", where="w passed to broadcast", D=self.card.code_size)
        codes = method(self, w, condition=condition) if takes_condition else method(self, w)
        _check_tensor(codes, f"{owner_of(self)}: broadcast")
        where = f"{owner_of(self)}: codes returned by broadcast"
        check_shape(codes, "N L D", where=where, N=w.shape[0], L=self.card.layers, D=self.card.code_size)
        return codes

    return broadcast


def _check_tensor(value: object, method: str) -> None:
    if not isinstance(value, Tensor):
        raise ShapeError(f"{method} returned {type(value).__name__}; a torch.Tensor was expected")
    if not value.is_floating_point():
        raise ShapeError(f"{method} returned {value.dtype}; floats were expected")


def with_checked_input(method: Callable[[Any, Rendering], T]) -> Callable[[Any, Rendering], T]:
    """Wrap a method of a scorer, so that the first rendering that it takes is checked."""

    @wraps(method)
    def call(self: Scorer, rendering: Rendering) -> T:
        check_rendering(rendering, owner_of(self), judge_range=self.judges_range)
        self.judges_range = False  # check once per scorer
        return method(self, rendering)

    return call
