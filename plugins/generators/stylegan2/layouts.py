"""The names under which StyleGAN2 is published, each with the rules that lead to NVIDIA's PyTorch names."""

from __future__ import annotations

from ..shared.layouts import Layout, Rule

NVIDIA = Layout(
    "NVIDIA PyTorch",
    signature=(r"mapping\.fc0\.weight", r"synthesis\.b4\.conv1\.weight", r"synthesis\.b4\.torgb\.weight"),
    rules=(Rule(r"(mapping|synthesis)\.(.*)", r"\1.\2"),),
)

LAYOUTS = (NVIDIA,)
