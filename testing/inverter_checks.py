"""Check what inverters promise: codes of the right form, nearer pictures, and each picture by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import cast, get_args

import torch
from torch import Tensor

from ..core.conformance import random_state
from ..core.errors import UserError
from ..core.inversion.rendering import Renderer
from ..core.messages import visible
from ..core.plugins.generator import Generator
from ..core.plugins.inverter import Inversion, InversionTask, Inverter, StepKind
from ..core.plugins.records import Latents, Rendering
from ..core.randomness import Stream, noise_seed
from ..core.runs.inversion_rows import rows_of
from .inverter_draws import same, watched
from .kit import DoesNotApply, NotConforming
from .rendered import codes_of, difference
from .subject import Subject
from .tiny import Tiny, TinyClasses, TinyFrozen, tiny

PICTURES, SEED = 3, 4
QUICK = {"steps": 24, "samples": 32}  # options of what has such ones; enough to come nearer
TURNED = [1, 2, 0]  # every picture at another place
MOVED = 1e-3  # of the range: batches of the same size are rounded nearly alike
TOLERANCE = 0.01  # of the range of the pictures: a search amplifies the rounding of another batch


def step_is_declared(subject: Subject) -> None:
    """It says whether it embeds or refines, and how many steps it takes."""
    inverter = _inverter(subject)
    if getattr(inverter, "step", None) not in get_args(StepKind):
        raise NotConforming(
            f"its step is {visible(repr(getattr(inverter, 'step', None)), 60)}; give the class the attribute "
            'step = "embed" or step = "refine"'
        )
    total: object = inverter.total_steps()
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise NotConforming(f"total_steps() gives {visible(repr(total), 60)}; a whole number was expected")


def inversion_fits_the_generator(subject: Subject) -> None:
    """What it returns has the shapes of the generator, and pictures can be made of it."""
    inverter, task, start = _prepared(subject)
    found: object = inverter.invert(task, start)
    if not isinstance(found, Inversion):
        raise NotConforming(f"invert() returned {type(found).__name__}; an Inversion was expected")
    fault = _fault(task.generator, found, PICTURES)
    if fault:
        raise NotConforming(fault)
    with torch.no_grad():
        distances = task.distance(task.render(found))
    if not bool(distances.isfinite().all()):
        raise NotConforming("the pictures of what it returns are not finite; check its steps, or their rate")


def latent_is_that_of_the_codes(subject: Subject) -> None:
    """If it says of which z or w the codes are made, they are."""
    inverter, task, start = _prepared(subject)
    found, generator = inverter.invert(task, start), task.generator
    if found.latent is None:
        raise DoesNotApply("it returns codes without a latent")
    with torch.no_grad():
        w = generator.map(found.latent, found.condition) if found.space == "z" else found.latent
        apart = difference(found.codes, generator.broadcast(w, found.condition))
    if not apart <= TOLERANCE:
        raise NotConforming(
            f"codes made of the latent in {found.space} that it returns differ by {apart:.2g} of their range "
            "from those that it returns; give latent=None and space='w+' if layers have codes of their own"
        )


def refining_brings_pictures_nearer(subject: Subject) -> None:
    """Pictures are nearer after it than before, on the average."""
    inverter, task, start = _prepared(subject)
    if start is None:
        raise DoesNotApply("it embeds, and so has no start to compare with")
    with torch.no_grad():
        before = float(task.distance(task.render(start)).mean())
    found = inverter.invert(task, start)
    with torch.no_grad():
        after = float(task.distance(task.render(found)).mean())
    if not after < before:
        raise NotConforming(
            f"the mean distance of {PICTURES} pictures was {before:.3g} before and {after:.3g} after; follow "
            "the gradient of task.distance(task.render(...)), with small enough steps"
        )


def steps_are_told(subject: Subject) -> None:
    """on_step is called as often as total_steps says, with a number for each picture."""
    inverter, task, start = _prepared(subject)
    told: list[Tensor] = []
    found = inverter.invert(replace(task, on_step=told.append), start)
    if len(told) != inverter.total_steps():
        raise NotConforming(
            f"task.on_step was called {len(told)} times for a batch, and total_steps() says "
            f"{inverter.total_steps()}; progress is counted by it"
        )
    shapes = {tuple(losses.shape) for losses in told}
    if shapes - {(PICTURES,)}:
        raise NotConforming(
            f"task.on_step was given numbers of the shape {shapes.pop()}; give one for each of the "
            f"{PICTURES} pictures"
        )
    if any(losses.requires_grad for losses in told) or (
        found.losses is not None and found.losses.requires_grad
    ):
        raise NotConforming("losses are given with their gradients, which keeps all passes; detach() them")


def batch_does_not_change_a_result(subject: Subject) -> None:
    """A picture alone, or at another place of a batch, is inverted as it is among others, up to rounding."""
    inverter, task, start = _prepared(subject)
    found = inverter.invert(task, start)
    with torch.no_grad():
        together = task.render(found).images
    for rows, where, allowed in (
        ([PICTURES - 1], "alone", TOLERANCE),
        (TURNED, "at another place of the same batch", MOVED),
    ):
        part, first = _part(task, rows), None if start is None else rows_of(start, rows)
        with torch.no_grad():
            images = part.render(inverter.invert(part, first)).images
        apart = difference(together[rows], images)
        if not apart <= allowed:
            raise NotConforming(
                f"a picture that is inverted {where} differs by {apart:.2g} of the range from the same one "
                f"inverted among others, {allowed:g} is allowed; what is drawn for a picture may depend on "
                "task.seed and task.index, and on nothing of the other pictures or their order"
            )


def inverting_again_gives_the_same(subject: Subject) -> None:
    """Inverting the same pictures again gives the same codes."""
    inverter, task, start = _prepared(subject)
    first, again = (inverter.invert(task, start) for _ in range(2))
    apart = difference(first.codes, again.codes)
    if not apart <= TOLERANCE:
        raise NotConforming(
            f"inverted again, the same pictures get codes that differ by {apart:.2g} of their range; draw "
            "random numbers from task.seed, such as with ganstrata.normals, and keep nothing of a call"
        )


def seed_decides_what_is_drawn(subject: Subject) -> None:
    """If it draws random numbers, another seed of the task gives another result."""
    inverter, task, start = _prepared(subject)
    found = []
    for seed in (SEED, SEED + 1):
        with watched(replace(task, seed=seed)) as (seen, draws):
            found.append(inverter.invert(seen, start))
    if not draws.count:
        raise DoesNotApply("it draws no random numbers")
    if same(*found):
        raise NotConforming(
            "it draws random numbers, and with another task.seed it finds the same to the last bit; draw "
            "them from task.seed and task.index, such as with ganstrata.normals, or do not draw any"
        )


def start_and_generator_are_left_alone(subject: Subject) -> None:
    """It changes neither its task, nor its start, nor the generator, nor torch's random state."""
    inverter, task, start = _prepared(subject)
    watched = {"the pictures": task.pictures, **_tensors(start)}
    weights = {f"the generator's {name}": x for name, x in task.generator.tunable.items()}
    before = {name: x.clone() for name, x in (watched | weights).items()}
    needs = {name: x.requires_grad for name, x in (watched | weights).items()}
    with random_state.preserved():
        torch.manual_seed(0)
        state = torch.random.get_rng_state()
        inverter.invert(task, start)
        drew = not torch.equal(state, torch.random.get_rng_state())
    if drew:
        raise NotConforming(
            "it draws from torch's global random state; use ganstrata.normals, or a torch.Generator with "
            "task.seed"
        )
    now = {**watched, **{f"the generator's {name}": x for name, x in task.generator.tunable.items()}}
    for name, x in now.items():
        if x.requires_grad != needs[name] or not torch.equal(x, before[name]):
            raise NotConforming(
                f"{name} is not as it was before; clone() what is moved, and tune weights as "
                "Inversion.weights, which task.render adds for the time of a pass"
            )


