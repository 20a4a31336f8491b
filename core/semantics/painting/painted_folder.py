"""Write what painting led to as a folder, whole or not at all: pictures, codes, legend, page and index."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...runs.lock import results_of
from ...storage.json_values import JsonObject
from ...storage.result_folder import index_text, replace_folder
from ..annotation.legend import Legend
from .studio import legend_files

Result = TypeVar("Result")


@dataclass(frozen=True)
class Names:
    """Name what is alike in all folders of a command: the index, the page, and the command itself."""

    index: str
    page: str
    command: str


@dataclass(frozen=True)
class Content:
    """Hold what a folder is to contain.

    Attributes:
        legend: classes and their colours.
        pictures: PNG files by name.
        codes: codes of the pictures, (N, L, D).
        condition: classes of a conditional generator; None without.
        page: gives the page as HTML, from the name of the file of codes.
        record: what the index says, besides the hashes of the other files.
    """

    legend: Legend
    pictures: Mapping[str, bytes]
    codes: Tensor
    condition: Tensor | None
    page: Callable[[str], str]
    record: JsonObject


def make_into(
    out: Path, names: Names, make: Callable[[], Result], content: Callable[[Result], Content]
) -> Result:
    """Make a result, and write it as a folder, which is refused before anything is computed.

    Args:
        out: the folder, new or of an earlier call.
        names: names of the command's folders.
        make: computes the result.
        content: says what the folder of a result contains.

    Raises:
        RunError: the folder holds files that this command did not write.
    """
    with results_of(out, names.index, names.command):
        result = make()
        told = content(result)
        name, codes = codes_file(told.codes, told.condition)
        files = {**told.pictures, name: codes, **legend_files(told.legend)}
        files[names.page] = told.page(name).encode()
        replace_folder(out, names.index, {**files, names.index: index_text(told.record, files)})
    return result


def codes_file(codes: Tensor, condition: Tensor | None) -> tuple[str, bytes]:
    """Return name and content of a file of codes (N, L, D), which `ganstrata manipulate --codes` reads.

    Codes of a conditional generator need their classes, so the file is an archive then.
    """
    buffer = io.BytesIO()
    values: NDArray[np.float32] = codes.detach().cpu().numpy().astype(np.float32)
    if condition is None:
        np.save(buffer, values)
        return "codes.npy", buffer.getvalue()
    np.savez(buffer, codes=values, condition=condition.cpu().numpy())
    return "codes.npz", buffer.getvalue()
