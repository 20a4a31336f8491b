"""Measure one case in a process of its own, and print a number: peak memory of a pass, or its time.

`peak` is the number of bytes by which the process grew during the pass. Before, the same case renders one
image, so that code, caches and primitives are loaded; free memory is given back to the system, and the
system's high-water mark is reset. On CUDA it is what torch's allocator counts.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import torch
from ganstrata.core.runs.malloc import keep_freed_memory
from measure import alternate
from subject import Call, Subject

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def ask(
    what: str, checkpoint: str, case: str, precision: str, batch: int, rounds: int, device: str
) -> float | None:
    """Return the number from a fresh process, or None if the system does not provide it."""
    command = [
        sys.executable,
        __file__,
        what,
        checkpoint,
        case,
        precision,
        str(batch),
        str(rounds),
        device,
        str(torch.get_num_threads()),
    ]
    # PYTHONSAFEPATH would keep the script from finding the files beside it.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()
    return None if answer == "unknown" else float(answer)


def peak(warm: Call, call: Call, device: torch.device) -> int | None:
    """Return the peak memory of a pass in bytes, or None if the system does not provide it."""
    warm()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if STATUS.exists() else None
    if trim is None:
        return None
    trim(0)
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return None
    before = _kilobytes("VmRSS")
    call()
    return 1024 * max(0, _kilobytes("VmHWM") - before)


def _kilobytes(name: str) -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


@torch.inference_mode()
def main() -> None:
    what, checkpoint, case, precision, batch, rounds, device, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    if what == "kept":
        keep_freed_memory()
    subject = Subject(checkpoint, int(batch), device)
    call = subject.case(case, precision)
    if what == "peak":
        bytes_used = peak(subject.case(case, precision, n=1), call, subject.device)
        print("unknown" if bytes_used is None else bytes_used)
    else:
        print(alternate({case: call}, int(rounds))[case])


if __name__ == "__main__":
    main()
