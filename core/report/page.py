"""Build the report as one HTML file from pictures, figures, tables and sentences of a run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup
from numpy.typing import NDArray

from ..analyses import sentences
from ..editing.stage import strip_name
from ..editing.strips import GAP, split_strip
from ..figures.pages import data_uri, page_script, page_style, templates
from ..figures.pictures import Pixels, read_picture, tile
from ..plugins.records import LEVELS
from ..rescoring.results import concept_units
from ..runs.progress import duration
from ..runs.run import Run
from ..storage.filenames import file_stem
from ..strata.layers import show_layers
from .content import ReportContent
from .sampling import sampling

LISTED = 3  # concepts named under each sample, per level


def build_page(
    run: Run,
    content: ReportContent,
    pictures: Pixels,
    scores: NDArray[np.float32],
    work: dict[str, Any] | None = None,
) -> str:
    """Build the report of a run as HTML.

    Args:
        run: complete but for the report.
        content: figures and tables.
        pictures: pictures of the first samples, (n, H, W, 3).
        scores: scores of these samples, (n, C).
        work: computing work of re-scoring, as core.rescoring.cost counts it; None if unknown.
    """
    environment = templates(__package__)
    environment.filters |= {"percent": _percent, "layers": show_layers, "duration": duration}
    manifest, effects = run.manifest, content.effects
    candidates = sum(not b.given for b in effects.boundaries)
    index = json.loads((run.path / "edits/edits.json").read_text(encoding="utf-8"))
    return environment.get_template("report.html.j2").render(
        style=Markup(page_style()),
        script=Markup(page_script()),
        manifest=manifest,
        config=yaml.safe_dump(manifest["config"], sort_keys=False, width=100),
        images=sum(stage.images for stage in run.record.stages.values()),
        seconds=sum(stage.seconds for stage in run.record.stages.values()),
        headline=sentences.factor_summary(effects.factor_names, candidates, effects.rate),
        peaks=sentences.peaks(content.hierarchy, [b.level for b in effects.boundaries])
        if content.hierarchy is not None
        else [],
        order=sentences.order(content.hierarchy) if content.hierarchy is not None else [],
        content=content,
        remarks=[
            *sentences.left_out(manifest["stages"], manifest["config"]["synthesis"]["samples"]),
            *sentences.null_gaps(effects.null_gaps(effects.all_set), len(effects.null)),
            *sentences.fewer_extremes(effects.boundaries),
            *sentences.not_relearnt(
                run.record.stages["learn"].not_relearnt, run.config.rescoring.learning_resamples
            ),
        ],
        figures={name: Markup(figure.inline) for name, figure in content.figures.items()},
        samples=_samples(effects.concepts, pictures, scores),
        edits=_edits(run, content, index["amounts"]),
        amounts=index["amounts"],
        gap=GAP,
        joint=_joint(run, index["joint"]),
        invariant=[row for row in run.concepts if not row["varies"]],
        config_rescoring=run.config.rescoring,
        replicates=int(effects.replicates.max(initial=0)),
        sampling=sampling(effects, run.config.rescoring, run.batch, work),
        layer_sheets=_layer_sheets(content),
        flow=Markup(content.objects.figure.inline)
        if content.objects is not None and not content.objects.faults
        else None,
    )


def _samples(
    concepts: list[dict[str, Any]], pictures: Pixels, scores: NDArray[np.float32]
) -> list[dict[str, Any]]:
    """Return a row per sample: its picture, and by level the concepts that stand out in it.

    A concept stands out by (score - mean) / sd over the run's samples, if that is above 0.
    """
    shown, units = [], concept_units(concepts)
    for picture, row in zip(pictures, scores, strict=True):
        lines = []
        for level in LEVELS:
            columns = [j for j, c in enumerate(concepts) if c["level"] == level and not np.isnan(row[j])]
            # Layout scores are positions, for which "above the mean" says nothing: one is always shown.
            distance = {
                j: float(np.nan_to_num((row[j] - (concepts[j]["mean"] or 0.0)) / units[j])) for j in columns
            }
            columns = sorted(
                (j for j in columns if distance[j] > 0.0 or level == "layout"), key=lambda j: -distance[j]
            )
            lines += [
                (level, concepts[j]["id"].split("/", 1)[1], float(row[j]))
                for j in columns[: 1 if level == "layout" else LISTED - 1]
            ]
        shown.append({"image": data_uri(picture), "scores": lines})
    return shown


def _edits(run: Run, content: ReportContent, amounts: list[float]) -> list[dict[str, Any]]:
    """Return a sheet per variation factor and sample (paper, fig. 3c).

    A sheet has a row per layer group and a column per step.
    """
    effects = content.effects
    sets = list(effects.groups) or ["all"]
    cards = []
    for name in effects.factor_names:
        boundary = effects.boundaries.of(name)
        strips = [
            split_strip(read_picture((run.path / strip_name(name, s)).read_bytes()), len(amounts))
            for s in sets
        ]
        frames = np.stack(strips, axis=1)  # (samples, sets, steps, H, W, 3)
        cards.append(
            {
                "name": name,
                "level": boundary.level,
                "sets": [
                    {
                        "name": s,
                        "layers": show_layers(effects.sets[s] if s in effects.sets else effects.groups[s]),
                    }
                    for s in sets
                ],
                "sheets": [data_uri(tile(sheet, gap=GAP)) for sheet in frames],
                "size": frames.shape[3],
            }
        )
    return cards


def _layer_sheets(content: ReportContent) -> list[dict[str, Any]]:
    """Return the pictures of the chapter on right and wrong layers."""
    if content.layers is None:
        return []
    names = {file_stem(row.name): row.name for row in content.layers.rows}
    sets = {
        stem: [row.set_name for row in content.layers.rows if row.name == name]
        for stem, name in names.items()
    }
    return [
        {"name": names[stem], "sets": sets[stem], "image": data_uri(sheet)}
        for stem, sheet in content.layers.pictures.items()
    ]


def _joint(run: Run, parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the picture of the joint edit with its parts; None if there are none."""
    if not parts:
        return None
    return {"parts": parts, "image": data_uri(read_picture((run.path / "edits/joint.png").read_bytes()))}


def _percent(value: float | None) -> str:
    """Write a share as a percentage, a dash where it is unknown."""
    return "–" if value is None else f"{100.0 * value:.0f} %"
