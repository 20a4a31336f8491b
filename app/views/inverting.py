"""Choose how pictures are inverted in the app, and say how far a result can be trusted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...core.decimals import number, percent
from ...core.errors import GanstrataError
from ...core.inversion.commands import ENCODER, contents_as_json, method_of
from ...core.inversion.invert import Method
from ...core.inversion.steps import BEST, NONE, chosen_names
from ...core.inversion.trust.alarm import RATE
from ...core.inversion.trust.code_distance import CodeCloud, cloud_of
from ...core.inversion.trust.measure import Calibration, code_trust, sample_numbers
from ...core.plugins.inverter import Inverter
from ...core.plugins.registry import registry
from ...core.runs.loading import build
from ..compute import Stopped
from ..handlers import Answer, Name, Request
from ..inverted import Judgement
from ..workspace import Workspace
from .explore import LAST_FRAME

STEPS = 100
SAMPLES = 39  # of the generator, which set the thresholds of warnings, as `ganstrata trust` has it
AT_ONCE = 3  # of them, so that frames that somebody drags do not wait long
QUIET = 0.5  # seconds without a frame, after which it goes on
LOOK = 0.003  # seconds between two looks whether a frame is asked for
MIXED = "multi_code"  # its pictures are sums, which no boundary says how to move
Floats = NDArray[np.float64]


class Way(Request):
    """Say how a picture is inverted.

    Attributes:
        embed: step that starts from the picture; None for the default here.
        refine: steps that refine what it found; None for the default here.
        steps: steps of each search.
        number: class of the picture, for generators that know classes.
    """

    embed: Name | None = None
    refine: Annotated[tuple[Name, ...], Field(fail_fast=True, max_length=4, strict=False)] | None = None
    steps: Annotated[int, Field(ge=1, le=2000)] = STEPS
    number: Annotated[int, Field(ge=0, lt=10**6)] | None = None


class Step(NamedTuple):
    """Represent a step: its name, what it does, whether it embeds, and why it cannot be used here."""

    name: str
    words: str
    embeds: bool
    why_not: str


def steps_here(workspace: Workspace) -> tuple[Step, ...]:
    """Return all steps, each with the reason why it does not fit this generator, or none."""
    known: tuple[Step, ...] | None = workspace.memory.get("steps")
    if known is None:
        known = workspace.memory["steps"] = tuple(_steps(workspace))
    return known


def _steps(workspace: Workspace) -> list[Step]:
    steps = []
    for info in registry().infos("inverter"):
        if info.name == MIXED:
            continue
        why_not, embeds = "", False
        try:
            inverter = build("inverter", info.name, {}, device=str(workspace.prepared.device))
            assert isinstance(inverter, Inverter)
            embeds = inverter.step == "embed"
            inverter.check_generator(workspace.prepared.generator)
        except GanstrataError as error:
            why_not = str(error)
        steps.append(Step(info.name, info.summary.partition(": ")[2] or info.summary, embeds, why_not))
    return steps


def ways_here(workspace: Workspace) -> dict[str, Any]:
    """Return the steps that there are, and those that are taken if nobody chooses others."""
    steps = steps_here(workspace)

    def listed(*, embeds: bool) -> list[dict[str, Any]]:
        return [
            {"name": step.name, "words": step.words, "why_not": step.why_not}
            for step in steps
            if step.embeds == embeds
        ]

    embed, refine = _default(workspace)
    return {
        "embed": listed(embeds=True),
        "refine": listed(embeds=False),
        "default": {"embed": embed, "refine": list(refine), "steps": STEPS},
        "classes": workspace.prepared.generator.classes,
    }


def _default(workspace: Workspace) -> tuple[str, tuple[str, ...]]:
    """Return the first step and those that refine: an encoder and codes per layer, where there are."""
    fitting = {step.name for step in steps_here(workspace) if not step.why_not}
    embed = ENCODER if ENCODER in fitting else BEST
    (refine,) = chosen_names(workspace.prepared.generator, embed, None)[1:]
    return embed, (refine,) if refine in fitting else ()


def method_for(workspace: Workspace, way: Way) -> Method:
    """Return how pictures are inverted.

    Raises:
        UserError: a step does not exist, or does not fit the generator, or a class does not.
    """
    known: dict[Way, Method] = workspace.memory.setdefault("methods", {})
    if way not in known:
        if len(known) >= 8:
            known.clear()
        embed, refine = _default(workspace)
        embed = way.embed or embed
        refine = refine if way.refine is None else way.refine
        generator, prepared = workspace.prepared.generator, workspace.prepared
        names = chosen_names(generator, embed, refine or (NONE,))
        options = {
            name: {"steps": way.steps}
            for name in names
            if "steps" in registry().info("inverter", name).load().Config.model_fields
        }
        known[way] = method_of(
            generator,
            embed,
            refine or (NONE,),
            options,
            perceptual="auto",
            seed=prepared.seed,
            class_index=way.number,
            scorers=prepared.scorers,
        )
    return known[way]


def cloud_here(workspace: Workspace) -> CodeCloud:
    """Return where the codes of the generator's samples lie; they are drawn once."""
    if "cloud" not in workspace.memory:
        workspace.memory["cloud"] = cloud_of(workspace.prepared.generator, workspace.prepared.seed)
    cloud: CodeCloud = workspace.memory["cloud"]
    return cloud


