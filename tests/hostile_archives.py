"""Hostile pickles in the files that torch and NVIDIA write, and zip archives that lie."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
from hostile_pickles import Pickles, legacy, real
from pickle_operations import whole


def archive(rng: np.random.Generator, members: Mapping[str, bytes]) -> bytes:
    """A zip archive whose members are packed in any way, and which may lie."""
    file = io.BytesIO()
    method = [0, 0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2][rng.integers(5)]
    with zipfile.ZipFile(file, "w", method) as written:
        for name, content in members.items():
            written.writestr(_dated(name, method), content)
        if rng.random() < 0.1:
            for i in range(int(10 ** rng.uniform(1, 3.5))):
                written.writestr(_dated(f"a/{i}" + "x" * int(10 ** rng.uniform(0, 3)), method), b"")
    content = bytearray(file.getvalue())
    if rng.random() < 0.2:
        at = int(rng.integers(max(0, len(content) - 300), len(content) - 4))
        content[at : at + 4] = int(rng.integers(2**32)).to_bytes(4, "little")
    return bytes(content)


def _dated(name: str, method: int) -> zipfile.ZipInfo:
    """A member with a fixed date, because a seed makes the same bytes at any time."""
    member = zipfile.ZipInfo(name)
    member.compress_type = method
    return member


def pickles_of(rng: np.random.Generator, *, beside: bool = True) -> Pickles:
    """Few or many of whose values are wrong: a file with one fault is read farther than one with many."""
    return Pickles(rng, (0.0, 0.01, 0.03, 0.15)[rng.integers(4)], beside=beside)


def torch_zip(rng: np.random.Generator) -> bytes:
    """A file of torch."""
    pickles = pickles_of(rng)
    members = {"a/data.pkl": whole(pickles.content()), "a/byteorder": b"little", "a/version": b"3\n"}
    members |= {f"a/data/{i}": bytes(16) for i in range(3)}
    if rng.random() < 0.1:
        members["a/data/0"] = bytes(int(10 ** rng.uniform(5, 7.5)))
    return archive(rng, members)


def torch_legacy(rng: np.random.Generator) -> bytes:
    """A file of torch of before its archives."""
    pickles = pickles_of(rng)
    return legacy(pickles, pickles.content())


def plain_pickle(rng: np.random.Generator) -> bytes:
    """A pickle of NVIDIA's, or of anybody's."""
    return whole(pickles_of(rng, beside=False).content(), protocol=int(rng.integers(2, 6)))


def damaged(rng: np.random.Generator) -> bytes:
    """A sound file with a few bytes changed."""
    content = bytearray(real(("zip", "legacy", "pickle")[rng.integers(3)]))
    for _ in range(int(rng.integers(1, 6))):
        content[rng.integers(len(content))] = int(rng.integers(256))
    return bytes(content)


def altered(content: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes, mostly near the beginning with the structure; or cut, double or drop a chunk."""
    data = bytearray(content)
    what = rng.integers(6)
    if what == 0:
        return bytes(data[: rng.integers(len(data))])
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 40))
    if what == 1:
        return bytes(data[:at] + data[at + length :])
    if what == 2:
        return bytes(data[:at] + data[at : at + length] * 2 + data[at + length :])
    span = len(data) if what == 3 else min(len(data), 600)
    for _ in range(int(rng.integers(1, 9))):
        i = int(rng.integers(span))
        data[i] = int(rng.integers(256)) if what == 4 else data[i] ^ (1 << int(rng.integers(8)))
    return bytes(data)
