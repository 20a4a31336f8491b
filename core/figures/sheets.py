"""Lay out strips and grids as PNG, with a name for each row and column."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import ImageDraw, ImageFont

from .pictures import Pixels, canvas, from_image, png, to_image

MIN_WIDTH = 128  # a smaller frame is enlarged by a whole number to at least this
GAP = 4  # pixels between frames
LINE = 18  # height of a line of text


def enlarged(pictures: Pixels, side: int = MIN_WIDTH) -> Pixels:
    """Enlarge pictures (..., H, W, C) by the least whole number that makes the longer side `side` or more."""
    factor = max(-(-side // max(pictures.shape[-3:-1])), 1)
    return pictures.repeat(factor, axis=-3).repeat(factor, axis=-2)


def sheet(pictures: Pixels, heads: Sequence[str], names: Sequence[str], *, apart: bool = False) -> bytes:
    """Lay out pictures with names of rows and columns as PNG.

    Args:
        pictures: (rows, columns, H, W, C).
        heads: headings of the columns.
        names: names of the rows.
        apart: whether to leave a wider gap after the first column.
    """
    frames = enlarged(pictures)
    rows, columns, height, width, channels = frames.shape
    font = ImageFont.load_default()
    # The font has no minus sign.
    heads, names = ([text.replace("−", "-") for text in texts] for texts in (heads, names))
    left = max(int(font.getlength(name)) for name in names) + 3 * GAP
    places = [left + c * (width + GAP) + (2 * GAP if apart and c else 0) for c in range(columns)]
    page = canvas(LINE + rows * (height + GAP) - GAP, places[-1] + width, channels)
    draw = ImageDraw.Draw(page)
    for c, head in enumerate(heads):
        words = fitting(head, font, width)
        draw.text((places[c] + (width - font.getlength(words)) / 2, 2), words, fill="black", font=font)
    for r in range(rows):
        y = LINE + r * (height + GAP)
        draw.text((GAP, y + height // 2 - 6), names[r], fill="black", font=font)
        for c in range(columns):
            page.paste(to_image(frames[r, c]), (places[c], y))
    return png(from_image(page))


def fitting(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    """Cut words to a width in pixels, with dots where something is missing."""
    if font.getlength(words) <= room:
        return words
    while words and font.getlength(words + "...") > room:
        words = words[:-1]
    return words + "..."
