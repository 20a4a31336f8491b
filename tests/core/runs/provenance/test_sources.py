"""The source code that a run is computed from: of functions, classes and what they import."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import torch
from ganstrata.core.plugins.imports import find
from ganstrata.core.runs.provenance.sources import class_code, module_files, target_code


def test_code_of_ganstrata_is_known_by_family_and_version() -> None:
    assert module_files("ganstrata.core.runs.prepare") == []
    scorers = module_files("ganstrata.plugins.scorers")
    assert {path.name for path in scorers} > {"hue.py", "layout.py", "places365.py"}
    assert "newton.py" not in {path.name for path in scorers}


def test_a_function_with_the_files_beside_it(tmp_path: Path) -> None:
    """Imports in functions and indirect imports count, packages as a whole; other files do not."""
    (tmp_path / "pack").mkdir()
    texts = {
        "own.py": "import torch\nimport first\ndef f(x):\n    from pack.inner import g\n",
        "first.py": "from second import h\n",
        "second.py": "h = 1\n",
        "pack/__init__.py": "",
        "pack/inner.py": "g = 2\n",
        "other.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    target = f"{tmp_path / 'own.py'}:f"
    before = target_code(target)
    for name, text in texts.items():
        (tmp_path / name).write_text(f"{text}# edited\n", encoding="utf-8")
        assert (target_code(target) != before) == (name != "other.py"), name
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert target_code(target) == before
    assert target_code("torch.nn:Module") is None
    assert target_code("no_such_module:f") is None
    assert target_code("bundled:rooms") is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("from grouped.helper import h\n", "grouped/helper.py"),
        ("from grouped import helper\n", "grouped/helper.py"),
        ("import importlib\nh = importlib.import_module('helper')\n", "helper.py"),
        (
            "def f():\n    from importlib import import_module\n    return import_module('grouped.helper')\n",
            "grouped/helper.py",
        ),
        ("import elsewhere_helper\n", "path/elsewhere_helper.py"),
        ("from elsewhere.deep import helper\n", "path/elsewhere/deep/helper.py"),
        ("import elsewhere_whole\n", "path/elsewhere_whole/inner/part.py"),
        ("import unlisted_helper\n", "site-packages/unlisted_helper.py"),
    ],
)
def test_what_a_function_imports_counts_wherever_it_lies(
    text: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders without __init__.py, names in texts, and Python's path, unless a distribution installed it."""
    for folder in ("path", "site-packages"):
        (tmp_path / folder).mkdir()
        monkeypatch.syspath_prepend(tmp_path / folder)
    file = tmp_path / where
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text("h = 1\n", encoding="utf-8")
    if "whole" in where:
        for folder in (file.parent, file.parents[1]):
            (folder / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "own.py").write_text(f"{text}def score(images): ...\n", encoding="utf-8")
    target = f"{tmp_path / 'own.py'}:score"
    before = target_code(target)
    assert target_code(target) == before
    file.write_text("h = 2\n", encoding="utf-8")
    assert target_code(target) != before


def test_a_module_in_a_folder_without_init_counts_with_those_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "loose_folder"
    folder.mkdir()
    (folder / "own.py").write_text(
        "from loose_folder.a import x\nfrom . import b\ndef score(images): ...\n", encoding="utf-8"
    )
    for name in ("a", "b"):
        (folder / f"{name}.py").write_text("x = 1\n", encoding="utf-8")
    find("loose_folder.own:score")
    for name in ("a", "b"):
        before = target_code("loose_folder.own:score")
        (folder / f"{name}.py").write_text("x = 2\n", encoding="utf-8")
        del sys.modules[f"loose_folder.{name}"]
        assert target_code("loose_folder.own:score") != before, name


def test_what_was_imported_counts_as_it_was_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is that of the imported code, not of a file that changed later."""
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "mine_once.py"
    file.write_text("class A:\n    pass\n", encoding="utf-8")
    plugin = find("mine_once:A")
    before = class_code(plugin).digest
    file.write_text("class A:\n    x = 1\n", encoding="utf-8")
    assert class_code(plugin).digest == before
    del sys.modules["mine_once"]
    assert class_code(find("mine_once:A")).digest != before
    del sys.modules["mine_once"]


def test_a_class_without_a_file_counts_by_its_byte_code() -> None:
    def made(body: str) -> type:
        module = types.ModuleType("in_a_notebook")
        exec(f"class A:\n    def f(self):\n        return [{body} for _ in range(3)]\n", vars(module))
        own_class: type = module.A
        return own_class

    assert class_code(made("1")).digest == class_code(made("1")).digest
    assert class_code(made("1")).digest != class_code(made("2")).digest


def test_a_file_is_run_as_it_is_now_with_those_beside_it(tmp_path: Path) -> None:
    """Python keeps byte code by size and second."""
    (tmp_path / "own.py").write_text("from beside_it import a\nb = 1\n", encoding="utf-8")
    (tmp_path / "beside_it.py").write_text("a = 1\n", encoding="utf-8")
    assert (find(f"{tmp_path / 'own.py'}:a"), find(f"{tmp_path / 'own.py'}:b")) == (1, 1)
    (tmp_path / "own.py").write_text("from beside_it import a\nb = 2\n", encoding="utf-8")
    (tmp_path / "beside_it.py").write_text("a = 2\n", encoding="utf-8")
    assert (find(f"{tmp_path / 'own.py'}:a"), find(f"{tmp_path / 'own.py'}:b")) == (2, 2)
    assert sys.modules["torch"] is torch


BOOK = """
FACTOR = {factor}
def helper(images, power={power}):
    return FACTOR * images.mean(dim=(1, 2, 3)) ** power
def score(images):
    return helper(images)
class Net:
    size = {size}
    def forward(self):
        return helper
"""


@pytest.mark.parametrize("name", ["score", "Net"])
def test_a_function_or_class_without_a_file_counts_with_what_it_uses(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = types.ModuleType("a_notebook")
    monkeypatch.setitem(sys.modules, "a_notebook", book)

    def code(**change: int) -> str:
        exec(BOOK.format(**({"factor": 1, "power": 1, "size": 1} | change)), vars(book))
        described = target_code(f"a_notebook:{name}")
        assert described is not None
        return described.digest

    before = code()
    assert code() == before
    assert code(factor=2) != before
    assert code(power=2) != before
    assert (code(size=2) != before) == (name == "Net")
