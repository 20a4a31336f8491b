"""Define the layouts in which FastGAN is published, with rules that translate their tensor names."""

from __future__ import annotations

from ..shared.layouts import Layout, Rule

OWN = Layout(
    "ganstrata",
    signature=(r"init\.conv\.weight", r"init\.norm\.mean", r"output\.weight"),
    rules=(Rule(r"((init|blocks|excitations|output)\..*|embed)", r"\1"),),
)

AMBIGUOUS = "two"  # position 2 of a block is noise if it has two layers, else the scale of a normalisation
_FEAT, _SE = r"(?:synthesis\.)?feat_(\d{1,5})\.", r"(?:synthesis\.)?se_(\d{1,5})\.main\."
_CONVOLUTIONS = {"1": "first", "5": "second", "conv": "first", "conv1": "first", "conv2": "second"}
_NORMS = {"2": "first", "3": "first", "7": "second", "bn": "first", "bn1": "first", "bn2": "second"}
_STATISTICS = {
    "weight": "scale",
    "bias": "shift",
    "running_mean": "mean",
    "running_var": "variance",
    "stored_mean": "mean",
    "stored_var": "variance",
}
_WEIGHT = r"\.(?:weight(?:_orig)?|parametrizations\.weight\.original)"
_VECTOR = r"\.(?:weight|parametrizations\.weight\.0\.)_([uv])"


def _weights(pattern: str, name: str, *, groups: int) -> tuple[Rule, ...]:
    """Return the rules of a weight and the vectors of its spectral norm; `pattern` has so many groups."""
    return (
        Rule(pattern + _WEIGHT, f"{name}.weight"),
        Rule(pattern + _VECTOR, rf"{name}.\{groups + 1}"),
    )


_CONDITION = _FEAT + r"bn([12]?)\.(gain|bias)"


def _condition(size: str, number: str, kind: str) -> str:
    """Return the name of an affine map of the class vector."""
    layer, own = "second" if number == "2" else "first", "gain" if kind == "gain" else "offset"
    return f"blocks.{size}.{layer}.norm.{own}"


def _meanings(name: str) -> tuple[str, ...]:
    """Return the names that one of the rules' may stand for: see architecture.examine()."""
    block, ambiguous, _ = name.partition(AMBIGUOUS)
    return (f"{block}noise", f"{block}norm.scale") if ambiguous else (name,)


_RULES = (
    *_weights(r"(?:synthesis\.)?init\.init\.0", "init.conv", groups=0),
    Rule(
        r"(?:synthesis\.)?init\.init\.1\.(weight|bias|running_mean|running_var)",
        lambda m: f"init.norm.{_STATISTICS[m[1]]}",
    ),
    Rule(r"(?:.*\.)?num_batches_tracked", None),
    Rule(_FEAT + r"2\.weight", rf"blocks.\1.first.{AMBIGUOUS}"),
    Rule(_FEAT + r"6\.weight", r"blocks.\1.second.noise"),
    Rule(_FEAT + r"noise\.weight", r"blocks.\1.noise"),
    Rule(
        _FEAT + r"(1|5|conv|conv1|conv2)" + _WEIGHT,
        lambda m: f"blocks.{m[1]}.{_CONVOLUTIONS[m[2]]}.conv.weight",
    ),
    Rule(
        _FEAT + r"(1|5|conv|conv1|conv2)" + _VECTOR,
        lambda m: f"blocks.{m[1]}.{_CONVOLUTIONS[m[2]]}.conv.{m[3]}",
    ),
    Rule(
        _FEAT + r"([237]|bn[12]?)\.(weight|bias|running_mean|running_var|stored_mean|stored_var)",
        lambda m: f"blocks.{m[1]}.{_NORMS[m[2]]}.norm.{_STATISTICS[m[3]]}",
    ),
    Rule(_CONDITION + _WEIGHT, lambda m: f"{_condition(m[1], m[2], m[3])}.weight"),
    Rule(_CONDITION + _VECTOR, lambda m: f"{_condition(m[1], m[2], m[3])}.{m[4]}"),
    Rule(_CONDITION + r"\.bias", lambda m: f"{_condition(m[1], m[2], m[3])}.bias"),
    *_weights(_SE + "1", r"excitations.\1.squeeze", groups=1),
    *_weights(_SE + "3", r"excitations.\1.excite", groups=1),
    *_weights(r"(?:synthesis\.)?to_big", "output", groups=0),
    Rule(r"(?:synthesis\.)?to_big\.bias", "output.bias"),
    Rule(r"(?:synthesis\.)?embed\.weight", "embed"),
    # The second, small picture, which only the discriminator sees.
    Rule(r"to_(128|small)\..*", None),
)
_SIGNATURE = (
    r"(?:synthesis\.)?init\.init\.0" + _WEIGHT,
    r"(?:synthesis\.)?feat_8\.(1|conv|conv1)" + _WEIGHT,
    r"(?:synthesis\.)?to_big" + _WEIGHT,
)

PROJECTED = Layout(
    "projected-gan", signature=(*_SIGNATURE, r"(?:synthesis\.)?to_big\.bias"), rules=_RULES, either=_meanings
)
PUBLISHED = Layout(
    "FastGAN",
    signature=_SIGNATURE,
    absent=(r"(?:synthesis\.)?to_big\.bias", r"synthesis\..*"),
    rules=_RULES,
    either=_meanings,
)

LAYOUTS = (OWN, PROJECTED, PUBLISHED)
