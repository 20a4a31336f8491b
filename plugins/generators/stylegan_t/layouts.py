"""Define the layout of StyleGAN-T, whose published tensor names are also those used here."""

from __future__ import annotations

from ..shared.layouts import Layout, Rule

ENCODER = "the text encoder in the file (CLIP: {n} tensors, such as {name}) is not used"

PUBLISHED = Layout(
    "StyleGAN-T",
    signature=(
        r"mapping\.mlp\.fc0\.weight",
        r"synthesis\.b\d+\.input\.freqs",
        r"synthesis\.b\d+\.convs1\.\d+\.affine\.proj\.weight",
    ),
    rules=(
        Rule(r"mapping\.clip\..*", None, note=ENCODER),
        Rule(r"((?:mapping|synthesis)\..*)", r"\1"),
    ),
)

LAYOUTS = (PUBLISHED,)
