"""Define the layouts in which R3GAN is published, with rules that translate their tensor names."""

from __future__ import annotations

from ..shared.layouts import Layout, Rule

OWN = Layout(
    "ganstrata",
    signature=(r"basis\.pattern", r"basis\.linear\.weight", r"stages\.0\.blocks\.0\.conv2\.weight"),
    rules=(Rule(r"((embed|basis|stages|rgb)\..*)", r"\1"),),
)

_PREFIX = r"(?:Model\.)?"  # of the wrapper that is pickled
_BLOCK = _PREFIX + r"MainLayers\.(\d+)\.Layers\.(\d+)\."


PUBLISHED = Layout(
    "R3GAN",
    signature=(
        _PREFIX + r"MainLayers\.0\.Layers\.0\.Basis",
        _PREFIX + r"MainLayers\.0\.Layers\.1\.LinearLayer2\.Layer\.weight",
        _PREFIX + r"AggregationLayer\.Layer\.weight",
    ),
    absent=(_PREFIX + r"ExtractionLayer\..*",),
    rules=(
        Rule(_PREFIX + r"EmbeddingLayer\.weight", "embed.weight"),
        Rule(_PREFIX + r"AggregationLayer\.Layer\.weight", "rgb.weight"),
        Rule(_PREFIX + r"MainLayers\.0\.Layers\.0\.Basis", "basis.pattern"),
        Rule(_PREFIX + r"MainLayers\.0\.Layers\.0\.LinearLayer\.weight", "basis.linear.weight"),
        Rule(_PREFIX + r"MainLayers\.(\d+)\.Layers\.0\.Resampler\.Kernel", r"stages.\1.up.kernel"),
        Rule(
            _PREFIX + r"MainLayers\.(\d+)\.Layers\.0\.LinearLayer\.Layer\.weight", r"stages.\1.up.conv.weight"
        ),
        Rule(
            _BLOCK + r"LinearLayer([123])\.Layer\.weight",
            lambda m: f"stages.{m[1]}.blocks.{int(m[2]) - 1}.conv{m[3]}.weight",
        ),
        Rule(
            _BLOCK + r"NonLinearity([12])\.Bias", lambda m: f"stages.{m[1]}.blocks.{int(m[2]) - 1}.bias{m[3]}"
        ),
    ),
)

LAYOUTS = (OWN, PUBLISHED)
