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
    register("classes", f"{here}.classes:Classes", "embed: the best class, then z and weights of classes")
    register("multi_code", f"{here}.multi_code:MultiCode", "embed: several codes, added after one stratum")
    register("z", f"{here}.z:Z", "refine: one z")
    register("w", f"{here}.w:W", "refine: one w")
    register("w+", f"{here}.w_plus:WPlus", "refine: one code per layer")
    register("in_domain", f"{here}.in_domain:InDomain", "refine: codes that an encoder finds again")
    register("noise", f"{here}.noise:Noise", "refine: noise maps, and codes with them if wanted")
    register("pivotal", f"{here}.pivotal:Pivotal", "refine: the weights of the generator, for each picture")
