"""Small files that would exhaust memory, time or the C stack are refused within seconds."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from checkpoint_files import named, raw_pickle, storage, text
from ganstrata.core.checkpoints import read_checkpoint
from refusals import refused

MANY = 300_000  # operations, far deeper than the C stack; seven times as many are allowed


def nested_modules() -> bytes:
    """Return sixty modules, each contained twice in the next: 2^60 tensors."""

    def module(children: bytes) -> bytes:
        return (
            b"h\x00)\x81}("
            + text("_modules")
            + b"}"
            + children
            + text("_parameters")
            + b"}"
            + text("_buffers")
            + b"}ub"
        )

    content = named("torch.nn.modules.linear.Linear") + b"q\x00" + module(b"")
    for i in range(60):
        at = struct.pack("<I", 10 + i)
        content += b"r" + at + b"0" + module(b"(" + text("a") + b"j" + at + text("b") + b"j" + at + b"u")
    return content


NAMESPACE = named("argparse.Namespace") + b"q\x00"
PAIR = text("a") + b"N\x86"
BOMBS = {
    "tuples in tuples": b")" + b"\x85" * MANY,
    "lists in lists": b"]" * (MANY // 2) + b"a" * (MANY // 2 - 1),
    "dictionaries in dictionaries": b"}K\x00" * (MANY // 4) + b"}" + b"s" * (MANY // 4),
    "objects in objects": NAMESPACE + b"N" + b"h\x00)\x81" * (MANY // 5) + b"b" * (MANY // 5 - 1),
    "marks": b"(" * MANY,
    "pairs of themselves as a key": b"}N" + b"2\x86" * 100 + b"Ns",
    "pairs of themselves as a setting": b"}" + text("a") + b"N" + b"2\x86" * 60 + b"s" + text("w") + b"Ns",
    "lists of themselves": b"}" + text("a") + b"]q\x00h\x00ah\x00as",
    "a place in memory": b"Nr\xff\xff\xff\xff",
    "steps": b"N0" * 2_000_000,
    "numbers that hash alike": b"}("
    + b"".join(b"\x8a\x0c" + (i * (2**61 - 1)).to_bytes(12, "little") + b"N" for i in range(1, 100_000))
    + b"u",
    "copies of a list": named("collections.OrderedDict")
    + b"q\x00("
    + PAIR * 50_000
    + b"tq\x01"
    + b"h\x00h\x01\x85R" * 100_000,
    "copies of text": named("_codecs.encode")
    + b"q\x00"
    + text("a" * 10**6)
    + b"q\x01"
    + b"h\x00h\x01\x85R" * 100_000,
    "modules in modules": nested_modules(),
}


SLOW = ("lists of themselves",)  # it takes most of the time that all bombs take


@pytest.mark.parametrize(
    "bomb", [pytest.param(bomb, marks=pytest.mark.full) if bomb in SLOW else bomb for bomb in BOMBS]
)
def test_bombs(tmp_path: Path, bomb: str) -> None:
    refused(tmp_path / "a", raw_pickle(BOMBS[bomb]))


def tensor_of(data: bytes, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x09" + n.to_bytes(9, "little", signed=True) for n in values) + b"t"

    return (
        named("torch._utils._rebuild_tensor_v2")
        + b"("
        + data
        + numbers((offset,))[1:-1]
        + numbers(size)
        + numbers(stride)
        + b"\x89}tR"
    )


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ((5,), (1,), 0),
        ((2,), (4,), 0),
        ((4,), (1,), 1),
        ((4,), (1,), -1),
        ((2, 2), (2,), 0),
        ((10**6, 10**6), (0, 0), 0),
        ((2**60,), (1,), 0),
        ((-4,), (1,), 0),
        ((2,), (-1,), 3),
        ((2**32, 2**32), (0, 0), 0),
        ((1,) * 17, (1,) * 17, 0),
        ((0, 2**47, 2**47), (1, 1, 1), 0),
    ],
)
def test_tensors_that_claim_more_than_they_have(
    tmp_path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int
) -> None:
    numbers = storage(torch.zeros(4))
    good = raw_pickle(b"}" + text("w") + tensor_of(numbers, (2, 2), (2, 1)) + b"s", protocol=3)
    (tmp_path / "good").write_bytes(good)
    assert read_checkpoint(tmp_path / "good").tensors["w"].tolist() == [[0, 0], [0, 0]]
    refused(
        tmp_path / "a",
        raw_pickle(b"}" + text("w") + tensor_of(numbers, size, stride, offset) + b"s", protocol=3),
    )


def test_many_views_of_the_same_numbers(tmp_path: Path) -> None:
    whole = torch.zeros(100_000)
    torch.save({f"w{i}": whole for i in range(100)}, tmp_path / "a.pt")
    assert "claim more than" in refused(tmp_path / "a.pt", (tmp_path / "a.pt").read_bytes())
    torch.save({f"w{i}": whole for i in range(3)}, tmp_path / "a.pt")
    assert len(read_checkpoint(tmp_path / "a.pt").tensors) == 3
