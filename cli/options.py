"""Define what several commands share: types of options, and RUN, --set, --device and --quiet."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from ..core.errors import UserError
from ..core.storage.paths import user_path


class Commands(click.Group):
    """Represent a group whose help shows the whole first sentence of each command; click cuts it off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its first sentence, wrapped."""
        with formatter.section("Commands"):
            formatter.write_dl(self.first_sentences(ctx))

    def first_sentences(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return the name and the first sentence of each command."""
        return [
            (name, command.get_short_help_str(limit=1000))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        ]


class UserPath(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Represent a path, with ~ for a home folder; refuse one that no file can have."""

    name = "path"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Convert a value as core.storage.paths does."""
        try:
            return user_path(value)
        except UserError as error:
            self.fail(str(error), param, ctx)


class Limited(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Represent a number within limits, which errors show; help would show click's own as `[1<=x<=1000]`.

    Args:
        kind: int or float.
        least, most: the limits, both allowed.
    """

    def __init__(self, kind: type[int] | type[float], least: float, most: float) -> None:
        self.name = "whole number" if kind is int else "number"
        self._type = click.INT if kind is int else click.FLOAT
        self._least, self._most = least, most

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert a value; a number that is not finite is not within the limits."""
        number: float = self._type.convert(cast("float", value), param, ctx)
        if not self._least <= number <= self._most:
            least, most = (str(x) if isinstance(x, int) else f"{x:.15g}" for x in (self._least, self._most))
            self.fail(f"{value} is not a {self.name} from {least} to {most}.", param, ctx)
        return number


class Counts(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Represent different whole numbers from 1 on, separated by commas, in rising order.

    Args:
        most: the largest number allowed.
        example: shown in errors.
        may_be_none: whether `none` is allowed, for no numbers.
    """

    name = "numbers"

    def __init__(self, most: int, example: str, *, may_be_none: bool = False) -> None:
        self._most, self._example, self._may_be_none = most, example, may_be_none

    def convert(
        self, value: str | tuple[int, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Convert text such as `1,4,16`; numbers are put in order."""
        if isinstance(value, tuple):
            return value
        if self._may_be_none and value == "none":
            return ()
        parts = [part.strip() for part in value.split(",")]
        # int() refuses thousands of digits.
        numbers = [int(part) if part.isdecimal() and len(part) <= 18 else 0 for part in parts]
        if any(not 1 <= n <= self._most for n in numbers) or len(set(numbers)) < len(numbers):
            self.fail(
                f"'{value}' is not {'`none`, nor ' if self._may_be_none else ''}a list of different whole "
                f"numbers from 1 to {self._most}, such as {self._example}",
                param,
                ctx,
            )
        return tuple(sorted(numbers))


PATH = UserPath()
DEVICES = "auto|cpu|cuda|cuda:N"
FARTHEST = 10**6  # as core.config.schema has it for steps; it is not imported, because help must be quick
LENGTH = Limited(float, -FARTHEST, FARTHEST)


def number_from(least: int, most: int) -> Limited:
    """Return the type of a whole number within limits."""
    return Limited(int, least, most)


run_argument = click.argument("run_dir", metavar="RUN", type=PATH)
device_option = click.option(
    "--device", metavar=DEVICES, help="Where to compute.  [default: as in the run's config]"
)
config_device_option = click.option(
    "--device", metavar=DEVICES, help="Where to compute.  [default: as in the config]"
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one value of the config; may be repeated.",
)
fps_option = click.option(
    "--fps",
    type=Limited(float, 0.1, 100.0),
    default=8.0,
    show_default=True,
    metavar="X",
    help="Pictures per second in films.",
)
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress, only the result or an error.")
