"""Built-in boundary learners."""

from __future__ import annotations

from ...core.hookspecs import hookimpl
from ...core.registry import Register


@hookimpl
def ganstrata_register_boundaries(register: Register) -> None:
    """Names only: the classes are imported when they are built."""
    here = "ganstrata.plugins.boundaries"
    register("linear_svm", f"{here}.linear_svm:LinearSVM", "linear support vector machine on the highest and lowest scores")
    register("ridge", f"{here}.ridge:Ridge", "ridge regression on all scores, all concepts at once")
