"""Values in a pickle or a header that are deeply nested, huge or of a wrong type, wherever one is read."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from checkpoint_files import named, raw_pickle, storage, text
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.errors import CheckpointError
from refusals import refused
from safetensors.torch import save_file


def ladder(kind: str = "tuple", levels: int = 12) -> bytes:
    """Return operations that push a value of 10^12 values: each level holds the one before ten times."""
    content = b"K\x01"
    for i in range(levels):
        at = bytes([50 + i])
        again = (b"h" + at) * 10
        content += b"q" + at + b"0" + (b"(" + again + b"t" if kind == "tuple" else b"](" + again + b"e")
    return content


def place(name: str, **wrong: bytes) -> bytes:
    """Return operations that make a tensor, an array or a type, with some of its values replaced."""
    sizes, order = b"K\x02K\x02\x86", b"K\x02K\x01\x86"
    parts: dict[str, bytes]
    if name == "tensor":
        parts = {
            "storage": storage(torch.zeros(4)),
            "offset": b"K\x00",
            "size": sizes,
            "stride": order,
            "grad": b"\x89",
            "hooks": b"}",
        }
        return named("torch._utils._rebuild_tensor_v2") + b"(" + b"".join({**parts, **wrong}.values()) + b"tR"
    if name == "dtype":
        empty = named("numpy.dtype") + b"(" + wrong.pop("code", text("f4")) + b"\x89\x88tR"
        parts = {"version": b"K\x03", "order": text("<"), "names": b"N", "fields": b"N"}
    else:
        empty = named("numpy.core.multiarray._reconstruct") + named("numpy.ndarray") + b"K\x00\x85C\x01b\x87R"
        parts = {
            "version": b"K\x01",
            "shape": sizes,
            "dtype": place("dtype"),
            "fortran": b"\x89",
            "data": b"C\x10" + bytes(16),
        }
    return empty + b"(" + b"".join({**parts, **wrong}.values()) + b"tb"


PLACES = [
    *(("tensor", key) for key in ("storage", "offset", "size", "stride")),
    *(("array", key) for key in ("shape", "dtype", "fortran", "data")),
    ("dtype", "code"),
]
WRONG = {
    "a tuple without end": ladder(),
    "a list without end": ladder("list"),
    "a tuple of tuples without end": ladder() + b"\x85",
    "a long number": b"\x8a\x40" + b"\x7f" * 64,
    "long text": text("x\x1b" * 500_000),
    "many numbers": b"(" + b"K\x01" * 100_000 + b"t",
    "a name": named("collections.OrderedDict"),
}


def written(path: Path, built: bytes) -> bytes:
    """Return a pickle of a state dict with one entry, `w`."""
    content = raw_pickle(b"}" + text("g") + b"}" + text("w") + built + b"ss", protocol=3)
    path.write_bytes(content)
    return content


@pytest.mark.parametrize("name", ["tensor", "array"])
def test_what_is_right_is_read(tmp_path: Path, name: str) -> None:
    written(tmp_path / "a", place(name))
    assert read_checkpoint(tmp_path / "a").tensors["w"].shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (*place, value)
        for place in PLACES
        for value in WRONG
        if (place[1], value) != ("fortran", "a long number")
    ],  # which is true
)
def test_wrong_values_in_every_place(tmp_path: Path, name: str, key: str, value: str) -> None:
    built = (
        place("array", dtype=place("dtype", **{key: WRONG[value]}))
        if name == "dtype"
        else place(name, **{key: WRONG[value]})
    )
    refused(tmp_path / "a", written(tmp_path / "a", built))


@pytest.mark.parametrize("value", WRONG)
def test_an_order_of_bytes_that_is_none_is_that_of_this_machine(tmp_path: Path, value: str) -> None:
    written(tmp_path / "a", place("array", dtype=place("dtype", order=WRONG[value])))
    assert read_checkpoint(tmp_path / "a").tensors["w"].shape == (2, 2)


MAGIC = raw_pickle(b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"))
VERSION, SYSTEM = raw_pickle(b"M\xe9\x03"), raw_pickle(b"}")
KEY = [text("storage"), named("torch.FloatStorage"), text("0"), text("cpu"), b"K\x04", b"N"]


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("at", [0, 1, 2, 4, 5, "whole", "list"])
def test_storages_that_are_described_by_anything(tmp_path: Path, at: int | str, value: str) -> None:
    """Each part of a persistent id, the whole id, and the list of all storages."""
    key = b"(" + b"".join(WRONG[value] if i == at else part for i, part in enumerate(KEY)) + b"t"
    asks = raw_pickle(b"}" + text("w") + (WRONG[value] if at == "whole" else key) + b"Qs")
    keys = raw_pickle(b"]" + (WRONG[value] if at == "list" else text("0")) + b"a")
    refused(tmp_path / "a", MAGIC + VERSION + SYSTEM + asks + keys + struct.pack("<q", 4) + bytes(16))


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("at", range(4))
def test_files_of_torch_of_other_parts(tmp_path: Path, at: int, value: str) -> None:
    """In place of the magic number, the version, the system or the list of storages."""
    pickles = [MAGIC, VERSION, SYSTEM, raw_pickle(b"]"), raw_pickle(b"}")]
    pickles[at] = raw_pickle(WRONG[value])
    refused(tmp_path / "a", b"".join([*pickles[:3], pickles[4], pickles[3]]))


def test_numbers_that_are_given_twice(tmp_path: Path) -> None:
    asks = raw_pickle(b"}" + text("w") + b"(" + b"".join(KEY) + b"tQs")
    numbers = struct.pack("<q", 4) + bytes(16)
    content = (
        MAGIC + VERSION + SYSTEM + asks + raw_pickle(b"]" + text("0") + b"a" + text("0") + b"a") + numbers * 2
    )
    assert "given twice" in refused(tmp_path / "a", content)


MEGABYTE = b"B" + struct.pack("<I", 999_999) + bytes(999_999)
CALLS = {
    "a text of a megabyte": (
        named("numpy.core.multiarray.scalar"),
        named("numpy.dtype") + text("S999999") + b"\x85R" + MEGABYTE + b"\x86",
    ),
    "a list of arguments": (named("argparse.Namespace"), b"](" + b"N" * 50_000 + b"e"),
    "arguments of a function": (named("torch.Size"), b"(" + b"N" * 50_000 + b"t"),
    "arguments of a tensor": (
        named("torch._tensor._rebuild_from_type_v2"),
        b"(" + named("torch._utils._rebuild_tensor_v2") + b"N(" + b"N" * 50_000 + b"tt",
    ),
    "a long name": (named("builtins.getattr"), named("mmengine.a.b") + text("x" * 1_000_000) + b"\x86"),
    "a tensor without numbers": (
        named("torch._utils._rebuild_tensor_v2"),
        b"(" + storage(torch.zeros(4)) + b"K\x00K\x00\x85K\x01\x85\x89}t",
    ),
    "an array without numbers": (
        named("numpy._core.numeric._frombuffer"),
        b"(C\x00" + place("dtype") + b"K\x00\x85" + text("C") + b"t",
    ),
    "text in another form": (named("_codecs.encode"), text("é" * 400_000) + text("utf-8") + b"\x86"),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_that_cost_much_again_and_again(tmp_path: Path, name: str) -> None:
    what, args = CALLS[name]
    refused(
        tmp_path / "a",
        raw_pickle(what + b"q\x010" + args + b"q\x020](" + b"h\x01h\x02R" * 150_000 + b"e", protocol=4),
    )


def test_source_that_many_networks_share(tmp_path: Path) -> None:
    """The hash of each network's source is computed; all networks may share one text of ten megabytes."""
    parameters = b"}" + text("w") + place("tensor") + b"s"
    state = b"}(" + text("_modules") + b"}" + text("_parameters") + parameters + b"u"
    meta = b"}(" + text("module_src") + text("x" * 10_000_000) + text("state") + state + b"u"
    network = named("torch_utils.persistence._reconstruct_persistent_obj") + meta + b"\x85Rq\x010"
    parts = b"".join(text(f"g{i}") + b"h\x01" for i in range(10_000))
    refused(tmp_path / "a", raw_pickle(network + b"}(" + parts + b"u", protocol=4))


