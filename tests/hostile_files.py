"""Makes hostile files of every kind that ganstrata reads; a seed and a number make the same file again."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import generators_biggan
import generators_pggan
import generators_r3gan
import generators_stylegan
import generators_stylegan2
import generators_stylegan3
import numpy as np
from hostile_pickles import Pickles, legacy, real, whole
from hostile_scorers import scorer
from torch import Tensor

FAMILIES: dict[str, Callable[[], dict[str, Tensor]]] = {
    "biggan": generators_biggan.small_state,
    "pggan": generators_pggan.small_state,
    "r3gan": generators_r3gan.small_state,
    "stylegan": generators_stylegan.small_state,
    "stylegan2": generators_stylegan2.small_state,
    "stylegan3": generators_stylegan3.small_state,
}
SETTINGS = [
    "plugin",
    "architecture",
    "licence",
    "source",
    "family",
    "layout",
    "network",
    "img_resolution",
    "num_layers",
    "num_critical",
    "margin_size",
    "first_cutoff",
    "first_stopband",
    "last_stopband_rel",
    "lrelu_upsampling",
    "filter_size",
    "output_scale",
    "conv_clamp",
    "lr_multiplier",
    "mapping_kwargs",
    "resolution",
    "z_dim",
    "w_dim",
    "c_dim",
    "classes",
    "eps",
    "blocks",
    "attention",
    "layers",
    "rates",
    "bandwidth",
    "mapping_layers",
    "mapping_width",
    "widths",
    "inputs",
    "lod",
    "leak",
    "epsilon",
    "label_size",
    "fused_scale",
    "blur_filter",
    "resample_kernel",
    "resample_filter",
    "truncation",
    "taps",
    "means",
    "tanh",
    "mean",
    "activation",
    "normalize_latents",
]


def hostile_json(rng: np.random.Generator, depth: int = 0) -> Any:
    """A value that JSON can hold, of any type and size."""
    leaves: list[Any] = [
        None,
        True,
        -1,
        0,
        1,
        4,
        2**16,
        2**31,
        2**63,
        10**300,
        1e308,
        -0.5,
        "",
        "x" * 3000,
        "\x1b[31m",
        [],
        {},
    ]
    if depth < 3 and rng.random() < 0.4:
        count = int(10 ** rng.uniform(0, 2 - depth / 2))
        items = [hostile_json(rng, depth + 1) for _ in range(count)]
        return (
            items if rng.random() < 0.5 else {SETTINGS[rng.integers(len(SETTINGS))]: item for item in items}
        )
    return leaves[rng.integers(len(leaves))]


def safetensors(
    rng: np.random.Generator, tensors: Mapping[str, Any] | None = None, settings: Any = None
) -> bytes:
    """A file of safetensors: (dtype, shape, bytes) by name, and our header."""
    wrong = tensors is None
    if tensors is None:
        count = int(10 ** rng.uniform(0, 4.3))
        long = "n" * int(10 ** rng.uniform(0, 5.5)) if count < 20 else ""
        shapes: list[Any] = [
            [2],
            [0],
            [0, 2**40],
            [1] * 17,
            [1] * 10_000,
            [2**63],
            [-1],
            [1.5],
            [[2]],
            "x",
            [10**400],
        ]
        shape = shapes[rng.integers(len(shapes))] if count < 100 and rng.random() < 0.8 else [0]
        tensors = {
            f"{long}{i}": (
                ["F32", "F16", "BOOL", "U64", "F8_E4M3", "X"][rng.integers(6)] if i == 0 else "F32",
                shape,
                b"",
            )
            for i in range(count)
        }
    header: dict[str, Any] = {} if settings is None else {"__metadata__": {"ganstrata": json.dumps(settings)}}
    content = bytearray()
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(content), len(content) + len(data)],
        }
        content += data
    text = json.dumps(header).encode()
    if wrong and rng.random() < 0.1:
        text = b"{" + b'"a":' * 10 + b"[" * int(10 ** rng.uniform(1, 6))
    length = len(text) if rng.random() < 0.95 else [0, 2**31, 2**32 - 1, len(text) + 5][rng.integers(4)]
    return struct.pack("<Q", length) + text + bytes(content)


def generator(rng: np.random.Generator) -> bytes:
    """A generator of a family that is known, in which names, shapes or settings are hostile."""
    state = FAMILIES[list(FAMILIES)[rng.integers(len(FAMILIES))]]()
    tensors: dict[str, Any] = {
        name: ("F32", list(tensor.shape), tensor.float().contiguous().numpy().tobytes())
        for name, tensor in state.items()
    }
    names = list(tensors)
    how = rng.integers(6)
    if how == 0:  # tensors without numbers, and of any extent
        extent = [[0, 2**20], [0, 2**30], [2**30, 0], [0], [0] * 16][rng.integers(5)]
        chosen = names if rng.random() < 0.3 else [name for name in names if rng.random() < 0.2]
        tensors |= dict.fromkeys(chosen, ("F32", extent, b""))
    elif how == 1:  # layers without end
        times = int(10 ** rng.uniform(1, 3.6))
        for name in (names[i] for i in rng.integers(len(names), size=3)):
            digits = [i for i, sign in enumerate(name) if sign.isdigit()]
            for i in range(times if digits else 0):
                tensors[f"{name[: digits[0]]}{i}{name[digits[0] + 1 :]}"] = tensors[name]
    elif how == 2:  # numbers in names
        for name in (names[i] for i in rng.integers(len(names), size=4)):
            digits = [i for i, sign in enumerate(name) if sign.isdigit()]
            value = ["9" * 250, "1024", "65536", "0", "00", "²"][rng.integers(6)]
            tensors[name if not digits else f"{name[: digits[-1]]}{value}{name[digits[-1] + 1 :]}"] = tensors[
                name
            ]
    elif how == 3:  # a long filter, which is compared with many others
        long = int(10 ** rng.uniform(1, 5))
        for name in names:
            if "filter" in name or "kernel" in name:
                tensors[name] = ("F32", [long], bytes(4 * long))
    elif how == 4:  # some of it is missing
        tensors = {name: tensors[name] for name in names if rng.random() < 0.7}
    settings: Any = None
    if rng.random() < 0.6:
        settings = {
            SETTINGS[rng.integers(len(SETTINGS))]: hostile_json(rng) for _ in range(int(rng.integers(0, 5)))
        }
        if rng.random() < 0.6:
            settings["network"] = {
                SETTINGS[rng.integers(len(SETTINGS))]: hostile_json(rng)
                for _ in range(int(rng.integers(0, 12)))
            }
    return safetensors(rng, tensors, settings)


def scorers(rng: np.random.Generator) -> bytes:
    """A checkpoint of a scorer."""
    return safetensors(rng, *scorer(rng))


def archive(rng: np.random.Generator, members: Mapping[str, bytes]) -> bytes:
    """A zip archive whose members are packed in any way, and which may lie."""
    file = io.BytesIO()
    method = [0, 0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2][rng.integers(5)]
    with zipfile.ZipFile(file, "w", method) as written:
        for name, content in members.items():
            written.writestr(name, content)
        if rng.random() < 0.1:
            for i in range(int(10 ** rng.uniform(1, 3.5))):
                written.writestr(f"a/{i}" + "x" * int(10 ** rng.uniform(0, 3)), b"")
    content = bytearray(file.getvalue())
    if rng.random() < 0.2:
        at = int(rng.integers(max(0, len(content) - 300), len(content) - 4))
        content[at : at + 4] = int(rng.integers(2**32)).to_bytes(4, "little")
    return bytes(content)


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


def npy_header(rng: np.random.Generator) -> bytes:
    """The header of a file of one array, and some numbers."""
    shapes = [
        "(3,)",
        "(1, 4)",
        "()",
        "(0,)",
        "(-1,)",
        "(2**70,)",
        f"({'9' * 400},)",
        str((1,) * 40),
        "(" * 3000,
        "(1, 2, 8)",
        "[3]",
        "(3.0,)",
        "(1,)*9",
    ]
    dtypes = [
        "<f4",
        "<f8",
        "|O",
        "<U99999",
        "|S999999",
        "|V8",
        "<M8[s]",
        "x" * 4000,
        ">i4",
        "<c8",
        "f4," * 2000,
    ]
    shape = shapes[rng.integers(len(shapes))] if rng.random() < 0.6 else "(3,)"
    dtype = dtypes[rng.integers(len(dtypes))] if rng.random() < 0.6 else "<f4"
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    return (
        b"\x93NUMPY"
        + bytes([int(rng.choice([1, 1, 1, 2, 3])), 0])
        + struct.pack("<H", min(len(header), 65535))
        + header
        + bytes(12)
    )


def npy(rng: np.random.Generator) -> bytes:
    """A file of one array, or of a pickle, as boundaries and scores are."""
    if rng.random() < 0.5:
        return npy_header(rng)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    pickles = pickles_of(rng, beside=False)
    inner = pickles.content() if rng.random() < 0.5 else scores(pickles)
    made = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01)cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R\x89]("
        + inner
        + b"etb"
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + whole(made, 2)


def scores(pickles: Pickles) -> bytes:
    """A dictionary as HiGAN writes it, with anything in it."""
    from checkpoint_files import text
    from hostile_pickles import dict_of

    keys = ("boundary", "meta_data", "score", "name_to_idx", "manipulate_layers", "type")
    return dict_of(
        *((text(key), pickles.any_of(pickles.array, pickles.many, pickles.hostile)) for key in keys)
    )


def npz(rng: np.random.Generator) -> bytes:
    """An archive of arrays, which may unpack to far more than it is."""
    names = ["codes", "w", "z", "condition", "index", "x" * 5000, "\x1b[2J"]
    members = {f"{name}.npy": npy_header(rng) for name in names if rng.random() < 0.4}
    if rng.random() < 0.1:
        members["w.npy"] = npy_header(rng) + bytes(int(10 ** rng.uniform(6, 8)))
    return archive(rng, members)


def table(rng: np.random.Generator) -> bytes:
    """A table of samples."""
    columns = int(10 ** rng.uniform(0, 4))
    rows = int(10 ** rng.uniform(0, 5 if columns < 10 else 1))
    cells = [
        "1",
        "",
        "nan",
        "1e39",
        "x" * 2000,
        '"',
        '"a\n"',
        "\x00",
        "\x1b",
        "9" * 5000,
        "-1",
        "0x1",
        "1_0",
        "١",
    ]
    cell = cells[rng.integers(len(cells))] if rng.random() < 0.5 else "1"
    if len(cell) > 10:
        columns, rows = min(columns, 10), min(rows, 1000)
    heading = ["index", *(f"c{i}" for i in range(columns))]
    if rng.random() < 0.3:
        heading[rng.integers(len(heading))] = ["c1", "", "a/b", "a,b", "n" * 200_000, "\x1b[2J", "index"][
            rng.integers(7)
        ]
    body = "".join(f"{i}{f',{cell}' * columns}\n" for i in range(rows))
    return (",".join(heading) + "\n" + body).encode("utf-8", "surrogatepass")


def names(rng: np.random.Generator) -> bytes:
    """A list of boundaries, or of labels."""
    pieces = [
        "(wood, w): a.npy",
        "(" + " " * 4000,
        "a" + " " * 5000 + "b",
        "(a, " * 900,
        "x" * 9000,
        "DISABLE",
        "(\x1b, q): \x00",
        "(a,w):" + ":" * 3000,
        "\ufeff",
    ]
    return "\n".join(pieces[rng.integers(len(pieces))] for _ in range(int(10 ** rng.uniform(0, 3)))).encode()


def ballot(rng: np.random.Generator) -> bytes:
    """Votes, or the key of a study."""
    content = {
        "format": ["ganstrata study votes 1", "ganstrata study key 1"][rng.integers(2)],
        "study": "abcdefgh",
        "rater": "0" * 16,
    }
    content |= {
        key: hostile_json(rng)
        for key in ("saved", "votes", "questions", "groups", "amounts", "seed", "run", "generator")
        if rng.random() < 0.7
    }
    text = json.dumps(content).encode()
    return text if rng.random() < 0.8 else text[:-2] + b"[" * int(10 ** rng.uniform(1, 6))


KINDS: dict[
    str, tuple[Callable[[np.random.Generator], bytes], str, float]
] = {  # how it is made, how its name ends, how often
    "torch zip": (torch_zip, ".pt", 3),
    "torch legacy": (torch_legacy, ".pth", 3),
    "pickle": (plain_pickle, ".pkl", 4),
    "damaged": (damaged, ".pt", 1),
    "safetensors": (safetensors, ".safetensors", 1),
    "generator": (generator, ".safetensors", 3),
    "scorer": (scorers, ".scorer", 1),
    "npy": (npy, ".npy", 2),
    "npz": (npz, ".npz", 1),
    "table": (table, ".csv", 1),
    "names": (names, ".txt", 0.5),
    "ballot": (ballot, ".json", 0.5),
}


def hostile_file(seed: int, number: int) -> tuple[str, str, bytes]:
    """The kind of a file, how its name ends, and what it holds."""
    rng = np.random.default_rng([seed, number])
    weights = np.array([weight for _, _, weight in KINDS.values()])
    kind = list(KINDS)[rng.choice(len(KINDS), p=weights / weights.sum())]
    make, suffix, _ = KINDS[kind]
    return kind, suffix, make(rng)
