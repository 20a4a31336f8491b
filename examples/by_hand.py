"""The method step by step from Python: sample, score, learn one boundary, move along it, score again.

python examples/by_hand.py [PICTURE.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import ganstrata
import numpy as np
import torch
from ganstrata import edit_direction, move, png, spread_of, tile, to_pixels

SAMPLES, FRESH, DISTANCE = 512, 32, 3.0


@torch.inference_mode()
def main(picture: Path) -> None:
    """Say at which layer group saturation moves most, and draw it: a row per room, a column per group."""
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    scorer = ganstrata.load_scorer("hue", device="cpu")
    learner = ganstrata.load_learner("ridge", device="cpu", positives=100, negatives=100)

    def score(images: torch.Tensor) -> torch.Tensor:
        return scorer.score(ganstrata.Rendering(images))  # (N, C)

    latents = generator.sample(SAMPLES, seed=0, start=0, stream=ganstrata.Stream.PROBING)
    w = generator.map(latents.z)  # (N, D)
    scores = torch.cat(
        [score(ganstrata.render(generator, generator.broadcast(part))) for part in w.split(32)]
    )

    column = [concept.name for concept in scorer.concepts].index("saturation")
    boundary = learner.learn(
        w.numpy(), scores[:, [column]].numpy(), [scorer.concepts[column]], generator=generator
    )[0]
    step = DISTANCE * spread_of(w.numpy())

    # Other samples than those the boundary was learnt from.
    fresh = generator.sample(FRESH, seed=0, start=0, stream=ganstrata.Stream.VERIFICATION)
    codes = generator.broadcast(generator.map(fresh.z))  # (N, L, D)
    images = ganstrata.render(generator, codes)
    before = score(images)[:, column]
    columns = [to_pixels(images[:4])]
    for name, layers in {"all": range(generator.card.layers), **(generator.groups or {})}.items():
        field = edit_direction(boundary.normal, layers, generator.layer_scale)  # one unit of the edit, (L, D)
        edited = ganstrata.render(generator, move(codes, field, step))
        change = score(edited)[:, column] - before
        error = float(change.std()) / FRESH**0.5
        print(
            f"{name:<6} layers: saturation changes by {float(change.mean()):+.4f}, standard error {error:.4f}"
        )
        columns.append(to_pixels(edited[:4]))
    picture.write_bytes(png(tile(np.stack(columns, axis=1))))
    print(f"wrote {picture}: unedited, all layers, then {', '.join(generator.groups or {})}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("by_hand.png"))
