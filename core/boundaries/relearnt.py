"""Boundaries learnt again from resampled samples, on disk beside the boundaries (method B)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ..errors import RunError
from ..plugins.records import Boundaries
from ..storage.disk import write_bytes
from ..text import visible
from .learning_variance import dilution

FILE = "resampled.safetensors"


@dataclass(frozen=True)
class Resampled:
    """What M resamplings of the learning samples give for B boundaries.

    Attributes:
        normals: (M, B, D), or (M, B, L, D) with one per layer; NaN where a resampling did not do.
        spreads: of w in each resampling, (M,): the unit of its step.
    """

    normals: NDArray[np.float32]
    spreads: NDArray[np.float64]

    @property
    def learnt(self) -> NDArray[np.bool_]:
        """Which boundaries each resampling gave, (M, B)."""
        flat = self.normals.reshape(*self.normals.shape[:2], -1)
        return np.asarray(np.isfinite(flat).all(axis=2))

    def dilutions(self, boundaries: Boundaries) -> NDArray[np.float64]:
        """What the spread of each boundary's replicates is multiplied by, (B,)."""
        learnt = self.learnt
        return np.array(
            [
                dilution(boundary.normal, self.normals[learnt[:, i], i])
                for i, boundary in enumerate(boundaries)
            ]
        )

    def save(self, folder: Path) -> None:
        """Write the file."""
        write_bytes(
            folder / FILE, save({"normals": np.ascontiguousarray(self.normals), "spreads": self.spreads})
        )

    @classmethod
    def load(cls, folder: Path, boundaries: Boundaries) -> Resampled:
        """Read the file that stands beside these boundaries.

        Raises:
            RunError: it is missing or damaged, or belongs to other boundaries.
        """
        try:
            tensors = load_file(folder / FILE)
            normals, spreads = np.asarray(tensors["normals"]), np.asarray(tensors["spreads"])
            wanted = (len(spreads), len(boundaries), *boundaries[0].normal.shape)
            if normals.shape != wanted or normals.dtype != np.float32:
                raise ValueError(
                    f"its normals are {normals.dtype} of shape {normals.shape}; the boundaries beside it need float32 of {wanted}"
                )
            if spreads.ndim != 1 or spreads.dtype != np.float64 or not np.isfinite(spreads).all():
                raise ValueError("its spreads of w are not finite numbers, one for each resampling")
            return cls(normals, spreads)
        except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
            reason = f"{type(error).__name__}: {visible(str(error), 200)}"
            raise RunError(
                f"{folder / FILE} cannot be read ({reason}); run `ganstrata learn {folder}` again"
            ) from None
