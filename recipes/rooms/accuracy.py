"""Measure the scorers against the truth of rendered rooms that nothing was trained or measured on before.

    python -m recipes.rooms.accuracy --out docs/scorers-measured --page docs/scorers-measured.md

Writes every table as CSV, the reliability curves as SVG and CSV, and puts the tables between two marks
of the page. The same seed gives the same numbers. How a generator's pictures differ from renders is
imitated twice: by the augmentation of the training, and by something that no training picture was.
"""

from __future__ import annotations

import argparse
import colorsys
import csv
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple, cast

import ganstrata
import numpy as np
import torch
import torch.nn.functional as F
from ganstrata.core.plugins.contracts import Scorer
from ganstrata.plugins.scorers.hue import BINS, hue_saturation_value
from ganstrata.plugins.scorers.layout import wall_line
from numpy.typing import NDArray
from torch import Tensor

from .factors import CATEGORIES, LABELS
from .measure import load_scorers
from .reliability import (
    Panel,
    auc,
    calibration_error,
    chance_error,
    curve,
    draw,
    equal_counts,
    isotonic,
    share,
    sigmoid,
)
from .render import render_set
from .train_scorers import ATTRIBUTES, WALLS, Rooms, augment

SEED = 3  # training used 1, the model cards 2
BLOCK = 250
RESAMPLES = 500
COLORSYS = 300  # rooms whose every pixel goes through Python's colorsys
FAR = 2.0  # pixels beyond which a wall line counts as missed
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
CONDITIONS = {"rendered": "as rendered", "bent": "bent, soft, grained", "coarse": "shrunk to 16 px"}

Array = NDArray[np.float64]


