"""Define the layouts of lucidrains' StyleGAN2, with rules that translate their tensor names."""

from __future__ import annotations

from ..shared.layouts import OTHERS, Layout, Rule

OWN = Layout(
    "ganstrata",
    signature=(r"initial\.weight", r"blocks\.0\.conv1\.style\.weight", r"blocks\.0\.rgb\.weight"),
    rules=(Rule(r"((mapping|initial|blocks)\..*)", r"\1"),),
)


def _published(name: str, mapping: str, synthesis: str, others: str) -> Layout:
    """Return the layout of one pair of networks in a training file; tensors of `others` are not needed."""
    block, attention = synthesis + r"blocks\.(\d+)\.", synthesis + r"attns\.(\d+)\."
    return Layout(
        name,
        signature=(block + r"to_style1\.weight", block + r"to_noise1\.weight"),
        rules=(
            Rule(
                mapping + r"net\.(\d{0,3}[02468])\.(weight|bias)",
                lambda m: f"mapping.fc{int(m[1]) // 2}.{m[2]}",
            ),
            Rule(synthesis + r"initial_block", "initial.block"),
            Rule(synthesis + r"to_initial_block\.weight", "initial.from_code"),
            Rule(synthesis + r"initial_conv\.(weight|bias)", r"initial.\1"),
            Rule(block + r"to_style([12])\.(weight|bias)", r"blocks.\1.conv\2.style.\3"),
            Rule(block + r"to_noise([12])\.(weight|bias)", r"blocks.\1.conv\2.noise.\3"),
            Rule(block + r"conv([12])\.weight", r"blocks.\1.conv\2.weight"),
            Rule(block + r"to_rgb\.to_style\.(weight|bias)", r"blocks.\1.rgb.style.\2"),
            Rule(block + r"to_rgb\.conv\.weight", r"blocks.\1.rgb.weight"),
            Rule(block + r"to_rgb\.upsample\.1\.f", r"blocks.\1.rgb.blur"),
            Rule(attention + r"0\.fn\.norm\.g", r"blocks.\1.attention.attend.norm.gain"),
            Rule(attention + r"0\.fn\.norm\.b", r"blocks.\1.attention.attend.norm.bias"),
            Rule(attention + r"0\.fn\.fn\.to_q\.weight", r"blocks.\1.attention.attend.queries.weight"),
            Rule(
                attention + r"0\.fn\.fn\.to_kv\.net\.0\.weight",
                r"blocks.\1.attention.attend.keys_and_values.depthwise",
            ),
            Rule(
                attention + r"0\.fn\.fn\.to_kv\.net\.1\.weight",
                r"blocks.\1.attention.attend.keys_and_values.pointwise.weight",
            ),
            Rule(attention + r"0\.fn\.fn\.to_out\.(weight|bias)", r"blocks.\1.attention.attend.out.\2"),
            Rule(attention + r"1\.fn\.norm\.g", r"blocks.\1.attention.feed.norm.gain"),
            Rule(attention + r"1\.fn\.norm\.b", r"blocks.\1.attention.feed.norm.bias"),
            Rule(attention + r"1\.fn\.fn\.0\.(weight|bias)", r"blocks.\1.attention.feed.wide.\2"),
            Rule(attention + r"1\.fn\.fn\.2\.(weight|bias)", r"blocks.\1.attention.feed.narrow.\2"),
            *((Rule(rf"({others})\..*", None, note=OTHERS),) if others else ()),
        ),
    )


AVERAGE = _published("lucidrains, moving average", r"SE\.", r"GE\.", r"S|G|D|D_aug|D_cl")
TRAINED = _published("lucidrains, without a moving average", r"S\.", r"G\.", r"D|D_aug|D_cl")
ALONE = _published("lucidrains, synthesis network alone", r"S\.", r"", r"")

LAYOUTS = (OWN, AVERAGE, TRAINED, ALONE)
