"""Run stage 5, `report`: figures as SVG, their numbers as CSV, and one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..figures.pictures import Pixels, to_pixels
from ..probing.stage import read_scores
from ..randomness import Stream
from ..rescoring.cost import counted
from ..runs.engines.run_engine import RunEngine
from ..runs.prepare import Prepared
from ..runs.progress import Progress
from ..runs.run import Run
from ..storage.disk import make_folder, write_text
from .content import gather
from .page import build_page

PAGE = "report.html"


def report(run: Run, engine: RunEngine, progress: Progress, *, differences: Sequence[str] = ()) -> None:
    """Write figures/*.svg, figures/*.csv and report.html.

    Args:
        run: complete but for the report.
        engine: its plugins.
        progress: where progress is shown.
        differences: sentences on what the run was computed with, and what is here now. All numbers are those
            of the run; only the pictures of the first samples are made again.
    """
    run.require("synthesize", "learn", "rescore", "edit")
    prepared = engine.prepared
    with progress.stage("report", total=3) as step:
        content = gather(run)
        work = counted(prepared, content.effects)
        step(1)
        folder = run.path / "figures"
        make_folder(folder)
        files = []
        for name, figure in content.figures.items():
            write_text(folder / f"{name}.svg", figure.file)
            write_text(folder / f"{name}.csv", figure.csv)
            files += [f"figures/{name}.svg", f"figures/{name}.csv"]
        for name, table in ({} if content.directions is None else content.directions.tables).items():
            write_text(folder / f"{name}.csv", table.csv)
            files.append(f"figures/{name}.csv")
        step(1)
        scores = shown_scores(run, prepared)
        pictures = _first(prepared, len(scores))
        page = build_page(run, content, pictures, scores, work, differences=differences)
        write_text(run.path / PAGE, page)
        step(1)
    run.finish("report", seconds=step.seconds, files=(*files, PAGE), work=work)


def shown_scores(run: Run, prepared: Prepared) -> NDArray[np.float32]:
    """Read the scores of the first samples, which the page shows with their pictures, (count, C)."""
    return read_scores(run, prepared, slice(run.config.report.samples))


@torch.inference_mode()
def _first(prepared: Prepared, count: int) -> Pixels:
    """Render the first samples of the run, (count, H, W, C)."""
    parts = []
    for start in range(0, count, prepared.batch):
        latents, _, codes = prepared.draw(start, Stream.PROBING)
        rendering = prepared.render(codes, latents.condition, latents.index, Stream.PROBING).rendering
        parts.append(to_pixels(rendering.pictures))
    return np.concatenate(parts)[:count]