def _numbers(workspace: Workspace, method: Method) -> list[tuple[Floats, Floats]]:
    """Return the distances and PSNR of the samples that were inverted in the same way, in pieces."""
    fields = [[step.name, contents_as_json(step.fields)] for step in method.steps]
    key = json.dumps([fields, method.rule.name, method.seed, method.class_index])
    known: dict[str, list[tuple[Floats, Floats]]] = workspace.memory.setdefault("calibrations", {})
    return known.setdefault(key, [])


class _Ended(GanstrataError):
    """Raised within a step once the user has stopped it: errors of ours pass through plugins as they are."""


def wait_for_quiet(
    workspace: Workspace,
    breathe: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait while somebody drags, so that frames never wait for a step of what is done beside.

    Args:
        workspace: knows when the last frame was asked for.
        breathe: does what waits and is more urgent.
        clock: returns the time in seconds.
        sleep: waits for some seconds.

    Raises:
        Stopped: from `breathe`.
    """
    breathe()
    while clock() - workspace.memory.get(LAST_FRAME, -QUIET) < QUIET:
        sleep(LOOK)
        breathe()


def calibrate(workspace: Workspace, method: Method, answer: Answer) -> int:
    """Invert a few more samples of the generator as pictures are, and return how many are left.

    Raises:
        Stopped: the user stopped it; what was inverted before counts.
    """
    numbers = _numbers(workspace, method)
    done = sum(len(psnr) for _, psnr in numbers)
    count = min(AT_ONCE, SAMPLES - done)
    if count:
        each = method.total_steps or 1
        told = 0

        def on_loss(losses: object) -> None:
            nonlocal told
            told += 1
            try:
                wait_for_quiet(workspace, answer.breathe)
                answer.step(done * each + told * count, SAMPLES * each)
            except Stopped:
                raise _Ended("the user stopped it") from None

        try:
            numbers.append(sample_numbers(method, cloud_here(workspace), done, count, on_loss))
        except _Ended:
            raise Stopped from None
    return SAMPLES - done - count


def trust_of(workspace: Workspace, judgement: Judgement) -> dict[str, Any]:
    """Return the distance of the code from the generator's own, and the warning, in numbers and words."""
    method, found = judgement.method, judgement.outcome.found
    codes = code_trust(cloud_here(workspace), found.inversion.codes)
    far, beyond = float(codes.whole[0]), float(codes.beyond[0])
    trust: dict[str, Any] = {
        "distance": far,
        "beyond": beyond,
        "words": f"The code lies {number(far, 2)} times as far from the middle of the generator's own codes "
        f"as these do on average; {percent(beyond)} of them lie as far, or farther.",
        "warning": None,
        "left": 0 if judgement.outcome.stopped else SAMPLES,
    }
    if judgement.outcome.stopped:
        trust["why_no_warning"] = (
            "It was stopped, so nobody knows how often a warning would be a false alarm."
        )
        return trust
    numbers = _numbers(workspace, method)
    distances, psnr = (np.concatenate([np.empty(0), *(part[k] for part in numbers)]) for k in (0, 1))
    trust["left"] = SAMPLES - len(psnr)
    if not trust["left"]:
        warnings = Calibration.of(distances, psnr).warnings(codes, [found.measures["psnr"]])
        code, error = (bool(on) for on in warnings.raised[0])
        trust["warning"] = {"code": code, "error": error, "rate": RATE, "words": _in_words(code, error)}
        trust["alarms"] = (
            f"Of the generator's own pictures, inverted in the same way, each of the two tests warns of "
            f"{percent(warnings.code.rate)} on average (95 % interval {percent(warnings.code.low)} to "
            f"{percent(warnings.code.high)}, by {SAMPLES} of them)."
        )
        if judgement.target.known is not None:
            trust["alarms"] += " These had no margins."
    return trust


def _in_words(code: bool, error: bool) -> str:
    """Return which warnings are raised, in a sentence.

    >>> _in_words(False, False)
    "Nothing says that the picture is out of the generator's domain."
    """
    if not code and not error:
        return "Nothing says that the picture is out of the generator's domain."
    causes = [
        *(["its code lies farther out than theirs"] if code else []),
        *(["more of it is missing than of theirs"] if error else []),
    ]
    return (
        "The picture is probably none that this generator could make, measured by the generator's own: "
        f"{' and '.join(causes)}. Edits may change it in other ways than samples."
    )