def missing_start_is_named(subject: Subject) -> None:
    """Refining without a start is the user's mistake, and said to be."""
    inverter, task, start = _prepared(subject)
    if start is None:
        raise DoesNotApply("it embeds, and so needs no start")
    try:
        inverter.invert(task, None)
    except UserError:
        return
    raise NotConforming("it refines from nothing; raise ganstrata.UserError if `start` is None")


def generator_without_gradients_is_refused(subject: Subject) -> None:
    """A generator without gradients is refused by check_generator, unless none are needed."""
    inverter = _inverter(subject)
    frozen = tiny(TinyFrozen)
    if not inverter.needs_gradients:
        raise DoesNotApply("it needs no gradients")
    try:
        inverter.check_generator(frozen)
    except UserError:
        return
    raise NotConforming(
        "check_generator() accepts a generator whose pictures give no gradients; raise ganstrata.UserError, "
        "or give the class needs_gradients = False if it needs none"
    )


def _inverter(subject: Subject) -> Inverter:
    """Return the inverter that is checked, with fewer steps or samples if it has options for them."""
    _ = subject.built
    known = subject.plugin_class.Config.model_fields.keys() - subject.config.keys()
    return cast("Inverter", subject.build(**{name: QUICK[name] for name in known & QUICK.keys()}))


