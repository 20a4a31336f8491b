"""Importing costs nothing: public names are fetched when asked for, from where type checkers see them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import ganstrata
import pytest

HEAVY = [
    "PIL",
    "jinja2",
    "numpy",
    "pluggy",
    "pydantic",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "torch",
    "yaml",
    "zarr",
]


def loaded_after(program: str, folder: Path, more: Collection[str] = ()) -> set[str]:
    """Which packages, modules of ours and modules of `more` a fresh process has loaded in the end."""
    program += "\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    return {name for name in modules if "." not in name or name.startswith("ganstrata.") or name in more}


def test_importing_the_package_imports_nothing_else(tmp_path: Path) -> None:
    loaded = loaded_after("import ganstrata; dir(ganstrata); ganstrata.__version__", tmp_path)
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("ganstrata")} == {"ganstrata"}


def test_a_plugin_module_needs_only_hookimpl_to_register(tmp_path: Path) -> None:
    assert not loaded_after("from ganstrata import hookimpl", tmp_path) & (set(HEAVY) - {"pluggy"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["plugins", "list"]])
def test_commands_that_compute_nothing_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "from ganstrata.cli.main import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert not loaded_after(program, tmp_path) & (set(HEAVY) - {"pluggy"})


# What the start of a run and every worker must do without: each takes a tenth of a second to two.
SLOW = {
    "pandas",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.sparse",
    "scipy.stats",
    "sklearn",
    "sympy",
    "torch._dynamo",
}


def test_a_worker_imports_only_what_it_uses(tmp_path: Path) -> None:
    program = """
from ganstrata.core.config.reading import validate
from ganstrata.core.pipeline import perform
from ganstrata.core.runs.prepare import prepare
use = lambda name: {"use": name, "with": {"checkpoint": "bundled:rooms"}}
scorers = [use(name) for name in ("layout", "category", "attribute", "segmentation")]
prepare(validate({"generator": use("stylegan2"), "scorers": [*scorers, {"use": "hue"}], "device": "cpu"}, ""))
"""
    assert not loaded_after(program, tmp_path, SLOW) & SLOW


def test_finding_plugins_does_not_import_them(tmp_path: Path) -> None:
    program = "from ganstrata.core.plugins.registry import registry\nassert len(registry().infos()) >= 8"
    loaded = loaded_after(program, tmp_path)
    assert not loaded & (set(HEAVY) - {"pluggy"})
    assert "ganstrata.plugins.scorers" in loaded
    assert "ganstrata.plugins.scorers.hue" not in loaded


@pytest.mark.parametrize("name", [name for name in ganstrata.__all__ if name != "__version__"])
def test_a_public_name_is_what_its_home_defines(name: str) -> None:
    value = getattr(ganstrata, name)
    home = f"ganstrata.core.{ganstrata._HOMES[name]}"
    assert value.__module__ == home or name == "hookimpl", "hookimpl is a marker made by pluggy"
    assert value is getattr(sys.modules[home], name)


def test_type_checkers_and_programs_see_the_same_names() -> None:
    assert ganstrata.__file__ is not None
    tree = ast.parse(Path(ganstrata.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1]
    seen = {alias.name: (node.module or "").removeprefix("core.") for node in imports for alias in node.names}
    assert seen == ganstrata._HOMES
    assert sorted(ganstrata.__all__) == sorted([*seen, "__version__"])


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ganstrata' has no attribute 'render_all'"):
        _ = ganstrata.render_all
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from ganstrata import Nothing")
    assert not hasattr(ganstrata, "core_nothing")
