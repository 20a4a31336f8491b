"""A scorer: how bright a picture is, and how much neighbouring columns differ."""

import torch
from ganstrata import Concept, Scorer, hookimpl


class Contrast(Scorer):
    """Mean brightness, and the mean step from each column to the next."""

    concepts = (Concept("bright", "colour", threshold=0.5), Concept("striped", "attribute", threshold=0.0))

    def score(self, rendering):
        images = rendering.images
        bright = images.mean(dim=(1, 2, 3))
        striped = (images[..., 0::2] - images[..., 1::2]).mean(dim=(1, 2, 3))
        return torch.stack([bright, striped], dim=1)


@hookimpl
def ganstrata_register_scorers(register):
    register("contrast", "guest_contrast:Contrast", "brightness and stripes")


@hookimpl
def ganstrata_stage_started(stage, run):
    with (run.path.parent / "heard.txt").open("a") as file:
        file.write(f"started {stage}\n")


@hookimpl
def ganstrata_stage_finished(stage, run):
    with (run.path.parent / "heard.txt").open("a") as file:
        file.write(f"finished {stage} {run.is_done(stage)}\n")
