"""A scorer by the name of a built-in one."""

from ganstrata import Concept, Scorer, hookimpl


class OtherHue(Scorer):
    """Something else that is called hue."""

    concepts = (Concept("warm", "colour"),)

    def score(self, rendering):
        return rendering.images[:, :1].mean(dim=(2, 3))


@hookimpl
def ganstrata_register_scorers(register):
    register("hue", "guest_clash:OtherHue", "another hue")
