"""Time cases fairly, and print ratios to a named baseline."""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from threadpoolctl import threadpool_limits


def arguments(description: str | None, **more: tuple[object, str]) -> argparse.Namespace:
    """Parse the command line; `more` maps an option to its default and its help."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    common: dict[str, tuple[object, str]] = {
        "threads": (1, "of torch, numpy and scikit-learn"),
        "rounds": (7, "repetitions; the median counts"),
    }
    for name, (default, text) in {**common, **more}.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=text)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    threadpool_limits(chosen.threads)  # threads of the libraries that scikit-learn and numpy call
    return chosen


def alternate(
    cases: Mapping[str, Callable[[], object]], rounds: int, *, warm: bool = True
) -> dict[str, float]:
    """Return the median seconds of each case; cases take turns."""
    return {name: statistics.median(values) for name, values in turns(cases, rounds, warm=warm).items()}


def turns(
    cases: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm: bool = True,
    wall: bool = False,
    least: int = 3,
    budget: float = math.inf,
) -> dict[str, list[float]]:
    """Return the seconds of each case in every round; in a round every case takes its turn.

    Args:
        cases: functions to time, by name.
        rounds: number of rounds.
        warm: whether each case runs once before.
        wall: measure wall time in any case.
        least: number of rounds after which it may stop early.
        budget: number of seconds after which it does.
    """
    clock = clock_of(wall=wall)
    for case in cases.values() if warm else ():
        case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    start = time.perf_counter()
    for done in range(rounds):
        if done >= least and time.perf_counter() - start > budget:
            break
        for name, case in cases.items():
            began = clock()
            case()
            seconds[name].append(clock() - began)
    return seconds


def clock_of(*, wall: bool = False) -> Callable[[], float]:
    """Return the clock, in seconds.

    With one thread it is this process's processor time, on which the load of other programs has the least
    influence. With more threads, whose times would add up, it is wall time, and also if asked for: other
    devices have no processor time.
    """
    return time.process_time if torch.get_num_threads() == 1 and not wall else time.perf_counter


def spread(values: Sequence[float]) -> float:
    """Return the distance of the quartiles divided by the median."""
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values * 3)[:3]
    )
    return (high - low) / middle


def table(
    title: str, seconds: Mapping[str, float], *, unit: str, per: float, baseline: str | None = None
) -> None:
    """Print each case's time in milliseconds per unit and ratio to the baseline (the first, unless named)."""
    reference = seconds[baseline or next(iter(seconds))]
    width = max(len(name) for name in seconds)
    print(f"\n{title}\n  {'':<{width}}  {'ms ' + unit:>16}  {'ratio':>6}")
    for name, value in seconds.items():
        print(f"  {name:<{width}}  {1000.0 * value / per:>16.3f}  {value / reference:>6.2f}")


def machine() -> str:
    """Return one line that describes the machine, with the load of other programs."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{name}, {os.cpu_count()} cores{load}, {torch.get_num_threads()} thread(s), "
        f"torch {torch.__version__}, python {platform.python_version()}"
    )
