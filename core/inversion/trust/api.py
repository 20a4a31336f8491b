"""Measure trust in inverted pictures from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...runs.progress import Progress
from ...runs.run import Run
from .commands import perform
from .request import TrustRequest
from .result import Trust


def trust(
    folder: Path | str,
    run: Run | Path | str | None = None,
    *,
    generator: str | None = None,
    along: str | Sequence[str] = (),
    step: float | None = None,
    samples: int = 128,
    calibrate: int = 39,
    consistency: int = 8,
    perceptual: str = "auto",
    settings: Sequence[str] = (),
    batch: int = 4,
    out: Path | str | None = None,
    device: str | None = None,
    quiet: bool = True,
) -> Trust:
    """Measure how far inverted pictures and their edits can be trusted, as `ganstrata trust` does.

    Args:
        folder: folder that `invert` wrote.
        run: run whose generator, boundaries and scorers are used; or else
        generator: a checkpoint with options, such as `bundled:rooms`: nothing is edited then.
        along: NAME[@LAYERS] of boundaries; none for those that re-scoring verified.
        step: distance of the edits; None for `rescoring.distance` of the run.
        samples: samples that edits are compared with.
        calibrate: samples that are inverted to set the thresholds of warnings; 0 for no warnings.
        consistency: pictures whose edit is inverted again; 0 for none.
        perceptual: as `invert` had it.
        settings: weights of the distance as `invert` had them, `distance.FIELD=VALUE`.
        batch: pictures that are inverted at once.
        out: folder to write; None for `trust` in the folder of the pictures.
        device: device to compute on; None for that of the run, or auto.
        quiet: whether to show no progress.

    Raises:
        GanstrataError: something does not fit; nothing was written.

    Example:
        >>> from inspect import signature
        >>> list(signature(trust).parameters)[:3]
        ['folder', 'run', 'generator']
    """
    request = TrustRequest(
        Path(folder),
        (along,) if isinstance(along, str) else tuple(along),
        step,
        samples,
        calibrate,
        consistency,
        perceptual,
        tuple(settings),
        batch,
        None if out is None else Path(out),
    )
    path = run.path if isinstance(run, Run) else None if run is None else Path(run)
    return perform(request, run=path, generator=generator, device=device, progress=Progress(quiet=quiet))
