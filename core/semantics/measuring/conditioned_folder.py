"""Write how well sampled pictures agree with masks: a table like the paper's table 3, a chart, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ...figures.axes import Axes
from ...figures.figure import Figure
from ...figures.masks import comparison
from ...figures.pages import framed, png_uri
from ...figures.svg import Canvas
from ...runs.lock import results_of
from ...runs.progress import Progress
from ...statistics import sample_means
from ...storage.csv_tables import Row, Table
from ...storage.result_folder import index_text, replace_folder
from ..agreement import Measured
from ..record import record_of
from .conditioned import BASELINE, Agreement, AgreementRequest, measure_agreement, open_predictors

INDEX = "agreement.json"
PAGE = "agreement.html"
COMMAND = "ganstrata segment agreement"
TABLE_3 = (
    "sampled_by",
    "agreement",
    "low",
    "high",
    "of_starts",
    "pixel_accuracy",
    "gap",
    "gap_low",
    "gap_high",
)
ROW = 34.0  # height of a row of the chart


def agreement_into(
    folder: Path,
    others: Sequence[Path],
    request: AgreementRequest,
    out: Path,
    *,
    device: str | None = None,
    progress: Progress | None = None,
) -> Agreement:
    """Measure how well sampled pictures agree with their masks, and write the result, whole or not at all.

    Args:
        folder: finished segmentation folder, whose teacher judges.
        others: files or segmentation folders of further extractors.
        request: what is measured.
        out: folder of the results, new, empty, or of an earlier call.
        device: device to compute on; None for that of the folder's config.
        progress: where progress is shown; nowhere by default.

    Raises:
        RunError: `out` holds files that this command did not write, or a folder is not a finished
            segmentation.
        UserError: an extractor does not fit, or the teacher gives no gradients, and so no baseline.
        DataError: a loss is not finite.
    """
    progress = progress or Progress(quiet=True)
    with results_of(out, INDEX, COMMAND):
        subject, extractors = open_predictors(folder, others, device, progress)
        found = measure_agreement(subject, extractors, request, progress)
        write_agreement(found, out)
    return found


def write_agreement(found: Agreement, out: Path) -> None:
    """Write the folder, whole or not at all."""
    chart = agreement_chart(found)
    files = {f"{name}.csv": table.csv.encode() for name, table in tables(found).items()}
    files[f"{chart.name}.svg"] = chart.file.encode()
    files["samples.png"] = sheet(found)
    page = framed(
        __package__,
        "conditioned.html.j2",
        {
            "found": found,
            "model": found.subject.generator.card.source,
            "sentences": sentences(found),
            "rows": tables(found)["table_3"].rows,
            "baseline": BASELINE,
            "chart": Markup(chart.inline),
            "sheet": png_uri(files["samples.png"]),
        },
    )
    files[PAGE] = page.encode()
    replace_folder(out, INDEX, {**files, INDEX: index_text(as_data(found), files)})


def tables(found: Agreement) -> dict[str, Table]:
    """Return table 3, and a table of all targets."""
    rows: list[Row] = []
    targets: list[Row] = []
    for one in found.sampled:
        gap = _three(found.gap[one.name]) if one.name in found.gap else (np.nan, np.nan, np.nan)
        start = float(found.start[one.name].value)
        rows.append([one.name, *_three(found.mean[one.name]), start, float(one.accuracy.mean()), *gap])
        targets += [
            [one.name, t, float(before), float(after), float(accuracy)]
            for t, (before, after, accuracy) in enumerate(
                zip(*(sample_means(x) for x in (one.before, one.after, one.accuracy)), strict=True)
            )
        ]
    columns = ("sampled_by", "target", "of_starts", "agreement", "pixel_accuracy")
    return {"table_3": Table(TABLE_3, rows), "targets": Table(columns, targets)}


def _three(measured: Measured) -> tuple[float, float, float]:
    low, high = measured.bounds
    return float(measured.value), float(low), float(high)


def agreement_chart(found: Agreement) -> Figure:
    """Draw the agreement of each predictor with its interval, and that of the starts."""
    rows = [
        (one.name, *_three(found.mean[one.name]), float(found.start[one.name].value)) for one in found.sampled
    ]
    longest = max(len(name) for name, *_ in rows)
    left = 30.0 + 7.4 * min(longest, 40)
    canvas = Canvas(left + 520.0, 70.0 + ROW * len(rows))
    # NaN where masks and pictures have nothing but background.
    defined = [x for _, value, _, high, start in rows for x in (value, high, start) if not np.isnan(x)]
    bottom, scale = 10 + ROW * len(rows), (0.0, min(1.0, 1.05 * max(defined, default=1.0) or 1.0))
    axes = Axes(canvas, left=left, right=left + 490, top=10, bottom=bottom, x=scale)
    axes.x_grid()
    label = "mIoU of sampled pictures with their masks"
    canvas.text(left + 245, bottom + 44, label, css="soft", anchor="middle")
    numbers: list[Row] = []
    for i, (name, value, low, high, start) in enumerate(rows):
        y = axes.top + ROW * (i + 0.5)
        canvas.text(left - 10, y + 4, name[:40], anchor="end")
        canvas.circle(axes.x(start), y, 4.0, "f-object faint", title=f"{name}, starts: {start:.3f}")
        canvas.whisker(axes.x(low), axes.x(high), y)
        canvas.circle(axes.x(value), y, 5.0, "f-object", title=f"{name}: {value:.3f}")
        numbers.append([name, value, low, high, start])
    return Figure(
        "agreement",
        canvas,
        "Semantic agreement of pictures sampled for masks, by what led the sampling, with 95 % intervals "
        "over masks. Pale dots are the samples that the searches started from.",
        Table(("sampled_by", "agreement", "low", "high", "of_starts"), numbers),
    )


def sheet(found: Agreement) -> bytes:
    """Lay out, for the first targets: the picture of the mask, the mask, and a sampled picture of each."""
    names = [one.name for one in found.sampled]
    sampled = np.stack([one.shown for one in found.sampled], axis=1)  # (n, P, H, W, 3)
    heads = ["picture", "mask", *names]
    return comparison(found.originals, found.targets[:, None], found.classes, heads, sampled)


def sentences(found: Agreement) -> list[str]:
    """Return a sentence per predictor."""
    said = []
    for one in found.sampled:
        value, low, high = _three(found.mean[one.name])
        who = "the teacher itself (baseline)" if one.name == BASELINE else one.name
        if np.isnan(value):
            said.append(f"Sampled by {who}: no agreement, as masks and pictures have nothing but background.")
            continue
        text = f"Sampled by {who}: agreement {100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        gap, gap_low, gap_high = (
            (100 * x for x in _three(found.gap[one.name])) if one.name in found.gap else (np.nan,) * 3
        )
        if not np.isnan(gap):
            text += f", {gap:+.1f} % [{gap_low:+.1f}, {gap_high:+.1f}] relative to the baseline"
        start = 100 * float(found.start[one.name].value)
        said.append(f"{text}." if np.isnan(start) else f"{text}; its starts had {start:.1f}.")
    return said


def as_data(found: Agreement) -> dict[str, Any]:
    """Return all numbers as plain data; None where a number is undefined."""
    request = found.request
    return {
        "masks": request.targets,
        "pictures": request.pictures,
        "candidates": request.candidates,
        "search": asdict(request.search),
        **record_of(found.subject, found.extractors),
        "classes": list(found.classes),
        **{name: table.records for name, table in tables(found).items()},
    }
