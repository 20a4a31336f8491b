"""Invert pictures from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..plugins.generator import Generator
from ..plugins.inverter import Inversion
from ..runs.inversion_rows import joined
from ..runs.inversions import read_inversion
from ..runs.progress import Progress
from ..storage.paths import user_path
from .commands import INVERSION, RESTORATION, job_of, method_of, targets_of
from .degradation import degradation_named
from .folder import invert_into
from .invert import Inverted, on_cpu, rendered
from .job import InversionJob, run_job
from .photographs import Pictures
from .restoration import Restoration
from .steps import Options
from .target_reading import Picture


@dataclass(frozen=True)
class InvertedPictures:
    """Hold what was found for N pictures.

    Attributes:
        names: name of each picture.
        inversion: everything of which the generator makes them again, on the CPU.
        pictures: what it makes (N, 3, H, W), nominally in [0, 1].
        targets: the given pictures, fitted to the generator (N, 3, H, W) in [0, 1].
        measures: of each picture, by name: `psnr` in dB, `ms_ssim`, `perceptual`.
        losses: of each picture, by step that searched: its losses (T,).
        distance: what was made small, in words: weights, terms, network.
        notes: of each picture, what was done to it before.
        folder: where it was written; None if nowhere.
    """

    names: tuple[str, ...]
    inversion: Inversion
    pictures: Tensor
    targets: Tensor
    measures: tuple[Mapping[str, float], ...]
    losses: tuple[Mapping[str, Tensor], ...]
    distance: str
    notes: tuple[tuple[str, ...], ...]
    folder: Path | None = None

    @property
    def codes(self) -> Tensor:
        """Codes (N, L, D), float32, on the CPU."""
        return self.inversion.codes


def invert(
    pictures: Picture | Sequence[Picture] | Pictures,
    generator: Generator,
    *,
    embed: str | None = None,
    refine: str | Sequence[str] | None = None,
    options: Options | None = None,
    perceptual: str = "auto",
    crop: str = "centre",
    masks: Picture | Sequence[Picture] | None = None,
    resize_mask: bool = False,
    seed: int = 0,
    class_index: int | None = None,
    degradation: str | None = None,
    batch: int | None = None,
    out: Path | str | None = None,
    progress: Progress | None = None,
) -> InvertedPictures:
    """Find codes whose pictures look like given ones.

    Args:
        pictures: one or more of: paths of files or folders, arrays (H, W, C) of uint8 or of floats in [0, 1],
            tensors (3, H, W) or (N, 3, H, W) in [0, 1]; or what `read_pictures` returned.
        generator: generator of the codes.
        embed: step that starts from the pictures alone; None for an encoder that is bundled for the
            generator, or else the best of many samples.
        refine: steps that refine what it found; None for codes per layer, `none` for none.
        options: fields of steps, such as `{"w+": {"steps": 500}}`, and `{"distance": {"pixel": 1.0}}`.
        perceptual: what pictures are compared by besides pixels; `none` for pixels alone.
        crop: how a picture of another shape is fitted to the generator.
        masks: which pixels are known, white for known: one for all pictures or one for each.
        resize_mask: whether masks of another size than their picture are resized.
        seed: seed of all that is drawn, and of fresh noise.
        class_index: class of all pictures, for generators that know classes.
        degradation: how the pictures were degraded, to restore them: `grey`, `mask`, `downsample:4`,
            `noise:0.1`, or several with a + between them. The codes then make whole pictures.
        batch: pictures at once; None for as many as memory seems to allow, halved when it runs out.
        out: folder to write, as `ganstrata invert` does; None to write nothing.
        progress: where progress is shown; nowhere by default.

    Raises:
        UserError: a picture, a step or a field does not fit.
        GanstrataError: a search failed, or memory ran out.

    Example:
        >>> import ganstrata, torch
        >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
        >>> grey = torch.full((3, 64, 64), 0.5)
        >>> found = ganstrata.invert(grey, generator, embed="mean", refine="none", perceptual="none")
        >>> tuple(found.codes.shape), found.distance
        ((1, 10, 128), '1 MSE')
    """
    restoration = None if degradation is None else Restoration(degradation_named(degradation))
    method = method_of(
        generator,
        embed,
        (refine,) if isinstance(refine, str) else refine,
        options or {},
        perceptual=perceptual,
        seed=seed,
        class_index=class_index,
        degradation=None if restoration is None else restoration.degradation,
    )
    chosen = targets_of(pictures, method, restoration, crop=crop, masks=masks, resize_mask=resize_mask)
    targets = chosen.targets
    job = job_of(method, chosen, INVERSION if degradation is None else RESTORATION, crop=crop, batch=batch)
    progress = progress or Progress(quiet=True)
    if out is not None:
        return _written(job, user_path(out), progress)
    found: dict[int, Inverted] = {}
    run_job(job, range(len(targets)), found.__setitem__, progress)
    every = [found[i] for i in range(len(targets))]
    return InvertedPictures(
        tuple(one.name for one in targets),
        joined([one.inversion for one in every]),
        torch.stack([one.picture for one in every]),
        torch.stack([one.picture for one in targets]),
        tuple(dict(one.measures) for one in every),
        tuple({curve.step: curve.losses for curve in one.curves} for one in every),
        method.rule.name,
        tuple(one.notes for one in targets),
    )


def _written(job: InversionJob, out: Path, progress: Progress) -> InvertedPictures:
    """Invert into a folder, and return what it holds."""
    results = invert_into(job, out, progress)
    stored = read_inversion(out, job.method.generator)
    targets = job.targets
    return InvertedPictures(
        stored.names,
        on_cpu(stored.inversion),
        rendered(job.method, stored.inversion).cpu(),
        torch.stack([one.picture for one in targets]),
        tuple(dict(result.measures) for result in results),
        tuple({step: torch.from_numpy(losses) for step, losses in result.curves} for result in results),
        job.method.rule.name,
        tuple(one.notes for one in targets),
        out,
    )
