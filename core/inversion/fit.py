"""Fit pictures of any size to that of a generator, by a named rule.

- `centre`: the largest part in the middle that has the generator's proportions.
- `whole`: all of the picture, with other proportions than it had.
- `pad`: all of the picture in its own proportions, in the middle of a margin that counts as unknown.
- `LEFT,TOP,WIDTH,HEIGHT`: this part of the picture, in its own pixels from its upper left corner.

What remains is resized by Lanczos' filter of three lobes, which averages where it shrinks (antialiasing).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import Image

from ..errors import DataError, nearest
from ..messages import shown

RULES = ("centre", "whole", "pad")
BOX = re.compile(r"\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*")
STRETCH = 1.02  # from this ratio of the two scales on, a picture is called stretched
LARGE = 1.5  # from this scale on, it is called enlarged

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class CropRule:
    """Represent a rule by which pictures are cropped.

    Attributes:
        name: one of RULES, or the four numbers of the box.
        box: left, top, width and height in pixels, of a box; else None.
    """

    name: str
    box: Box | None = None

    @property
    def pads(self) -> bool:
        """Whether pictures may get margins that show nothing of them."""
        return self.name == "pad"


@dataclass(frozen=True)
class Fit:
    """Represent how one picture was fitted.

    Attributes:
        rule: name of the rule.
        box: left, top, width, height of the part of the picture that is used, in its upright pixels.
        placed: left, top, width, height of this part in the result, which is all of it but for `pad`.
        height, width: of the result in pixels.
    """

    rule: str
    box: Box
    placed: Box
    height: int
    width: int

    @property
    def padded(self) -> bool:
        """Whether the result has a margin that shows nothing of the picture."""
        return self.placed != (0, 0, self.width, self.height)

    @property
    def words(self) -> str:
        """Return the rule and what it did to this picture, for tables.

        >>> fitted(600, 400, parse_rule("centre"), 64, 64).words
        'centre: 400 x 400 px from (100, 0), resized to 64 x 64 px'
        """
        left, top, width, height = self.box
        across, down = self.placed[2:]
        resized = "" if (across, down) == (width, height) else f", resized to {across} x {down} px"
        margin = f", in a margin to {self.width} x {self.height} px" if self.padded else ""
        return f"{self.rule}: {width} x {height} px from ({left}, {top}){resized}{margin}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know: that the picture was enlarged, or stretched.

        >>> fitted(20, 10, parse_rule("whole"), 64, 64).notes
        ('enlarged 3.2 times', 'stretched: 2.0 times as tall against its width as it was')
        """
        across, down = self.placed[2] / self.box[2], self.placed[3] / self.box[3]
        notes = []
        if min(across, down) >= LARGE:
            notes.append(f"enlarged {min(across, down):.1f} times")
        if not self.padded and max(across / down, down / across) >= STRETCH and _is_distorting(self):
            taller = down > across
            ratio = max(across / down, down / across)
            side, other = ("tall", "width") if taller else ("wide", "height")
            notes.append(f"stretched: {ratio:.1f} times as {side} against its {other} as it was")
        return tuple(notes)


def _is_distorting(fit: Fit) -> bool:
    """Return whether the rule may change proportions by more than the rounding to whole pixels does."""
    return fit.rule not in ("centre", "pad")


def parse_rule(text: str) -> CropRule:
    """Return the rule that a text names.

    Raises:
        DataError: it names none.

    >>> parse_rule("whole").name, parse_rule("10, 20, 300,300").box
    ('whole', (10, 20, 300, 300))
    """
    if text in RULES:
        return CropRule(text)
    match = BOX.fullmatch(text)
    if match is None:
        raise DataError(
            f"crop: {shown(text)} is not a rule.{nearest(text, RULES)} Rules: centre (the largest part in "
            "the middle with the generator's proportions), whole (all of it, stretched), pad (all of it, in "
            "a margin), or LEFT,TOP,WIDTH,HEIGHT in pixels of the picture, such as 10,20,300,300"
        )
    left, top, width, height = (int(part) for part in match.groups())
    if left < 0 or top < 0 or width < 1 or height < 1:
        raise DataError(
            f"crop: the box {shown(text)} has a negative corner or no area; "
            "give LEFT,TOP,WIDTH,HEIGHT with LEFT and TOP of 0 or more, WIDTH and HEIGHT of 1 or more"
        )
    return CropRule(f"{left},{top},{width},{height}", (left, top, width, height))


def fitted(width: int, height: int, rule: CropRule, to_width: int, to_height: int) -> Fit:
    """Return how a picture of width x height pixels is fitted to to_width x to_height pixels.

    Raises:
        DataError: the box of the rule lies outside the picture.

    >>> fitted(100, 50, parse_rule("pad"), 64, 64).placed
    (0, 16, 64, 32)
    """
    box, placed = (0, 0, width, height), (0, 0, to_width, to_height)
    if rule.box is not None:
        left, top, across, down = box = rule.box
        if left + across > width or top + down > height:
            raise DataError(
                f"crop: the box {rule.name} ends at ({left + across}, {top + down}), outside the picture, "
                f"which is {width} x {height} px (width x height); give a box inside it"
            )
    elif rule.name == "centre":
        across = max(1, min(width, round(height * to_width / to_height)))
        down = max(1, min(height, round(width * to_height / to_width)))
        box = ((width - across) // 2, (height - down) // 2, across, down)
    elif rule.name == "pad":
        scale = min(to_width / width, to_height / height)
        across = max(1, min(to_width, round(width * scale)))
        down = max(1, min(to_height, round(height * scale)))
        placed = ((to_width - across) // 2, (to_height - down) // 2, across, down)
    return Fit(rule.name, box, placed, to_height, to_width)


def cropped(image: Image.Image, fit: Fit) -> Image.Image:
    """Return the part of an image that a fit uses."""
    left, top, width, height = fit.box
    if (left, top, width, height) == (0, 0, *image.size):
        return image
    return image.crop((left, top, left + width, top + height))


def resized(image: Image.Image, fit: Fit) -> Image.Image:
    """Return the cropped image of mode RGB or F at the size at which it is placed."""
    size = fit.placed[2:]
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)
