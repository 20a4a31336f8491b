"""Measure how long the import of a plugin takes, without what it takes to import torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, NamedTuple

COMPUTING = 0.5
WAITING = 1.0


class Span(NamedTuple):
    """Hold a length of time in seconds, by a clock on the wall and in time of the processor."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Span:
        """Return the state of both clocks."""
        return cls(time.perf_counter(), time.process_time())

    def minus(self, other: Span) -> Span:
        """Return the difference to another."""
        return Span(self.wall - other.wall, self.processor - other.processor)

    @property
    def is_slow(self) -> bool:
        """Whether that is long for an import: COMPUTING seconds of the processor, or WAITING by the wall.

        Other programs lengthen the time on the wall alone; but an import that sleeps shows nowhere else.
        """
        return self.processor >= COMPUTING or self.wall >= WAITING


class ImportClock:
    """Measure the time of a block. The import of torch is not counted: most commands need it anyway.

    Attributes:
        span: the time that the block took.
    """

    def __init__(self) -> None:
        self.span = self._torch = Span(0.0, 0.0)

    def __enter__(self) -> ImportClock:
        self._start = Span.now()
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)
        self.span = Span.now().minus(self._start).minus(self._torch)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find torch as Python does, and measure how long it runs; leave other modules to Python."""
        spec = PathFinder.find_spec(name, path, target) if name == "torch" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def timed(module: ModuleType) -> Any:
            start = Span.now()
            try:
                execute(module)
            finally:
                self._torch = Span.now().minus(start)

        spec.loader.exec_module = timed  # type: ignore[method-assign]
        return spec
