"""Dissect what a config or a run names, and write tables, charts, a page and dissection.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ..figures.pictures import Pixels
from ..runs.lock import results_of
from ..runs.progress import Progress
from ..semantics.record import record_of
from ..semantics.subject import Subject
from ..storage.json_values import JsonObject
from ..storage.result_folder import index_text, replace_folder
from ..strata.names import stratum_number
from .charts import figures
from .dissect import dissected
from .page import build_page, listed_units
from .request import DissectRequest
from .result import Dissection
from .source import open_subject
from .strips import strips

INDEX = "dissection.json"
PAGE = "page.html"


def dissect_into(
    source: Path,
    out: Path,
    request: DissectRequest,
    *,
    scorer: str | None = None,
    strata: Sequence[str] = (),
    curve_stratum: str | None = None,
    overrides: Sequence[str] = (),
    device: str | None = None,
    progress: Progress | None = None,
) -> Dissection:
    """Dissect a generator, and write the results into a folder, all or nothing.

    Args:
        source: config of `ganstrata segment` or of a run, or run directory.
        out: folder of the results, new, empty, or of an earlier call.
        request: how much is measured; `curve_stratum` here goes before the one in it.
        scorer: name of the run's scorer that labels pixels; None for the only one.
        strata: numbers or names of the strata; empty for those of the config, or all of a run.
        curve_stratum: number or name of the stratum of the curves; None for the request's.
        overrides: `key=value` texts of --set, for a config.
        device: device to compute on; None for that of the config.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: something does not fit, `out` holds other files, or another process works on it; nothing
            was written.
        GanstrataError: a plugin or a checkpoint does not fit.
    """
    progress = progress or Progress(quiet=True)
    with results_of(out, INDEX, "ganstrata dissect"):
        subject = open_subject(source, scorer=scorer, strata=strata, overrides=overrides, device=device)
        if curve_stratum is not None:
            request = replace(request, curve_stratum=stratum_number(subject.generator.strata, curve_stratum))
        found = dissected(subject.samples, request, progress)
        shown = strips(subject.samples, found.units, [one.row for one in listed_units(found)], progress)
        replace_folder(out, INDEX, files_of(found, subject, shown))
    return found


def files_of(found: Dissection, subject: Subject, shown: dict[int, Pixels]) -> dict[str, bytes]:
    """Return the content of every file by name."""
    charts = figures(found)
    files = {f"{name}.csv": table.csv.encode() for name, table in found.tables.items()}
    files |= {f"{chart.name}.svg": chart.file.encode() for chart in charts}
    files[PAGE] = build_page(found, charts, shown, subject.taught_by.use).encode()
    return files | {INDEX: index_text(as_data(found, subject), files)}


def as_data(found: Dissection, subject: Subject) -> JsonObject:
    """Return all numbers as plain data, but for the IoU of every unit with every class, which iou.csv has."""
    return {
        "format": 1,
        **record_of(subject, {}),
        "config": subject.config.as_data(),
        "request": {**asdict(found.request), "counts": list(found.request.counts)},
        "strata": [asdict(described) for described in found.units.maps],
        "curve_stratum": None if found.curves is None else found.curves.stratum,
        **{name: table.records for name, table in found.tables.items() if name != "iou"},
        "sentences": found.sentences,
    }
