"""Hundreds of damaged files: they may only raise CheckpointError, and no code may run.

The hostile pickle among them leaves a mark if any damage to it makes it run, and so does the source code
in NVIDIA's files. Nothing is written, and memory stays within bounds.
"""

from __future__ import annotations

import io
import os
import pickle
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoint_files as files
import numpy as np
import pytest
import torch
from ganstrata.core.checkpoints import Checkpoint, read_checkpoint, read_npy
from ganstrata.core.errors import CheckpointError
from hostile_archives import altered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

KINDS = ("safetensors", "zip", "legacy", "nvidia", "nvidia legacy", "tensorflow", "npy", "hostile")
MEMORY = 400 * 2**20  # bytes that reading files of some kilobytes may add


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def original(kind: str, folder: Path) -> bytes:
    tensors = {
        "mapping.fc0.weight": torch.arange(12.0).reshape(3, 4),
        "b": torch.zeros(5, dtype=torch.float16),
        "c": torch.tensor(3),
    }
    arrays = {"4x4/Const/const": np.arange(6, dtype=np.float32).reshape(2, 3), "lod": np.float32(0)}
    path, source = folder / "original", files.hostile_source(folder / "it ran")
    if kind == "safetensors":
        save_file(tensors, path, metadata={"ganstrata": '{"licence": "MIT"}'})
    elif kind == "hostile":
        path.write_bytes(
            pickle.dumps({"w": Hostile(folder / "it ran"), "list": [1, 2.5, "three"]}, protocol=2)
        )
    elif kind.startswith("nvidia"):
        files.write_nvidia(
            path,
            {"G_ema": files.persistent(tensors, {"z_dim": 4}, source), "D": None},
            protocol=2 if "legacy" in kind else 4,
        )
    elif kind == "tensorflow":
        files.tensorflow(
            path, {"lod": arrays.pop("lod")}, {"synthesis": arrays}, {"resolution": 8}, source=source
        )
    elif kind == "npy":
        file = io.BytesIO()
        np.save(file, {"boundary": np.zeros((1, 4)), "meta": {"layers": "6-11"}}, allow_pickle=True)  # type: ignore[arg-type]
        path.write_bytes(file.getvalue())
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.unlink()
    return content


def sound(content: Any) -> None:
    """Check that the content is made of complete tensors; single bits of a weight may differ."""
    if isinstance(content, Checkpoint):
        for part in content.parts:
            for tensor in part.tensors.values():
                assert isinstance(tensor, torch.Tensor)
                assert tensor.double().sum() is not None


def fuzz(kind: str, folder: Path, count: int, seed: int) -> None:
    content = original(kind, folder)
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    path = folder / "damaged"
    read: Callable[[Path], Any] = read_npy if kind == "npy" else read_checkpoint
    before, imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, set(sys.modules)
    refused = good = 0
    for i in range(count):
        path.write_bytes(altered(content, rng))
        try:
            sound(read(path))
        except CheckpointError as error:
            refused += str(path) in str(error)
        except BaseException as error:
            failing = folder / f"case_{i}"
            path.rename(failing)
            raise AssertionError(f"{failing}: {type(error).__name__}: {error}") from error
        else:
            good += 1
    assert [entry.name for entry in folder.iterdir()] == ["damaged"], "nothing has run, nothing was written"
    assert not {
        name for name in set(sys.modules) - imported if name.startswith(("dnnlib", "torch_utils", "training"))
    }
    assert refused + good == count, "every message names the file"
    assert good == 0 or kind != "hostile"
    assert refused > count / 4, "the damage does not reach what matters"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    fuzz(kind, tmp_path, 75, seed=0)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files(tmp_path: Path, kind: str) -> None:
    fuzz(kind, tmp_path, 1300, seed=1)


