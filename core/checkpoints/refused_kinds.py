"""Recognise files that are not readable checkpoints, and refuse them with advice on what to do instead."""

from __future__ import annotations

import re
import shlex
from itertools import islice
from pathlib import Path

from ..messages import escaped, listed, shown
from .limits import Refused

HEAD = 512  # bytes at the beginning of a file that are inspected
ZIP = b"PK\x03\x04"  # first bytes of a zip archive, and so of a torch file
PICKLE = b"\x80"
FOLDERS = 100  # folders inside a folder that are looked into
ENDINGS = (".pt", ".pth", ".pkl", ".ckpt", ".safetensors", ".bin", ".model", ".tar")  # of checkpoints
LISTED = 6  # files of a folder that are named
ANSWER = 100_000  # bytes of a server's answer, at most
STATE = (
    "In Python, {where}: torch.save(model.state_dict(), 'weights.pt'), or\n"
    "  safetensors.torch.save_file(model.state_dict(), 'weights.safetensors'), and give that file."
)
CONVERT = (
    "Convert its weights to a torch or safetensors state dict with the tools of its own framework, "
    "and give that file."
)
READ = "safetensors, torch files and NVIDIA's pickles are read"
UNPACK = "Unpack it first."
DOWNLOAD = "Download it again, and check its size."

ARRAYS = "Directions are read by `ganstrata boundaries import`, codes by `ganstrata manipulate --codes`."

# Files that users mistake for checkpoints: offset, bytes at that offset, what the file is, what to do.
BEGINNINGS: tuple[tuple[int, bytes, str, str], ...] = (
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, a small text file in place of the real file",
        "Fetch the real file with `git lfs pull`.",
    ),
    (
        0,
        b"/annex/objects/",
        "a git-annex pointer, a small text file in place of the real file",
        "Fetch the real file with `git annex get`.",
    ),
    (0, b"\x1f\x8b", "a gzip archive", UNPACK),
    (0, b"BZh", "a bzip2 archive", UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!", "a rar archive", UNPACK),
    (257, b"ustar", "a tar archive (or a torch file of before version 0.2)", UNPACK),
    (0, b"PK\x05\x06", "an empty zip archive", DOWNLOAD),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", CONVERT),
    (0, b"GGUF", "a GGUF file", CONVERT),
    (0, b"ggml", "a GGML file", CONVERT),
    (4, b"TFL3", "a TensorFlow Lite file", CONVERT),
    (0, b"\x93NUMPY", "a NumPy array", f"It holds no network. {ARRAYS}"),
    (0, b"\x89PNG", "a PNG picture", DOWNLOAD),
    (0, b"\xff\xd8\xff", "a JPEG picture", DOWNLOAD),
    (0, b"GIF8", "a GIF picture", DOWNLOAD),
    (8, b"WEBP", "a WebP picture", DOWNLOAD),
    (0, b"%PDF", "a PDF document", DOWNLOAD),
    (4, b"ftyp", "a video", DOWNLOAD),
    (0, b"\x7fELF", "a program", DOWNLOAD),
    (0, b"MZ", "a program", DOWNLOAD),
)
INDEX = "the index of a TensorFlow checkpoint, without the tensors"
SORRY = re.compile(  # what servers answer in place of a file
    rb"\b(error|errors|message|detail)\"?\s*:"
    rb"|\b(quotas?|rate.?limit(ed)?|too many requests|access denied|forbidden|not found|unauthorized"
    rb"|must be authenticated|invalid (username|credentials|token)|sign in|log ?in required|expired"
    rb"|restricted|gated (repo(sitory)?|model|access))\b",
    re.IGNORECASE,
)
JSON = re.compile(rb"\s*(\{\s*(\"|\})|\[\s*[\[{\"\d])")
PIECES = re.compile(rb"\"weight_map\"\s*:")
# What a file is, by a pattern for its beginning, and what to do.
PATTERNS: tuple[tuple[bytes, str, str], ...] = (
    (
        rb"\s*<(?i:!doctype|html|head|body|title|meta|\?xml|error|!--)",
        "a web page: the download has failed",
        DOWNLOAD,
    ),
    (
        rb"\(?[cdlit](p\d+\n|[\w.]+\n[\w.]+\n|p?\d*\n)|\(dp|\(lp|\}q",
        "a pickle of protocol 0 or 1, in which no checkpoint is stored",
        STATE.format(where="where it loads"),
    ),
    # A table whose first entry has no key: number of files, order of bytes, version.
    (rb"\x00\x00[\x02-\x20]\x08[\x01-\x7f](\x10[\x00\x01])?\x1a\x02\x08", INDEX, CONVERT),
    (rb"(all_)?model_checkpoint_paths?: \"", INDEX, CONVERT),
    (
        rb"(?s:\x08[\x01-\x20]\x12.)(pytorch|tf2onnx|onnx|keras2onnx|skl2onnx|paddle)",
        "an ONNX model",
        CONVERT,
    ),
    (
        rb"[\x81-\x8f\xde][\s\S]{0,4}(params|opt_state|step|target|batch_stats|ema)",
        "a Flax checkpoint (msgpack)",
        CONVERT,
    ),
    (rb"\x08\x01\x12[\s\S]{1,6}\x0a", "a protocol buffer, as TensorFlow and ONNX write", CONVERT),
)


