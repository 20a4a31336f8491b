"""Hold what was measured of the trust in inverted pictures, as tables and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...decimals import number
from ...messages import listed, quantity
from ...storage.csv_tables import Row, Table
from ...strata.moves import unit_in_words
from .consistency import Consistency
from .edits import EditTrust
from .faithfulness import Compared
from .measure import CodeTrust, Warnings

MEASURES = ("psnr", "ms_ssim", "perceptual")


@dataclass(frozen=True)
class Trust:
    """Hold how far N inverted pictures can be trusted.

    Attributes:
        names: of the pictures.
        measures: of each picture's reconstruction, by name, as far as they are known.
        codes: distance of their codes from those of samples.
        warnings: out-of-domain warnings; None if none were asked for.
        edits: how edits compare with those of samples; None without a run.
        consistency: latent editing consistency by boundary and layers.
        distance: what reconstructions were compared by, in words; empty if it is not known.
    """

    names: tuple[str, ...]
    measures: tuple[Mapping[str, float], ...]
    codes: CodeTrust
    warnings: Warnings | None
    edits: EditTrust | None
    consistency: Mapping[str, Consistency]
    distance: str

    @property
    def tables(self) -> dict[str, Table]:
        """All numbers, by the name of their file."""
        tables = {"pictures": self._pictures()}
        if self.edits is not None:
            tables["edits"] = _edits(self.edits)
        if self.consistency:
            rows = [
                (name, *_ends(one.gap), *_ends(one.repeat), one.pictures)
                for name, one in self.consistency.items()
            ]
            heads = (
                "boundary",
                "gap",
                "gap_low",
                "gap_high",
                "repeat",
                "repeat_low",
                "repeat_high",
                "pictures",
            )
            tables["consistency"] = Table(heads, rows)
        return tables

    def _pictures(self) -> Table:
        layers = self.codes.layers.shape[1]
        heads = ["picture", *MEASURES, "code_distance", "samples_beyond", "code_warning", "error_warning"]
        rows: list[Row] = []
        for i, name in enumerate(self.names):
            raised = ("", "")
            if self.warnings is not None:
                code, error = self.warnings.raised[i]
                raised = ("yes" if code else "no", "yes" if error else "no")
            measures = [self.measures[i].get(key, float("nan")) for key in MEASURES]
            distances = (float(self.codes.whole[i]), float(self.codes.beyond[i]))
            rows.append((name, *measures, *distances, *raised, *map(float, self.codes.layers[i])))
        return Table((*heads, *(f"distance_{layer}" for layer in range(layers))), rows)

    @property
    def sentences(self) -> list[str]:
        """What the numbers say."""
        far, count = int((self.codes.beyond <= 0.05).sum()), quantity(len(self.names), "code")
        distance = number(float(self.codes.whole.mean()), 2)
        lines = [
            f"Codes lie {distance} times as far from the mean as samples do; {far} of {count} lie where at "
            "most 5 % of the samples do."
        ]
        if self.warnings is not None:
            lines += _warned(self.names, self.warnings)
        if self.edits is not None:
            ratio = self.edits.ratio
            if np.isnan(ratio.value):
                lines.append(
                    "No edit changes samples for certain, so that there is nothing to be faithful to."
                )
            else:
                unit = unit_in_words(self.edits.unit, styles=False)
                boundaries = quantity(_certain(self.edits), "boundary", "boundaries")
                lines.append(
                    f"Edits change inverted pictures {number(ratio.value, 2)} times as much as samples"
                    f"{_interval(ratio)}, over {boundaries}, at a step of {number(self.edits.step, 2)} "
                    f"{unit}."
                )
        for name, one in self.consistency.items():
            lines.append(
                f"Along {name}, the code found after edit and return is {number(one.gap.value, 2)} sd away"
                f"{_interval(one.gap)}; without an edit it is {number(one.repeat.value, 2)}"
                f"{_interval(one.repeat)}."
            )
        return lines


def _warned(names: tuple[str, ...], warnings: Warnings) -> list[str]:
    """Return which pictures are warned of, and how often that is a false alarm."""
    lines = []
    kinds = ((warnings.code, "its code"), (warnings.error, "the error that is left"))
    for k, (alarm, what) in enumerate(kinds):
        raised = [name for name, on in zip(names, warnings.raised[:, k], strict=True) if on]
        rate, low, high = (number(100 * share, 1) for share in (alarm.rate, alarm.low, alarm.high))
        lines.append(
            f"Out of the domain by {what}: {listed(raised) if raised else 'none'}. Of the generator's own "
            f"pictures {rate} % are warned of ({low} to {high} %), by "
            f"{quantity(alarm.samples, 'inverted sample')}."
        )
    return lines


def _certain(edits: EditTrust) -> int:
    return sum(not np.isnan(one.ratio.value) for one in edits.edits)


def _interval(one: Compared) -> str:
    """Return the interval in brackets; nothing where one picture gives none."""
    return "" if np.isnan(one.low) else f" (95 % interval {number(one.low, 2)} to {number(one.high, 2)})"


def _ends(one: Compared) -> tuple[float, float, float]:
    return one.value, one.low, one.high


def _edits(edits: EditTrust) -> Table:
    names = ("inverted", "samples", "difference", "ratio")
    heads = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    rows: list[Row] = []
    for name, where, one in zip(edits.names, edits.where, edits.edits, strict=True):
        numbers = [end for key in names for end in _ends(getattr(one, key))]
        rows.append((name, where, edits.step, *numbers, one.pictures, one.drawn))
    return Table(("boundary", "layers", "step", *heads, "pictures", "drawn"), rows)