NAMES = (
    "argparse.Namespace",
    "collections.OrderedDict",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._tensor._rebuild_from_type_v2",
    "torch.storage._load_from_bytes",
    "torch_utils.persistence._reconstruct_persistent_obj",
    "dnnlib.tflib.network.Network",
    "dnnlib.util.EasyDict",
    "torch.nn.modules.linear.Linear",
    "torch.float32",
    "builtins.getattr",
    "builtins.set",
    "_codecs.encode",
    "copyreg._reconstructor",
)
TEXTS = (
    "_modules",
    "_parameters",
    "_buffers",
    "_non_persistent_buffers_set",
    "state",
    "variables",
    "components",
    "static_kwargs",
    "G_ema",
    "f4",
    "<",
)
PIECES = [bytes([code]) for code in b")]}(tld012RboasueQ\x81\x85\x86\x87\x8f\x90\x91\x92\x93\x94N"]
KEYS = st.sampled_from(TEXTS).map(files.text)
LEAVES = st.one_of(
    KEYS,
    st.sampled_from(NAMES).map(files.named),
    st.sampled_from(
        [
            files.storage(torch.arange(4.0)),
            b"C\x08" + bytes(8),
            b"K\x00",
            b"K\x02",
            b"J\xff\xff\xff\xff",
            b"N",
            b"\x88",
            b"G" + bytes(8),
        ]
    ),
    st.sampled_from([b")", b"]", b"}", b"K\x02\x85", b"K\x01\x85", b"U\x02ab", b"K\x00\x85U\x01b"]),
)


def grown(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return operations that push one value, built from programs for smaller ones."""
    calls = st.builds(
        lambda name, args: files.named(name) + args + b"R",
        st.sampled_from(NAMES),
        inner.map(lambda value: value + b"\x85") | inner,
    )
    entries = st.lists(st.tuples(KEYS, inner), max_size=4)
    return st.one_of(
        calls,
        st.builds(lambda made, state: made + state + b"b", calls, inner),
        entries.map(lambda pairs: b"}" + b"".join(key + value + b"s" for key, value in pairs)),
        st.lists(inner, max_size=6).map(lambda values: b"(" + b"".join(values) + b"t"),
        st.lists(inner, max_size=3).map(lambda values: b"]" + b"".join(value + b"a" for value in values)),
        st.builds(lambda value, piece: value + piece, inner, st.sampled_from(PIECES)),
    )


PROGRAMS = st.recursive(LEAVES, grown, max_leaves=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pickles")


def run(folder: Path, program: bytes, key: bytes) -> None:
    """Read a pickle whose program gives the value of a key."""
    (folder / "a").write_bytes(files.raw_pickle(b"}", key, program, b"s", protocol=4).ljust(16, b"\0"))
    try:
        sound(read_checkpoint(folder / "a"))
    except CheckpointError as error:
        refusal = str(error)
    else:
        refusal = str(folder / "a")
    assert str(folder / "a") in refusal
    assert [entry.name for entry in folder.iterdir()] == ["a"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=PROGRAMS, key=KEYS)
def test_pickles_of_any_operations(folder: Path, program: bytes, key: bytes) -> None:
    run(folder, program, key)


@pytest.mark.full
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=st.lists(PROGRAMS | st.binary(max_size=3), max_size=4).map(b"".join), key=KEYS)
def test_many_pickles_of_any_operations(folder: Path, program: bytes, key: bytes) -> None:
    run(folder, program, key)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def expected(value: Any) -> Any:
    """Return a value as settings: tuples become lists, and bytes are left out."""
    if isinstance(value, dict):
        return {key: expected(item) for key, item in value.items() if not isinstance(item, bytes)}
    if isinstance(value, list | tuple):
        return [expected(item) for item in value if not isinstance(item, bytes)]
    return value


@settings(max_examples=100, deadline=None)
@given(value=VALUES, protocol=st.integers(2, 5))
def test_values_are_read_as_pickle_reads_them(folder: Path, value: Any, protocol: int) -> None:
    torch.save({"g_ema": {"w": torch.ones(1)}, "value": {"x": value}}, folder / "a", pickle_protocol=protocol)
    assert read_checkpoint(folder / "a").settings.get("value") == expected({"x": value})
