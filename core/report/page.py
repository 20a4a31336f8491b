"""Build the report as one HTML file from pictures, figures, tables and sentences of a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import yaml
from markupsafe import Markup
from numpy.typing import NDArray

from ..analyses import objects_result, sentences
from ..analyses.hierarchy import levels_that_show
from ..analyses.undecided import undecided
from ..analyses.wording import nouns, point_sentences
from ..decimals import percent
from ..editing.strips import GAP, read_index
from ..figures.pages import asset, page_script, page_style, templates
from ..figures.pictures import Pixels, opaque
from ..plugins.boundary import STYLES
from ..runs.manifest import Work
from ..runs.progress import duration
from ..runs.run import Run
from ..strata.layers import show_layers
from ..strata.moves import unit_in_words
from .content import ReportContent
from .directions import direction_views
from .pictures import edit_views, joint_view, layer_sheet_views, sample_views
from .sampling import sampling


def build_page(
    run: Run,
    content: ReportContent,
    pictures: Pixels,
    scores: NDArray[np.float32],
    work: Work | None = None,
    *,
    differences: Sequence[str] = (),
) -> str:
    """Build the report of a run as HTML.

    Args:
        run: complete but for the report.
        content: figures and tables.
        pictures: pictures of the first samples, (n, H, W, C).
        scores: scores of these samples, (n, C).
        work: computing work of re-scoring; None if unknown.
        differences: sentences on what the pictures were made with that the run was not.
    """
    environment = templates(__package__)
    environment.filters |= {
        "percent": partial(percent, digits=0),
        "layers": show_layers,
        "duration": duration,
    }
    manifest, effects = run.manifest, content.effects
    candidates = [b for b in effects.boundaries if not b.given]
    called = nouns(candidates)
    index = read_index(run)
    directions = (
        [] if content.directions is None else direction_views(run, effects, content.directions, index)
    )
    return environment.get_template("report.html.j2").render(
        style=Markup(page_style() + (asset(__package__, "directions.css") if directions else "")),
        script=Markup(page_script() + (asset(__package__, "directions.js") if directions else "")),
        manifest=manifest,
        model=run.record.generator.title,
        generator=run.record.generator,
        config=yaml.safe_dump(manifest["config"], sort_keys=False, width=100),
        differences=differences,
        images=sum(stage.images for stage in run.record.stages.values()),
        seconds=sum(stage.seconds for stage in run.record.stages.values()),
        headline=sentences.factors_of(effects, len(candidates), called),
        without_null=sentences.without_null(),
        called=called,
        directions=directions,
        are_labelled=any(not b.direction for b in candidates),
        peaks=[
            *sentences.peaks(content.hierarchy, levels_that_show(effects)),
            *sentences.of_own_layers(effects),
        ]
        if content.hierarchy is not None
        else [],
        order=sentences.order(content.hierarchy) if content.hierarchy is not None else [],
        content=content,
        remarks=[
            *sentences.left_out(
                {name: stage.nonfinite for name, stage in run.record.stages.items()},
                run.config.synthesis.samples,
            ),
            *sentences.more_samples(undecided(effects)),
            *sentences.null_gaps(effects.null_gaps(effects.all_set), effects.null.shape[1]),
            *point_sentences(effects, [(row.name, "all") for row in content.concepts]),
            *sentences.fewer_extremes(effects.boundaries),
            *sentences.limited_samples(effects.boundaries),
            *sentences.not_relearnt(
                run.record.stages["learn"].not_relearnt, run.config.rescoring.learning_resamples
            ),
        ],
        figures={name: Markup(figure.inline) for name, figure in content.figures.items()},
        samples=sample_views(effects.concepts, opaque(pictures, run.record.generator.background), scores),
        edits=edit_views(run, effects, index),
        amounts=index.amounts,
        gap=GAP,
        joint=joint_view(run, index),
        invariant=[concept for concept in run.concepts if not concept.varies],
        config_rescoring=run.config.rescoring,
        space=run.config.learning.space,
        spread=run.spread,
        unit=unit_in_words(run.config.rescoring.distance_unit, styles=run.config.learning.space == STYLES),
        replicates=int(effects.replicates.max(initial=0)),
        sampling=sampling(effects, run.config.rescoring, run.batch, work),
        layer_sheets=layer_sheet_views(content.layers, run.record.generator.background),
        object_description=objects_result.description,
        object_sentences=objects_result.sentences_of,
        flow=Markup(objects_result.figure_of(content.objects).inline)
        if content.objects is not None and not content.objects.faults
        else None,
    )
