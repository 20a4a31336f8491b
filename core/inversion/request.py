"""State what a user asks of an inversion or a restoration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..randomness import LARGEST_SEED

MOST = 100_000  # pictures of a command
CENTRE = "centre"


@dataclass(frozen=True)
class InvertRequest:
    """Hold everything that a user sets, besides the generator.

    Attributes:
        pictures: files, or folders of them.
        embed: name of the step that starts from the pictures alone; None for the default.
        refine: names of the steps that refine what it found; None for the default, `none` for none.
        settings: texts `NAME.FIELD=VALUE` that set fields of steps, or with NAME `distance` the weights of
            its terms.
        perceptual: what pictures are compared by besides pixels: auto, none, or a name; see `perceptual`.
        crop: rule by which a picture of another shape is fitted.
        masks: PNG of known pixels (white): none, one for all pictures, or one for each.
        resize_mask: whether a mask of another size than its picture is resized.
        seed: of all that is drawn; None for that of the run, or 0.
        class_index: class of all pictures, for generators that know classes.
        batch: pictures at once; None to find it.
        out: folder to write; None for a name made of the pictures.
    """

    pictures: tuple[Path, ...]
    embed: str | None = None
    refine: tuple[str, ...] | None = None
    settings: tuple[str, ...] = ()
    perceptual: str = "auto"
    crop: str = CENTRE
    masks: tuple[Path, ...] = ()
    resize_mask: bool = False
    seed: int | None = None
    class_index: int | None = None
    batch: int | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        if not self.pictures:
            raise UserError("give at least one picture, or a folder of pictures")
        if len(self.pictures) > MOST:
            raise UserError(f"{len(self.pictures)} pictures are given; at most {MOST} are inverted at once")
        if self.seed is not None and not 0 <= self.seed <= LARGEST_SEED:
            raise UserError(f"--seed {self.seed}: a whole number from 0 to {LARGEST_SEED} is needed")
        if self.batch is not None and self.batch < 1:
            raise UserError(f"--batch {self.batch}: a whole number from 1 on is needed")
        if self.class_index is not None and self.class_index < 0:
            raise UserError(f"--class {self.class_index}: classes are counted from 0")

    def place(self, kind: str) -> Path:
        """Return the folder to write: the given one, or one in the working directory.

        Args:
            kind: `inverted`, or the name of the restoration.
        """
        if self.out is not None:
            return self.out
        first = self.pictures[0].resolve()
        more = len(self.pictures) - 1
        return Path(kind) / f"{first.stem or 'pictures'}{f'-and-{more}-more' if more else ''}"