def _prepared(subject: Subject) -> tuple[Inverter, InversionTask, Inversion | None]:
    """Return the inverter, a task with a generator that it accepts, and a start if it refines.

    Raises:
        DoesNotApply: no generator is known that it accepts.
    """
    inverter = _inverter(subject)
    generator = generator_for(subject, inverter)
    task = task_of(generator)
    if inverter.step == "embed":
        return inverter, task, None
    latents = generator.sample(PICTURES, SEED, 100, Stream.PROBING)
    return inverter, task, Inversion(codes_of(generator, latents), latents.condition, latents.z, "z")


def generator_for(subject: Subject, inverter: Inverter) -> Generator:
    """Return a generator that an inverter accepts: the one that was given, or a tiny one.

    Raises:
        DoesNotApply: it accepts none of the tiny ones.
    """
    if subject.feature_maker is not None:
        return subject.feature_maker
    reasons = []
    for kind in (Tiny, TinyClasses):
        generator = tiny(kind)
        try:
            inverter.check_generator(generator)
        except UserError as reason:
            reasons.append(str(reason))
        else:
            return generator
    raise DoesNotApply(
        f"it refuses the generators of the checks: {visible(reasons[0], 200)} Give one that it accepts"
    )


def task_of(generator: Generator) -> InversionTask:
    """Return a task: pictures of samples, whose distance is the mean squared error, with fresh noise."""
    latents: Latents = generator.sample(PICTURES, SEED, 0, Stream.EDITING)
    index = torch.arange(7, 7 + PICTURES)
    render = Renderer(generator, index, noise_seed(SEED, Stream.EDITING))
    with torch.no_grad():
        pictures = render(Inversion(codes_of(generator, latents), latents.condition)).images.clone()
    return InversionTask(generator, pictures, index, render, SquaredError(pictures), seed=SEED)


class SquaredError:
    """Measure the mean squared error of pictures."""

    def __init__(self, wanted: Tensor) -> None:
        self.wanted = wanted

    def __call__(self, rendering: Rendering, rows: Sequence[int] | None = None) -> Tensor:
        """Return it (M,) for pictures (M, 3, H, W)."""
        wanted = self.wanted if rows is None else self.wanted[list(rows)]
        return (rendering.images - wanted).square().mean(dim=(1, 2, 3))


def _part(task: InversionTask, rows: Sequence[int]) -> InversionTask:
    """Return the task of some of the pictures, in the order of `rows`."""
    pictures, index = task.pictures[list(rows)], task.index[list(rows)]
    render = replace(cast("Renderer", task.render), index=index)
    return replace(task, pictures=pictures, index=index, render=render, distance=SquaredError(pictures))


def _tensors(start: Inversion | None) -> Mapping[str, Tensor]:
    if start is None:
        return {}
    named = {f"the start's {field.name}": getattr(start, field.name) for field in fields(start)}
    return {name: value for name, value in named.items() if isinstance(value, Tensor)}


def _fault(generator: Generator, found: Inversion, n: int) -> str:
    """Return what is wrong with the form of an inversion; empty if nothing is."""
    card = generator.card
    latent_size = card.latent_size if found.space == "z" else card.code_size
    wanted: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
        "codes": (found.codes, (n, card.layers, card.code_size)),
        "latent": (found.latent, (n, latent_size)),
    }
    for name, (value, shape) in wanted.items():
        if value is not None and tuple(value.shape) != shape:
            return f"its {name} have the shape {tuple(value.shape)}; {shape} was expected"
        if value is not None and (value.requires_grad or not bool(value.isfinite().all())):
            return f"its {name} have gradients or are not finite; detach() them"
    if (found.latent is None) != (found.space == "w+"):
        return f"its space is {found.space}, with{'out' if found.latent is None else ''} a latent"
    if found.condition is not None and len(found.condition) != n:
        return f"its condition has {len(found.condition)} rows for {n} pictures"
    if found.weights and len(found.weights) != n:
        return f"its weights are for {len(found.weights)} pictures, not {n}"
    if found.losses is not None and (found.losses.ndim != 2 or found.losses.shape[1] != n):
        return f"its losses have the shape {tuple(found.losses.shape)}; (steps + 1, {n}) was expected"
    return ""
