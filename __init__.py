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
    from .core.boundaries.learn import Learnt, learn
    from .core.checkpoints.content import Part
    from .core.checkpoints.detect import Examined
    from .core.editing.manipulate import manipulate
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
    from .core.pipeline.perform import run
    from .core.pipeline.results import Results, open_run
    from .core.plugins.base import PluginConfig
    from .core.plugins.contracts import BoundaryLearner, Generator, Scorer, Segmenter
    from .core.plugins.hookspecs import hookimpl
    from .core.plugins.records import (
        Boundaries,
        Boundary,
        Concept,
        Inputs,
        Latents,
        Match,
        ModelCard,
        Rendering,
        State,
        Stratum,
    )
    from .core.probing.samples import Samples, probe
    from .core.randomness import Stream
    from .core.rescoring.hierarchy import Hierarchy
    from .core.rescoring.rescore import hierarchy, rescore
    from .core.rescoring.results import Effects
    from .core.runs.loading import load_generator, load_learner, load_scorer
    from .core.strata.composition import Pass, render

__version__ = "0.1.0"

_HOMES = {
    "Boundaries": "plugins.records",
    "Boundary": "plugins.records",
    "BoundaryLearner": "plugins.contracts",
    "CheckpointError": "errors",
    "Concept": "plugins.records",
    "ConfigError": "errors",
    "DataError": "errors",
    "Effects": "rescoring.results",
    "Examined": "checkpoints.detect",
    "GanstrataError": "errors",
    "Generator": "plugins.contracts",
    "Hierarchy": "rescoring.hierarchy",
    "Inputs": "plugins.records",
    "Latents": "plugins.records",
    "LayerError": "errors",
    "Learnt": "boundaries.learn",
    "Match": "plugins.records",
    "MemoryExhausted": "errors",
    "MismatchError": "errors",
    "ModelCard": "plugins.records",
    "Part": "checkpoints.content",
    "Pass": "strata.composition",
    "PictureError": "errors",
    "PluginBroken": "errors",
    "PluginConfig": "plugins.base",
    "PluginConflict": "errors",
    "PluginNotFound": "errors",
    "Rendering": "plugins.records",
    "Results": "pipeline.results",
    "RunError": "errors",
    "Samples": "probing.samples",
    "ScoreError": "errors",
    "Scorer": "plugins.contracts",
    "Segmenter": "plugins.contracts",
    "ShapeError": "errors",
    "State": "plugins.records",
    "Stratum": "plugins.records",
    "Stream": "randomness",
    "UserError": "errors",
    "hierarchy": "rescoring.rescore",
    "hookimpl": "plugins.hookspecs",
    "learn": "boundaries.learn",
    "load_generator": "runs.loading",
    "load_learner": "runs.loading",
    "load_scorer": "runs.loading",
    "manipulate": "editing.manipulate",
    "open_run": "pipeline.results",
    "probe": "probing.samples",
    "render": "strata.composition",
    "rescore": "rescoring.rescore",
    "run": "pipeline.perform",
}

__all__ = [
    "Boundaries",
    "Boundary",
    "BoundaryLearner",
    "CheckpointError",
    "Concept",
    "ConfigError",
    "DataError",
    "Effects",
    "Examined",
    "GanstrataError",
    "Generator",
    "Hierarchy",
    "Inputs",
    "Latents",
    "LayerError",
    "Learnt",
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
    "Results",
    "RunError",
    "Samples",
    "ScoreError",
    "Scorer",
    "Segmenter",
    "ShapeError",
    "State",
    "Stratum",
    "Stream",
    "UserError",
    "__version__",
    "hierarchy",
    "hookimpl",
    "learn",
    "load_generator",
    "load_learner",
    "load_scorer",
    "manipulate",
    "open_run",
    "probe",
    "render",
    "rescore",
    "run",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".core.{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
