"""Measure editing and sampling by painting on the bundled rooms: is the paint obeyed, and what else changes?

python benchmarks/painting.py --figure painting.png

A window is painted onto the walls of samples: a box of 14 x 12 pixels at the height of windows, where the
most wall is. Each way of editing is judged by the extractor and by the teacher. Then pictures are sampled for
the teacher's labels of other samples.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import ganstrata
import numpy as np
import torch
from ganstrata.core.figures.masks import class_colours
from ganstrata.core.figures.pictures import png, tile, to_pixels
from ganstrata.core.figures.sheets import enlarged
from ganstrata.core.plugins.records import Latents
from ganstrata.core.semantics.agreement import overlaps, picture_mious
from ganstrata.core.semantics.painting.edit_measures import colour_change, label_change
from ganstrata.core.semantics.painting.editing import by_colours, by_labels
from ganstrata.core.semantics.painting.sampling import best_candidates
from ganstrata.core.semantics.predictors import Predictor
from ganstrata.core.semantics.teacher import Teacher
from ganstrata.core.strata.code_search import Found, Objective, Renderer, Search, search_codes
from ganstrata.core.strata.code_spaces import CodeSpace
from ganstrata.core.strata.search_defaults import PENALTY
from measure import machine
from torch import Tensor

SIZE = (64, 64)
EDITS = (  # what steers, space, learning rate, emphasis
    ("extractor", "z", 0.01, 0.0),
    ("extractor", "layers", 0.01, 0.0),
    ("extractor", "z", 0.03, 0.3),
    ("extractor", "w+", 0.03, 0.3),
    ("extractor", "z", 0.03, 1.0),
    ("teacher", "z", 0.03, 0.3),
    ("teacher", "z", 0.1, 0.3),
    ("teacher", "w+", 0.03, 0.3),
    ("teacher", "w+", 0.03, 1.0),
    ("teacher", "w+", 0.06, 0.3),
    ("teacher", "w+", 0.1, 0.3),
    ("colour", "z", 0.03, 0.0),
)
SAMPLES = ((1e-3, 0.0), (1e-2, 1e-3), (3e-2, 1e-3))  # learning rate, penalties


def main() -> None:
    """Load or train an extractor, then edit and sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--extractor", type=Path, help="file of an extractor; default: LDA, trained here")
    parser.add_argument("--by", choices=sorted({by for by, *_ in EDITS}), help="only edits that it steers")
    parser.add_argument("--stay", type=float, default=PENALTY, help="weight of the distance from the start")
    arguments = parser.parse_args()
    print(machine())
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    segmenter = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
    assert isinstance(segmenter, ganstrata.Segmenter)
    extractor = (
        ganstrata.load_extractor(arguments.extractor)
        if arguments.extractor
        else ganstrata.train_extractor(generator, segmenter, method="lda")
    )
    steering = {
        "extractor": Predictor.of_extractor(extractor),
        "teacher": Predictor.of_teacher(Teacher.of(segmenter)),
    }
    ways = [way for way in EDITS if arguments.by in (None, way[0])]
    edit(generator, steering, ways, arguments.pictures, arguments.stay, arguments.figure)
    if arguments.by is None:
        sample(generator, steering)


