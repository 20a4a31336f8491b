"""Define the layouts of StyleGAN3, whose published tensor names are also those used here.

StyleGAN-XL has the same names and more. Its class embedding has no bias, and a projection follows it.
"""

from __future__ import annotations

from ..shared.layouts import Layout, Rule

BODY = (
    r"mapping\.fc0\.weight",
    r"synthesis\.input\.(freqs|phases)",
    r"synthesis\.L\d+_\d+_\d+\.(weight|bias|magnitude_ema)",
)
RULES = (Rule(r"(mapping|synthesis)\.(.*)", r"\1.\2"),)

UNCONDITIONAL = Layout("NVIDIA PyTorch", signature=BODY, rules=RULES, absent=(r"mapping\.embed.*",))
CONDITIONAL = Layout(
    "NVIDIA PyTorch",
    signature=(*BODY, r"mapping\.embed\.bias"),
    rules=RULES,
    absent=(r"mapping\.embed_proj\..*",),
)

LAYOUTS = (UNCONDITIONAL, CONDITIONAL)
