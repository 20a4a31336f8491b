"""Read hostile files one after the other, and report the cost of each.

It is run as a process of its own, which may be ended.

Paths come in, a line each; a line of JSON goes out for each.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ganstrata
from ganstrata.cli.model import _lines
from ganstrata.core.checkpoints import read_npy, read_npz, read_values
from ganstrata.core.checkpoints.inspect import inspect
from ganstrata.core.errors import GanstrataError, PluginBroken
from ganstrata.core.interchange.arrangement import Sizes
from ganstrata.core.interchange.codes import read_codes
from ganstrata.core.interchange.directions import directions_of, read_directions
from ganstrata.core.interchange.lists import read_list
from ganstrata.core.interchange.scores import read_scores
from ganstrata.core.runs.loading import build
from ganstrata.core.study.key import Key
from ganstrata.core.study.votes import read_ballot
from ganstrata.plugins.scorers.networks.places365 import read_names
from ganstrata.plugins.scorers.samples_file import read_samples

try:
    from resource import RUSAGE_SELF, getrusage
except ImportError:  # Windows
    getrusage = None  # type: ignore[assignment]

SPACES = ("codes", "w", "z", "condition", "index")


def inspected(path: Path) -> None:
    """As `ganstrata model inspect` does, in both of its forms."""
    inspection = inspect(str(path))
    "\n".join(_lines(inspection))
    json.dumps(inspection.plain())
    if inspection.faults:
        raise GanstrataError("\n".join(inspection.faults))


def rendered(path: Path) -> None:
    """As a run does: load the generator that `auto` finds, and make a picture of the size on its card."""
    try:
        generator = ganstrata.load_generator("auto", checkpoint=str(path), device="cpu")
    except GanstrataError as error:
        if str(path) not in str(error):
            raise AssertionError(f"this message does not name the file: {error}") from error
        raise
    latents = generator.sample(1, 0, 0, ganstrata.Stream.PROBING)
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    picture = ganstrata.render(generator, codes, condition=latents.condition)
    assert picture.shape[2:] == (generator.card.height, generator.card.width), f"a picture {picture.shape}"


def scored(name: str, **options: Any) -> Callable[[Path], Any]:
    """As a scorer reads its checkpoint."""
    return lambda path: build("scorer", name, {"checkpoint": str(path), **options}, device="cpu")


def directions(path: Path) -> None:
    """As `ganstrata boundaries list` and `import` do."""
    for form in (None, "rows"):
        read_directions(path, Sizes(2, 4), form=form)
    directions_of(read_values(path))


def codes(path: Path) -> None:
    """As `ganstrata manipulate --codes` does."""
    read_codes(path, layers=2, size=4, latent=4, codes_as="codes", space="w")


READERS: dict[str, tuple[Callable[[Path], Any], ...]] = {
    ".network": (inspected, rendered),
    ".npy": (read_npy, directions, read_scores, codes, inspected),
    ".npz": (lambda path: read_npz(path, SPACES), directions, read_scores, codes, inspected),
    ".scorer": (
        scored("category"),
        scored("category", max_pool=True),
        scored("attribute"),
        scored("segmentation"),
        scored("layout"),
    ),
    ".csv": (lambda path: read_samples(path, "index", None),),
    ".txt": (read_list, lambda path: read_names(str(path), "name"), inspected),
    # read_ballot asks for the key after it has read the file
    ".json": (lambda path: Key.read(path.parent), lambda path: read_ballot(None, path)),  # type: ignore[arg-type]
}


def read(path: Path) -> tuple[str, list[str]]:
    """What was wrong, and what should not have happened."""
    messages: list[str] = []
    crashes = []
    for reader in READERS.get(path.suffix, (inspected,)):
        try:
            reader(path)
        except PluginBroken as error:  # a file is not the plugin's fault
            crashes.append(str(error)[:500])
        except GanstrataError as error:
            messages.append(str(error))
        except AttributeError as error:
            if "'study'" not in str(error):  # a ballot without a fault is held against no key here
                crashes.append(f"{type(error).__name__}: {str(error)[:500]}")
        except BaseException as error:
            crashes.append(f"{type(error).__name__}: {str(error)[:500]}")
    return max(messages, key=len, default=""), crashes


def memory() -> float:
    """The most that this process has taken so far, in MB; 0 where that is not known."""
    status = Path("/proc/self/status")
    if (
        status.is_file()
    ):  # a process of Linux's inherits the maximum that getrusage tells from the one that began it
        return (
            float(
                next(
                    line
                    for line in status.read_text(encoding="ascii").splitlines()
                    if line.startswith("VmHWM")
                ).split()[1]
            )
            / 1e3
        )
    if getrusage is None:
        return 0.0
    return getrusage(RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Answer every line."""
    warnings.simplefilter("error")
    print(json.dumps({"memory": memory()}), flush=True)
    for line in sys.stdin:
        path = Path(line.strip())
        began = time.process_time()
        message, crashes = read(path)
        seconds = time.process_time() - began
        hidden = [sign for sign in message if not (sign.isprintable() or sign in "\n\t")]
        result = {
            "seconds": seconds,
            "memory": memory(),
            "length": len(message),
            "refused": bool(message),
            "hidden": hidden,
            "crashes": crashes,
        }
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
