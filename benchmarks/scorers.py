"""Scoring against the bare forward passes of the networks behind the scorers.

The bare pass is the network alone, without softmax, labels, lines or histograms. Scorers that share
a network share its pass: together they should cost little more than one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ganstrata
import torch
from ganstrata.core.memory import keep_freed_memory
from ganstrata.core.prepare import checked_scores
from measure import alternate, arguments, machine, table

OPTIONS: dict[str, dict[str, Any]] = {
    "category": {"checkpoint": "bundled:rooms"},
    "attribute": {"checkpoint": "bundled:rooms"},
    "segmentation": {"checkpoint": "bundled:rooms"},
    "layout": {"checkpoint": "bundled:rooms"},
    "hue": {},
}


@torch.inference_mode()
def main() -> None:
    options = arguments(__doc__, batch=(64, "images in one pass"))
    keep_freed_memory()
    g = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    images = ganstrata.render(g, g.broadcast(g.map(g.sample(options.batch, 0, 0, ganstrata.Stream.PROBING).z)))
    scorers: dict[str, Any] = {name: ganstrata.load_scorer(name, device="cpu", **config) for name, config in OPTIONS.items()}
    pixels = images.clamp(0.0, 1.0)
    scenes, surfaces = scorers["category"].model.network, scorers["layout"].model.network

    def score(*names: str) -> Callable[[], object]:
        """These scorers on one rendering, as a stage calls them."""

        def call() -> object:
            rendering = ganstrata.Rendering(images)
            return [checked_scores(name, scorers[name], rendering) for name in names]

        return call

    print(machine())
    print(f"{len(images)} images of {images.shape[-1]} px in one batch; times are for 1000 images")
    per = options.batch / 1000.0
    tables = {
        "Scene network": {
            "bare network": lambda: scenes(pixels),
            "category": score("category"),
            "attribute": score("attribute"),
            "category and attribute": score("category", "attribute"),
        },
        "Surface network": {
            "bare network": lambda: surfaces(pixels),
            "segmentation": score("segmentation"),
            "layout": score("layout"),
            "segmentation and layout": score("segmentation", "layout"),
        },
        "All scorers": {
            "both bare networks": lambda: (scenes(pixels), surfaces(pixels)),
            "hue": score("hue"),
            "all five": score(*scorers),
        },
    }
    for title, cases in tables.items():
        table(title, alternate(cases, options.rounds), unit="per 1000", per=per)


if __name__ == "__main__":
    main()
