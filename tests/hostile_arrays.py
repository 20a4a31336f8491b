"""Hostile files of arrays: npy with wrong headers or pickles, npz that unpack to far more than they are."""

from __future__ import annotations

import struct

import numpy as np
from hostile_archives import archive, pickles_of
from hostile_pickles import Pickles
from pickle_operations import whole


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
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01)"
        b"cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R\x89](" + inner + b"etb"
    )
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + whole(made, 2)


def scores(pickles: Pickles) -> bytes:
    """A dictionary as HiGAN writes it, with anything in it."""
    from checkpoint_files import text
    from pickle_operations import dict_of

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