def test_tensors_that_stand_beside_every_part(tmp_path: Path) -> None:
    """A tensor such as w_avg goes to all parts, so many of them beside many parts take too many steps."""
    tensor = place("tensor") + b"q\x010"
    beside = b"".join(text(f"w{i}latent_avg") + b"h\x01" for i in range(5_000))
    parts = b"".join(text(f"g{i}") + b"}" + text("w") + b"h\x01s" for i in range(5_000))
    refused(tmp_path / "a", raw_pickle(tensor + b"}(" + beside + parts + b"u", protocol=4))


def test_text_that_takes_more_memory_than_bytes(tmp_path: Path) -> None:
    wide = text("a" * 5_000_000 + "\U0001f600")
    assert "has text of 5000004 bytes" in refused(
        tmp_path / "a", raw_pickle(b"}" + text("w") + wide + b"s", protocol=4)
    )


def test_settings_do_not_contain_texts_of_arrays(tmp_path: Path) -> None:
    """An array of sixty texts of about 100 kB, many times."""
    data = b"B" + struct.pack("<I", 60 * 99_999) + bytes(60 * 99_999)
    array = place("array", dtype=place("dtype", code=text("S99999")), shape=b"K\x3c\x85", data=data)
    more = text("more") + b"](" + array + b"q\x090" + b"h\x09" * 20_000 + b"e"
    (tmp_path / "a").write_bytes(raw_pickle(b"}(" + text("w") + place("tensor") + more + b"u", protocol=4))
    assert read_checkpoint(tmp_path / "a").settings == {"more": []}


