"""The public interface: names and signatures, as tests/data/public.txt lists them."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path

import ganstrata
import pytest

FILE = Path(__file__).parent / "data" / "public.txt"
ROOT = Path(__file__).parents[1]


def interface() -> list[str]:
    """Return a line per public name.

    Functions have their parameters, classes their public methods, properties and fields.
    """
    lines = []
    for name in sorted(ganstrata.__all__):
        value = getattr(ganstrata, name)
        if inspect.isclass(value):
            named = (
                {field.name for field in dataclasses.fields(value)}
                if dataclasses.is_dataclass(value)
                else set()
            )
            members = sorted(member for member in {*vars(value), *named} if not member.startswith("_"))
            lines.append(f"{name}: {' '.join(members)}".rstrip(": "))
        elif inspect.isfunction(value):
            lines.append(f"{name}({', '.join(map(shown, inspect.signature(value).parameters.values()))})")
        else:
            lines.append(name)
    return lines


def shown(parameter: inspect.Parameter) -> str:
    """Return a parameter with its kind and default, without its type."""
    bare = str(parameter.replace(annotation=inspect.Parameter.empty))
    return f"{bare} (keyword)" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else bare


def test_the_public_interface_is_the_recorded_one() -> None:
    """The public names are those in tests/data/public.txt.

    To change them on purpose, write what this test expects there, and a line into CHANGELOG.md.
    """
    assert "\n".join(interface()) + "\n" == FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path",
    [
        *ROOT.glob("docs/*.md"),
        ROOT / "README.md",
        *ROOT.glob("examples/**/*.py"),
        *ROOT.glob("tests/guests/**/*.py"),
    ],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_what_users_read_imports_public_names_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"^\s*(?:from|import) ganstrata\.(?:core|plugins|cli)\S*", text, flags=re.MULTILINE)
