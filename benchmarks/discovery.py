"""Measure what each method without labels costs, in a process of its own: processor time and peak memory.

The codes of the run are drawn before; samples that a method draws for itself count. Memory is what the
process grows by, after the same method has worked on a few samples.

    python benchmarks/discovery.py
    python benchmarks/discovery.py --models rooms --methods "sefa;pca;ica"
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import ganstrata
import numpy as np
import torch
from checkpoints import make
from ganstrata import Generator, Stream
from ganstrata.core.runs.malloc import keep_freed_memory
from ganstrata.core.strata.names import stratum_number
from ganstrata.plugins.boundaries.drawn import activations, draw
from ganstrata.plugins.boundaries.pca import decompose
from ganstrata.plugins.boundaries.spectrum import spectrum
from measure import machine
from numpy.typing import NDArray
from worker import peak

MIB = 2**20
FEW = 64  # samples of the first call, which is not measured
STRATUM = "b8.conv1"


class Method(NamedTuple):
    """Hold a learner with its options, and those with which it has little to do."""

    learner: str
    options: dict[str, Any]
    little: Mapping[str, Any] = MappingProxyType({})


METHODS: dict[str, Method] = {
    "sefa": Method("sefa", {}),
    "pca": Method("pca", {}),
    "pca, 10,000 drawn": Method("pca", {"samples": 10_000}),
    "pca, 100,000 drawn": Method("pca", {"samples": 100_000}),
    "pca, 1,000,000 drawn": Method("pca", {"samples": 1_000_000}),
    f"pca of {STRATUM}, 2,000 drawn": Method("pca", {"samples": 2000, "stratum": STRATUM}),
    "ica": Method("ica", {}),
    "random": Method("random", {}),
    "joint": Method("joint", {"directions": 10}, {"directions": 2, "steps": 1, "batch": 2}),
    "steer, eight edits": Method("steer", {}, {"edits": ["zoom"], "steps": 1}),
    "sae": Method("sae", {"directions": 10}, {"steps": 1}),
}
"""What is measured, by its name in the table; a later method is one more line."""

MODELS = {"rooms": "bundled:rooms, 64 px", "stylegan2": "StyleGAN2, 256 px, random weights"}


class Cost(NamedTuple):
    """Hold what a method took: processor seconds, and bytes, or None where the system does not say."""

    seconds: float
    memory: int | None


def measured(method: Method, generator: Generator, latents: NDArray[np.float32]) -> Cost:
    """Return the cost of finding ten directions from codes (N, D)."""
    few = {**method.options, **({"samples": FEW} if "samples" in method.options else {}), **method.little}
    took: list[float] = []

    def find(options: dict[str, Any], codes: NDArray[np.float32]) -> None:
        learner = ganstrata.load_learner(method.learner, device=str(generator.device), **options)
        began = time.process_time()
        learner.learn(codes, np.zeros((len(codes), 0), np.float32), [], generator=generator)
        took.append(time.process_time() - began)

    memory = peak(lambda: find(few, latents[:FEW]), lambda: find(method.options, latents), generator.device)
    return Cost(took[-1], memory)


def accuracy(generator: Generator, samples: int) -> list[float]:
    """Return |cosine| of ten incremental components of a stratum with those of all samples at once."""
    stratum = stratum_number(generator.strata, STRATUM)
    y = np.concatenate(
        [
            activations(generator, stratum, latents, w, 0).cpu().numpy()
            for latents, w in draw(generator, range(samples), 0, FEW)
        ]
    )  # (N, F)
    y -= y.mean(axis=0)
    _, left = spectrum(y.astype(np.float64) @ y.T)  # of the smaller of the two products, (N, N)
    vectors = left[:10] @ y
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = decompose(generator, stratum, 10, samples, 0).components_
    return [abs(float(a @ b)) for a, b in zip(found, vectors, strict=True)]


def codes_of(generator: Generator, count: int) -> NDArray[np.float32]:
    """Return codes (N, D) of probing samples."""
    with torch.inference_mode():
        latents = generator.sample(count, 0, 0, Stream.PROBING)
        return np.array(generator.map(latents.z, latents.condition).float().cpu().numpy())


def in_own_process(model: str, checkpoint: str, name: str, codes: int) -> Cost:
    """Return the cost that a fresh process measures."""
    case = ["--models", model, "--methods", name, "--codes", str(codes), "--checkpoint", checkpoint]
    command = [sys.executable, __file__, *case]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(*json.loads(answer.stdout))


def row(name: str, cost: Cost) -> str:
    """Return a line of the table."""
    memory = "unknown" if cost.memory is None else f"{cost.memory / MIB:.0f}"
    return f"| {name} | {cost.seconds:.3g} | {memory} |"


def named(text: str, known: Sequence[str]) -> list[str]:
    """Return the names in an option, which are separated by semicolons; `all` for all that are known."""
    names = list(known) if text == "all" else text.split(";")
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"'{unknown[0]}' is not one of {'; '.join(known)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="all", help=f"which, with ; between: {'; '.join(MODELS)}")
    parser.add_argument("--methods", default="all", help=f"the same of {'; '.join(METHODS)}")
    parser.add_argument("--codes", type=int, default=4000, help="probing samples of the run")
    parser.add_argument("--accuracy", type=int, default=0, help="samples for that of incremental components")
    parser.add_argument("--checkpoint", default="", help="used by the script itself")
    options = parser.parse_args()
    torch.set_num_threads(1)
    methods = named(options.methods, list(METHODS))
    if options.checkpoint:
        keep_freed_memory()
        generator = ganstrata.load_generator("stylegan2", checkpoint=options.checkpoint, device="cpu")
        print(json.dumps(measured(METHODS[methods[0]], generator, codes_of(generator, options.codes))))
        return
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        for model in named(options.models, list(MODELS)):
            checkpoint = "bundled:rooms" if model == "rooms" else str(make("stylegan2", Path(folder)))
            print(f"\n{MODELS[model]}\n\n| method | seconds | MiB |\n| --- | ---: | ---: |", flush=True)
            for name in methods:
                print(row(name, in_own_process(model, checkpoint, name, options.codes)), flush=True)
    if options.accuracy:
        rooms = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        cosines = ", ".join(f"{cosine:.6f}" for cosine in accuracy(rooms, options.accuracy))
        print(f"\n|cosine| of incremental components of {options.accuracy} samples: {cosines}")


if __name__ == "__main__":
    main()
