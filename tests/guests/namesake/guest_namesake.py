"""A command and an analysis by names that ganstrata has already."""

from ganstrata import hookimpl


@hookimpl
def ganstrata_register_commands(register):
    register("run", "guest_namesake:nothing", "another run")


@hookimpl
def ganstrata_register_analyses(register):
    register("ranking", "guest_namesake:Nothing", "another ranking")
