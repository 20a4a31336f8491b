"""Invert pictures in batches, which are halved when memory runs out.

Shapes: N pictures, T steps of a search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..device import auto_batch
from ..errors import GanstrataError, MemoryExhausted, UserError
from ..plugins.base import owner_of
from ..plugins.failures import one_line
from ..plugins.generator import Generator
from ..plugins.inverter import Inversion, InversionTask
from ..randomness import Stream, noise_seed
from ..runs.inversion_rows import rows_of
from ..shortage import is_out_of_memory
from .distance import Distance, DistanceRule
from .measures import measured
from .rendering import Renderer
from .steps import Step
from .target import Target

SHARE = 4  # of the pictures that fit a pass, one in so many is searched at once: gradients take memory
OnLoss = Callable[[Tensor], None]


@dataclass(frozen=True)
class Curve:
    """Hold how the distance of one picture fell during a step: before each step of its search, and after."""

    step: str
    losses: Tensor  # (T,)


@dataclass(frozen=True)
class Inverted:
    """Hold what was found for one picture.

    Attributes:
        inversion: everything of which the generator makes the picture again; one row, on the CPU.
        picture: what it makes (3, H, W), not clamped.
        curves: of each step that searched.
        measures: by name: PSNR and so on; see `measures`.
        seconds: time per picture of its batch.
    """

    inversion: Inversion
    picture: Tensor
    curves: tuple[Curve, ...]
    measures: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Method:
    """Hold how pictures are inverted.

    Attributes:
        generator: generator of the codes.
        steps: the steps, in order.
        rule: what is compared.
        seed: seed of all that is drawn, and of fresh noise.
        class_index: class of all pictures, where the user gave one; else None.
    """

    generator: Generator
    steps: tuple[Step, ...]
    rule: DistanceRule
    seed: int = 0
    class_index: int | None = None

    @property
    def total_steps(self) -> int:
        """How often each picture's loss is reported."""
        return sum(step.inverter.total_steps() for step in self.steps)


