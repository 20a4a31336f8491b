"""Write what few-shot extractors are worth: tables, the curve, a page, and shots.json."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from ...config.segment_schema import SegmentConfig
from ...figures.pages import framed
from ...runs.lock import locked
from ...runs.progress import Progress
from ...storage.result_folder import add_files, index_text, read_index, recover
from .shots import FULL, INDEX, WHAT, Measurement, ShotsRequest, measure_shots
from .shots_tables import as_data, curve, rows_of, sentences, tables

PAGE = "shots.html"


def shots_into(
    config: SegmentConfig,
    out: Path,
    request: ShotsRequest,
    *,
    source: str = "config",
    progress: Progress | None = None,
) -> Measurement:
    """Train and measure few-shot extractors, and write tables, the curve, a page and shots.json.

    Args:
        config: generator, teacher and strata.
        out: folder, new or of an earlier call with the same config.
        request: what is measured.
        source: the config's file, for messages.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: the config, the folder or the full extractor does not fit.
        GanstrataError: the disk is full. The folder has all files of this call, or all of an earlier one.
    """
    with locked(out, INDEX, WHAT):
        recover(out, INDEX)  # what an earlier call was killed over
        found = measure_shots(config, out, request, source=source, progress=progress)
        key = read_index(out / INDEX)["key"]
        files = files_of(found)
        index = {"format": 1, "key": key, "finished": True, **as_data(found)}
        add_files(out, {**files, INDEX: index_text(index, files)}, INDEX)
    return found


def files_of(found: Measurement) -> dict[str, bytes]:
    """Return the content of every file by name, without the index."""
    chart = curve(found)
    files = {f"{name}.csv": table.csv.encode() for name, table in tables(found).items()}
    files[f"{chart.name}.svg"] = chart.file.encode()
    page = framed(
        __package__,
        "shots.html.j2",
        {
            "found": found,
            "sentences": sentences(found),
            "rows": rows_of(found),
            "full": found.quality.scores.get(FULL),
            "chart": Markup(chart.inline),
        },
    )
    return files | {PAGE: page.encode()}
