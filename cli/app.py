"""Define `ganstrata app`, which serves a page to look at a run, edit its pictures, and take edits home."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from .errors import clean, reported
from .options import PATH, device_option, number_from, run_argument
from .streams import say, tell

INSTALL = "pip install 'ganstrata[app]'"


@click.command()
@run_argument
@click.option(
    "--codes",
    multiple=True,
    type=PATH,
    metavar="FOLDER",
    help="Inverted pictures to begin with, as `ganstrata invert` wrote them; may be repeated.",
)
@click.option(
    "--segmentation",
    type=PATH,
    metavar="FOLDER",
    help="A folder of `ganstrata segment train`, to paint with.  [default: an extractor is learnt in seconds "
    "from the segmenter of the run, or of the bundled rooms]",
)
@click.option(
    "--leaderboard",
    type=PATH,
    metavar="FOLDER",
    help="A folder of `ganstrata leaderboard`, whose learners are compared side by side.",
)
@click.option(
    "--study", type=PATH, metavar="FOLDER", help="A folder of `ganstrata study make`, to vote from here."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen. "
    "Other machines reach it at another address than this; then a token is needed, which is printed once.",
)
@click.option(
    "--port",
    type=number_from(0, 65535),
    default=8765,
    show_default=True,
    metavar="N",
    help="0: any that is free.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Whether to open the page.")
@device_option
def app(
    run_dir: Path,
    codes: tuple[Path, ...],
    segmentation: Path | None,
    leaderboard: Path | None,
    study: Path | None,
    host: str,
    port: int,
    browser: bool,
    device: str | None,
) -> None:
    """Serve a page to look at a finished run, move its pictures along what was found, and take edits home.

    \b
    Examples:
      ganstrata app runs/rooms
      ganstrata app runs/rooms --codes inverted/living-room --segmentation segmentations/rooms
      ganstrata app runs/rooms --host 0.0.0.0 --no-browser
    """
    with reported():
        from ..core.errors import UserError

        try:
            from ..app.serve import bound, serve
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in ("starlette", "uvicorn", "websockets"):
                raise
            raise UserError(f"the app needs {error.name}, which is not installed: {INSTALL}") from None
        from ..app.workspace import Folders, Workspace

        listener, address = bound(host, port)
        with listener:
            tell(f"Opening {clean(str(run_dir))}: its files are checked, and its networks are loaded.")
            workspace = Workspace.open(run_dir, device, Folders(codes, segmentation, leaderboard, study))
            for line in workspace.remarks:
                tell(clean(line))
            for line in workspace.differences:
                tell(clean(f"{run_dir}: {line}. The app computes with what is here now"))

            def ready() -> None:
                say(f"The app is at {address.url}")
                if address.everywhere:
                    tell(f"From another machine, put this one's name or address in place of {host}.")
                tell("Ctrl-C ends it.")
                if browser:
                    with suppress(Exception):  # whatever is wrong with the browser, the address is printed
                        click.launch(address.url)

            with suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end, not a failure
                serve(workspace, listener, address, ready)
