"""Learn a boundary with the library, then move samples along it, score and draw them by hand.

python examples/by_hand.py [PICTURE.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import ganstrata
import numpy as np
import torch
from ganstrata import edit_direction, move, png, tile, to_pixels

FRESH, DISTANCE = 32, 3.0


@torch.inference_mode()
def main(picture: Path) -> None:
    """Print how much each layer group moves saturation, and draw it: a row per room, a column per group."""
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    scorer = ganstrata.load_scorer("hue", device="cpu")
    learner = ganstrata.load_learner("ridge", device="cpu", positives=100, negatives=100)

    probed = ganstrata.probe(generator, [scorer], samples=512)
    boundaries = ganstrata.learn(generator, probed, learner, concepts=["hue/saturation"], resamples=0)
    normal = boundaries.of("hue/saturation").normal  # (D,)
    column = [concept.name for concept in scorer.concepts].index("saturation")

    # Verification samples are not those that the boundary was learnt from.
    fresh = generator.sample(FRESH, seed=0, start=0, stream=ganstrata.Stream.VERIFICATION)
    codes = generator.broadcast(generator.map(fresh.z))  # (N, L, D)
    unedited = ganstrata.render(generator, codes)  # (N, 3, H, W)
    before = scorer.score(ganstrata.Rendering(unedited))[:, column]

    columns = [to_pixels(unedited[:4])]
    for name, layers in {"all": range(generator.card.layers), **(generator.groups or {})}.items():
        direction = edit_direction(normal, layers, generator.layer_scale)  # (L, D)
        edited = ganstrata.render(generator, move(codes, direction, DISTANCE * probed.spread))
        change = scorer.score(ganstrata.Rendering(edited))[:, column] - before
        error = float(change.std()) / FRESH**0.5
        print(
            f"{name:<6} layers: saturation changes by {float(change.mean()):+.4f}, standard error {error:.4f}"
        )
        columns.append(to_pixels(edited[:4]))
    picture.write_bytes(png(tile(np.stack(columns, axis=1))))
    print(f"wrote {picture}: unedited, all layers, then {', '.join(generator.groups or {})}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("by_hand.png"))
