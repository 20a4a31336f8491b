"""Define the layouts of lightweight-gan, with rules that translate their tensor names."""

from __future__ import annotations

from ..shared.layouts import OTHERS, Layout, Rule

EITHER = "either"  # what the name alone does not tell: see architecture.settled
_STATISTICS = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}
_NORM = r"(weight|bias|running_mean|running_var)"


def _meanings(name: str) -> tuple[str, ...]:
    """Return the names that one of the rules' may stand for: see architecture.settled()."""
    start, either, _ = name.partition(EITHER)
    if not either:
        return (name,)
    if start.endswith("attention."):
        return f"{start}queries.weight", f"{start}local_queries.weight"
    return f"{start}noise", f"{start}norm.scale"


OWN = Layout(
    "ganstrata",
    signature=(r"initial\.norm\.mean", r"layers\.0\.norm\.mean", r"output\.weight"),
    rules=(Rule(r"((initial|layers|output)\..*)", r"\1"),),
)


def _published(name: str, prefix: str, others: str) -> Layout:
    """Return the layout of one generator in a training file; tensors of `others` are not needed."""
    up, excitation = (prefix + rf"layers\.(\d{{1,3}})\.{i}\." for i in (0, 1))
    attention = prefix + r"layers\.(\d{1,3})\.2\."
    own = r"layers.\1.attention."
    return Layout(
        name,
        signature=(
            prefix + r"initial_conv\.0\.weight",
            prefix + r"layers\.0\.0\.2\.(1\.)?weight",
            prefix + r"out_conv\.weight",
        ),
        rules=(
            Rule(r".*\.num_batches_tracked", None),
            Rule(prefix + r"initial_conv\.0\.(weight|bias)", r"initial.\1"),
            Rule(prefix + r"initial_conv\.1\." + _NORM, lambda m: f"initial.norm.{_STATISTICS[m[1]]}"),
            Rule(up + r"0\.net\.0\.(weight|bias)", r"layers.\1.expand.\2"),
            Rule(up + r"1\.f", r"layers.\1.blur"),
            Rule(up + r"2\.(?:1\.)?(weight|bias)", r"layers.\1.conv.\2"),
            Rule(up + r"3\.weight", rf"layers.\1.{EITHER}"),
            Rule(up + r"[34]\." + _NORM, lambda m: f"layers.{m[1]}.norm.{_STATISTICS[m[2]]}"),
            Rule(excitation + r"to_k\.(weight|bias)", r"layers.\1.excitation.keys.\2"),
            Rule(excitation + r"dct_weights", r"layers.\1.excitation.frequencies"),
            Rule(excitation + r"net\.0\.(weight|bias)", r"layers.\1.excitation.squeeze.\2"),
            Rule(excitation + r"net\.2\.(weight|bias)", r"layers.\1.excitation.excite.\2"),
            Rule(attention + r"norm\.g", own + "norm.gain"),
            Rule(attention + r"norm\.b", own + "norm.bias"),
            Rule(attention + r"fn\.to_lin_q\.weight", own + "queries.weight"),
            Rule(attention + r"fn\.to_q\.weight", own + EITHER),
            Rule(attention + r"fn\.to_(?:lin_)?kv\.net\.0\.weight", own + "keys_and_values.depthwise"),
            Rule(attention + r"fn\.to_(?:lin_)?kv\.net\.1\.weight", own + "keys_and_values.pointwise.weight"),
            Rule(attention + r"fn\.to_kv\.weight", own + "local_keys_and_values.weight"),
            Rule(attention + r"fn\.to_out\.(weight|bias)", own + r"out.\2"),
            Rule(prefix + r"out_conv\.(weight|bias)", r"output.\1"),
            *((Rule(rf"({others})\..*", None, note=OTHERS),) if others else ()),
        ),
        either=_meanings,
    )


AVERAGE = _published("lucidrains, moving average", r"GE\.", r"G|D|D_aug")
TRAINED = _published("lucidrains, without a moving average", r"G\.", r"D|D_aug")
ALONE = _published("lucidrains, generator alone", r"", r"")

LAYOUTS = (OWN, AVERAGE, TRAINED, ALONE)
