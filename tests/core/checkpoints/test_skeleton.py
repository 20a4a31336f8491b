"""Networks built to compare a file with them occupy no memory, and import nothing that takes long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ganstrata.core.checkpoints.skeleton import shapes_only
from torch import nn

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
EVERY_FAMILY = """
import sys
sys.path.insert(0, sys.argv[1])
from checkpoints import FAMILIES
from ganstrata.core.checkpoints.skeleton import shapes_only
for name, family in FAMILIES.items():
    with shapes_only():
        network = family.architecture(True).build()
    for key, tensor in network.state_dict().items():
        assert tensor.is_meta, (name, key)
    slow = {"torch._dynamo", "sympy"} & set(sys.modules)
    assert not slow, (name, slow)
import ganstrata
ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
for scorer in ("category", "layout", "attribute", "segmentation"):
    ganstrata.load_scorer(scorer, checkpoint="bundled:rooms", device="cpu")
print(sorted({"torch._dynamo", "sympy"} & set(sys.modules)))
"""


def test_no_family_imports_what_takes_a_second_or_allocates() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERY_FAMILY, str(BENCHMARKS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr[-2000:]


class Drawn(nn.Module):
    """Draw tensors in every way that the networks do."""

    def __init__(self, n: int) -> None:
        super().__init__()
        generator = torch.Generator()
        self.normal = nn.Parameter(torch.normal(0.0, 2.0, (n, 3)))
        self.named = nn.Parameter(torch.normal(mean=0.0, std=2.0, size=(3, n), generator=generator))
        self.randn = nn.Parameter(torch.randn(n, 2, dtype=torch.float64))
        self.tuple = nn.Parameter(torch.randn((n, 2)))
        self.rand = nn.Parameter(torch.rand(n, generator=generator))
        self.square, self.oblong = nn.Parameter(torch.eye(n)), nn.Parameter(torch.eye(n, 4))


def test_shapes_and_types_are_those_of_the_network() -> None:
    with shapes_only():
        sketched = Drawn(5)
    expected = {name: (tuple(t.shape), t.dtype) for name, t in Drawn(5).state_dict().items()}
    assert {name: (tuple(t.shape), t.dtype) for name, t in sketched.state_dict().items()} == expected
    assert all(tensor.is_meta for tensor in sketched.state_dict().values())


def test_sizes_beyond_the_memory_cost_nothing() -> None:
    with shapes_only():
        network = Drawn(2**20)
    assert network.square.nbytes == 2**42
    assert tuple(network.named.shape) == (3, 2**20)


def test_outside_numbers_are_drawn_again() -> None:
    with pytest.raises(RuntimeError, match="negative"), shapes_only():
        torch.randn(-1)
    assert torch.normal(0.0, 1.0, (100,)).std() > 0.5