def edit(
    generator: ganstrata.Generator,
    steering: dict[str, Predictor],
    ways: Sequence[tuple[str, str, float, float]],
    n: int,
    stay: float,
    figure: Path | None,
) -> None:
    """Paint a window onto the walls of n samples, and print a row per way of editing."""
    latents = generator.sample(n, 0, 0, ganstrata.Stream.EDITING)
    plain = Renderer(CodeSpace(generator, "z"), latents, steering["extractor"].strata)
    with torch.no_grad():
        rendering = plain.render(plain.space.codes(plain.space.start(latents)))
        labels = {name: one.labels(rendering, SIZE) for name, one in steering.items()}
    classes = steering["extractor"].classes
    painted = boxes(labels["extractor"], classes)
    window = rendering.images.permute(0, 2, 3, 1)[labels["teacher"] == classes.index("window")].mean(dim=0)
    coloured = torch.where(painted[:, None], window[:, None, None], rendering.images)
    target = torch.where(painted, classes.index("window"), labels["extractor"])
    rows = [to_pixels(rendering.images), class_colours(len(classes))[target.numpy()]]
    print(
        "by         space  rate  emph.  paint obeyed: extractor, teacher | elsewhere: colour, labels | s each"
    )
    for by, space, rate, emphasis in ways:
        objective: Objective
        if by == "colour":
            objective = by_colours(coloured, painted)
        else:
            current = torch.where(painted, classes.index("window"), labels[by])
            objective = by_labels(steering[by], current, painted, emphasis)
        settings = Search(learning_rate=rate, stay=stay)
        found, seconds = searched(generator, space, latents, steering, objective, settings)
        shares = []
        with torch.no_grad():
            for one in steering.values():
                before, after = (one.labels(x, SIZE) for x in (found.before, found.after))
                shares.append(label_change(before, after, painted, target))
        colour = colour_change(found.before.images, found.after.images, painted)
        print(
            f"{by:10} {space:6} {rate:<5} {emphasis:<6} "
            + ", ".join(f"{share.wanted_after:4.0%}" for share in shares)
            + f" | {colour.elsewhere:4.1f} %, {shares[1].elsewhere:4.0%} | {seconds / n:.1f}",
            flush=True,
        )
        rows.append(to_pixels(found.after.images))
    if figure is not None:
        figure.write_bytes(png(tile(enlarged(np.stack(rows)))))


def boxes(labels: Tensor, classes: tuple[str, ...]) -> Tensor:
    """Return in each picture the box at the height of windows with the most wall, (N, H, W)."""
    walls = torch.tensor([classes.index(f"{side}_wall") for side in ("left", "right", "frontal")])
    painted = torch.zeros_like(labels, dtype=torch.bool)
    for mask, wall in zip(painted, torch.isin(labels, walls), strict=True):
        left = max(range(2, 50), key=lambda x: int(wall[12:26, x : x + 12].sum()))
        mask[12:26, left : left + 12] = True
    return painted


def sample(generator: ganstrata.Generator, steering: dict[str, Predictor]) -> None:
    """Sample three pictures for each of four masks, and print a row per learning rate."""
    other = generator.sample(4, 0, 0, ganstrata.Stream.VALIDATION)
    plain = Renderer(CodeSpace(generator, "z"), other, steering["extractor"].strata)
    with torch.no_grad():
        rendering = plain.render(plain.space.codes(plain.space.start(other)))
        masks = steering["teacher"].labels(rendering, SIZE)
    starts = [
        best_candidates(generator, steering["extractor"], mask, 3, 10, batch=30).latents for mask in masks
    ]
    latents = Latents(torch.cat([x.z for x in starts]), None, torch.cat([x.index for x in starts]))
    targets = masks.repeat_interleave(3, dim=0)
    print("rate   penalty  mIoU with the mask, before and after: extractor; teacher")
    for rate, penalty in SAMPLES:
        objective = by_labels(steering["extractor"], targets)
        settings = Search(learning_rate=rate, stay=penalty, prior=penalty)
        found, _ = searched(generator, "z", latents, steering, objective, settings)
        means = [
            picture_mious(overlaps(one.labels(x, SIZE), targets, len(one.classes)), background=False).mean()
            for one in steering.values()
            for x in (found.before, found.after)
        ]
        print("{:<6} {:<8} {:.3f} {:.3f}; {:.3f} {:.3f}".format(rate, penalty, *means), flush=True)


def searched(
    generator: ganstrata.Generator,
    space: str,
    latents: Latents,
    steering: dict[str, Predictor],
    objective: Objective,
    settings: Search,
) -> tuple[Found, float]:
    """Search codes in a space, and return what was found and the seconds that it took."""
    renderer = Renderer(CodeSpace.of(generator, space), latents, steering["extractor"].strata)  # type: ignore[arg-type]
    began = time.perf_counter()
    found = search_codes(renderer, renderer.space.start(latents), objective, settings)
    return found, time.perf_counter() - began


if __name__ == "__main__":
    main()
