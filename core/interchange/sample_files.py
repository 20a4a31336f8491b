"""Write codes and scores of a run's samples to files, block by block, so that memory does not grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..runs.run import Run
from ..storage.disk import written
from ..storage.rows import Rows, StoredRows, blocks
from .arrays import Streamed, write_array
from .own_codes import write_codes

OPEN = 64  # files that are written at a time


class _Scores(NamedTuple):
    """Hold the scores of one scorer, (N, C), and the name of the file of each concept."""

    table: Rows
    files: Sequence[str]


@dataclass(frozen=True)
class SampleFiles:
    """Represent the samples of a run with a finite picture, as the files that hold them.

    Attributes:
        codes: z or w (N, D), and mixed codes wp (N, L, D), by these names.
        scores: the scores of each scorer.
        finite: whether the picture of each sample is finite, (N,); None where all are.
        count: number of samples with a finite picture.
        fingerprint: that of the generator.
    """

    codes: Mapping[str, Rows]
    scores: Sequence[_Scores]
    finite: Rows | None
    count: int
    fingerprint: str

    @classmethod
    def of(cls, run: Run, stems: Mapping[str, str]) -> SampleFiles:
        """Return the samples of a run; `stems` names the file of each concept, without its ending.

        Raises:
            RunError: the stage `synthesize` is not complete.
        """
        run.require("synthesize")
        stored = run.arrays("samples.zarr")
        codes: dict[str, Rows] = {"z" if run.record.generator.space == "z" else "w": StoredRows(stored, "w")}
        if run.config.synthesis.mixing > 0.0:
            codes["wp"] = StoredRows(stored, "codes")
        scores = []
        for scorer in run.config.scorers:
            own = [concept.id for concept in run.concepts if concept.id.split("/", 1)[0] == scorer.alias]
            files = [f"{stems[name]}_scores.npy" for name in own]
            scores.append(_Scores(StoredRows(stored, f"scores/{scorer.alias}"), files))
        finite = StoredRows(stored, "finite") if run.config.synthesis.allow_nonfinite > 0.0 else None
        count = run.config.synthesis.samples
        if finite is not None:
            count = sum(int(block.astype(bool).sum()) for _, (block,) in blocks(finite))
        return cls(codes, scores, finite, count, run.record.generator.fingerprint)

    def names(self, *, archive: bool) -> list[str]:
        """Return the names of the files; see `write`."""
        codes = ["codes.npz"] if archive else [f"{name}.npy" for name in self.codes]
        return [*codes, *(name for scores in self.scores for name in scores.files)]

    def write(self, folder: Path, *, archive: bool) -> None:
        """Write the files into a folder: .npy with codes, and with scores (N, 1) of each concept.

        Args:
            folder: the folder, which exists.
            archive: whether to write `codes.npz`, which states space and generator, in place of an array for
                each kind of codes.

        Raises:
            GanstrataError: the disk is full, the folder is not writable, or the samples are damaged.
        """
        codes = {name: self._streamed(table) for name, table in self.codes.items()}
        if archive:
            write_codes(folder / "codes.npz", codes, self.fingerprint)
        else:
            for name, array in codes.items():
                write_array(folder / f"{name}.npy", array)
        for table, files in self.scores:
            for first in range(0, len(files), OPEN):
                self._write_columns(folder, table, files[first : first + OPEN], first)

    def _write_columns(self, folder: Path, table: Rows, files: Sequence[str], first: int) -> None:
        """Write consecutive columns of a table to a file each, from one pass through it."""
        whole = self._streamed(table)
        with ExitStack() as stack:
            opened = [stack.enter_context(written(folder / name)) for name in files]
            for file in opened:
                file.write(whole._replace(shape=(self.count, 1)).header())
            for block in whole.blocks():
                for column, file in enumerate(opened, first):
                    file.write(block[:, column].tobytes())

    def _streamed(self, table: Rows) -> Streamed:
        """Return a table without the rows of samples whose picture is not finite."""
        return Streamed((self.count, *table.shape[1:]), table[:0].dtype, lambda: self._kept(table))

    def _kept(self, table: Rows) -> Iterator[NDArray[Any]]:
        for here, (block,) in blocks(table):
            yield block if self.finite is None else block[self.finite[here].astype(bool)]
