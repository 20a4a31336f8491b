"""Log every stage of a ganstrata run for TensorBoard.

Whenever a stage begins, finishes or fails, the log is written anew from the results in the run directory.
So nothing is ever in it twice, and what a killed command could not log is there after the next stage.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import takewhile
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import ganstrata
from ganstrata import hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "GANSTRATA_TENSORBOARD"
SUFFIX = ".ganstrata"  # of event files that may be replaced
WIDEST = 1200  # pixels of a logged picture; the run has it in full size
PARTS = ("mean", "low", "high")


@hookimpl
def ganstrata_stage_started(stage: str, run: ganstrata.Results) -> None:
    """Log that a stage runs, and the results of the stages before it."""
    write_log(run, _before(stage, run), stage, f"running since {datetime.now():%Y-%m-%d %H:%M}")


@hookimpl
def ganstrata_stage_finished(run: ganstrata.Results) -> None:
    """Log the results of all stages so far."""
    write_log(run, list(run.manifest["stages"]))


@hookimpl
def ganstrata_stage_failed(stage: str, run: ganstrata.Results, error: BaseException) -> None:
    """Log why a stage failed, and the results of the stages before it."""
    state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    what = str(error) if isinstance(error, ganstrata.GanstrataError) else _traceback(error)
    write_log(run, _before(stage, run), stage, state, failure=what)


def folder_of(path: Path) -> Path:
    """Return the folder of a run's log: `tensorboard/NAME` beside the run, or in GANSTRATA_TENSORBOARD."""
    path = path.resolve()
    chosen = os.environ.get(FOLDER)
    if not chosen:
        return path.parent / "tensorboard" / path.name
    # Runs of one name from several folders may meet there.
    return Path(chosen).expanduser() / f"{path.name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def write_log(
    run: ganstrata.Results, complete: list[str], stage: str = "", state: str = "", failure: str = ""
) -> None:
    """Replace the log of a run. The earlier one stays until the new one is complete.

    Args:
        run: the run that a hook is given.
        complete: stages whose results are logged.
        stage: another stage, which runs or has failed; none if empty.
        state: what it does.
        failure: why it failed, on several lines.
    """
    folder = folder_of(run.path)
    earlier = list(folder.glob(f"*{SUFFIX}"))
    with TemporaryDirectory() as scratch:
        _write(Path(scratch), run, complete, stage, state, failure)
        folder.mkdir(parents=True, exist_ok=True)
        for file in Path(scratch).iterdir():
            shutil.move(file, folder)
    for file in earlier:
        with suppress(PermissionError):
            # On Windows an open TensorBoard holds the file. `purge_step` hides what it says.
            file.unlink()


def _write(
    folder: Path, run: ganstrata.Results, complete: list[str], stage: str, state: str, failure: str
) -> None:
    """Write a log into a folder; the other arguments are those of `write_log`."""
    # The import takes a second, so only when there is something to log.
    from torch.utils.tensorboard import SummaryWriter

    manifest = run.manifest
    with SummaryWriter(folder, purge_step=0, filename_suffix=SUFFIX) as writer:
        writer.add_text("config", _code(json.dumps(manifest["config"], indent=2)))
        rows = [
            (name, "complete", f"{record['seconds']:.1f}", record["finished"])
            for name, record in manifest["stages"].items()
            if name in complete
        ]
        if stage:
            rows.append((stage, state, "", ""))
        writer.add_text("stages", _table(("stage", "state", "seconds", "finished"), rows))
        if failure:
            writer.add_text("failure", f"`{stage}`\n\n{_code(failure)}")
        for name in complete:
            record = manifest["stages"][name]
            time = datetime.fromisoformat(record["finished"]).timestamp()
            for tag, step, value in [(f"seconds/{name}", 0, record["seconds"]), *_numbers(name, run)]:
                if value is not None and isfinite(value):
                    writer.add_scalar(_tag(tag), value, step, time)
        if "rescore" in complete:
            _log_effects(writer, run.effects)
        if "edit" in complete:
            _log_pictures(writer, run.path, manifest["stages"]["edit"]["files"])


