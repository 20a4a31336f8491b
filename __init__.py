"""Finds which human-readable meaning lives in which layer of an image generator, proves it, and edits with it.

Names are imported on first use, so that `import ganstrata` costs nothing.

Example:
    >>> import ganstrata
    >>> generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    >>> latents = generator.sample(2, seed=0, start=0, stream=ganstrata.Stream.PROBING)
    >>> images = ganstrata.render(generator, generator.broadcast(generator.map(latents.z)))
    >>> tuple(images.shape)
    (2, 3, 64, 64)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core.checkpoints.content import Part
    from .core.composition import Pass, render
    from .core.contracts import BoundaryLearner, Generator, Scorer, Segmenter
    from .core.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        GanstrataError,
        LayerError,
        MemoryExhausted,
        MismatchError,
        PictureError,
        PluginBroken,
        PluginConflict,
        PluginNotFound,
        RunError,
        ScoreError,
        ShapeError,
        UserError,
    )
    from .core.hookspecs import hookimpl
    from .core.loading import load_generator, load_learner, load_scorer
    from .core.manipulation.manipulate import manipulate
    from .core.pipeline import open_run, run
    from .core.plugin import PluginConfig
    from .core.randomness import Stream
    from .core.recognition import Examined
    from .core.records import Boundaries, Boundary, Concept, Inputs, Latents, Match, ModelCard, Rendering, State, Stratum

__version__ = "0.1.0"

_HOMES = {
    "Boundaries": "records",
    "Boundary": "records",
    "BoundaryLearner": "contracts",
    "CheckpointError": "errors",
    "Concept": "records",
    "ConfigError": "errors",
    "DataError": "errors",
    "Examined": "recognition",
    "GanstrataError": "errors",
    "Generator": "contracts",
    "Inputs": "records",
    "Latents": "records",
    "LayerError": "errors",
    "Match": "records",
    "MemoryExhausted": "errors",
    "MismatchError": "errors",
    "ModelCard": "records",
    "Part": "checkpoints.content",
    "Pass": "composition",
    "PictureError": "errors",
    "PluginBroken": "errors",
    "PluginConfig": "plugin",
    "PluginConflict": "errors",
    "PluginNotFound": "errors",
    "Rendering": "records",
    "RunError": "errors",
    "ScoreError": "errors",
    "Scorer": "contracts",
    "Segmenter": "contracts",
    "ShapeError": "errors",
    "State": "records",
    "Stratum": "records",
    "Stream": "randomness",
    "UserError": "errors",
    "hookimpl": "hookspecs",
    "load_generator": "loading",
    "load_learner": "loading",
    "load_scorer": "loading",
    "manipulate": "manipulation.manipulate",
    "open_run": "pipeline",
    "render": "composition",
    "run": "pipeline",
}

__all__ = [
    "Boundaries",
    "Boundary",
    "BoundaryLearner",
    "CheckpointError",
    "Concept",
    "ConfigError",
    "DataError",
    "Examined",
    "GanstrataError",
    "Generator",
    "Inputs",
    "Latents",
    "LayerError",
    "Match",
    "MemoryExhausted",
    "MismatchError",
    "ModelCard",
    "Part",
    "Pass",
    "PictureError",
    "PluginBroken",
    "PluginConfig",
    "PluginConflict",
    "PluginNotFound",
    "Rendering",
    "RunError",
    "ScoreError",
    "Scorer",
    "Segmenter",
    "ShapeError",
    "State",
    "Stratum",
    "Stream",
    "UserError",
    "__version__",
    "hookimpl",
    "load_generator",
    "load_learner",
    "load_scorer",
    "manipulate",
    "open_run",
    "render",
    "run",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".core.{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
