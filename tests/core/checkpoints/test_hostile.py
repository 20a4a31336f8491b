"""Pickles that try to run code, or to exhaust memory or time, are refused, and nothing is run."""

from __future__ import annotations

import builtins
import functools
import io
import os
import pickle
import re
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkpoint_files as files
import numpy as np
import pytest
import torch
from checkpoint_files import inside, named, raw_pickle, text
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.errors import CheckpointError

VALUES = b"".join(
    [
        *(
            named("numpy.core.multiarray._reconstruct"),
            named("numpy.ndarray"),
            b"K\x00\x85U\x01b\x87R(K\x01K\x01\x85",
        ),
        *(
            named("numpy.dtype"),
            b"U\x02f4K\x00K\x01\x87R\x89U\x04" + np.array([1.5], "<f4").tobytes() + b"tb",
        ),
    ]
)


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content.ljust(16, b"\0"))
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


def calling(function: Callable[..., Any], *args: Any) -> Any:
    class Caller:
        def __reduce__(self) -> tuple[Any, ...]:
            return function, args

    return Caller()


def hostile(marker: Path) -> dict[str, tuple[Any, str]]:
    """Return the object in the file and the name that is refused, by case."""
    command = f"import os; os.mkdir({str(marker)!r})"
    mkdir = calling(os.mkdir, str(marker))
    return {
        "mkdir": (mkdir, f"{os.mkdir.__module__}.mkdir"),
        "system": (calling(os.system, f"mkdir {marker}"), f"{os.system.__module__}.system"),
        "eval": (calling(eval, f"__import__('os').mkdir({str(marker)!r})"), "builtins.eval"),
        "exec": (calling(exec, command), "builtins.exec"),
        "getattr": (calling(getattr, Path, "mkdir"), "builtins.getattr"),
        "partial": (functools.partial(os.mkdir, str(marker)), f"{os.mkdir.__module__}.mkdir"),
        "open": (
            calling(open, str(marker), "w"),
            f"{open.__module__}.open",
        ),  # io until Python 3.11, _io since
        "import": (calling(builtins.__import__, "os"), "builtins.__import__"),
        "chain": (calling(calling, mkdir), f"{os.mkdir.__module__}.mkdir"),
        "load": (calling(pickle.loads, pickle.dumps(mkdir)), "_pickle.loads"),
        "torch.load": (calling(torch.load, io.BytesIO(b"")), "torch.serialization.load"),
        "hub": (calling(torch.hub.load, "a/b", "c"), "torch.hub.load"),
        "numpy.load": (calling(np.load, str(marker)), "numpy.load"),
        "payload": (calling(torch.storage._load_from_bytes, inside(mkdir)), f"{os.mkdir.__module__}.mkdir"),
        "payload in payload": (
            calling(
                torch.storage._load_from_bytes, inside(calling(torch.storage._load_from_bytes, inside(mkdir)))
            ),
            "torch.storage._load_from_bytes",
        ),
    }


CASES = sorted(hostile(Path("x")))


@pytest.mark.parametrize("place", ["alone", "beside", "deep", "inside a network"])
@pytest.mark.parametrize("case", CASES)
def test_a_name_that_runs_something_is_refused_by_name(tmp_path: Path, case: str, place: str) -> None:
    marker = tmp_path / "it ran"
    content, name = hostile(marker)[case]
    if place == "inside a network":
        network = files.persistent({"a.weight": torch.ones(2)})
        network.extra = content
        path = files.write_nvidia(tmp_path / "a", {"G_ema": network}, protocol=4)
    else:
        path = tmp_path / "a"
        path.write_bytes(
            pickle.dumps(
                {"alone": content, "beside": {"w": 1, "x": content}, "deep": [[({"a": content},)]]}[place]
            )
        )
    message = refused(path, path.read_bytes())
    assert f"it names {name}" in message
    assert "Nothing was run" in message
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "nt.system",
        "builtins.eval",
        "collections.OrderedDict.update",
        "numpy.f2py.compile",
        "a.b\x1b[2J",
    ],
)
@pytest.mark.parametrize("form", ["global", "stack", "instance", "object", "new", "unused"])
def test_every_way_to_use_a_name(tmp_path: Path, name: str, form: str) -> None:
    module, _, last = name.rpartition(".")
    on_stack = text(module) + text(last) + b"\x93"
    forms = {
        "global": named(name) + text("true") + b"\x85R",
        "stack": on_stack + text("true") + b"\x85R",
        "instance": b"(" + text("true") + b"i" + f"{module}\n{last}\n".encode(),
        "object": b"(" + on_stack + text("true") + b"o",
        "new": on_stack + b")\x81",
        "unused": b"N" + on_stack + b"0",
    }
    message = refused(tmp_path / "a", raw_pickle(forms[form], protocol=4))
    assert f"it names {name.replace(chr(27), chr(92) + 'x1b')}, which no network's weights need" in message
    assert "\x1b" not in message


