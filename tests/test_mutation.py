"""`make mutants`: every fault changes the code in one place, and the faults are reproducible."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "mutation"
sys.path.insert(0, str(HERE))
from operators import mutants_of, mutated  # noqa: E402
from page import write_page  # noqa: E402
from run import ARGUED, chosen, rounds_of  # noqa: E402

sys.path.remove(str(HERE))

SOURCE = '''"""Docstring 1."""
LEAST = 8

def f(x: int = 2, *, keep: bool = True) -> float:
    """Docstring 2."""
    total = 0.0
    for value in sorted(x, key=abs):
        if value < LEAST and not keep:
            continue
        total += max(value, 1) / 2.0
    if total is None:
        raise ValueError(f"{total + 3} of 4")
    return np.nansum(total, axis=-1)
'''


def test_faults_are_single_and_compile() -> None:
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    mutants = mutants_of("f.py", SOURCE)
    seen = set()
    for mutant in mutants:
        source = mutated(SOURCE, mutant.number)
        compile(source, "f.py", "exec")
        lines = source.splitlines()
        assert len(lines) == len(whole)
        assert sum(a != b for a, b in zip(lines, whole, strict=True)) == 1
        seen.add(source)
    assert len(seen) == len(mutants) == len({mutant.key for mutant in mutants})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("value < LEAST", "value <= LEAST"),
        ("value < LEAST", "value > LEAST"),
        ("value < LEAST and (not keep)", "value < LEAST or not keep"),
        ("not keep", "keep"),
        ("8", "9"),
        ("2", "1"),
        ("2.0", "1.0"),
        ("True", "False"),
        ("total += max(value, 1) / 2.0", "total -= max(value, 1) / 2.0"),
        ("total += max(value, 1) / 2.0", "pass"),
        ("max(value, 1) / 2.0", "max(value, 1) * 2.0"),
        ("max(value, 1)", "min(value, 1)"),
        ("sorted(x, key=abs)", "sorted(x)"),
        ("sorted(x, key=abs)", "list(x)"),
        ("np.nansum(total, axis=-1)", "np.sum(total, axis=-1)"),
        ("np.nansum(total, axis=-1)", "np.nansum(total)"),
        ("-1", "1"),
        ("continue", "pass"),
        ("total is None", "total is not None"),
        ("return np.nansum(total, axis=-1)", "return None"),
    ],
)
def test_faults_of_every_kind_are_made(before: str, after: str) -> None:
    assert [m for m in mutants_of("f.py", SOURCE) if (m.before, m.after) == (before, after)]


def test_messages_and_docstrings_are_left_alone() -> None:
    assert not [
        m for m in mutants_of("f.py", SOURCE) if "Docstring" in m.before or m.line == 12 or "int" in m.before
    ]


def test_what_was_tried_is_known_until_the_code_itself_changes() -> None:
    def sources(source: str) -> list[str]:
        return [mutant.source for mutant in mutants_of("f.py", source)]

    assert sources(SOURCE.replace("Docstring 2", "Other words")) == sources(SOURCE)
    changed = sources(SOURCE.replace("key=abs", "key=len"))
    assert changed[0] == sources(SOURCE)[0]  # of the module's constant, which is the same
    assert changed[-1] != sources(SOURCE)[-1]


def test_a_larger_share_holds_a_smaller_one_and_depends_on_the_seed_alone() -> None:
    file = "core/rounding.py"
    few, more, other = (chosen([file], share, seed) for share, seed in ((0.2, 0), (0.6, 0), (0.2, 1)))
    assert few == chosen([file], 0.2, 0)
    assert {m.key for m in few} < {m.key for m in more}
    assert {m.key for m in few} != {m.key for m in other}
    assert len(chosen([file], 1.0, 5)) == len(
        mutants_of(file, (HERE.parents[1] / file).read_text(encoding="utf-8"))
    )


def test_every_target_and_its_tests_are_there() -> None:
    for file in tomllib.loads((HERE / "targets.toml").read_text(encoding="utf-8")):
        assert (HERE.parents[1] / file).is_file()
        for tests in rounds_of(file):
            assert all(
                (HERE.parents[1] / word.partition("::")[0]).is_file() for word in tests if ".py" in word
            )


def test_the_page_lists_surviving_faults_with_their_reason(tmp_path: Path) -> None:
    row = {
        "file": "a.py",
        "function": "f",
        "line": 3,
        "operator": "constant",
        "context": "x = 1 + 1",
        "before": "1",
        "after": "2",
    }
    row |= {"repeat": 1, "seconds": 36.0}
    rows = [
        row | {"result": result, "line": i}
        for i, result in enumerate(("killed", "timed out", "survived", "survived"))
    ]
    rows[3] |= {"repeat": 0}
    write_page(
        tmp_path / "page.md",
        rows,
        {"a.py": {"f | x = 1 + 1 | 1 -> 2 | 1": "it changes nothing"}},
        {"a.py": 9},
    )
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| [a.py](../a.py) | 9 | 4 | 2 | 2 | 1 | 75.0 % |" in page
    assert "- `a.py:2`, f: `1` → `2`: it changes nothing\n" in page
    assert "- `a.py:3`, f: `1` → `2`: **not argued**\n" in page


def test_every_fault_that_is_argued_can_still_be_made() -> None:
    for file, reasons in tomllib.loads(ARGUED.read_text(encoding="utf-8")).items():
        keys = {
            mutant.key for mutant in mutants_of(file, (HERE.parents[1] / file).read_text(encoding="utf-8"))
        }
        assert {f"{file} | {key}" for key in reasons} <= keys
