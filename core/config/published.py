"""Write a config for a published generator, which runs once its file is there."""

from __future__ import annotations

import json

from ..checkpoints.zoo import Published
from .schema import VERSION
from .starter import after_generator


def published_config(model: Published) -> str:
    """Return a config as YAML for a published generator, whose file is not looked at.

    It names the address if the file can be fetched, and else a path to download it to. The truncation is
    that of its authors.

    Example:
        >>> from ganstrata.core.checkpoints.zoo import named
        >>> print(published_config(named("stylegan_bedroom")).splitlines()[0])
        # stylegan_bedroom: StyleGAN, 256 pixels, LSUN bedroom, published by NVIDIA
    """
    return "\n".join([*_head(model), "", f"version: {VERSION}", *_generator(model)]) + after_generator(
        model.resolution
    )


def _head(model: Published) -> list[str]:
    """Return comments on what the model is, where its file comes from, and when that was checked."""
    source = f"{model.url} ({model.container})"
    if model.checkpoint is not None:
        where = ["The file is fetched when it is first used: pip install 'ganstrata[download]'"]
        where += [f"A copy: {model.mirror}"] if model.mirror not in (None, model.checkpoint) else []
        where += [f"Published as: {source}"] if model.checkpoint == model.mirror else []
    elif model.link_dead:
        where = [f"The link is dead: {source}", "If you have the file, write its path below."]
    else:
        where = [f"Download this first, and write its path below: {source}"]
    return [
        f"# {line}"
        for line in (
            f"{model.name}: {model.family}, {model.resolution} pixels, {model.data}, "
            f"published by {model.publisher}",
            *where,
            f"Licence: {model.licence or 'unknown'}. Last checked: {model.checked}. "
            f"`ganstrata model list {model.name}` shows more.",
            "This config runs once the file is there. docs/config.md has every field.",
        )
    ]


def _generator(model: Published) -> list[str]:
    """Return the lines of the section `generator`."""
    options = [f"checkpoint: {json.dumps(model.checkpoint or model.path)}"]
    if model.psi is not None and model.psi != 1.0:
        options.append(f"truncation_psi: {model.psi:g} # as its authors use it; 1 does not truncate")
        codes = 2 * model.resolution.bit_length() - 4  # layers with a style, 14 for 256 pixels
        if model.psi_layers is not None and model.psi_layers < codes:
            options.append(f"truncation_layers: {model.psi_layers} # from the first")
    if model.classes:
        options.append("classes: sampled # or one of them, or a list")
    return ["generator:", f"  use: {model.plugin}", "  with:", *(f"    {option}" for option in options)]
