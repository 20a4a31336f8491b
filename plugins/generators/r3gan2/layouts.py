"""Define the layouts in which R3GAN2 is stored, with rules that translate their tensor names."""

from __future__ import annotations

from ..shared.layouts import Layout, Rule

OWN = Layout(
    "ganstrata",
    signature=(r"head\.basis", r"head\.linear", r"stages\.0\.blocks\.0\.alpha", r"output"),
    rules=(Rule(r"((head|stages)\..*|embed|output|gain)", r"\1"),),
)

_PREFIX = r"(?:Model\.)?"  # of the wrapper that is pickled
_BLOCK = _PREFIX + r"MainLayers\.(\d+)\.Layers\.(\d+)\."
_AT = r"stages.\1.blocks.\2."

PUBLISHED = Layout(
    "R3GAN2",
    signature=(
        _PREFIX + r"Head\.LinearLayer1\.Weight\.Weight",
        _PREFIX + r"Head\.LinearLayer2\.Basis\.Weight",
        _PREFIX + r"MainLayers\.0\.ParametrizedAlphas\.0\.Value",
        _PREFIX + r"AggregationLayer\.Weight\.Weight",
    ),
    absent=(_PREFIX + r"ExtractionLayer\..*", _PREFIX + r"MappingLayer\..*"),
    rules=(
        Rule(_PREFIX + r"EmbeddingLayer\.Weight\.Weight", "embed"),
        Rule(_PREFIX + r"Head\.LinearLayer1\.Weight\.Weight", "head.linear"),
        Rule(_PREFIX + r"Head\.LinearLayer2\.Basis\.Weight", "head.basis"),
        Rule(_PREFIX + r"Head\.LinearLayer3\.Weight\.Weight", "head.conv"),
        Rule(_PREFIX + r"Head\.Resampler\.Kernel", "head.kernel"),
        Rule(_BLOCK + r"LinearLayer([123])\.Weight\.Weight", _AT + r"conv\3"),
        Rule(_BLOCK + r"QKVLayer\.Weight\.Weight", _AT + "qkv"),
        Rule(_BLOCK + r"ProjectionLayer\.Weight\.Weight", _AT + "projection"),
        Rule(_BLOCK + r"Sinks", _AT + "sinks"),
        Rule(_BLOCK + r"RoPE\.periods", _AT + "periods"),
        Rule(_PREFIX + r"MainLayers\.(\d+)\.ParametrizedAlphas\.(\d+)\.Value", _AT + "alpha"),
        Rule(
            _PREFIX + r"TransitionLayers\.(\d{1,4})\.Resampler\.Kernel",
            lambda match: f"stages.{int(match[1]) + 1}.up.kernel",
        ),
        Rule(_PREFIX + r"AggregationLayer\.Weight\.Weight", "output"),
        Rule(_PREFIX + r"Gain", "gain"),
    ),
)

LAYOUTS = (OWN, PUBLISHED)
