"""Do what `ganstrata trust` asks for: measure, and write tables, a page and trust.json."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from ...errors import UserError
from ...figures.pages import framed
from ...plugins.generator import Generator
from ...runs.inversions import StoredInversion, check_inversion, read_inversion
from ...runs.lock import results_of
from ...runs.progress import Progress
from ...runs.run import Run
from ...runs.session import Finished, open_finished_run
from ...runs.stages import Stage
from ...storage.json_values import JsonObject, JsonValue
from ...storage.result_folder import index_text, replace_folder
from ..source import open_source
from .code_distance import OTHERS, SAMPLES, cloud_of
from .edits import compare_edits, edit_parts, verified
from .measure import ConsistencyRequest, calibrated, check_samples, code_trust, consistencies
from .request import TrustRequest, method_used
from .result import Trust

INDEX, PAGE = "trust.json", "trust.html"
FORMAT = 1


def perform(
    request: TrustRequest,
    *,
    run: Path | None = None,
    generator: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Trust:
    """Measure how far inverted pictures can be trusted, and write the folder.

    Args:
        request: what is measured.
        run: run whose generator, boundaries and scorers are used; or else
        generator: a checkpoint with options: nothing is edited then.
        device: device to compute on.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: something does not fit; nothing was written.
        GanstrataError: a file is damaged, or a plugin fails.
    """
    with results_of(request.place, INDEX, "ganstrata trust"):
        return _perform(request, run, generator, device, progress or Progress(quiet=True))


def _perform(
    request: TrustRequest, run: Path | None, generator: str | None, device: str | None, progress: Progress
) -> Trust:
    """Do what `perform` does, in a folder that is free."""
    if request.calibrate:
        check_samples(request.calibrate)
    if run is not None and generator is not None:
        raise UserError("give either --run RUN or --generator FILE, not both")
    for option, given, what in (
        ("--along", request.along, "names boundaries of a run"),
        ("--step", request.step is not None, "is the distance of an edit, along boundaries of a run"),
    ):
        if run is None and given:
            raise UserError(f"{option} {what}; give --run in place of --generator")
    check_inversion(request.folder, None if run is None else Run.open(run).record.generator.fingerprint)
    if run is None:
        source = open_source(None, generator, device)
        return _measured(request, source.generator, None, progress)
    stages: tuple[Stage, ...] = (
        ("synthesize", "learn") if request.along else ("synthesize", "learn", "rescore")
    )
    with open_finished_run(run, device, stages, writes=False, progress=progress) as finished:
        return _measured(request, finished.engine.prepared.generator, finished, progress)


def _measured(
    request: TrustRequest, generator: Generator, finished: Finished | None, progress: Progress
) -> Trust:
    stored = read_inversion(request.folder, generator)
    method = None
    if request.calibrate or (request.consistency and finished is not None):
        scorers = None if finished is None else finished.engine.prepared.scorers
        method = method_used(stored, generator, request, scorers)
    seed = stored.seed
    cloud = cloud_of(generator, seed)
    codes = code_trust(cloud, stored.inversion.codes)
    warnings = None
    if request.calibrate:
        assert method is not None
        psnr = [measures.get("psnr", np.nan) for measures in map(_measures, stored.records)]
        with progress.stage("calibrate", total=request.calibrate) as done:
            calibration = calibrated(method, cloud, samples=request.calibrate, batch=request.batch, done=done)
        warnings = calibration.warnings(codes, psnr)
    edits, consistent = None, {}
    if finished is not None:
        edits = compare_edits(
            finished, stored, request.along, step=request.step, samples=request.samples, progress=progress
        )
        if request.consistency:
            assert method is not None
            name = verified(finished.run, request.along)[0]
            parts = edit_parts(finished.run, finished.engine.prepared, [name])
            asked = ConsistencyRequest(parts, edits.step, request.consistency, request.batch)
            consistent = consistencies(method, stored, asked, progress)
    trust = Trust(
        stored.names,
        tuple(_measures(record) for record in stored.records) or tuple({} for _ in stored.names),
        codes,
        warnings,
        edits,
        consistent,
        "" if method is None else method.rule.name,
    )
    _write(request, trust, stored, generator, finished)
    return trust


def _measures(record: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the measures of a picture that are numbers."""
    measures = record.get("measures")
    if not isinstance(measures, Mapping):
        return {}
    return {
        name: float(value)
        for name, value in measures.items()
        if isinstance(value, int | float) and abs(value) <= sys.float_info.max
    }


def _write(
    request: TrustRequest,
    trust: Trust,
    stored: StoredInversion,
    generator: Generator,
    finished: Finished | None,
) -> None:
    """Write the folder in one step."""
    files = {f"{name}.csv": table.csv.encode() for name, table in trust.tables.items()}
    files[PAGE] = page(trust, generator).encode()
    replace_folder(
        request.place,
        INDEX,
        {**files, INDEX: index_text(_record(request, trust, stored, generator, finished), files)},
    )


def _record(
    request: TrustRequest,
    trust: Trust,
    stored: StoredInversion,
    generator: Generator,
    finished: Finished | None,
) -> JsonObject:
    """Return what trust.json says, besides the digests of the other files."""
    alarms: dict[str, JsonValue] = {}
    if trust.warnings is not None:
        alarms = {"code": asdict(trust.warnings.code), "error": asdict(trust.warnings.error)}
        alarms["either"] = trust.warnings.either
    ratio = None if trust.edits is None else asdict(trust.edits.ratio)
    return {
        "format": FORMAT,
        "codes": {"sha256": stored.sha256, "pictures": list(stored.names)},
        "generator": generator.fingerprint,
        "distance": trust.distance,
        "asked": {
            "along": list(request.along),
            "step": None if trust.edits is None else trust.edits.step,
            "samples": request.samples,
            "calibrate": request.calibrate,
            "consistency": request.consistency,
        },
        "cloud": {
            "samples": SAMPLES,
            "others": OTHERS,
            "shrinkage": trust.codes.shrinkage,
            "seed": stored.seed,
        },
        "warnings": alarms,
        "ratio": ratio,
        "sentences": trust.sentences,
        **({"stands_on": {"learn": finished.run.keys.stages["learn"]}} if finished is not None else {}),
        **(finished.as_data() if finished is not None else {}),
    }


def page(trust: Trust, generator: Generator) -> str:
    """Return the page as HTML, one file that needs no network."""
    largest = float(np.nanmax(trust.codes.layers)) if np.isfinite(trust.codes.layers).any() else 1.0
    rows = [
        (
            name,
            trust.measures[i],
            float(trust.codes.whole[i]),
            float(trust.codes.beyond[i]),
            None if trust.warnings is None else [bool(on) for on in trust.warnings.raised[i]],
            [(float(d), _shade(float(d), largest)) for d in trust.codes.layers[i]],
        )
        for i, name in enumerate(trust.names)
    ]
    values = {
        "trust": trust,
        "rows": rows,
        "layers": trust.codes.layers.shape[1],
        "tables": list(trust.tables),
        "model": generator.card.source,
        "fingerprint": generator.fingerprint,
        "samples": SAMPLES,
        "others": OTHERS,
    }
    return framed(__package__, "trust.html.j2", values)


def _shade(distance: float, largest: float) -> Markup:
    """Return the style of a cell whose shade says how far beyond a sample's a distance is."""
    if np.isnan(distance):
        return Markup("")
    share = round(70 * min(max(distance - 1.0, 0.0) / max(largest - 1.0, 1e-9), 1.0))
    return Markup(f"background: color-mix(in srgb, currentColor {share // 2}%, transparent)")
