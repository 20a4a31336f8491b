"""Draw the flow of pixels from class to class, hop by hop (paper, fig. 5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..decimals import percent
from ..figures.figure import Figure
from ..figures.masks import class_colours, hexadecimal
from ..figures.svg import Canvas, text_width
from ..rescoring.transitions import Transition
from ..storage.csv_tables import Row, Table

TALL = 540.0  # pixels that stand for the whole picture
WIDTH = 980.0
BAR = 16.0
SLOT = 16.0  # least height of a class, so that names do not overlap
SMALLEST = 0.004  # share of the picture that a class needs, at some stage, to be drawn by itself
THINNEST = 0.0008  # share of the picture that a flow needs to be drawn
OTHER_OBJECTS, OTHER_STUFF = "other objects", "other stuff"


class FlowCanvas(Canvas):
    """Draw bars and ribbons in the colours of classes, the same on light and dark pages."""

    def bar(self, x: float, y: float, height: float, colour: str, title: str) -> None:
        """Draw a class at one stage."""
        self._shape(
            f'rect x="{x:.1f}" y="{y:.1f}" width="{BAR:.1f}" height="{height:.2f}" fill="{colour}"',
            "bar",
            title,
        )

    def ribbon(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        height: float,
        colour: str,
        title: str,
        *,
        stays: bool,
    ) -> None:
        """Draw a flow between two stages.

        Args:
            x: left and right end.
            y: top at the left and at the right.
            height: share of the picture that flows, in pixels.
            colour: colour of the class that the pixels had.
            title: shown on hovering.
            stays: whether the pixels keep their class; such ribbons are pale.
        """
        (a, b), (c, d), middle = x, y, (x[0] + x[1]) / 2
        upper = f"M{a:.1f},{c:.2f} C{middle:.1f},{c:.2f} {middle:.1f},{d:.2f} {b:.1f},{d:.2f}"
        e, f = c + height, d + height
        lower = f"L{b:.1f},{f:.2f} C{middle:.1f},{f:.2f} {middle:.1f},{e:.2f} {a:.1f},{e:.2f} Z"
        self._shape(
            f'path d="{upper} {lower}" fill="{colour}" fill-opacity="{0.22 if stays else 0.62}"',
            "ribbon",
            title,
        )


def merged(
    rows: Sequence[Transition], stuff: Collection[str]
) -> tuple[list[dict[tuple[str, str], float]], list[str]]:
    """Merge classes that are small at every stage: objects into one class, stuff into another.

    Returns:
        The flows to draw, per hop, as shares of the picture; and the classes from top to bottom.
    """
    hops = max(row.hop for row in rows)
    largest: dict[str, float] = {}
    for hop in range(1, hops + 1):
        for end in ("source", "target"):
            sums: dict[str, float] = {}
            for row in rows:
                if row.hop == hop:
                    name = str(getattr(row, end))
                    sums[name] = sums.get(name, 0.0) + row.of_picture
            for name, share in sums.items():
                largest[name] = max(largest.get(name, 0.0), share)

    def shown(name: str) -> str:
        if largest[name] >= SMALLEST:
            return name
        return OTHER_STUFF if name in stuff else OTHER_OBJECTS

    flows: list[dict[tuple[str, str], float]] = [{} for _ in range(hops)]
    for row in rows:
        key = (shown(row.source), shown(row.target))
        flows[row.hop - 1][key] = flows[row.hop - 1].get(key, 0.0) + row.of_picture
    names = {name for hop_flows in flows for pair in hop_flows for name in pair}

    def place(name: str) -> tuple[bool, bool, float, str]:
        return (
            name in stuff or name == OTHER_STUFF,
            name in (OTHER_OBJECTS, OTHER_STUFF),
            -largest.get(name, 0.0),
            name,
        )

    return flows, sorted(names, key=place)


def flow(
    rows: Sequence[Transition], classes: Sequence[str], stuff: Collection[str], along: Sequence[str]
) -> Figure:
    """Draw stages from left to right, classes as bars, and flows between neighbouring stages as ribbons.

    Args:
        rows: all transitions.
        classes: names, in the order that decides their colours.
        stuff: classes that are stuff; they are drawn below the objects.
        along: boundary that each hop moved along.
    """
    flows, order = merged(rows, stuff)
    colours = dict(zip(classes, map(hexadecimal, class_colours(len(classes))), strict=True))
    margin = 20.0 + text_width(f"{name} 00.0 %" for name in order)
    stages = len(flows) + 1
    xs = [margin + (WIDTH - 2 * margin - BAR) * s / (stages - 1) for s in range(stages)]
    shares = [
        {name: sum(v for (a, _), v in flows[min(s, stages - 2)].items() if a == name) for name in order}
        for s in range(stages - 1)
    ]
    shares.append({name: sum(v for (_, b), v in flows[-1].items() if b == name) for name in order})
    # A class has the same band of the height at all stages: pixels that keep it run straight.
    slots = {name: max(SLOT, TALL * max(share[name] for share in shares)) for name in order}
    tops: dict[str, float] = {}
    y = 58.0
    for name in order:
        tops[name] = y
        y += slots[name] + 5.0
    canvas = FlowCanvas(WIDTH, y + 6.0)
    _heads(canvas, xs, along)
    starts = [
        {name: tops[name] + (slots[name] - TALL * share[name]) / 2 for name in order} for share in shares
    ]
    for hop, hop_flows in enumerate(flows):
        _ribbons(
            canvas,
            hop,
            hop_flows,
            order,
            (xs[hop] + BAR, xs[hop + 1]),
            (starts[hop], starts[hop + 1]),
            colours,
        )
    for s in range(stages):
        for name in order:
            share = shares[s][name]
            if share > 0.0:
                canvas.bar(
                    xs[s],
                    starts[s][name],
                    max(TALL * share, 0.8),
                    colours.get(name, "#8a94a3"),
                    f"{name}: {percent(share)} of the picture",
                )
            number, middle = percent(share), tops[name] + slots[name] / 2 + 4.5
            if s == 0:
                canvas.text(xs[s] - 8, middle, f"{name} {number}", anchor="end", css="over")
            elif s == stages - 1:
                canvas.text(xs[s] + BAR + 8, middle, f"{name} {number}", css="over")
            elif share >= THINNEST:
                canvas.text(xs[s] + BAR + 8, middle, number, css="over")
    table: list[Row] = []
    for hop, hop_flows in enumerate(flows):
        table += [
            [hop + 1, along[hop], a, b, v]
            for (a, b), v in sorted(hop_flows.items(), key=lambda item: -item[1])
        ]
    moves = [
        (v, a, b)
        for hop_flows in flows
        for (a, b), v in hop_flows.items()
        if a != b and not {a, b} & {OTHER_STUFF, OTHER_OBJECTS}
    ]
    largest = max(moves, default=None)
    sentence = (
        ""
        if largest is None
        else f" The largest flow between two classes: {largest[1]} to {largest[2]}, "
        f"{percent(largest[0])} of the picture."
    )
    return Figure(
        "flow",
        canvas,
        f"What becomes of each class of pixels, moving along {', then along '.join(along)}.{sentence}",
        Table(("hop", "along", "from", "to", "share_of_picture"), table),
    )


def _heads(canvas: Canvas, xs: Sequence[float], along: Sequence[str]) -> None:
    """Write what every stage and every hop is."""
    for s, x in enumerate(xs):
        canvas.text(x + BAR / 2, 40, "before" if s == 0 else f"after hop {s}", anchor="middle", css="strong")
    for hop, name in enumerate(along):
        canvas.text(
            (xs[hop] + xs[hop + 1] + BAR) / 2, 16, f"hop {hop + 1}: {name}", anchor="middle", css="soft"
        )


def _ribbons(
    canvas: FlowCanvas,
    hop: int,
    flows: dict[tuple[str, str], float],
    order: Sequence[str],
    x: tuple[float, float],
    starts: tuple[dict[str, float], dict[str, float]],
    colours: dict[str, str],
) -> None:
    """Draw all flows of a hop; pixels that change their class lie on top of those that keep it."""
    place = {name: i for i, name in enumerate(order)}
    left, right = dict(starts[0]), dict(starts[1])
    tops: dict[tuple[str, str], list[float]] = {}
    for a, b in sorted(flows, key=lambda pair: (place[pair[0]], place[pair[1]])):
        tops[a, b] = [left[a]]
        left[a] += TALL * flows[a, b]
    for a, b in sorted(flows, key=lambda pair: (place[pair[1]], place[pair[0]])):
        tops[a, b].append(right[b])
        right[b] += TALL * flows[a, b]
    totals = {a: sum(v for (source, _), v in flows.items() if source == a) for a, _ in flows}
    for (a, b), share in sorted(flows.items(), key=lambda item: (item[0][0] != item[0][1], -item[1])):
        if share >= THINNEST:
            part = f"{percent(share)} of the picture, {percent(share / totals[a], 0)} of {a}"
            title = f"hop {hop + 1}: {a} to {b}, {part}"
            canvas.ribbon(
                x,
                (tops[a, b][0], tops[a, b][1]),
                TALL * share,
                colours.get(a, "#8a94a3"),
                title,
                stays=a == b,
            )