def header(names: list[str], shape: list[int] | None = None, **metadata: str) -> bytes:
    entries: dict[str, object] = {
        name: {"dtype": "F32", "shape": shape or [0], "data_offsets": [0, 0]} for name in names
    }
    content = json.dumps({"__metadata__": metadata, **entries} if metadata else entries).encode()
    return struct.pack("<Q", len(content)) + content


HEADERS = {
    "more tensors than any": (
        header([str(i) for i in range(50_001)]),
        "it has 50001 tensors; at most 50000 are allowed",
    ),
    "long names": (
        header([f"{i:0300}" for i in range(20_000)]),
        "the names of its tensors have 6000000 characters",
    ),
    "a long name": (header(["x" * 301]), "a tensor or a part whose name has 301 characters"),
    "a name of megabytes": (header(["x" * 7_000_000]), "whose name has 7000000 characters"),
    "a header of megabytes": (header(["x" * 9_000_000]), "; at most 8388608 are allowed"),
    "a header of gigabytes": (
        struct.pack("<Q", 2**32 - 1) + b"{" + bytes(100),
        "a header of 4294967295 bytes",
    ),
    "many dimensions": (header(["w"], [0] * 17), "its tensor w has the shape"),
    "a long dimension": (header(["w"], [0, 2**40]), "its tensor w has the shape (0, 1099511627776)"),
    "settings without end": (
        header(["w"], ganstrata="[" * 100_000),
        "the settings in its header are not JSON",
    ),
    "a number without end": (
        header(["w"], ganstrata="[" + "1" * 1_000 + "]"),
        "are not JSON: a number of 1000 digits",
    ),
    "long settings": (
        header(["w"], ganstrata=" " * 1_000_001),
        "the settings in its header have 1000001 characters",
    ),
    "a list of settings": (header(["w"], ganstrata="[]"), "the settings in its header are not a JSON object"),
    "a name that moves the cursor": (header(["\x1b[2J"]), "characters that cannot be printed"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_safetensors(tmp_path: Path, name: str) -> None:
    content, words = HEADERS[name]
    assert words in refused(tmp_path / "a.safetensors", content)


@pytest.mark.full
def test_as_many_tensors_as_the_largest_published_checkpoints_have(tmp_path: Path) -> None:
    tensors = {f"blocks.{i}.layer.weight": torch.zeros(1) for i in range(20_000)}
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save(tensors, tmp_path / "a.pt")
    torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    for name in ("a.safetensors", "a.pt", "a.pth"):
        assert len(read_checkpoint(tmp_path / name).tensors) == 20_000


@pytest.mark.parametrize(("count", "read"), [(3, True), (4, False)])
def test_tensors_that_share_numbers_claim_at_most_three_times_the_file(
    count: int, read: bool, tmp_path: Path
) -> None:
    numbers = torch.zeros(2**21)
    torch.save({f"w{i}": numbers.as_strided((2, 2**20), (1, 2)) for i in range(count)}, tmp_path / "a.pt")
    if read:
        assert len(read_checkpoint(tmp_path / "a.pt").tensors) == count
    else:
        with pytest.raises(
            CheckpointError, match=r"its tensors claim more than the \d+ bytes that the file has"
        ):
            read_checkpoint(tmp_path / "a.pt")
