"""Say which colour means which class in masks that people paint, and read and write this as classes.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...config.faults import describe
from ...config.parsing import read_data
from ...errors import UserError
from ...figures.masks import class_colours, hexadecimal
from ...figures.pictures import png
from ...messages import listed, shown, visible
from ...storage.name_rules import class_name_fault

CLASSES = "classes.json"
UNKNOWN_INDEX = 255  # in masks whose values are class numbers
UNKNOWN_COLOUR = (0, 0, 0)  # no class has it: class_colours() keeps away from black
MOST = 255  # classes; one more would need the number of unknown pixels


class _Class(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    number: Annotated[int, Field(alias="class", ge=0, lt=MOST)]
    name: str
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")]


class _Content(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")
    classes: Annotated[list[_Class], Field(min_length=1, max_length=MOST)]


@dataclass(frozen=True)
class Legend:
    """Hold the classes of a mask and the colour of each.

    Attributes:
        names: names of the M classes; the place of a name is the number of its class.
        colours: sRGB colours (M, 3), no two the same, none black, which means unknown.
    """

    names: tuple[str, ...]
    colours: NDArray[np.uint8]

    @staticmethod
    def of(names: Sequence[str]) -> Legend:
        """Return the legend of classes in the colours that all figures give them.

        Raises:
            UserError: there are more classes than a mask can hold.

        >>> Legend.of(["wall", "window"]).colours.shape
        (2, 3)
        """
        if len(names) > MOST:
            raise UserError(
                f"there are {len(names)} classes, but a painted mask holds at most {MOST}; "
                "choose some of them with `extractor.classes` in the config"
            )
        return Legend(tuple(names), class_colours(len(names)))

    def text(self) -> str:
        """Return the content of classes.json."""
        classes = [
            {"class": number, "name": name, "colour": hexadecimal(colour)}
            for number, (name, colour) in enumerate(zip(self.names, self.colours, strict=True))
        ]
        unknown = {"colour": hexadecimal(UNKNOWN_COLOUR), "index": UNKNOWN_INDEX, "alpha": 0}
        return json.dumps({"classes": classes, "unknown": unknown}, indent=2, ensure_ascii=False) + "\n"

    def picture(self) -> bytes:
        """Draw a swatch and the name of every class as PNG, to pick the colours from in a paint program."""
        font, side, gap = ImageFont.load_default(), 24, 6
        room = max(int(font.getlength(visible(name, 40))) for name in self.names) + side + 4 * gap
        columns = min(3, len(self.names))
        rows = -(-len(self.names) // columns)
        page = Image.new("RGB", (columns * room + gap, rows * (side + gap) + gap), "white")
        draw = ImageDraw.Draw(page)
        for i, (name, colour) in enumerate(zip(self.names, self.colours.tolist(), strict=True)):
            x, y = gap + i // rows * room, gap + i % rows * (side + gap)
            draw.rectangle((x, y, x + side - 1, y + side - 1), fill=tuple(colour))
            draw.text((x + side + gap, y + side // 2 - 6), visible(name, 40), fill="black", font=font)
        return png(np.asarray(page))


def class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes to paint.

    Raises:
        UserError: they are fewer than two, repeated, or no names, or one text.
    """
    if isinstance(names, str):  # its letters would count as names
        raise UserError(f"the classes are one text, {shown(names)}; give a list of names")
    for name in names:
        if fault := class_name_fault(name):
            raise UserError(f"the class {shown(name)} {fault}")
    if len(set(names)) < len(names) or len(names) < 2:
        raise UserError(f"{listed(list(names), 20)} are not two or more different classes")
    return tuple(names)


def read_legend(path: Path) -> Legend:
    """Read a classes.json.

    Raises:
        UserError: the file is missing or damaged, or names or colours are repeated or not allowed.
    """
    if not path.is_file():
        raise UserError(
            f"{path} is missing, which says what colour means what class; put it back, or begin again with "
            "`ganstrata segment annotate`"
        )
    data = read_data(path)
    try:
        content = _Content.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{path}: {describe(error, _Content, data)[0]}") from None
    classes = sorted(content.classes, key=lambda entry: entry.number)
    names = tuple(entry.name for entry in classes)
    colours = np.array([list(bytes.fromhex(entry.colour[1:])) for entry in classes], dtype=np.uint8)
    codes = [entry.colour.lower() for entry in classes]
    faults = [f"the class name {shown(name)} {why}" for name in names if (why := class_name_fault(name))]
    if [entry.number for entry in classes] != list(range(len(classes))):
        faults.append(f"the numbers of its classes are not 0 to {len(classes) - 1}, each once")
    if again := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        faults.append(f"two classes are named {listed(again)}")
    if again := [code for code in dict.fromkeys(codes) if codes.count(code) > 1]:
        faults.append(f"two classes have the colour {listed(again)}")
    if hexadecimal(UNKNOWN_COLOUR) in codes:
        faults.append(f"a class is {hexadecimal(UNKNOWN_COLOUR)}, the colour of unknown pixels")
    if faults:
        raise UserError(f"{path}: {faults[0]}")
    return Legend(names, colours)


def legend_beside(path: Path, names: Sequence[str]) -> Legend:
    """Return the legend in the folder of a painted file, or that of `Legend.of` if there is none.

    Args:
        path: the painted file.
        names: names of the classes that it must have.

    Raises:
        UserError: the classes.json there is damaged, or has other classes.
    """
    file = path.parent / CLASSES
    if not file.is_file():
        return Legend.of(names)
    legend = read_legend(file)
    if legend.names != tuple(names):
        odd = [name for name in legend.names if name not in names]
        missing = [name for name in names if name not in legend.names]
        difference = (
            f"{listed(odd)} is not among them" if odd
            else f"it lacks {listed(missing)}" if missing
            else "it has them in another order"
        )  # fmt: skip
        raise UserError(
            f"{file} is not of these classes: {difference}. It must list {listed(names, 20)}, in this order. "
            "Take the file that was written beside the picture, or move this one away"
        )
    return legend
