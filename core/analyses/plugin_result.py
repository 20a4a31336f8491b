"""Check the result of an analysis of a plugin, and find those that another version of the plugin computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TypeGuard

from ..errors import PluginBroken
from ..figures.figure import Figure
from ..figures.svg import Canvas
from ..messages import shown, visible
from ..plugins.plugin_info import RESERVED
from ..plugins.registry import registry
from ..storage.csv_tables import Table
from ..storage.filenames import LONGEST, is_safe_stem
from ..storage.result_folder import read_index
from .result import AnalysisResult

PRINTED = "table"
"""Stem of the CSV file of the printed table."""
PNG = b"\x89PNG\r\n\x1a\n"


def check_result(result: object, name: str, owner: str) -> AnalysisResult:
    """Return what `analyse` of a plugin returned if it can be printed and written.

    Args:
        result: what it returned.
        name: the registered name of the analysis.
        owner: the plugin with its distribution, for messages.

    Raises:
        PluginBroken: it is not an AnalysisResult, a part of it has another type than declared, or two of its
            files have the same name or one that some file system does not allow.
    """
    fault = _fault(result, name)
    if fault:
        raise PluginBroken(f"{owner} returned a wrong result from analyse(): {fault}.")
    assert isinstance(result, AnalysisResult)
    return result


def analysis_names() -> set[str]:
    """Return the names of the built-in analyses and of those of installed plugins."""
    return {*RESERVED["analysis"], *(info.name for info in registry().infos("analysis"))}


def computed_otherwise(run: Path) -> list[str]:
    """Return a sentence for every result in a run of a plugin of which another version is installed now."""
    installed = {info.name: info.distribution for info in registry().infos("analysis")}
    sentences = []
    for file in sorted(run.glob("analysis/*/*.json")):
        try:
            before = read_index(file).get("distribution")
        except (OSError, ValueError):
            continue  # not an index, or damaged, which damaged_results reports
        now = installed.get(file.stem, before)
        if before and now != before:
            sentences.append(f"analysis/{file.parent.name} was computed by {before}, and {now} is installed")
    return sentences


def _fault(result: object, name: str) -> str:
    """Return the first fault of a result; empty if there is none."""
    if not isinstance(result, AnalysisResult):
        return f"{_type(result)}, not a ganstrata.AnalysisResult"
    return next(_faults(result), "") or next(_file_faults(result, name), "")


def _faults(result: AnalysisResult) -> Iterator[str]:
    """Yield what is wrong with the types of its parts."""
    # A plugin's types are not checked before it runs, so each part is taken for any object here.
    parts: Mapping[str, object] = vars(result)
    yield from _table_faults("table", parts["table"])
    sentences, figures, tables, pictures = (
        parts[key] for key in ("sentences", "figures", "tables", "pictures")
    )
    if not _is_sequence(sentences) or not all(isinstance(sentence, str) for sentence in sentences):
        yield f"sentences is {shown(sentences)}, not a list of texts"
    if not _is_sequence(figures):
        yield f"figures is {_type(figures)}, not a list of figures"
        return
    for i, figure in enumerate(figures):
        yield from _figure_faults(f"figures[{i}]", figure)
    for key, named in (("tables", tables), ("pictures", pictures)):
        if not isinstance(named, Mapping) or not all(isinstance(stem, str) for stem in named):
            yield f"{key} is {shown(named)}, not a dict with texts as keys"
            return
    assert isinstance(tables, Mapping)
    assert isinstance(pictures, Mapping)
    for key, table in tables.items():
        yield from _table_faults(f"tables['{visible(key)}']", table)
    for key, picture in pictures.items():
        if not isinstance(picture, bytes) or not picture.startswith(PNG):
            what = "other bytes" if isinstance(picture, bytes) else _type(picture)
            yield f"pictures['{visible(key)}'] is {what}, not the bytes of a PNG file"


def _figure_faults(place: str, figure: object) -> Iterator[str]:
    if not isinstance(figure, Figure):
        yield f"{place} is {_type(figure)}, not a Figure"
        return
    parts: Mapping[str, object] = vars(figure)
    for key, expected in (("name", str), ("canvas", Canvas), ("description", str)):
        if not isinstance(parts[key], expected):
            yield f"{place}.{key} is {_type(parts[key])}, not {expected.__name__}"
    yield from _table_faults(f"{place}.table", parts["table"])


def _table_faults(place: str, table: object) -> Iterator[str]:
    """Yield what is wrong with a table: every row needs a text, a number or None per column."""
    if not isinstance(table, Table):
        yield f"{place} is {_type(table)}, not a ganstrata.Table"
        return
    columns, rows = vars(table)["columns"], vars(table)["rows"]
    if not _is_sequence(columns) or not all(isinstance(column, str) for column in columns):
        yield f"{place}.columns is {shown(columns)}, not a tuple of texts"
        return
    if not _is_sequence(rows):
        yield f"{place}.rows is {_type(rows)}, not a list of rows"
        return
    for i, row in enumerate(rows):
        if not _is_sequence(row) or len(row) != len(columns):
            yield f"{place}.rows[{i}] is {shown(row)}, not a row of {len(columns)} cells, one per column"
            return
        for cell in row:
            if not (cell is None or isinstance(cell, str | Real)):
                yield f"{place}.rows[{i}] has a cell {shown(cell)}, which is not a text, a number or None"
                return


def _file_faults(result: AnalysisResult, name: str) -> Iterator[str]:
    """Yield what is wrong with the names of its files; capital letters do not tell files apart everywhere."""
    taken = {f"{name}.json".lower(): "the index"}
    if result.table.columns:
        taken[f"{PRINTED}.csv"] = "the printed table"
    files = [(f"{figure.name}{end}", "figures") for figure in result.figures for end in (".svg", ".csv")]
    files += [(f"{stem}.csv", "tables") for stem in result.tables]
    files += [(file, "pictures") for file in result.pictures]
    for file, part in files:
        stem, _, end = file.rpartition(".")
        if part == "pictures" and end != "png":
            yield f"a picture is called '{visible(file)}'; the name must end in .png"
        if not is_safe_stem(stem):
            yield (
                f"a file of {part} is called '{visible(file)}'; before the extension, up to {LONGEST} "
                "letters a-z, digits, '_', '-' and single dots are allowed, and no name of a Windows device"
            )
        if file.lower() in taken:
            yield f"a file of {part} is called '{visible(file)}', as is {taken[file.lower()]}"
        taken[file.lower()] = f"another of {part}"


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _type(value: object) -> str:
    return f"of type {type(value).__name__}"