@pytest.mark.parametrize("attribute", ["__class__", "__dict__", "build", "make", "full", "name", "entries"])
@pytest.mark.parametrize(
    "target",
    ["argparse.Namespace", "collections.OrderedDict", "torch.nn.modules.linear.Linear", "numpy.dtype"],
)
def test_a_state_sets_nothing(tmp_path: Path, attribute: str, target: str) -> None:
    """The name in the pickle decides what is stored, whether the state is a dictionary or (dict, slots)."""
    state = b"}" + text(attribute) + named("torch.nn.modules.linear.Linear") + b"s"
    args = b"U\x02f4\x85" if "dtype" in target else b")"
    for form in (state, state + state + b"\x86"):
        operations = b"}" + text("x") + named(target) + args + b"R" + form + b"bs" + text("w") + VALUES + b"s"
        (tmp_path / "a").write_bytes(raw_pickle(operations))
        checkpoint = read_checkpoint(tmp_path / "a")
        assert checkpoint.tensors["w"].tolist() == [1.5]
        assert checkpoint.container == "pickle"


def test_setstate_of_a_class_is_not_called(tmp_path: Path) -> None:
    class Namespace:
        def __setstate__(self, state: Any) -> None:
            raise AssertionError("code of the class has run")

    namespace = Namespace()
    namespace.a = 1  # type: ignore[attr-defined]
    with files.pretending(timm__models__Namespace=Namespace):
        torch.save({"state_dict": {"w": torch.ones(2)}, "args": namespace}, tmp_path / "a.pt")
        assert read_checkpoint(tmp_path / "a.pt").tensors["w"].tolist() == [1, 1]


def test_nothing_that_is_named_is_imported(tmp_path: Path) -> None:
    before = set(sys.modules)
    content = (
        b"}"
        + text("x")
        + named("timm.models.layers.Conv")
        + b")\x81s"
        + text("y")
        + named("mmcv.runner.Runner")
        + b")Rs"
    )
    refused(tmp_path / "a", raw_pickle(content))
    assert not {name for name in set(sys.modules) - before if name.startswith(("timm", "mmcv"))}


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (b"\x82\x01", "asks for names by number"),
        (b"\x83\x01\x00", "asks for names by number"),
        (b"\x84\x01\x00\x00\x00", "asks for names by number"),
        (b"NQ", "asks for objects that are not in it"),
        (b"\x97", "asks for data that are not in it"),
        (b"N\x98", "asks for data that are not in it"),
        (b"Pabc\n", "there is no operation 80"),
        (b"]N\x85R", "calls something that it has made itself"),
        (b"}]NN\x87R", "makes no sense|calls"),
        (named("argparse.Namespace") + b")}" + text("a") + b"Ns\x92", "calls with keywords"),
        (
            named("torch._utils._rebuild_tensor_v2") + b"(NK\x00K\x01\x85K\x01\x85tR",
            "a tensor without numbers",
        ),
        (named("torch._utils._rebuild_parameter") + b"N\x85R", "a parameter that is not a tensor"),
        (
            named("torch._tensor._rebuild_from_type_v2") + b"(" + named("collections.OrderedDict") + b"N)NtR",
            "not made by a function of torch",
        ),
        (b"\x8b\xff\xff\xff\x7f", "has a number of 2147483647 bytes"),
        (b"\x8b\xff\xff\xff\xff", "has a number of -1 bytes"),
        (b"\x8e" + struct.pack("<Q", 2**63), "claims 9223372036854775808 bytes"),
        (b"B\xff\xff\xff\xff", "claims 4294967295 bytes"),
        (b"\x8d" + struct.pack("<Q", 2**64 - 1), "claims 18446744073709551615 bytes"),
        (b"\x96" + struct.pack("<Q", 2**40), "claims 1099511627776 bytes"),
        (b"\x95" + struct.pack("<Q", 2**40), "claims 1099511627776 bytes"),
        (b"\x80\x06", "protocol 6"),
        (b"h\x07", "makes no sense"),
        (b"t", "takes more than it has"),
        (b"c" + b"a" * 2000 + b"\nb\n", "there is no name"),
    ],
)
def test_operations_that_no_checkpoint_has(tmp_path: Path, operations: bytes, message: str) -> None:
    assert re.search(message, refused(tmp_path / "a", raw_pickle(operations, protocol=4)))


@pytest.mark.parametrize(
    ("dtype", "shape", "data", "message"),
    [
        ("O", (1,), b"\0" * 8, "array of type 'O'"),
        ("O8", (), b"\0" * 8, "array of type 'O8'"),
        ("V8", (1,), b"\0" * 8, "array of type 'V8'"),
        ("f4", (1000,), b"\0" * 8, "claim more than|but the file has"),
        ("f4", (2**40,), b"\0" * 8, "claim more than"),
        ("f4", (-1,), b"\0" * 4, "an array of shape"),
        ("f4", (2**50,), b"\0" * 4, "an array of shape"),
        ("f4,f4", (1,), b"\0" * 8, "array of type"),
        ("U0", (5,), b"", "empty texts"),
        ("c8", (1,), b"\0" * 8, "array of type"),
        ("import os", (1,), b"\0" * 8, "array of type"),
    ],
)
def test_arrays_that_are_none(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], data: bytes, message: str
) -> None:
    sizes = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in shape) + b"t"
    array = named("numpy._core.multiarray._reconstruct") + named("numpy.ndarray") + b"K\x00\x85U\x01b\x87R"
    state = (
        b"(K\x01"
        + sizes
        + named("numpy.dtype")
        + text(dtype)
        + b"\x89\x88\x87R\x89B"
        + struct.pack("<I", len(data))
        + data
        + b"tb"
    )
    assert re.search(
        message, refused(tmp_path / "a", raw_pickle(b"}" + text("w") + array + state + b"s", protocol=4))
    )
