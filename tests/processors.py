"""Runs the tests that compare bits as other processors and libraries would compute.

It prints a table for docs/determinism.md.

    python tests/processors.py [--only NAME ...] [PYTEST ARGUMENTS]

Besides, a small sample of every network in tests/data and of the bundled scorers is computed in each way, and
compared with the first. Switches that this processor or this build of torch does not know change nothing.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import ganstrata
import numpy as np
import torch
from closeness import TOLERANCE
from ganstrata import Rendering, Stream
from ganstrata.core.boundaries.null_directions import random_directions

TESTS = Path(__file__).resolve().parent
BITS = re.compile(
    r"torch\.equal|array_equal|\.tobytes\(\)|contents\(|assert_(pictures_)?near"
)  # what a test calls that compares results
FOLDERS = ("core", "plugins")
WAYS: dict[str, dict[str, str]] = {
    "as it is": {},
    "ATEN_CPU_CAPABILITY=default": {"ATEN_CPU_CAPABILITY": "default"},
    "ATEN_CPU_CAPABILITY=avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "ONEDNN_MAX_CPU_ISA=AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL_CBWR=AVX2": {"MKL_CBWR": "AVX2"},
    "MKL_CBWR=COMPATIBLE": {"MKL_CBWR": "COMPATIBLE"},
    "two threads": {"OMP_NUM_THREADS": "2", "GANSTRATA_TEST_THREADS": "2"},
}
EVERYWHERE = "bytes"  # begins the names of arrays that are the same bytes on any machine
SCORERS = {
    "category": "bundled:rooms",
    "segmentation": "bundled:rooms",
    "layout": "bundled:rooms",
    "attribute": "bundled:rooms",
    "hue": "",
}


def chosen() -> list[str]:
    """The tests that compare results of computations."""
    chosen_paths = []
    for file in sorted(file for folder in FOLDERS for file in (TESTS / folder).rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        functions = [
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        chosen_paths += [
            f"{file}::{node.name}"
            for node in functions
            if BITS.search(ast.get_source_segment(text, node) or "")
        ]
    return chosen_paths


def sample(file: Path) -> None:
    """Write z, codes, pictures and scores, computed in the way that this process was started in."""
    torch.set_num_threads(int(os.environ.get("GANSTRATA_TEST_THREADS", "1")))
    arrays: dict[str, np.ndarray] = {}
    networks = [
        path
        for path in sorted((TESTS / "data").glob("*.safetensors"))
        if not path.name.startswith("places365")
    ]
    for checkpoint in ["bundled:rooms", *map(str, networks)]:
        generator = ganstrata.load_generator("auto", checkpoint=checkpoint, device="cpu")
        latents = generator.sample(4, 7, 100, Stream.VERIFICATION)
        codes = generator.broadcast(generator.map(latents.z, latents.condition))
        images = ganstrata.render(generator, codes, condition=latents.condition, index=latents.index, noise=7)
        name = Path(checkpoint).stem
        arrays |= {
            f"{EVERYWHERE} z {name}": latents.z.numpy(),
            f"codes {name}": codes.numpy(),
            f"pictures {name}": images.numpy(),
        }
        arrays[f"{EVERYWHERE} null {name}"] = random_directions(generator, 8, 7, layerwise=True)
        if checkpoint.startswith("bundled"):
            for scorer, weights in SCORERS.items():
                config = {"checkpoint": weights} if weights else {}
                arrays[f"scores {scorer}"] = (
                    ganstrata.load_scorer(scorer, device="cpu", **config).score(Rendering(images)).numpy()
                )
    np.savez(file, **arrays)


def apart(one: Path, other: Path) -> dict[str, float]:
    """The largest difference by kind of array, relative to the greatest number or 1.

    It is infinite where bytes that must be the same are not.
    """
    differences: dict[str, float] = {}
    with np.load(one) as wanted, np.load(other) as got:
        assert wanted.files == got.files
        for name in wanted.files:
            kind, a, b = name.partition(" ")[0], wanted[name], got[name]
            if kind == EVERYWHERE:
                difference = 0.0 if a.tobytes() == b.tobytes() else np.inf
            elif (np.isnan(a) != np.isnan(b)).any():
                difference = np.inf
            else:
                difference = float(np.nanmax(np.abs(a - b)) / max(1.0, np.nanmax(np.abs(a))))
            differences[kind] = max(differences.get(kind, 0.0), difference)
    return differences


def tests(environment: dict[str, str], arguments: list[str], report: Path) -> tuple[int, int, int]:
    """Run the tests; how many passed, failed and were skipped. What failed is shown."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        *chosen(),
        *arguments,
    ]
    done = subprocess.run(
        command, env=environment, cwd=TESTS.parent, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1) or not report.exists():
        raise SystemExit(f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    if done.returncode:
        print(
            "\n".join(line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))),
            file=sys.stderr,
        )
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total, bad, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites for key in keys)
        for keys in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return total - bad - skipped, bad, skipped


def processor() -> str:
    """What is computed on, for the head of the table."""
    about = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.*)", about.read_text(encoding="utf-8")) if about.exists() else None
    name = named.group(1) if named else platform.processor() or platform.machine()
    return (
        f"{name} ({torch.backends.cpu.get_cpu_capability()}), {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def main() -> None:
    """Run every way, print the table, and end with 1 where something failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", choices=list(WAYS)[1:], help="one of the ways, besides the first"
    )
    parser.add_argument("--sample", type=Path, help=argparse.SUPPRESS)
    options, arguments = parser.parse_known_args()
    if options.sample:
        sample(options.sample)
        return
    ways = {
        name: switches
        for name, switches in WAYS.items()
        if not options.only or name in ("as it is", *options.only)
    }
    print(f"{processor()}; {len(chosen())} tests, most of them with several parameters\n")
    print("| way | passed | failed | skipped | codes | pictures | scores | z, null directions | minutes |")
    print("|---|---:|---:|---:|---:|---:|---:|---|---:|", flush=True)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "0.npz"
        for i, (name, switches) in enumerate(ways.items()):
            begun, file = time.monotonic(), Path(folder) / f"{i}.npz"
            environment = {**os.environ, "OMP_NUM_THREADS": "1", **switches}
            subprocess.run([sys.executable, __file__, "--sample", str(file)], env=environment, check=True)
            by_kind = apart(first, file)
            passed, failed, skipped = tests(environment, arguments, Path(folder) / f"{i}.xml")
            good &= not failed and max(by_kind.values()) <= TOLERANCE
            same = "the same bytes" if by_kind[EVERYWHERE] == 0.0 else "DIFFERENT"
            differences = " | ".join(
                f"{by_kind[kind]:.0e}" if by_kind[kind] else "0" for kind in ("codes", "pictures", "scores")
            )
            print(
                f"| {name} | {passed} | {failed} | {skipped} | {differences} | {same} | "
                f"{(time.monotonic() - begun) / 60.0:.1f} |",
                flush=True,
            )
    sys.exit(not good)


if __name__ == "__main__":
    main()
