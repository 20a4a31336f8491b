"""Compare rendering through strata with a plain forward pass of the same network, and measure each switch.

Networks have random weights in their published sizes; the bundled one takes part too. The plain passes are
in plain/; first they are checked to compute the same picture. Times are medians of rounds in which all
cases take turns; peak memory is measured in a process of its own per case.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from checkpoints import FAMILIES, make
from ganstrata.core.device import resolve_device
from ganstrata.core.runs.malloc import keep_freed_memory
from ganstrata.core.strata.composition import Pass, first_reader
from measure import arguments, machine, spread, table, turns
from subject import LAST, PLAIN, RENDER, Call, Subject
from switches import compiled, graphed, waited
from worker import ask

ROOMS = "rooms"
KNOWN = (ROOMS, *FAMILIES)
TOLERANCE = 1e-3  # in standard deviations of the pixels
ALLOWED = 1.05  # allowed ratio of render to the better plain pass
UNSTEADY = 0.05  # distance of the quartiles divided by the median, above which rounds are added
SLOW = 10.0  # seconds of a pass; a slower plain one that takes three times as long as render runs once
BUDGET = 40.0  # seconds after which a table stops adding rounds


def chosen(families: str) -> list[str]:
    """Return the requested families."""
    wanted = list(KNOWN) if families == "all" else families.split(",")
    unknown = [name for name in wanted if name not in KNOWN]
    if unknown:
        raise SystemExit(f"no family {', '.join(unknown)}; there are {', '.join(KNOWN)}, and all")
    return wanted


def cases(subject: Subject, names: Sequence[str]) -> dict[str, Call]:
    """Return these ways of rendering, also in other precisions."""
    cuda = subject.device.type == "cuda"
    cases = {name: subject.case(name) for name in names}
    for precision in ("bf16", "fp16") if cuda else ("bf16",):
        cases |= {f"{name}, {precision}": subject.case(name, precision) for name in (LAST, RENDER)}
    if cuda:
        cases |= {
            f"{RENDER}{end}, CUDA graph": graphed(subject.case(RENDER, precision))
            for end, precision in (("", "fp32"), (", fp16", "fp16"))
        }
    return cases


def timed(subject: Subject, calls: Mapping[str, Call], rounds: int) -> dict[str, list[float]]:
    """Return seconds of each case in every round; run as many rounds again if they vary and time allows."""
    ready = {name: waited(call, subject.device) for name, call in calls.items()}
    wall = subject.device.type == "cuda"
    seconds = turns(ready, rounds, wall=wall, budget=BUDGET)
    if (
        max(spread(values) for values in seconds.values()) > UNSTEADY
        and sum(sum(values) for values in seconds.values()) < BUDGET / 2.0
    ):
        more = turns(ready, rounds, wall=wall, warm=False, budget=BUDGET / 2.0)
        seconds = {name: values + more[name] for name, values in seconds.items()}
    return seconds


def verdict(seconds: Mapping[str, list[float]]) -> tuple[float, str]:
    """Return the median ratio of render to the better plain pass, and the name of that pass."""
    best = min((PLAIN, LAST), key=lambda name: statistics.median(seconds[name]))
    return statistics.median(a / b for a, b in zip(seconds[RENDER], seconds[best], strict=False)), best


def report(subject: Subject, seconds: Mapping[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    table("A full pass", medians, unit="per image", per=subject.batch)
    ratio, best = verdict(seconds)
    rounds, worst = len(seconds[RENDER]), max(spread(values) for values in seconds.values())
    once = [name for name, values in seconds.items() if len(values) == 1]
    if once:
        print(f"  measured once, because it is slow: {', '.join(once)}")
    print(
        f"  {RENDER} over '{best}': {ratio:.2f}, {'within' if ratio <= ALLOWED else 'ABOVE'} the "
        f"{ALLOWED:.2f} that are allowed"
    )
    print(f"  {rounds} rounds; quartiles are at most {100.0 * worst:.0f} % of the median apart")
    if subject.device.type != "cuda":
        print("  fp16, CUDA graphs: not measured, no CUDA device")


def reuse(subject: Subject, rounds: int) -> None:
    """Measure an edited image that starts at the state before the first layer of each group."""
    generator, groups = subject.generator, subject.generator.groups
    if generator.card.layers == 1 or not groups:
        print("\nPrefix reuse: nothing to reuse with one layer")
        return
    kept = Pass(
        generator,
        subject.codes,
        condition=subject.classes,
        restarts={first_reader(generator, layers) for layers in groups.values()},
    )
    edits: dict[str, Call] = {"full pass": subject.case(RENDER)}
    edits |= {
        f"{name}, layers {min(at)}-{max(at)}": lambda at=at: kept.edited(subject.codes, at).images
        for name, at in groups.items()
    }
    medians = {name: statistics.median(values) for name, values in timed(subject, edits, rounds).items()}
    table(
        "Prefix reuse: an edited image from the state before its first layer",
        medians,
        unit="per image",
        per=subject.batch,
    )


def memory(subject: Subject, checkpoint: str, names: Sequence[str]) -> None:
    peaks: dict[str, float] = {}
    for case, precision in [*((name, "fp32") for name in names), (RENDER, "bf16")]:
        peak = ask("peak", checkpoint, case, precision, subject.batch, 0, str(subject.device))
        if peak is None:
            print("\nPeak memory: not measured, because this system does not provide it")
            return
        peaks[case if precision == "fp32" else f"{case}, {precision}"] = peak
    print(f"\nPeak memory of a pass beyond the network, MiB per image\n{'':20}{'MiB':>28}  {'ratio':>6}")
    for name, value in peaks.items():
        print(
            f"  {name:<24}  {value / subject.batch / 2**20:>20.1f}  "
            f"{value / next(iter(peaks.values())):>6.2f}"
        )


def freed(checkpoint: str, batch: int, rounds: int) -> None:
    """Measure with and without keep_freed_memory(), which cannot be undone within a process."""
    names = {"freed": "as the C library has it", "kept": "keep_freed_memory()"}
    seconds: dict[str, list[float]] = {name: [] for name in names.values()}
    for _ in range(3):
        for what, name in names.items():
            seconds[name].append(ask(what, checkpoint, RENDER, "fp32", batch, rounds, "cpu") or 0.0)
    table(
        "Memory that a batch frees",
        {name: statistics.median(values) for name, values in seconds.items()},
        unit="per image",
        per=batch,
    )


def compilation(subject: Subject, rounds: int) -> None:
    calls: dict[str, Call] = {RENDER: subject.case(RENDER)}
    notes = []
    for name in (LAST, RENDER):
        fast, note = compiled(subject.case(name))
        notes.append(f"  {name}, {note}")
        if fast is not None:
            calls[f"{name}, compiled"] = fast
    medians = {name: statistics.median(values) for name, values in timed(subject, calls, rounds).items()}
    table("torch.compile", medians, unit="per image", per=subject.batch)
    print("\n".join(notes))


@torch.inference_mode()
def main() -> None:
    options = arguments(
        __doc__,
        families=("all", f"which, with commas between: {', '.join(KNOWN)}"),
        rounds=(5, "repetitions; the median counts"),
        batch=(0, "images in one pass; 0: as many as the pipeline would take"),
        device=("auto", "auto, cpu or cuda"),
        compile=(0, "1: also torch.compile, which takes minutes"),
    )
    families = chosen(options.families)
    device = resolve_device(options.device)
    keep_freed_memory()
    print(machine())
    if device.type == "cuda":
        print(torch.cuda.get_device_name(device))
    with tempfile.TemporaryDirectory() as folder:
        for family in families:
            checkpoint = "bundled:rooms" if family == ROOMS else str(make(family, Path(folder)))
            subject = Subject(checkpoint, options.batch, str(device))
            disagreement, once = subject.compare()
            if not disagreement < TOLERANCE:
                raise SystemExit(
                    f"{family}: the plain passes do not compute the same picture: {disagreement:.1e}"
                )
            slow = {
                name: [seconds] for name, seconds in once.items() if seconds > max(SLOW, 3.0 * once[RENDER])
            }
            names = [name for name in subject.names if name not in slow]
            words = "bundled:rooms, 64 px" if family == ROOMS else f"{FAMILIES[family].words}, random weights"
            print(
                f"\n\n{words}: batches of {subject.batch}; images agree to {disagreement:.0e} of their spread"
            )
            report(subject, {**slow, **timed(subject, cases(subject, names), options.rounds)})
            memory(subject, checkpoint, names)
            reuse(subject, options.rounds)
            if family == ROOMS and device.type == "cpu":
                freed(checkpoint, subject.batch, options.rounds)
            if options.compile:
                compilation(subject, options.rounds)
            if family != ROOMS:
                Path(checkpoint).unlink()


if __name__ == "__main__":
    main()
