"""Register the built-in inverters: steps that find codes whose pictures look like given ones."""

from __future__ import annotations

from ...core.plugins.hookspecs import hookimpl
from ...core.plugins.registry import Register


@hookimpl
def ganstrata_register_inverters(register: Register) -> None:
    """Register the names only; a class is imported when it is built."""
    here = "ganstrata.plugins.inverters"
    register("mean", f"{here}.mean:Mean", "embed: the mean w of all samples, or z = 0")
    register("best", f"{here}.best:Best", "embed: the best of many samples, without gradients")
    register("encoder", f"{here}.encoder:Encoder", "embed: what a trained network answers at once")
    register("w+", f"{here}.w_plus:WPlus", "refine: one code per layer, by gradient")
