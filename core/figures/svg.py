"""Draw SVG whose colours follow the page: light, dark or printed.

Shapes carry classes, and `STYLE` gives each class its colour. A figure in a separate file contains the
style; a figure inside a page uses the style of the page.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from importlib.resources import files

from .markup import markup

STYLE = "\n" + (files(__package__) / "figure.css").read_text(encoding="utf-8")


LETTER = 7.0  # width of an average letter of the figures' text, in pixels


def text_width(words: Iterable[str]) -> float:
    """Estimate how many pixels the longest of some words takes; 0 if there are none."""
    return LETTER * max(map(len, words), default=0)


class Canvas:
    """Collect shapes on a page whose y runs downwards; shapes with an undefined position are left out."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        css: str,
        *,
        title: str = "",
        opacity: float | None = None,
    ) -> None:
        """Draw a rectangle; its title is shown on hovering."""
        shade = "" if opacity is None else f' fill-opacity="{opacity:.3f}"'
        size = f'width="{max(width, 0.0):.1f}" height="{max(height, 0.0):.1f}"'
        self._shape(f'rect x="{x:.1f}" y="{y:.1f}" {size}{shade}', css, title)

    def circle(self, x: float, y: float, radius: float, css: str, *, title: str = "") -> None:
        """Draw a disc."""
        if not math.isfinite(x + y):
            return
        self._shape(f'circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"', css, title)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """Draw a straight line."""
        self._shape(f'line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"', css, "")

    def path(self, points: Sequence[tuple[float, float]], css: str, *, closed: bool = False) -> None:
        """Draw a line through points, or fill the area inside them."""
        points = [(x, y) for x, y in points if math.isfinite(x + y)]
        if not points:
            return
        trace = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shape(f'path d="M{trace}{" Z" if closed else ""}"', css, "")

    def text(
        self, x: float, y: float, words: str, *, css: str = "", anchor: str = "start", turn: float = 0.0
    ) -> None:
        """Write words; `turn` rotates them about their anchor, in degrees."""
        turned = f' transform="rotate({turn:.0f} {x:.1f} {y:.1f})"' if turn else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}"{turned}>'
            f"{markup(words)}</text>"
        )

    def image(self, x: float, y: float, width: float, height: float, png: bytes) -> None:
        """Place a PNG, whose pixels keep sharp edges."""
        place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        self._parts.append(
            f'<image {place} preserveAspectRatio="none" style="image-rendering: pixelated" href="{source}"/>'
        )

    def whisker(self, x1: float, x2: float, y: float, *, upright: bool = False, cap: float = 3.0) -> None:
        """Draw an error bar from x1 to x2 at height y; `upright` swaps the axes."""
        if not math.isfinite(x1 + x2):
            return
        ends = ((x1, y - cap, x1, y + cap), (x2, y - cap, x2, y + cap), (x1, y, x2, y))
        for a, b, c, d in ends:
            self.line(*((b, a, d, c) if upright else (a, b, c, d)), "whisker")

    def nested_whiskers(self, inner: tuple[float, float], outer: tuple[float, float], y: float) -> None:
        """Draw a thick error bar with a thin one around it; without a finite `outer`, a plain inner one."""
        if all(map(math.isfinite, outer)):
            self.whisker(*outer, y)
            self.line(inner[0], y, inner[1], y, "whisker thick")
        else:
            self.whisker(*inner, y)

    def _shape(self, element: str, css: str, title: str) -> None:
        if title:
            self._parts.append(
                f'<{element} class="{css}"><title>{markup(title)}</title></{element.split(" ", 1)[0]}>'
            )
        else:
            self._parts.append(f'<{element} class="{css}"/>')

    def svg(self, description: str, *, alone: bool = False) -> str:
        """Return the drawing as SVG; `alone` adds the style and a background, for a separate file."""
        style = (
            f'<style>{STYLE}</style><rect width="100%" height="100%" style="fill: var(--ground)"/>'
            if alone
            else ""
        )
        width, height = f"{self.width:.0f}", f"{self.height:.0f}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{markup(description)}">'
            f"{style}{''.join(self._parts)}</svg>"
        )


class Scale:
    """Map numbers to positions, with ticks at round numbers.

    The ends move outwards to ticks: `low` and `high` are multiples of `step`.
    """

    def __init__(self, low: float, high: float, start: float, stop: float, *, ticks: int = 5) -> None:
        if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
            low, high = (0.0, 1.0) if not math.isfinite(low + high) else (low - 0.5, low + 0.5)
        self.step = nice_step((high - low) / ticks)
        self.low, self.high = (
            math.floor(low / self.step + 1e-9) * self.step,
            math.ceil(high / self.step - 1e-9) * self.step,
        )
        self.start, self.stop = start, stop

    def __call__(self, value: float) -> float:
        """Return the position of a number; beyond the ends at most 5 % of the length further."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, -0.05), 1.05) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        """Return the ticks: all multiples of `step` from `low` to `high`."""
        count = round((self.high - self.low) / self.step)
        return [self.low + i * self.step for i in range(count + 1)]

    def show(self, value: float) -> str:
        """Write a tick's number with as many digits as the step needs.

        >>> scale = Scale(-0.05, 0.1, 0.0, 100.0, ticks=3)
        >>> [scale.show(tick) for tick in scale.ticks()]
        ['-0.05', '0', '0.05', '0.10']
        """
        digits = next(d for d in range(20) if abs(round(self.step, d) - self.step) < 1e-6 * self.step)
        return f"{value:.{digits}f}" if abs(value) > 1e-12 else "0"


def nice_step(raw: float) -> float:
    """Return the smallest of 1, 2, 2.5 or 5 times a power of ten that is not below `raw`.

    >>> nice_step(0.13), nice_step(3.0)
    (0.2, 5.0)
    """
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw * 0.999999)
