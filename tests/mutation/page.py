"""Write docs/mutants.md: how many faults the tests detect, and why the others may survive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HEAD = """# Faults that the tests see

`make mutants` makes small faults in the statistics and the stages, one at a time, and runs the tests that
should fail: a comparison turned, a sign lost, a constant one larger, an argument left out, a function that
minds NaN replaced by one that does not. This page is what it writes. The script is
[tests/mutation/run.py](../tests/mutation/run.py), its operators are in
[operators.py](../tests/mutation/operators.py), the tests of each file in
[targets.toml](../tests/mutation/targets.toml), and every result in
[results.json](../tests/mutation/results.json).

Which faults are taken depends on a seed alone, and a larger share holds a smaller one. `make mutants
MUTANTS='core/rescoring/effects.py --share 1 --processes 2'` tries all of one file; what was ended goes on
where it was, and `--again` tries those once more that survived and are not argued. A fault with which the
tests never end counts as seen. Some faults change nothing that is promised: those are argued below, from
[argued.toml](../tests/mutation/argued.toml). Tests were added for faults that survived, so of those that
nobody has tried yet more will survive.
"""


def write_page(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    argued: Mapping[str, Mapping[str, str]],
    possible: Mapping[str, int],
) -> None:
    """The table by file and by operator, then what survives.

    Args:
        path: of the page.
        rows: results of all faults that were tried.
        argued: by file, the reason for each fault that may live, by its key in results.json without the file.
        possible: how many faults there are of each file.
    """
    lines = [
        HEAD,
        "| file | faults | tried | seen | survive | of them argued | seen or argued |",
        "| --- |" + 6 * " ---: |",
    ]
    left: list[Mapping[str, Any]] = []
    total: Counter[str] = Counter()
    for file in sorted({row["file"] for row in rows}):
        own = [row for row in rows if row["file"] == file]
        alive = [row for row in own if row["result"] == "survived"]
        reasons = [row for row in alive if reason_for(row, argued)]
        counts = Counter(
            {
                "possible": possible[file],
                "tried": len(own),
                "seen": len(own) - len(alive),
                "alive": len(alive),
                "argued": len(reasons),
            }
        )
        total += counts
        left += alive
        lines.append(_line(f"[{file}](../{file})", counts))
    lines.append(_line("all", total))
    lines += ["", "| operator | tried | seen |", "| --- | ---: | ---: |"]
    for operator in sorted({row["operator"] for row in rows}):
        own = [row for row in rows if row["operator"] == operator]
        seen = sum(row["result"] != "survived" for row in own)
        lines.append(f"| {operator} | {len(own)} | {100 * seen / len(own):.0f} % |")
    hours = sum(row["seconds"] for row in rows) / 3600.0
    lines += ["", f"{hours:.1f} hours of one process.", "", "## Those that survive", ""]
    for row in sorted(left, key=lambda row: (row["file"], row["line"])):
        reason = reason_for(row, argued) or "**not argued**"
        lines.append(
            f"- `{row['file']}:{row['line']}`, {row['function']}: `{_cut(row['before'])}` → "
            f"`{_cut(row['after'])}`: {reason}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def reason_for(row: Mapping[str, Any], argued: Mapping[str, Mapping[str, str]]) -> str:
    """Return why a fault may survive; empty without a reason."""
    key = " | ".join(
        (row["function"], row["context"], f"{row['before']} -> {row['after']}", str(row["repeat"]))
    )
    return argued.get(row["file"], {}).get(key, "")


def _line(name: str, counts: Mapping[str, int]) -> str:
    fine = counts["seen"] + counts["argued"]
    numbers = " | ".join(str(counts[column]) for column in ("possible", "tried", "seen", "alive", "argued"))
    return f"| {name} | {numbers} | {100 * fine / counts['tried']:.1f} % |"


def _cut(words: str) -> str:
    return (words if len(words) <= 90 else words[:87] + "...").replace("`", "'")
