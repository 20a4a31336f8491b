"""Distributions of plugins in a folder, as pip would install them."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from ganstrata.core.plugins.registry import Registry

GOOD = """
from ganstrata import hookimpl

@hookimpl
def ganstrata_register_scorers(register):
    register("{name}", "{module}:{target}", "one line")
"""
SCORER = """
import ganstrata

class Mine(ganstrata.Scorer):
    concepts = (ganstrata.Concept("x", "object"),)

    def score(self, rendering):
        return rendering.images.mean(dim=(2, 3))[:, :1]
"""


class Folder:
    """Distributions in a folder that is on sys.path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def install(self, distribution: str, module: str, source: str, *, entry: str | None = None) -> Path:
        """Install a distribution with one entry point; `entry` may hold more, as further lines."""
        file = self.path / f"{module}.py"
        file.write_text(source)
        info = self.path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ganstrata]\n{entry or module} = {module}\n")
        return file

    def registry(self) -> Registry:
        return Registry([point for d in distributions(path=[str(self.path)]) for point in d.entry_points])


def good(name: str, module: str, target: str = "Mine") -> str:
    return GOOD.format(name=name, module=module, target=target)
