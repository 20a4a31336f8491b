"""Compare segmentation folders, and write the results into one folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...runs.lock import results_of
from ...runs.progress import Progress
from ...storage.result_folder import index_text, replace_folder
from .comparison import Comparison, compare
from .evaluation_figures import figures, mask_sheets
from .evaluation_page import build_page
from .evaluation_tables import as_data, tables

INDEX = "evaluation.json"
PAGE = "evaluation.html"
IMAGES = 10_000  # as in the paper


def evaluate_folders(
    folders: Sequence[Path],
    out: Path,
    *,
    images: int = IMAGES,
    select: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the extractors of segmentation folders, and write tables, figures, a page and evaluation.json.

    Args:
        folders: finished segmentation folders of one generator, one teacher and the same classes.
        out: folder of the results, new, empty, or of an earlier call.
        images: number of pictures.
        select: IoU above which a class is chosen, on as many other pictures; None to choose none.
        device: device to compute on; None for that of the first folder's config.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: a folder does not fit, or `out` holds other files; nothing was written.
    """
    with results_of(out, INDEX, "ganstrata segment eval"):
        found = compare(folders, images, select=select, device=device, progress=progress)
        replace_folder(out, INDEX, files_of(found))
    return found


def files_of(found: Comparison) -> dict[str, bytes]:
    """Return the content of every file by name."""
    charts, sheets = figures(found), mask_sheets(found)
    files = {f"{name}.csv": table.csv.encode() for name, table in tables(found).items()}
    # The numbers of the charts are in the tables already.
    files |= {f"{chart.name}.svg": chart.file.encode() for chart in charts}
    files |= sheets
    files[PAGE] = build_page(found, charts, sheets).encode()
    return files | {INDEX: index_text(as_data(found), files)}