def default_batch(generator: Generator) -> int:
    """Return how many pictures are inverted at once, if memory allows."""
    card = generator.card
    return max(1, auto_batch(card.height, generator.device, card.width) // SHARE)


def invert_batch(
    method: Method, targets: Sequence[Target], index: Sequence[int], on_loss: OnLoss = lambda losses: None
) -> list[Inverted]:
    """Invert some pictures at once.

    Args:
        method: steps, distance and seed.
        targets: N pictures, all of them with a mask or none.
        index: numbers of the pictures in their command, which decide fresh noise and what steps draw.
        on_loss: called with the losses (N,) after each step of a search.

    Raises:
        UserError: a step does not fit the generator.
        DataError: a loss is not finite.
        MemoryExhausted: memory ran out.
    """
    began = time.monotonic()
    # A search computes gradients, of which tensors made in inference mode have none.
    with torch.inference_mode(mode=False), torch.enable_grad():
        task = task_for(method, targets, index, on_loss)
        found: Inversion | None = None
        curves: list[tuple[str, Tensor]] = []
        for step in method.steps:
            found = step.inverter.invert(task, found)
            if found.losses is not None:
                curves.append((step.name, found.losses.detach().cpu()))
        assert found is not None
        return finished(method, task, targets, found, curves, began)


def task_for(
    method: Method, targets: Sequence[Target], index: Sequence[int], on_loss: OnLoss
) -> InversionTask:
    """Return the task of some pictures, as steps take it; arguments as for `invert_batch`."""
    generator, device = method.generator, method.generator.device
    pictures = torch.stack([one.picture for one in targets]).to(device)
    numbers = torch.tensor(list(index), dtype=torch.int64)
    distance = distance_from(method.rule, targets, device)
    return InversionTask(
        generator,
        pictures,
        numbers,
        Renderer(generator, numbers, noise_seed(method.seed, Stream.EDITING), late=True),
        distance,
        known=None if distance.wanted.shape != pictures.shape else distance.known,
        condition=condition_of(generator, method.class_index, len(targets)),
        seed=method.seed,
        on_step=on_loss,
    )


@torch.no_grad()
def finished(
    method: Method,
    task: InversionTask,
    targets: Sequence[Target],
    found: Inversion,
    curves: Sequence[tuple[str, Tensor]],
    began: float,
) -> list[Inverted]:
    """Return what was found for each picture of a task, with its measures.

    Args:
        method: how they were inverted.
        task: the task.
        targets: its N pictures.
        found: what was found for them.
        curves: step and its losses (T, N), of each step that searched.
        began: when the inversion began, on the clock of time.monotonic().
    """
    rendering = task.render(found)
    rendering.settle()
    measures = measured(method.rule, rendering, targets)
    seconds = (time.monotonic() - began) / len(targets)
    return [
        Inverted(
            on_cpu(rows_of(found, [i])),
            rendering.images[i].cpu(),
            tuple(Curve(name, losses[:, i]) for name, losses in curves),
            measures[i],
            seconds,
        )
        for i in range(len(targets))
    ]


def invert_all(
    method: Method,
    targets: Sequence[Target],
    index: Sequence[int],
    on_found: Callable[[int, Inverted], None],
    *,
    batch: int | None = None,
    on_loss: OnLoss = lambda losses: None,
    on_halved: Callable[[int, int], None] = lambda batch, reported: None,
) -> None:
    """Invert pictures batch by batch.

    Args:
        method: steps, distance and seed.
        targets: the pictures.
        index: number of each in its command.
        on_found: called with the position of a picture in `given` and what was found, batch by batch.
        batch: pictures at once; None for `default_batch`, halved when memory runs out.
        on_loss: as in `invert_batch`.
        on_halved: called with the new size of a batch, and how many losses had been reported in vain.

    Raises:
        MemoryExhausted: memory ran out in a batch of one picture, or of the size that was asked for.
        GanstrataError: see `invert_batch`.
    """
    size, start = batch or default_batch(method.generator), 0
    while start < len(targets):
        rows = _alike(targets, start, size)
        reported = _LossCounter(on_loss)
        try:
            found = invert_batch(method, [targets[i] for i in rows], [index[i] for i in rows], reported)
        except Exception as error:
            if not (isinstance(error, MemoryExhausted) or is_out_of_memory(error)):
                raise
            if batch is not None or len(rows) == 1:
                raise MemoryExhausted(_advice(error, batch, len(rows))) from error
            size = len(rows) // 2
            on_halved(size, reported.count)
            continue
        for i, one in zip(rows, found, strict=True):
            on_found(i, one)
        start = rows[-1] + 1


class _LossCounter:
    """Pass losses on, and count of how many pictures they were."""

    def __init__(self, on_loss: OnLoss) -> None:
        self.count, self._on_loss = 0, on_loss

    def __call__(self, losses: Tensor) -> None:
        self.count += len(losses)
        self._on_loss(losses)


def _alike(targets: Sequence[Target], start: int, size: int) -> list[int]:
    """Return the next pictures that can be in one batch: those given in the same size."""
    shape = targets[start].observed.shape
    rows = []
    for i in range(start, min(start + size, len(targets))):
        if targets[i].observed.shape != shape:
            break
        rows.append(i)
    return rows


def _advice(error: Exception, batch: int | None, count: int) -> str:
    text = str(error) if isinstance(error, GanstrataError) else f"memory ran out: {one_line(error)}"
    if batch is not None and count > 1:
        return f"{text.rstrip('.')}. --batch says {count} at once: give a smaller number, or leave it out"
    return f"{text.rstrip('.')}. One picture at a time needs more memory than there is: use another device"


@torch.no_grad()
def rendered(method: Method, inversion: Inversion) -> Tensor:
    """Return the pictures (N, 3, H, W) of an inversion of pictures 0 to N - 1, batch by batch."""
    count, size = len(inversion.codes), default_batch(method.generator)
    parts = []
    for start in range(0, count, size):
        rows = range(start, min(start + size, count))
        render = Renderer(method.generator, torch.tensor(rows), noise_seed(method.seed, Stream.EDITING))
        parts.append(render(rows_of(inversion, rows)).images)
    return torch.cat(parts)


def distance_from(rule: DistanceRule, targets: Sequence[Target], device: torch.device) -> Distance:
    """Return the distance from given pictures, all of one size."""
    observed = torch.stack([one.observed for one in targets]).to(device)
    return rule.to(observed, _masks([one.known for one in targets], device))


def condition_of(generator: Generator, class_index: int | None, count: int) -> Tensor | None:
    """Return the condition of `count` pictures of one class, as the generator draws it; None without a class.

    Raises:
        UserError: the generator has no classes, or its conditions have no such class.
    """
    if class_index is None:
        return None
    drawn = generator.sample(1, 0, 0, Stream.EDITING).condition
    if drawn is None:
        raise UserError(f"{owner_of(generator)} has no classes; leave the class out")
    if drawn.ndim == 1 and not drawn.is_floating_point():
        return torch.full((count,), class_index, dtype=drawn.dtype, device=drawn.device)
    if drawn.ndim == 2 and class_index < drawn.shape[1]:
        weights = torch.zeros(count, drawn.shape[1], dtype=drawn.dtype, device=drawn.device)
        weights[:, class_index] = 1.0
        return weights
    raise UserError(
        f"class {class_index}: {owner_of(generator)} draws conditions of shape {tuple(drawn.shape[1:])}, "
        "which have no such class"
    )


def _masks(masks: Sequence[Tensor | None], device: torch.device) -> Tensor | None:
    """Return the masks of pictures of one size (N, 1, h, w); ones for those without, None if none has one."""
    one = next((mask for mask in masks if mask is not None), None)
    if one is None:
        return None
    return torch.stack([torch.ones_like(one) if mask is None else mask for mask in masks]).to(device)


def on_cpu(inversion: Inversion) -> Inversion:
    """Return an inversion without its history of gradients, on the CPU."""

    def here(x: Tensor | None) -> Tensor | None:
        return None if x is None else x.detach().cpu()

    mixture = inversion.mixture
    return replace(
        inversion,
        codes=inversion.codes.detach().cpu(),
        condition=here(inversion.condition),
        latent=here(inversion.latent),
        noise={s: maps.detach().cpu() for s, maps in inversion.noise.items()},
        weights=tuple({name: x.detach().cpu() for name, x in one.items()} for one in inversion.weights),
        mixture=None
        if mixture is None
        else replace(mixture, codes=mixture.codes.detach().cpu(), weights=mixture.weights.detach().cpu()),
        losses=None,
    )
