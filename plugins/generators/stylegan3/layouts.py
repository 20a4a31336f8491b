"""Define the layouts of StyleGAN3 and StyleGAN-XL. NVIDIA's tensor names are also those used here.

Every file of StyleGAN-XL has a table of class features, `mapping.embed.weight`, which has no bias. Only
conditional networks have a projection of it, and use it.
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

_TABLE = r"mapping\.embed\.weight"
_PROJECTION = r"mapping\.embed[._]proj\."  # with a dot as used here
XL_UNCONDITIONAL = Layout(
    "StyleGAN-XL",
    signature=(*BODY, _TABLE),
    rules=(Rule(_TABLE, None), *RULES),
    absent=(_PROJECTION + ".*", r"mapping\.embed\.bias"),
)
XL_CONDITIONAL = Layout(
    "StyleGAN-XL",
    signature=(*BODY, _TABLE, _PROJECTION + "weight"),
    rules=(Rule(_PROJECTION + "(weight|bias)", r"mapping.embed.proj.\1"), *RULES),
    absent=(r"mapping\.embed\.bias",),
)
XL = (XL_UNCONDITIONAL, XL_CONDITIONAL)

LAYOUTS = (UNCONDITIONAL, CONDITIONAL, *XL)
