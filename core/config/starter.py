"""Write a config for a checkpoint that runs without changes, with comments on further settings."""

from __future__ import annotations

from textwrap import dedent

from ..checkpoints import BUNDLED
from ..checkpoints.inspect import Inspection, inspect
from ..errors import CheckpointError
from ..messages import quantity, visible
from ..plugins.records import size_in_words
from .limits import text_fault
from .schema import VERSION

SIZES = ((128, 4000, 128), (256, 2000, 64))
"""Maximum resolution in pixels, with numbers of probing and verification samples."""
LARGE = (1000, 32)  # numbers of samples above the largest resolution, where each picture takes more time

NO_WEIGHTS = """\
  - {use: hue, as: colour} # needs no weights
  # Room categories and attributes, with the weights of Places365 (docs/scorers.md says where to get them):
  # - {use: category, with: {checkpoint: wideresnet18_places365.pth.tar}}
  # - {use: attribute, with: {checkpoint: wideresnet18_places365.pth.tar}}
  # Any concept that two sentences can describe (pip install 'ganstrata[transformers]'):
  # - use: text
  #   with:
  #     model: openai/clip-vit-base-patch32
  #     concepts:
  #       - {name: smiling, level: attribute, present: a smiling face, absent: a serious face}
"""

BUNDLED_SCORERS = """\
  - {use: category, with: {checkpoint: "bundled:rooms"}}
  - {use: attribute, with: {checkpoint: "bundled:rooms"}}
  - {use: hue, as: colour} # needs no weights
"""


def starter_config(file: str) -> str:
    """Return a config as YAML for the generator in a checkpoint. It runs without changes.

    Args:
        file: a path, or `bundled:NAME`.

    Raises:
        CheckpointError: no generator can be built from the file; the message says why.

    Example:
        >>> print(starter_config("bundled:rooms").splitlines()[4])
        generator: {use: stylegan2, with: {checkpoint: bundled:rooms}}
    """
    facts = inspect(file)
    if facts.faults or facts.config is None:
        reasons = "; ".join(facts.faults) or "its plugin does not say how to build it"
        raise CheckpointError(f"no config can be written for {visible(facts.file)}, because {reasons}")
    fault = text_fault(file)
    if fault:
        raise CheckpointError(f"no config can name {visible(facts.file)}: its path {fault}; rename the file")
    scorers = BUNDLED_SCORERS if file.startswith(BUNDLED) else NO_WEIGHTS
    head = f"# {_summary(facts)}\n# This config runs as it is. docs/config.md has every field.\n\n"
    return f"{head}version: {VERSION}\n{facts.config}" + after_generator(facts.resolution, scorers)


def after_generator(resolution: int | None, scorers: str = NO_WEIGHTS) -> str:
    """Return what follows the generator in a starter config.

    Args:
        resolution: size of the pictures in pixels, which decides how many samples are drawn.
        scorers: items of `scorers:` as YAML.
    """
    samples, verification = next(
        ((probing, fresh) for most, probing, fresh in SIZES if (resolution or 0) <= most), LARGE
    )
    sections = f"""
        concepts: {{include: ["*"]}} # these get a boundary, such as colour/red; all concepts are scored

        boundary: {{use: soft_conditional}} # the default; docs/learners.md has the others

        synthesis: {{samples: {samples}, seed: 0}} # probing samples; use 10000 or more for a publication

        rescoring:
          samples: {verification} # verification samples; four times as many halve the intervals
          layers: [all, each, groups]
          null_directions: 10 # random directions of the null distribution
          # adaptive: true # less work: stop sampling an effect as soon as it is known

        editing: {{samples: 4, steps: 7, start: -6.0, end: 6.0}} # strips of the report
        """
    return f"\n\nscorers: # each gives a picture one number per concept\n{scorers}" + dedent(sections)


def _summary(facts: Inspection) -> str:
    """Describe the generator in a checkpoint in one line."""
    size = (
        ""
        if facts.resolution is None
        else f", {size_in_words(facts.resolution, facts.height or 0, facts.width or 0)}"
    )
    layers = (
        ""
        if facts.layers is None
        else f", {quantity(facts.layers, 'layer')} of codes with {facts.code_size} numbers"
    )
    return visible(f"{facts.family or facts.plugin}{size}{layers}: {facts.file}")
