"""Export boundaries, samples and scores: as HiGAN's plain .npy files and list, or with all that is known.

No pickle is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..boundaries.files import boundaries_in
from ..errors import RunError, UserError, nearest
from ..messages import visible
from ..plugins.boundary import Boundaries, Boundary
from ..runs.lock import locked_results
from ..runs.run import Run
from ..storage.disk import write_bytes
from ..storage.filenames import file_stem
from ..storage.result_folder import recover, staged
from .arrays import write_array
from .lists import SPACES, list_text
from .own_format import write_own
from .sample_files import SampleFiles

LIST = "boundary_list.txt"
ONE = "directions"  # stem of the file that holds all boundaries
ExportForm = Literal["npy", "list", "npz", "json", "safetensors"]


@dataclass(frozen=True)
class Exported:
    """Hold the files that were written, and remarks on what HiGAN's formats cannot express."""

    files: tuple[Path, ...]
    remarks: tuple[str, ...]


def export_boundaries(
    folder: Path,
    out: Path,
    *,
    form: ExportForm = "list",
    only: Sequence[str] = (),
    absolute: bool = False,
    samples: Run | None = None,
) -> Exported:
    """Write boundaries as arrays (1, D) or (1, L, D) in float32, or in one file. All files appear at once.

    Args:
        folder: a run directory, or a folder with boundaries.json.
        out: target folder, made if missing; it must not hold any of the files yet.
        form: `npy` for the arrays alone, `list` to add a list of them; `npz`, `json` or `safetensors` for one
            file that also states space, level, layers, offset and generator (see own_format.py).
        only: patterns for the names of boundaries; empty for all.
        absolute: whether paths in the list are absolute, so that HiGAN finds them from any working directory.
        samples: a run whose samples are written too, as by `export_samples`.

    Raises:
        UserError: there are no boundaries, a pattern matches none, or a file exists already.
        GanstrataError: `out` is not writable.
    """
    boundaries = _chosen(boundaries_in(folder)[0], only, folder)
    if form in ("npz", "json", "safetensors"):
        return _export_one(boundaries, out, form, samples)
    _check_spaces(boundaries)
    names = plain_names(boundaries)
    files = [f"{name}_boundary.npy" for name in names]
    arrays = {
        file: np.asarray(b.normal, dtype=np.float32)[None] for file, b in zip(files, boundaries, strict=True)
    }
    rows = [
        (name, b.space, str((out / file).resolve()) if absolute else file)
        for name, b, file in zip(names, boundaries, files, strict=True)
    ]
    if absolute and form == "list" and not str(out.resolve()).isprintable():
        raise UserError(
            f"--absolute: the path {visible(str(out.resolve()))} cannot be written in a line of a list; "
            "give another --out"
        )
    others = {LIST: list_text(rows).encode()} if form == "list" else {}
    written = _write(out, arrays, others, None if samples is None else _files_of(samples))
    remarks = ["these files name no generator; --as npz writes one that does, with space, layers and offset"]
    if any(np.any(np.asarray(b.offset) != 0.0) for b in boundaries):
        remarks.append("offsets are left out: HiGAN's boundaries go through the origin")
    if any(b.slope is not None for b in boundaries):
        remarks.append(
            "the slopes that conditional edits keep orthogonal to (--keep, conditions) are left out: "
            "these files hold a normal alone; --as npz writes them"
        )
    if any(b.layers is not None for b in boundaries):
        remarks.append(
            "the layers that boundaries are meant for are left out: HiGAN keeps them in pickles only; "
            "give them to it as --manipulate_layers"
        )
    return Exported(written, tuple(remarks))


def _export_one(
    boundaries: Boundaries, out: Path, form: Literal["npz", "json", "safetensors"], samples: Run | None
) -> Exported:
    """Write boundaries, and samples if wanted, in files that state what they hold."""
    content, short = write_own(boundaries, form)
    files = None if samples is None else _files_of(samples)
    written = _write(out, {}, {f"{ONE}.{form}": content}, files, archive=True)
    return Exported(
        written, ("the facts of the boundaries are left out: there are too many",) if short else ()
    )


def export_samples(run: Run, out: Path) -> Exported:
    """Write the probing samples of a run, for boundary training with HiGAN.

    The files are w.npy or z.npy (N, D), by the latent space of the generator; wp.npy (N, L, D) if codes were
    style-mixed; and NAME_scores.npy (N, 1) for each concept. Samples with a non-finite image are left out.

    Raises:
        UserError: the run has no samples, or a file exists already.
    """
    return Exported(_write(out, {}, {}, _files_of(run)), ())


def _files_of(run: Run) -> SampleFiles:
    """Return the samples of a run as files."""
    ids = [concept.id for concept in run.concepts]
    return SampleFiles.of(run, dict(zip(ids, _plain(ids), strict=True)))


def _write(
    out: Path,
    arrays: Mapping[str, NDArray[Any]],
    others: Mapping[str, bytes],
    samples: SampleFiles | None = None,
    *,
    archive: bool = False,
) -> tuple[Path, ...]:
    """Write all files at once: arrays and other contents by name, and the files of samples.

    Raises:
        RunError: a file exists already.
    """
    of_samples = () if samples is None else samples.names(archive=archive)
    files = tuple(out / name for name in (*arrays, *of_samples, *others))
    with locked_results(out):
        recover(out, files[-1].name)  # what a killed process left
        _check_new(out, files)
        with staged(out, files[-1].name) as folder:
            for name, values in arrays.items():
                write_array(folder / name, values)
            if samples is not None:
                samples.write(folder, archive=archive)
            for name, content in others.items():
                write_bytes(folder / name, content)
    return files


def plain_names(boundaries: Boundaries) -> list[str]:
    """Return file names for boundaries: without the alias where that is unique, and of safe characters."""
    return _plain(boundaries.names)


def _plain(names: Sequence[str]) -> list[str]:
    """Return file names for concept names; see `plain_names`.

    >>> _plain(["a/wood", "a/dirt", "b/dirt"])
    ['wood', 'a.dirt', 'b.dirt']
    """
    short = [name if "|" in name or name.count("/") != 1 else name.split("/")[1] for name in names]
    count = Counter(short)
    return [file_stem(brief if count[brief] == 1 else name) for brief, name in zip(short, names, strict=True)]


def _chosen(boundaries: Boundaries, only: Sequence[str], folder: Path) -> Boundaries:
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in boundaries.names):
            raise UserError(
                f"--only {pattern}: no boundary of {folder} has such a name."
                f"{nearest(pattern, boundaries.names)}"
            )
    chosen = Boundaries(
        b for b in boundaries if not only or any(fnmatchcase(b.name, pattern) for pattern in only)
    )
    if not chosen:
        raise UserError(f"{folder} has no boundaries")
    return chosen


def _check_spaces(boundaries: Sequence[Boundary]) -> None:
    for boundary in boundaries:
        if boundary.space not in SPACES.values():
            raise UserError(
                f"boundary '{boundary.name}' lies in space {boundary.space}, which HiGAN does not have; "
                "leave it out with --only, or write --as npz"
            )


def _check_new(out: Path, files: Iterable[Path]) -> None:
    """Check that no file would be overwritten.

    Raises:
        RunError: a file exists already.
    """
    existing = [path.name for path in files if path.exists()]
    if existing:
        raise RunError(
            f"{out} has {', '.join(existing[:5])}{' and others' if len(existing) > 5 else ''} already; "
            "give another --out"
        )
