"""What people said of a run's samples: labels or scores from a CSV file."""

from __future__ import annotations

import csv
import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...core.config import Level
from ...core.contracts import PluginConfig, Scorer
from ...core.errors import DataError
from ...core.naming import fault_of
from ...core.paths import user_path
from ...core.records import Concept, Rendering
from ...core.text import shown, visible

MISSING = ("", "na", "nan", "none", "null", "-")
DIGITS = 18  # of an index
LARGEST = float(np.finfo(np.float32).max)  # scores are float32
SHOWN = 5  # faults that a message lists


class Table(Scorer):
    """A concept per column of numbers, looked up by the sample's index.

    Pictures that nobody has seen have no score: edited ones and fresh samples are NaN. Boundaries are
    learnt from such concepts as from any other; how well one works is then seen in the scores of other
    scorers, because people cannot be asked again for every edit.
    """

    class Config(PluginConfig):
        """Which file, and what its columns are."""

        file: str = Field(description="a CSV file with a heading; each row is one sample")
        index: str = Field(default="index", description="the column that holds the sample's index, counted from 0")
        columns: list[str] | None = Field(default=None, min_length=1, description="columns that are concepts; default: all others")
        level: Level = Field(default="attribute", description="level of all its concepts")
        threshold: float | None = Field(default=None, description="a score above it means present, such as 0.5 for labels 0 and 1")

    config: Config

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        path = user_path(config.file)
        names, self._index, self._values = read_table(path, config.index, config.columns)
        self.checkpoint = hashlib.sha256(path.read_bytes()).hexdigest()
        self.concepts = tuple(Concept(name, config.level, least=None, threshold=config.threshold, may_be_undefined=True) for name in names)

    def check(self, samples: int) -> None:
        """Refuse rows about samples that a run does not have.

        Raises:
            DataError: an index beyond the last sample.
        """
        beyond = self._index[self._index >= samples]
        if len(beyond):
            raise DataError(
                f"{self.config.file} speaks of sample {int(beyond[0])}"
                + (f" and {len(beyond) - 1} more" if len(beyond) > 1 else "")
                + f" that a run of {samples} samples does not have; raise synthesis.samples, or take these rows out"
            )

    def score(self, rendering: Rendering) -> Tensor:
        """What the table says, (N, C); NaN where it says nothing."""
        n = rendering.images.shape[0]
        found = np.full((n, len(self.concepts)), np.nan, dtype=np.float32)
        if rendering.index is not None:
            wanted = rendering.index.cpu().numpy()
            at = np.searchsorted(self._index, wanted).clip(max=len(self._index) - 1)
            there = self._index[at] == wanted
            found[there] = self._values[at[there]]
        return torch.from_numpy(found).to(rendering.images.device)


def read_table(path: Path, index: str, columns: list[str] | None) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.float32]]:
    """Names of the concepts, indices (M,) in ascending order, and values (M, C) with NaN where there is none.

    Raises:
        DataError: no such file or column, text where numbers are expected, an index twice; the message
            lists the first lines that are wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise DataError(f"file: cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"file: {path} is no CSV file: {error}") from None
    if len(rows) < 2:
        raise DataError(f"file: {path} has no rows below its heading")
    heading = [name.strip() for name in rows[0]]
    twice = sorted({name for name in heading if heading.count(name) > 1})
    if twice:
        raise DataError(f"file: {path} has two columns '{twice[0]}'")
    if index not in heading:
        raise DataError(f"file: {path} has no column '{index}' with the samples' indices; it has {', '.join(heading)}. Name it with `index:`")
    names = tuple(columns) if columns is not None else tuple(name for name in heading if name != index)
    unknown = [name for name in names if name not in heading or name == index]
    if unknown or not names:
        raise DataError(f"columns: {path} has no column '{unknown[0] if unknown else ''}'; it has {', '.join(n for n in heading if n != index)}")
    for name in names:
        fault = "holds '/', which stands between a scorer and its concepts" if "/" in name else fault_of(name)
        if fault:
            raise DataError(f"file: {path}: the column '{visible(name)}' cannot name a concept: it {fault}")
    places = [heading.index(name) for name in names]
    indices: list[int] = []
    values: list[list[float]] = []
    faults: list[str] = []
    seen: dict[int, int] = {}
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        fault, number, found = _read_row(row, heading, heading.index(index), places)
        if not fault and number in seen:
            fault = f"sample {number} has a row already, line {seen[number]}"
        if fault:
            faults.append(f"line {line}: {fault}")
            continue
        seen[number] = line
        indices.append(number)
        values.append(found)
    if faults:
        more = f"\n  and {len(faults) - SHOWN} more lines" if len(faults) > SHOWN else ""
        raise DataError(f"file: {path} has lines that cannot be used:\n  " + "\n  ".join(faults[:SHOWN]) + more)
    if not indices:
        raise DataError(f"file: {path} has no rows below its heading")
    order = np.argsort(indices)
    return names, np.array(indices, dtype=np.int64)[order], np.array(values, dtype=np.float32)[order]


def _read_row(row: list[str], heading: list[str], key: int, places: list[int]) -> tuple[str, int, list[float]]:
    """What is wrong with a row, if anything; its index; its values."""
    if len(row) != len(heading):
        return f"{len(row)} cells, but the heading has {len(heading)}", -1, []
    text = row[key].strip()
    if not text.isdecimal() or not text.isascii() or len(text) > DIGITS:
        return f"{visible(heading[key])} is {shown(text)}, expected a whole number from 0, of at most {DIGITS} digits", -1, []
    found = []
    for place in places:
        cell = row[place].strip()
        if cell.lower() in MISSING:
            found.append(math.nan)
            continue
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not abs(value) <= LARGEST:
            expected = f"a number up to {LARGEST:.3g}" if math.isfinite(value) else "a number, or nothing where there is none"
            return f"{visible(heading[place])} is {shown(cell)}, expected {expected}", -1, []
        found.append(value)
    return "", int(text), found