def is_safetensors(head: bytes) -> bool:
    """Return whether a file begins like safetensors: a header length below 4 GiB, then a JSON object.

    Check this first: the first byte of the length may be that of a pickle.
    """
    return head[4:9] == b"\0\0\0\0{"


def kind(head: bytes) -> str:
    """Return what a readable file seems to be, in words."""
    if is_safetensors(head):
        return "a safetensors file"
    return "a torch file" if head.startswith(ZIP) else "a torch file or a pickle of NVIDIA's"


def refuse_other_kinds(head: bytes, size: int) -> None:
    """Refuse a file that is neither a zip archive nor a pickle.

    Args:
        head: the first `HEAD` bytes of the file.
        size: bytes of the file.

    Raises:
        Refused: the file is something else; the message says what it is and what to do.
    """
    if size < 16:
        raise Refused(f"it has {size} bytes. {DOWNLOAD}")
    if head.startswith((ZIP, PICKLE)):
        return
    for at, begin, what, cure in BEGINNINGS:
        if head[at : at + len(begin)] == begin:
            raise Refused(f"it seems to be {what}. {cure}")
    for pattern, what, cure in PATTERNS:
        if re.match(pattern, head):
            raise Refused(f"it seems to be {what}. {cure}")
    if _is_text(head):
        raise Refused(_of_text(head, size))
    if not any(head):
        raise Refused(f"it begins with nothing but zeros: a download that was never finished. {DOWNLOAD}")
    raise Refused(f"its format is unknown; {READ}")


def _of_text(head: bytes, size: int) -> str:
    """Return what a file of text seems to be, and what to do."""
    if SORRY.search(head) and size < ANSWER:
        return (
            "it seems to be a server's answer in place of the file, "
            f"{shown(head[:60].decode('utf-8', 'replace'))}: the download has failed. {DOWNLOAD}"
        )
    if PIECES.search(head):
        return (
            "it is the index of a checkpoint in several files, which are not joined here: load it with its "
            f"own library.\n  {STATE.format(where='where it loads')}"
        )
    if JSON.match(head):
        return (
            "it seems to be JSON, such as a training log or settings, without weights: "
            f"give the file of the generator that lies beside it; {READ}"
        )
    return (
        f"it seems to be a text file that begins with {shown(head[:40].decode('utf-8', 'replace'))}; {READ}"
    )


def folder_advice(folder: Path) -> str:
    """Return what to give instead of a folder, which may be an unpacked torch file."""
    inner = [folder, *islice((path for path in folder.iterdir() if path.is_dir()), FOLDERS)]
    unpacked = next((path.absolute() for path in inner if (path / "data.pkl").is_file()), None)
    if unpacked is None:
        files = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
        return f"name a file in it: {listed(files, LISTED)}" if files else "name a file"
    # In the archive, data.pkl lies in one folder, so it is packed from beside that folder.
    command = f"cd {shlex.quote(str(unpacked.parent))} && zip -0 -r model.pt {shlex.quote(unpacked.name)}"
    return (
        "it is an unpacked torch file: give the .pt (or .pth, .ckpt) file that it was unpacked from, "
        f"or pack it again without compression: {escaped(command)}"
    )


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")
    return len(text) > 0.9 * len(head) and all(c.isprintable() or c in "\r\n\t" for c in text)


def refuse_other_archives(names: list[str]) -> None:
    """Refuse a zip archive that torch.save did not write.

    Args:
        names: names of the members.

    Raises:
        Refused: the archive is something else; the message says what it is and what to do.
    """
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        state = STATE.format(where="model = torch.jit.load(FILE) where you trust it")
        raise Refused(
            f"it is a TorchScript archive: loading it runs the code in it, which may read files.\n  {state}"
        )
    exported = {"archive_format", "serialized_exported_program.json"} & (inner | set(names))
    if exported or any(name.startswith("models/") for name in inner):
        state = STATE.format(where="model = torch.export.load(FILE) where you trust it")
        raise Refused(
            "it is an exported program (torch.export): loading it unpickles what is in it, and builds code."
            f"\n  {state}"
        )
    if any(name.startswith(".data/extern_modules") for name in inner):
        state = STATE.format(where="where it loads")
        raise Refused(f"it is a torch.package archive: loading it runs the code in it.\n  {state}")
    if any(name.endswith(".weights.h5") for name in names):
        raise Refused(f"it is a Keras archive. {CONVERT}")
    if names and all(name.endswith(".npy") for name in names):
        raise Refused(f"it is a NumPy archive (.npz) and holds no network. {ARRAYS}")
    if not any(name.endswith("data.pkl") for name in names):
        raise Refused(
            "it is a zip archive, but none that torch.save wrote. If a checkpoint is in it, unpack it first."
        )
