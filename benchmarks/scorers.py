"""Compare scoring with the bare forward passes of the scorers' networks, in time and memory.

The bare pass is the network alone on prepared pictures, without softmax, labels, lines or histograms.
Scorers that share a network share its pass, which is counted. Published networks have their true sizes and
random weights, with which a pass takes the same time.
"""

from __future__ import annotations

import ctypes
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import scorer_models
import torch
from ganstrata.core.plugins.scoring import checked_scores
from ganstrata.core.runs.malloc import keep_freed_memory
from ganstrata.plugins.shared.preprocessing import normalised, resized
from measure import arguments, machine
from PIL import Image
from torch import Tensor, nn

Case = Callable[[], object]
MIB = 2**20


def turns(cases: Mapping[str, Case], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round; cases take turns. With one thread it is processor time."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            began = clock()
            case()
            seconds[name].append(clock() - began)
    return seconds


def peak(case: Case) -> float:
    """Return by how many bytes a case raises this process's memory; NaN if the system does not provide it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # reset the high-water mark
        before = _status("VmRSS")
        case()
        return _status("VmHWM") - before
    except (OSError, AttributeError, StopIteration):
        return float("nan")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * float(next(line for line in lines if line.startswith(name)).split()[1])


def table(title: str, seconds: Mapping[str, list[float]], peaks: Mapping[str, float], batch: int) -> None:
    """Print medians, and ratios to the first case of the same round."""
    first = next(iter(seconds.values()))
    width = max(len(name) for name in seconds)
    print(
        f"\n{title}\n  {'':<{width}}  {'s per 1000':>11}  {'ratio':>6}  {'lowest-highest':>14}  "
        f"{'peak MiB':>9}"
    )
    for name, values in seconds.items():
        ratios = [value / bare for value, bare in zip(values, first, strict=True)]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        thousand = 1000.0 * statistics.median(values) / batch
        print(
            f"  {name:<{width}}  {thousand:>11.3f}  {statistics.median(ratios):>6.3f}  {spread:>14}  "
            f"{peaks[name] / MIB:>9.1f}"
        )


def networks(holder: object, depth: int = 4) -> list[nn.Module]:
    """Return all networks that a scorer contains, at any depth."""
    if isinstance(holder, nn.Module):
        return [holder]
    return (
        [
            network
            for part in getattr(holder, "__dict__", {}).values()
            for network in networks(part, depth - 1)
        ]
        if depth
        else []
    )


def passes(scorers: Mapping[str, Any], images: Tensor, *names: str) -> int:
    """Count the passes of networks when these scorers score one batch, by hooks on first convolutions."""
    calls: list[str] = []
    loaded = {id(network): network for name in names for network in networks(scorers[name])}
    firsts = [
        next(module for module in network.modules() if isinstance(module, nn.Conv2d))
        for network in loaded.values()
    ]
    hooks = [module.register_forward_pre_hook(lambda *_: calls.append("")) for module in firsts]
    together(scorers, images, *names)()
    for hook in hooks:
        hook.remove()
    print(f"{' and '.join(names)}: networks loaded {len(firsts)}, passes for one batch {len(calls)}")
    return len(calls)


def together(scorers: Mapping[str, Any], images: Tensor, *names: str) -> Case:
    """Score one rendering with these scorers, as a stage does."""

    def call() -> object:
        rendering = ganstrata.Rendering(images)
        return [checked_scores(scorers[name], rendering) for name in names]

    return call


def scorer(name: str, **config: object) -> Any:
    return ganstrata.load_scorer(name, device="cpu", **config)


def bundled(batch: int) -> dict[str, tuple[dict[str, Case], int]]:
    """Measure the scorers of the bundled rooms on pictures of its generator."""
    g = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    images = ganstrata.render(g, g.broadcast(g.map(g.sample(batch, 0, 0, ganstrata.Stream.PROBING).z)))
    names = ("category", "attribute", "segmentation", "layout")
    scorers = {name: scorer(name, checkpoint="bundled:rooms") for name in names} | {
        "hue": scorer("hue"),
        "soft": scorer("hue", soft=True),
    }
    pixels = images.clamp(0.0, 1.0)
    scenes, surfaces = scorers["category"].model.network, scorers["segmentation"].model.network
    passes(scorers, images, "category", "attribute"), passes(scorers, images, "segmentation", "layout")
    size = f"{images.shape[-1]} px"
    return {
        f"Scene network, {size}": (
            {
                "bare network": lambda: scenes(pixels),
                **{name: together(scorers, images, name) for name in ("category", "attribute")},
                "category and attribute": together(scorers, images, "category", "attribute"),
            },
            batch,
        ),
        f"Surface network, {size}": (
            {
                "bare network": lambda: surfaces(pixels),
                **{name: together(scorers, images, name) for name in ("segmentation", "layout")},
                "segmentation and layout": together(scorers, images, "segmentation", "layout"),
            },
            batch,
        ),
        f"All five, {size}": (
            {
                "both bare networks": lambda: (scenes(pixels), surfaces(pixels)),
                "hue": together(scorers, images, "hue"),
                "hue, soft": together(scorers, images, "soft"),
                "all five": together(scorers, images, *names, "hue"),
            },
            batch,
        ),
    }


def published(folder: Path, batch: int, size: int) -> dict[str, tuple[dict[str, Case], int]]:
    """Measure networks of published sizes on pictures of one size."""
    images = torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    cases_of: dict[str, tuple[dict[str, Case], int]] = {}
    for name in scorer_models.PLACES:
        path, weights = scorer_models.places(name, folder)
        both = {
            "category": scorer("category", checkpoint=str(path)),
            "attribute": scorer("attribute", checkpoint=str(path), weights=str(weights)),
        }
        model = both["category"].model
        pair = together(both, images, "category", "attribute")
        print(f"{name}: ", end="")
        passes(both, images, "category", "attribute")
        ready = normalised(model.prepared(images))
        cases: dict[str, Case] = {
            "bare network": lambda network=model.network, ready=ready: network(ready),
            "preparation alone": lambda model=model: normalised(model.prepared(images)),
            **{each: together(both, images, each) for each in both},
            "category and attribute": pair,
        }
        cases_of[f"Places365 {name}, {size} px"] = (cases, batch)
    if importlib.util.find_spec("transformers") is None:
        print("transformers is not installed: its models are left out")
        return cases_of
    segments = {"segmentation": scorer("segmentation", model=str(scorer_models.segformer(folder)))}
    loaded = segments["segmentation"].model.loaded
    cases_of[f"SegFormer-B0, 150 classes, {size} px"] = (
        _hub(segments, loaded, images, lambda ready: loaded.network(pixel_values=ready)),
        batch,
    )
    concept = {
        "name": "cluttered",
        "present": "a photo of a cluttered room",
        "absent": "a photo of a tidy room",
    }
    text = {"text": scorer("text", model=str(scorer_models.clip(folder)), concepts=[concept])}
    clip = text["text"].loaded
    cases_of[f"CLIP ViT-B/32, {size} px"] = (
        _hub(text, clip, images, lambda ready: clip.network.get_image_features(pixel_values=ready)),
        batch,
    )
    return cases_of


def resizing(batch: int, to: int = 224) -> dict[str, tuple[dict[str, Case], int]]:
    """Measure resizing to 224 px: by Pillow from 8 bits, and ours from floating point, with equal results."""
    cases_of: dict[str, tuple[dict[str, Case], int]] = {}
    for size in (64, 256, 512, 1024):
        levels = torch.randint(
            0, 256, (batch, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
        )
        images = levels.permute(0, 3, 1, 2).float() / 255.0
        pillow = [Image.fromarray(picture) for picture in levels.numpy()]

        def by_pillow(pictures: list[Image.Image] = pillow) -> object:
            made = [np.asarray(picture.resize((to, to), Image.Resampling.BILINEAR)) for picture in pictures]
            return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).float() / 255.0

        assert torch.equal(by_pillow(), resized(images, to))
        cases_of[f"Resizing from {size} to {to} px"] = (
            {"Pillow": by_pillow, "ours": lambda images=images: resized(images, to)},
            batch,
        )
    return cases_of


def _hub(
    scorers: Mapping[str, Any], loaded: Any, images: Tensor, forward: Callable[[Tensor], object]
) -> dict[str, Case]:
    ready = loaded.prepare(images)
    cases: dict[str, Case] = {
        "bare network": lambda: forward(ready),
        "preparation alone": lambda: loaded.prepare(images),
    }
    return cases | {name: together(scorers, images, name) for name in scorers}


@torch.inference_mode()
def main() -> None:
    options = arguments(
        __doc__,
        batch=(64, "64 px images in one pass of the bundled networks"),
        large=(8, "images in one pass of the published networks; 0 leaves them out"),
        size=(256, "of these images, in pixels"),
    )
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        sections = bundled(options.batch)
        if options.large:
            sections |= resizing(options.large) | published(Path(folder), options.large, options.size)
    for cases, _ in sections.values():
        for case in cases.values():  # first calls are slow, and what they cache is not the scorer's
            case()
    # Measure memory first, because afterwards it is kept.
    peaks = {
        title: {name: peak(case) for name, case in cases.items()} for title, (cases, _) in sections.items()
    }
    keep_freed_memory()
    for title, (cases, batch) in sections.items():
        turns(cases, 1)
        table(f"{title}, batches of {batch}", turns(cases, options.rounds), peaks[title], batch)


if __name__ == "__main__":
    main()