def _numbers(stage: str, run: ganstrata.Results) -> Iterator[tuple[str, int, float | None]]:
    """Yield tag, step and value of everything that a stage measured."""
    if stage == "synthesize":
        yield "concepts/varying", 0, sum(concept.varies for concept in run.concepts)
    if stage == "learn":
        yield "concepts/with_boundary", 0, len(run.boundaries)
        for boundary in run.boundaries:
            yield f"held_out_accuracy/{boundary.name}", 0, boundary.facts.get("held_out_accuracy")
    if stage == "rescore":
        effects = run.effects
        yield "concepts/with_effect", 0, len(effects.factor_names)
        for i, boundary in enumerate(effects.boundaries):
            own = effects.own[i]
            for part in PARTS:
                in_sd = getattr(effects, part)[i, :, 0, own] / effects.units[own]  # (S,)
                yield f"effect/{boundary.name}/{part}", 0, float(in_sd[effects.all_set])
                for layer, position in enumerate(effects.single_layers()):
                    yield f"effect_at_layer/{boundary.name}/{part}", layer, float(in_sd[position])
        if not effects.missing_hierarchy():
            curve = effects.hierarchy().curve
            for m, level in enumerate(effects.hierarchy().levels):
                for part, values in zip(PARTS, (curve.value, curve.low, curve.high), strict=True):
                    for layer, value in enumerate(values[m]):
                        yield f"hierarchy/{level}/{part}", layer, float(value)


def _log_effects(writer: SummaryWriter, effects: ganstrata.Effects) -> None:
    """Log a table of all concepts, and arrange curves with intervals for the tab Custom Scalars."""
    rows = []
    for i in effects.ranking(conditional=True):
        at = (i, effects.all_set, 0, effects.own[i])
        unit = effects.units[effects.own[i]]
        mean, low, high = (f"{getattr(effects, part)[at] / unit:.2f}" for part in PARTS)
        has_effect = "yes" if effects.factors[i] else "no"
        boundary = effects.boundaries[i]
        rows.append(
            (boundary.name, boundary.level, mean, f"{low} to {high}", f"{effects.q[at]:.2g}", has_effect)
        )
    heads = ("concept", "level", "effect in sd", "95 % interval", "q", "has an effect")
    writer.add_text("effects", _table(heads, rows))

    def curves(group: str, names: list[str]) -> dict[str, list[Any]]:
        return {name: ["Margin", [_tag(f"{group}/{name}/{part}") for part in PARTS]] for name in names}

    charts = {}
    if not effects.missing_hierarchy():
        charts["Hierarchy: effect of each layer on a level"] = curves(
            "hierarchy", list(effects.hierarchy().levels)
        )
    if effects.single_layers():
        ranked = [effects.boundaries[i].name for i in effects.ranking()]
        charts["Effect of each layer on a concept"] = curves("effect_at_layer", ranked)
    if charts:
        writer.add_custom_scalars(charts)


def _log_pictures(writer: SummaryWriter, path: Path, files: list[str]) -> None:
    """Log the strips of edited pictures, made smaller where they are wide."""
    import numpy as np
    from PIL import Image

    for file in sorted(files):
        if file.endswith(".png"):
            with Image.open(path / file) as picture:
                small = picture.convert("RGB")
            small.thumbnail((WIDEST, small.height))
            writer.add_image(_tag(file.removesuffix(".png")), np.asarray(small), dataformats="HWC")


def _before(stage: str, run: ganstrata.Results) -> list[str]:
    """Return the stages that are complete before a stage."""
    return list(takewhile(lambda name: name != stage, run.manifest["stages"]))


def _tag(name: str) -> str:
    """Return a name as TensorBoard allows it in tags: a condition is written in words."""
    return name.replace("|", "_given_").replace(",", "_and_")


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown. `|` in a text would end its cell."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _code(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
