"""Store the normals of boundaries that were learnt again from resampled samples (method B)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ..errors import RunError
from ..messages import visible
from ..plugins.boundary import Boundaries
from ..storage.disk import write_bytes
from .learning_variance import dilution

RESAMPLED_FILE = "resampled.safetensors"


@dataclass(frozen=True)
class Resampled:
    """Hold the normals of B boundaries in M resamples.

    Attributes:
        normals: (M, B, D), (M, B, L, D) with one per layer, or (M, B, S) in s; NaN where a
            boundary could not be learnt.
        spreads: s_w of each resample (M,), or s_s of its styles, the unit of its steps.
    """

    normals: NDArray[np.float32]
    spreads: NDArray[np.float64]

    @property
    def learnt(self) -> NDArray[np.bool_]:
        """Whether each boundary could be learnt from each resample, (M, B)."""
        flat = self.normals.reshape(*self.normals.shape[:2], -1)
        return np.asarray(np.isfinite(flat).all(axis=2))

    def dilutions(self, boundaries: Boundaries) -> NDArray[np.float64]:
        """Compute `dilution` of each boundary, (B,)."""
        learnt = self.learnt
        return np.array(
            [
                dilution(boundary.normal, self.normals[learnt[:, i], i])
                for i, boundary in enumerate(boundaries)
            ]
        )

    def save(self, folder: Path) -> None:
        """Write resampled.safetensors into a folder."""
        write_bytes(
            folder / RESAMPLED_FILE,
            save({"normals": np.ascontiguousarray(self.normals), "spreads": self.spreads}),
        )

    @classmethod
    def load(cls, folder: Path, boundaries: Boundaries) -> Resampled:
        """Read resampled.safetensors of a folder with these boundaries.

        Raises:
            RunError: it is missing or damaged, or belongs to other boundaries.
        """
        try:
            tensors = load_file(folder / RESAMPLED_FILE)
            normals, spreads = np.asarray(tensors["normals"]), np.asarray(tensors["spreads"])
            expected = (len(spreads), len(boundaries), *boundaries[0].normal.shape)
            if normals.shape != expected or normals.dtype != np.float32:
                raise ValueError(
                    f"its normals are {normals.dtype} of shape {normals.shape}; "
                    f"the boundaries beside it need float32 of {expected}"
                )
            if spreads.ndim != 1 or spreads.dtype != np.float64 or not np.isfinite(spreads).all():
                raise ValueError("its spreads are not finite numbers, one for each resample")
            return cls(normals, spreads)
        except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
            reason = f"{type(error).__name__}: {visible(str(error), 200)}"
            raise RunError(
                f"{folder / RESAMPLED_FILE} cannot be read ({reason}); run `ganstrata learn {folder}` again"
            ) from None