class Table(NamedTuple):
    """A table of the page: its file's name, what stands above it, its columns and rows."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Read(NamedTuple):
    """What the scorers say of rooms, and the truth."""

    category: NDArray[np.int64]  # (N,)
    truth: Array  # amounts of the attributes (N, B)
    probability: dict[str, Array]  # by condition (N, A)
    margin: dict[str, Array]  # by condition (N, B)
    line: Array  # (N,), NaN where there is none
    support: Array  # (N,), of the scorer's line
    true_line: Array  # (N,), of the true surface map
    true_support: Array  # (N,)
    shared: Array  # pixels on which map and scorer agree (N, M)
    labelled: Array  # pixels that the scorer gives each class (N, M)
    real: Array  # pixels of each class (N, M)
    hue: Array  # (N, 14)
    wall_hue: Array  # mean hue of the wall's pixels in degrees (N,), NaN where none is coloured
    factors: dict[str, Array]


def conditions(x: Tensor) -> dict[str, Tensor]:
    """Pictures (N, 3, 64, 64) as rendered, augmented as in the training, and shrunk to 16 px and enlarged."""
    coarse = F.interpolate(
        F.avg_pool2d(x, x.shape[-1] // 16), size=x.shape[-2:], mode="bilinear", align_corners=False
    )
    return {"rendered": x, "bent": augment(x), "coarse": coarse}


@torch.inference_mode()
def read(rooms: Rooms, scorers: dict[str, Scorer], *, seed: int) -> Read:
    """All scorers on all rooms."""
    torch.manual_seed(seed)
    found: dict[str, list[Tensor]] = {}

    def keep(name: str, value: Tensor) -> None:
        found.setdefault(name, []).append(value)

    layout, segmentation = (cast("Any", scorers[name]) for name in ("layout", "segmentation"))
    walls, m = torch.tensor(WALLS), len(LABELS)
    for block in np.split(np.arange(len(rooms.images)), range(BLOCK, len(rooms.images), BLOCK)):
        x, maps = rooms.pictures(block), rooms.maps(block)
        for name, changed in conditions(x).items():
            rendering = ganstrata.Rendering(changed)
            keep(f"probability {name}", scorers["category"].score(rendering))
            keep(f"margin {name}", scorers["attribute"].score(rendering))
        rendering = ganstrata.Rendering(x)
        keep("truth", rooms.attributes(block, maps))
        keep("line", layout.score(rendering)[:, 0]), keep("support", layout.extra(rendering)[:, 0])
        for name, value in zip(("true_line", "true_support"), wall_line(maps, WALLS), strict=True):
            keep(name, value)
        labels = segmentation.labels(rendering)
        one = torch.arange(len(block))[:, None] * m
        every = torch.ones_like(maps).double()
        for name, classes, weight in (
            ("shared", maps, (maps == labels).double()),
            ("labelled", labels, every),
            ("real", maps, every),
        ):
            keep(
                name,
                torch.bincount((one + classes.flatten(1)).flatten(), weight.flatten(), len(block) * m).view(
                    -1, m
                ),
            )
        keep("hue", scorers["hue"].score(rendering))
        keep("wall_hue", _mean_hue(x, torch.isin(maps, walls)))
    table = {name: torch.cat(parts).double().numpy() for name, parts in found.items()}
    by_condition = {
        what: {name: table.pop(f"{what} {name}") for name in CONDITIONS} for what in ("probability", "margin")
    }
    factors = {name: np.asarray(values, np.float64) for name, values in rooms.factors.items()}
    return Read(category=rooms.category, factors=factors, **by_condition, **table)  # type: ignore[arg-type]


def _mean_hue(x: Tensor, mask: Tensor) -> Tensor:
    """Circular mean of the hue of some pixels, weighted by chroma, in degrees (N,); NaN where they have no colour."""
    hue, chroma, _, _ = hue_saturation_value(x)
    weight, angle = (chroma * mask).double(), hue.double().deg2rad()
    sine, cosine = (weight * angle.sin()).sum((1, 2)), (weight * angle.cos()).sum((1, 2))
    return torch.where(weight.sum((1, 2)) > 0.0, torch.rad2deg(torch.atan2(sine, cosine)) % 360.0, torch.nan)


def percent(found: tuple[float, float, float], digits: int = 2) -> str:
    """A share with its interval, in percent."""
    value, low, high = (100.0 * part for part in found)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def resampled(count: int, seed: int) -> Array:
    """How often each room is drawn in each of RESAMPLES resamplings, (RESAMPLES, N)."""
    return (
        np.random.default_rng(seed)
        .multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES)
        .astype(np.float64)
    )


def interval(values: Array, value: float, digits: int) -> str:
    """A number with the 2.5th and the 97.5th percentile of its resamplings."""
    low, high = np.percentile(values, (2.5, 97.5))
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def category_tables(found: Read) -> list[Table]:
    """Confusion, accuracy and calibration."""
    confusion, summary = [], []
    for name, words in CONDITIONS.items():
        probability = found.probability[name]
        guess, sure = probability.argmax(1), probability.max(1)
        right = guess == found.category
        for i, category in enumerate(CATEGORIES):
            counts = np.bincount(guess[found.category == i], minlength=len(CATEGORIES))
            confusion.append((words, category, *(f"{count}" for count in counts)))
        error, chance = calibration_error(sure, right.astype(float)), chance_error(sure)
        summary.append(
            (
                words,
                percent(share(int(right.sum()), len(right))),
                f"{sure.mean():.4f}",
                f"{error:.4f}",
                f"{chance:.4f}",
            )
        )
    return [
        Table(
            "category",
            "Category",
            ("pictures", "accuracy, %", "mean of the largest probability", "ECE", "ECE if calibrated"),
            summary,
        ),
        Table(
            "category-confusion",
            "Who is taken for whom",
            ("pictures", "is", *(f"called {name}" for name in CATEGORIES)),
            confusion,
        ),
    ]


def attribute_tables(found: Read) -> list[Table]:
    """Area under the curve, correlation with the amount, and calibration three ways."""
    areas, calibrated = [], []
    even = np.arange(len(found.truth)) % 2 == 0
    for i, name in enumerate(ATTRIBUTES):
        present = found.truth[:, i] > 0.5
        area = [auc(present, found.margin[condition][:, i]) for condition in CONDITIONS]
        margin = found.margin["rendered"][:, i]
        correlation = np.corrcoef(found.truth[:, i], sigmoid(margin))[0, 1]
        areas.append(
            (
                name,
                f"{present.mean():.3f}",
                *(f"{a.value:.4f} [{a.low:.4f}, {a.high:.4f}]" for a in area),
                f"{correlation:.3f}",
            )
        )
        plain, fitted = sigmoid(margin), isotonic(margin[even], present[even], margin[~even])
        other = present[~even].astype(float)
        numbers = (
            calibration_error(plain[~even], other),
            calibration_error(plain[~even], found.truth[~even, i]),
            calibration_error(fitted, other),
            chance_error(fitted),
        )
        calibrated.append((name, *(f"{number:.4f}" for number in numbers)))
    return [
        Table(
            "attribute",
            "Attributes",
            (
                "attribute",
                "present",
                *(f"AUC, {words}" for words in CONDITIONS.values()),
                "r with the amount",
            ),
            areas,
        ),
        Table(
            "attribute-calibration",
            "Calibration of the margins",
            (
                "attribute",
                "ECE, sigmoid as P(present)",
                "ECE, sigmoid as amount",
                "ECE, isotonic as P(present)",
                "the last, if calibrated",
            ),
            calibrated,
        ),
    ]


def layout_tables(found: Read, weights: Array) -> list[Table]:
    """Where the line is put, by what supports it; and whether there is one."""
    half = 32.0  # pixels of half a picture
    seen, true = ~np.isnan(found.line), ~np.isnan(found.true_line)
    error = np.where(seen & true, np.abs(found.line - found.true_line) * half, 0.0)
    columns = (
        "support of the scorer's line",
        "rooms",
        "mean, px",
        "median",
        "95th percentile",
        f"beyond {FAR:.0f} px, %",
    )
    rows = []
    groups = {"all": seen & true}
    for low, high in ((0.15, 0.3), (0.3, 0.45), (0.45, 0.6), (0.6, 1.01)):
        groups[f"{low:.2f} to {min(high, 1.0):.2f}"] = (
            seen & true & (found.support >= low) & (found.support < high)
        )
    for lines in (1, 2):
        groups[f"rooms with {lines} line{'s' if lines > 1 else ''}"] = (
            seen & true & (found.factors["lines"] == lines)
        )
    for name, chosen in groups.items():
        if not chosen.any():
            continue
        means = (weights @ (error * chosen)) / np.maximum(weights @ chosen.astype(float), 1.0)
        here = error[chosen]
        beyond = share(int((here > FAR).sum()), len(here))
        rows.append(
            (
                name,
                f"{len(here)}",
                interval(means, here.mean(), 2),
                f"{np.median(here):.2f}",
                f"{np.percentile(here, 95):.2f}",
                percent(beyond, 1),
            )
        )
    defined = []
    cases = {"the true map has a line": true, "the true map has none": ~true}
    for low, high in ((0.0, 0.05), (0.05, 0.15), (0.15, 0.2), (0.2, 0.3), (0.3, 1.01)):
        cases[f"support in the true map {low:.2f} to {min(high, 1.0):.2f}"] = (found.true_support >= low) & (
            found.true_support < high
        )
    for words, chosen in cases.items():
        n = int(chosen.sum())
        defined.append(
            (
                words,
                f"{n}",
                percent(share(int((~seen & chosen).sum()), n)) if n else "",
                f"{int((seen & chosen).sum())}",
            )
        )
    return [
        Table("layout", "Wall line", columns, rows),
        Table(
            "layout-undefined",
            "Whether there is a line",
            ("", "rooms", "scorer says undefined, %", "scorer gives a line"),
            defined,
        ),
    ]


def segmentation_tables(found: Read, weights: Array) -> list[Table]:
    """IoU by class, pooled over rooms, and the error of the area shares, which are what the scorer says."""
    pixels = found.real[0].sum()

    def iou(shared: Array, labelled: Array, real: Array) -> Array:
        """Pooled; NaN where a class is on neither side."""
        union = labelled + real - shared
        return np.divide(shared, union, out=np.full_like(union, np.nan), where=union > 0)

    point = iou(found.shared.sum(0), found.labelled.sum(0), found.real.sum(0))
    again = iou(weights @ found.shared, weights @ found.labelled, weights @ found.real)
    each = np.nanmean(iou(found.shared, found.labelled, found.real), axis=1)
    agreed = weights @ found.shared.sum(1) / (weights.sum(1) * pixels)
    rows: list[tuple[str, ...]] = []
    difference = 100.0 * (found.labelled - found.real) / pixels
    for i in np.argsort(point):
        present = f"{(found.real[:, i] > 0).mean():.3f}"
        rows.append(
            (
                LABELS[i],
                present,
                interval(again[:, i], point[i], 3),
                f"{100.0 * found.real[:, i].mean() / pixels:.2f}",
                f"{np.abs(difference[:, i]).mean():.3f}",
                f"{difference[:, i].mean():+.3f}",
            )
        )
    summary = [
        ("mean IoU, pooled over rooms", interval(np.nanmean(again, axis=1), float(np.nanmean(point)), 4)),
        (
            "mean IoU, per room over the classes seen or said, then averaged",
            interval(weights @ each / len(each), float(each.mean()), 4),
        ),
        ("pixel accuracy", interval(agreed, float(found.shared.sum() / found.real.sum()), 4)),
    ]
    classes = (
        "class, worst first",
        "rooms that have it",
        "IoU",
        "mean share, %",
        "error of the share, mean absolute, points",
        "bias, points",
    )
    return [
        Table("segmentation", "Segmentation", ("", "value"), summary),
        Table("segmentation-classes", "By class", classes, rows),
    ]


def by_colorsys(picture: NDArray[np.uint8]) -> Array:
    """The hue scorer's numbers of one picture (H, W, 3) by Python's colorsys, pixel by pixel; and the share between two hues: (15,)."""
    shares, saturation, value, weight, between = np.zeros(BINS), 0.0, 0.0, 0.0, 0.0
    pixels = picture.reshape(-1, 3) / 255.0
    for red, green, blue in pixels.tolist():
        h, s, v = colorsys.rgb_to_hsv(red, green, blue)
        place = 12.0 * h + 0.5
        shares[int(np.floor(place)) % BINS] += s * v
        saturation, value, weight = saturation + s, value + v, weight + s * v
        between += s * v if abs(place - round(place)) < 1e-5 else 0.0
    n = len(pixels)
    coloured = weight / n >= 0.02
    return np.array(
        [
            *(shares / weight if coloured else np.full(BINS, np.nan)),
            saturation / n,
            value / n,
            between / weight if coloured else 0.0,
        ]
    )


def hue_tables(found: Read, images: NDArray[np.uint8]) -> list[Table]:
    """Against colorsys on the same pictures, and against the paint of the walls."""
    n = min(COLORSYS, len(images))
    reference = np.stack([by_colorsys(np.asarray(picture)) for picture in images[:n]])
    gap = np.abs(found.hue[:n] - reference[:, : BINS + 2])
    settled = np.maximum(gap[:, :BINS] - reference[:, -1:], 0.0)
    parts = {
        "hue shares": gap[:, :BINS],
        "the same beyond pixels whose hue lies just between two bins": settled,
    }
    parts |= {"mean saturation": gap[:, BINS], "mean value": gap[:, BINS + 1]}
    exact = [
        (name, f"{n}", f"{np.nanmean(part):.1e}", f"{np.nanmax(part):.1e}") for name, part in parts.items()
    ]
    exact.append(
        (
            "pictures called grey by one and not the other",
            f"{n}",
            "",
            f"{int((np.isnan(found.hue[:n, 0]) != np.isnan(reference[:, 0])).sum())}",
        )
    )
    painted = 360.0 * found.factors["hue"]
    bin_painted = np.floor(painted / 30.0 + 0.5).astype(int) % BINS
    shift = (found.wall_hue - painted + 180.0) % 360.0 - 180.0
    coloured = ~np.isnan(found.hue[:, 0])
    largest = np.where(np.isnan(found.hue[:, :BINS]), -1.0, found.hue[:, :BINS]).argmax(1)
    steps = np.minimum((largest - bin_painted) % BINS, (bin_painted - largest) % BINS)
    rows = []
    for low, high in ((0.08, 0.5), (0.08, 0.18), (0.18, 0.29), (0.29, 0.4), (0.4, 0.5)):
        chosen = (
            coloured & (found.factors["saturation"] >= low - 1e-6) & (found.factors["saturation"] <= high)
        )
        k = int(chosen.sum())
        if k:
            same, near = (share(int((steps[chosen] <= d).sum()), k) for d in (0, 1))
            moved = shift[chosen & ~np.isnan(shift)]
            rows.append(
                (
                    f"{low:.2f} to {high:.2f}",
                    f"{k}",
                    percent(same, 1),
                    percent(near, 1),
                    f"{np.median(moved):+.1f}",
                    f"{np.median(np.abs(moved)):.1f}",
                )
            )
    columns = ("saturation of the paint", "rooms", "largest share is the paint's bin, %", "or a neighbour's, %", "median shift of the walls, degrees",
               "median size of the shift")  # fmt: skip
    return [
        Table("hue", "Hue against Python's colorsys", ("", "pictures", "mean difference", "largest"), exact),
        Table("hue-paint", "Hue against the paint of the walls", columns, rows),
    ]


def curves(found: Read) -> tuple[dict[str, str], list[Table]]:
    """The reliability curves: pictures by name, and their numbers."""
    numbers, panels = [], []
    diagonal = np.array([0.0, 1.0])
    happened = (found.category[:, None] == np.arange(len(CATEGORIES))).ravel()
    for name, title in CONDITIONS.items():
        points = curve(found.probability[name].ravel(), happened, np.linspace(0.0, 1.0, 11))
        numbers += [("category", name, *_point(p), "", "") for p in points]
        right = found.probability[name].argmax(1) == found.category
        error = calibration_error(found.probability[name].max(1), right.astype(float))
        panels.append(
            Panel(
                title,
                f"ECE {error:.4f}, accuracy {right.mean():.4f}",
                points,
                [("rule", diagonal, diagonal)],
                "predicted probability",
            )
        )
    pictures = {
        "reliability-category": draw(panels, 3, "f-category", "Reliability of the category probabilities")
    }
    panels = []
    even = np.arange(len(found.truth)) % 2 == 0
    for i, name in enumerate(ATTRIBUTES):
        margin, present = found.margin["rendered"][:, i], found.truth[:, i] > 0.5
        fit, held = margin[even], margin[~even]
        points = curve(held, present[~even], equal_counts(held, 20))
        grid = np.linspace(held.min(), held.max(), 80)
        steps = isotonic(fit, present[even], grid)
        means = np.array([p.mean for p in points])
        for p, smooth, fitted in zip(
            points, sigmoid(means), isotonic(fit, present[even], means), strict=True
        ):
            numbers.append((f"attribute {name}", "rendered", *_point(p), f"{smooth:.4f}", f"{fitted:.4f}"))
        note = f"AUC {auc(present, margin).value:.4f}, {len(held)} rooms"
        panels.append(
            Panel(
                name,
                note,
                points,
                [("axis", grid, sigmoid(grid)), ("line s-category", grid, steps)],
                "margin",
            )
        )
    pictures["reliability-attributes"] = draw(
        panels, 3, "f-attribute", "Observed frequency of each attribute against its margin"
    )
    columns = (
        "curve",
        "pictures",
        "first",
        "last",
        "mean prediction",
        "rooms",
        "observed",
        "low",
        "high",
        "sigmoid",
        "isotonic",
    )
    return pictures, [Table("reliability", "Reliability", columns, numbers)]


def _point(p: Any) -> tuple[str, ...]:
    return (
        f"{p.first:.4f}",
        f"{p.last:.4f}",
        f"{p.mean:.4f}",
        f"{p.count}",
        *(f"{value:.4f}" for value in p.observed),
    )


def markdown(table: Table) -> str:
    """A table of the page."""
    lines = [
        f"### {table.title}",
        "",
        f"| {' | '.join(table.columns)} |",
        f"| --- |{' ---: |' * (len(table.columns) - 1)}",
    ]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in table.rows), ""])


def put(page: Path, text: str) -> None:
    """Replace what stands between the two marks of a page.

    Raises:
        ValueError: the page has no such marks.
    """
    old = page.read_text(encoding="utf-8")
    if BEGIN not in old or END not in old:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}, between which the tables go")
    page.write_text(
        old[: old.index(BEGIN) + len(BEGIN)] + "\n\n" + text + "\n" + old[old.index(END) :], encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=12_000, help="rooms that are rendered and read")
    parser.add_argument("--seed", type=int, default=SEED, help="of the rooms")
    parser.add_argument("--checkpoint", default="bundled:rooms", help="of the scorers")
    parser.add_argument("--out", type=Path, required=True, help="folder for CSV and SVG")
    parser.add_argument("--page", type=Path, help="page whose tables are renewed")
    args = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        render_set(Path(folder), args.count, args.seed, 64, workers=1)
        rooms = Rooms(Path(folder))
        found = read(rooms, load_scorers(args.checkpoint), seed=args.seed)
        weights = resampled(args.count, args.seed)
        tables = [*category_tables(found), *attribute_tables(found), *layout_tables(found, weights)]
        tables += [*segmentation_tables(found, weights), *hue_tables(found, rooms.images)]
    pictures, numbers = curves(found)
    args.out.mkdir(parents=True, exist_ok=True)
    for table in tables + numbers:
        with (args.out / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([table.columns, *table.rows])
    for name, picture in pictures.items():
        (args.out / f"{name}.svg").write_text(picture, encoding="utf-8")
    text = "\n".join(markdown(table) for table in tables)
    if args.page is not None:
        put(args.page, text)
    print(text)
    print(f"{args.count} rooms of seed {args.seed}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
