"""Compare learners into a folder: a page, pictures, tables and leaderboard.json, whole or not at all."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from markupsafe import Markup

from ..config.schema import RunConfig
from ..errors import UserError
from ..figures.pages import page_script, page_style, templates
from ..messages import this_version
from ..runs.lock import locked
from ..runs.progress import Progress
from ..storage.disk import disk_error, make_folder, remove, write_bytes, write_text
from ..storage.kept_results import Store
from ..storage.result_folder import add_files, index_text, recover
from .board import Board
from .computing import board_of
from .files import as_data, tables
from .learning import checked_learners
from .measuring import measure
from .pictures import dots, front
from .request import BoardRequest
from .tables import markdown, no_leak, views

INDEX, PAGE, TABLES = "leaderboard.json", "leaderboard.html", "leaderboard.md"
COMPUTED = "computed"
JUDGES = "judges.csv"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def leaderboard_into(
    config: RunConfig,
    out: Path,
    request: BoardRequest,
    *,
    page: Path | None = None,
    source: str = "config",
    progress: Progress | None = None,
) -> Board:
    """Compare learners, and write the results into a folder.

    What is computed for a learner is kept in the folder, and used again if it stands on the same: the same
    generator, scorers, samples, steps and options.

    Args:
        config: as in `measure`.
        out: folder, new or of an earlier call.
        request: learners and steps.
        page: a page in Markdown whose tables are replaced; pictures and CSV go into a folder of its name.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: the config, the request, the folder or the page does not fit, or no learner is left.
        GanstrataError: a plugin fails, or the disk is full. The folder has all files of this call, or all of
            an earlier one.
    """
    checked_learners(request)  # a mistake makes no folder
    old = None if page is None else _parts_of(page)
    with locked(out, INDEX, "folder of a leaderboard"):
        recover(out, INDEX)
        if not (out / INDEX).is_file():
            write_bytes(out / INDEX, index_text({"format": 1, "finished": False}, {}))
        store = Store(out / COMPUTED)
        board = board_of(measure(config, request, store, source=source, progress=progress), progress)
        files = files_of(board)
        add_files(out, {**files, INDEX: index_text(as_data(board), files)}, INDEX)
        _remove_left(out, files)
    if page is not None and old is not None:
        beside = page.with_suffix("")
        make_folder(beside)
        for name in ("leaderboard.svg", "front.svg", *(f"{stem}.csv" for stem in tables(board))):
            write_bytes(beside / name, files[name])
        _remove_left(beside, files)
        write_text(page, f"{old[0]}{BEGIN}\n\n{markdown(board)}\n{END}{old[1]}")
    return board


def files_of(board: Board) -> dict[str, bytes]:
    """Return the content of every file by name, without the index."""
    charts = (dots(board), front(board))
    files = {f"{name}.csv": table.csv.encode() for name, table in tables(board).items()}
    files |= {f"{chart.name}.svg": chart.file.encode() for chart in charts}
    files[TABLES] = markdown(board).encode()
    page = (
        templates(__package__)
        .get_template("leaderboard.html.j2")
        .render(
            style=Markup(page_style()),
            script=Markup(page_script()),
            version=this_version(),
            board=board,
            views={view.name: view for view in views(board)},
            dots=Markup(charts[0].inline),
            front=Markup(charts[1].inline),
            best=[board.rows[e].label for e in sorted(board.front)],
            undefined=no_leak(board),
        )
    )
    return files | {PAGE: page.encode()}


def _remove_left(folder: Path, files: Collection[str]) -> None:
    """Remove the table of judges of an earlier call, if this call had none.

    Raises:
        DiskError: it cannot be removed.
    """
    if JUDGES not in files:
        try:
            remove(folder / JUDGES)
        except OSError as error:
            raise disk_error(error, folder / JUDGES) from error


def _parts_of(page: Path) -> tuple[str, str]:
    """Return the text of a page before and after its tables.

    Raises:
        UserError: it cannot be read, or has no marks between which the tables go.
    """
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {page}: {getattr(error, 'strerror', None) or error}") from None
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{page} lacks the lines {BEGIN} and {END}, between which the tables go")
    return before, after
