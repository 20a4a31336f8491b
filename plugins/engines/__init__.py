"""Register the built-in engines."""

from __future__ import annotations

from ...core.plugins.hookspecs import hookimpl
from ...core.plugins.registry import Register


@hookimpl
def ganstrata_register_engines(register: Register) -> None:
    """Register the names only; a class is imported when it is built."""
    here = "ganstrata.plugins.engines"
    register("local", f"{here}.local:Local", "processes of this machine: one per core, or one per GPU")
    register("ray", f"{here}.ray:Ray", "actors of Ray, on this machine or on a cluster")
    register("slurm", f"{here}.slurm:Slurm", "jobs of Slurm, submitted by submitit")
