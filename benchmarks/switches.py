"""Try switches with a cost before they pay off: torch.compile, and graphs on CUDA."""

from __future__ import annotations

import time

import torch
from subject import Call


def compiled(call: Call) -> tuple[Call | None, str]:
    """Return the compiled call and the seconds that compiling took, or None and the reason."""
    torch.compiler.reset()
    fast = torch.compile(call)
    began = time.perf_counter()
    try:
        fast()
    except Exception as error:  # torch's compiler, or the C++ compiler it calls, may fail in any way
        words = str(error).strip().splitlines() or [type(error).__name__]
        return None, f"not measured: {type(error).__name__}: {words[0][:150]}"
    return fast, f"compiled in {time.perf_counter() - began:.0f} s"


def graphed(call: Call) -> Call:
    """Return the same work as one recorded CUDA graph, which renders into the same memory every time."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        image = call()

    def replay() -> torch.Tensor:
        graph.replay()
        return image

    return replay


def waited(call: Call, device: torch.device) -> Call:
    """Return a call that waits until its work is done, not only queued."""
    if device.type != "cuda":
        return call

    def done() -> torch.Tensor:
        image = call()
        torch.cuda.synchronize(device)
        return image

    return done
