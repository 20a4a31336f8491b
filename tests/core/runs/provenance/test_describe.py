"""What a run is computed from: code, configs, files, packages; what changed of it, in words."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Annotated, Any

import ganstrata
import pytest
import torch
from ganstrata import Concept, PluginConfig, Rendering
from ganstrata.core.config.reading import validate
from ganstrata.core.config.schema import Use
from ganstrata.core.plugins.config_contents import canonical_text
from ganstrata.core.plugins.imports import find
from ganstrata.core.runs.facts import facts_of
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.provenance import imports
from ganstrata.core.runs.provenance.changes import changes, code_changes, plugin_changes
from ganstrata.core.runs.provenance.describe import describe, plugin_record
from ganstrata.core.runs.provenance.files import files_named, values_in
from ganstrata.core.runs.provenance.sources import class_code, module_files, target_code
from pydantic import BeforeValidator, Field, SecretStr, field_serializer


class Reads(ganstrata.Scorer):
    """Its config names files in every way there is."""

    class Inner(PluginConfig):
        paths: tuple[Path, ...] = ()

    class Config(PluginConfig):
        file: str = ""
        folder: Path | None = None
        inner: tuple[Reads.Inner, ...] = ()
        model: str = ""
        also: dict[str, Any] = Field(default={})

    concepts = (Concept("x", "attribute"),)

    def score(self, rendering: Rendering) -> torch.Tensor:
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


Reads.Config.model_rebuild()


def record(**options: Any):
    return plugin_record("scorer", Use.model_validate({"use": "reads", "with": options}))


@pytest.fixture
def reads(fakes, register) -> None:
    register("scorer", "reads", Reads)


def test_every_file_that_a_config_names_is_digested(
    reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder/sub").mkdir(parents=True)
    names = ("a.csv", "b.bin", "folder/sub/c.json", "d.txt", "folder/e.txt")
    for name in names:
        (tmp_path / name).write_text("1", encoding="utf-8")
    options = {
        "file": "a.csv",
        "inner": [{"paths": [str(tmp_path / "b.bin")]}],
        "folder": "folder",
        "also": {"deep": [{"er": "./d.txt"}, 3, None]},
        "model": "folder",
    }
    before = record(**options)
    assert set(before.files) == {"file", "inner.0.paths.0", "folder", "also.deep.0.er"}
    assert record(**options) == before
    for name, place in zip(
        names, ("file", "inner.0.paths.0", "folder", "also.deep.0.er", "folder"), strict=True
    ):
        file = tmp_path / name
        times = file.stat()
        file.write_text("2", encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert plugin_changes("it", before, record(**options)) == [
            f"it: what its config names at '{place}' changed"
        ]
        file.write_text("1", encoding="utf-8")
    (tmp_path / "folder/new").write_text("", encoding="utf-8")
    assert plugin_changes("it", before, record(**options)) == [
        "it: what its config names at 'folder' changed"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no such file",
        "a\0b",
        "x" * 100_000,
        "~nobody_of_this_name/x",
        "bundled:nothing",
        "bundled:*",
        ".",
        "..",
        "/",
        "a\nb",
    ],
)
def test_other_texts_are_no_files(text: str) -> None:
    assert files_named({"text": text}) == {}


def test_a_bundle_counts_by_its_files() -> None:
    assert list(files_named({"checkpoint": "bundled:rooms"})) == ["checkpoint"]


def test_values_are_found_wherever_they_are() -> None:
    assert dict(values_in({"a": ["x", {"b": ("y",)}], "c": {"z"}, "d": Path("w")})) == {
        "a.0": "x",
        "a.1.b.0": "y",
        "c.0": "z",
        "d": Path("w"),
    }


def test_a_plugin_in_a_config_is_recorded_with_its_own_distribution(fakes, config) -> None:
    layout = {"use": "layout", "with": {"segmenter": {"use": "fake_regions"}, "walls": ["wall", "sofa"]}}
    config["scorers"].append(layout)
    facts = facts_of(prepare(validate(config, "x")))
    assert set(facts["plugins"]) == {
        "generator fake_layers",
        "scorer fake_readings",
        "scorer layout",
        "scorer fake_regions",
        "boundary ridge",
    }
    assert facts["plugins"]["scorer fake_regions"] == "ganstrata-fakes 1.0"
    assert (
        facts["plugins"]["scorer layout"]
        == facts["plugins"]["boundary ridge"]
        == f"ganstrata {ganstrata.__version__}"
    )
    new = facts["provenance"]
    scorer = new.scorers["layout"]
    other = scorer.model_copy(
        update={"parts": {"segmenter": scorer.parts["segmenter"].model_copy(update={"code": "0"})}}
    )
    old = new.model_copy(update={"scorers": new.scorers | {"layout": other}})
    assert changes(old, new) == code_changes(old, new) == ["scorer 'layout', segmenter: its source changed"]


def test_versions_alone_do_not_keep_analyses_from_a_run(fakes, config) -> None:
    new = describe(prepare(validate(config, "x")))
    old = new.model_copy(
        update={
            "environment": new.environment.model_copy(
                update={"packages": new.environment.packages | {"torch": "1.0"}, "batch": 1}
            ),
            "generator": new.generator.model_copy(update={"distribution": "fakes 0.1"}),
        }
    )
    assert code_changes(old, new) == []
    assert changes(old, new) == [
        "batch size was 1, is 32",
        f"torch was 1.0, is {new.environment.packages['torch']}",
        "generator 'fake_layers': was from fakes 0.1, is from ganstrata-fakes 1.0",
    ]
    assert changes(None, new) == ["nothing is recorded of what its numbers were computed from"]


def test_code_of_ganstrata_is_known_by_family_and_version() -> None:
    assert module_files("ganstrata.core.runs.prepare") == []
    scorers = module_files("ganstrata.plugins.scorers")
    assert {path.name for path in scorers} > {"hue.py", "layout.py", "places365.py"}
    assert "newton.py" not in {path.name for path in scorers}


def test_a_function_with_the_files_beside_it(tmp_path: Path) -> None:
    """Imports in functions and in turn count, packages as a whole, what is not imported not at all."""
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


LIBRARY = {
    "METADATA": "Metadata-Version: 2.1\nName: a-library\nVersion: {}\n",
    "top_level.txt": "a_library\n",
}


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


def test_an_installed_library_counts_by_its_version(
    reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no requirement names it, as for a function of the user's own."""
    site = tmp_path / "site-packages"
    (site / "a_library-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(imports, "_owners", imports._owners.__wrapped__)
    (site / "a_library.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "own.py").write_text("import a_library\ndef score(images): ...\n", encoding="utf-8")
    seen = []
    for version in ("1.0", "2.0"):
        for name, text in LIBRARY.items():
            (site / "a_library-1.0.dist-info" / name).write_text(text.format(version), encoding="utf-8")
        seen.append(record(model=f"{tmp_path / 'own.py'}:score"))
    assert plugin_changes("it", *seen) == ["it: a-library was 1.0, is 2.0"]
    assert seen[0].essence == seen[1].essence


def test_what_was_imported_counts_as_it_was_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code that runs is what numbers come from, not what a file has become since."""
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
        found: type = module.A
        return found

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


class Hidden(PluginConfig):
    """What is derived of a model may hold more than the model."""

    word: str = ""


class Further(Hidden):
    size: int = 0


class Secretive(ganstrata.Scorer):
    """Its config has values that it leaves out, hides or rounds when it is written."""

    class Config(PluginConfig):
        secret: SecretStr = SecretStr("")
        left_out: int = Field(default=0, exclude=True)
        rounded: float = 0.0
        names: frozenset[str] = frozenset()
        further: Annotated[Hidden, BeforeValidator(lambda given: Further.model_validate(given))] = Field(
            default_factory=Further
        )
        file: str = Field(default="", exclude=True)

        @field_serializer("rounded")
        def _rounded(self, value: float) -> int:
            return round(value)

    concepts = (Concept("x", "attribute"),)

    def score(self, rendering: Rendering) -> torch.Tensor:
        return rendering.images.mean(dim=(1, 2, 3))[:, None]


Secretive.Config.model_rebuild()


def secretive(**options: Any):
    return plugin_record("scorer", Use.model_validate({"use": "secretive", "with": options}))


@pytest.mark.parametrize(
    "options",
    [{"secret": "a"}, {"left_out": 1}, {"rounded": 0.25}, {"names": ["a"]}, {"further": {"size": 3}}],
    ids=lambda options: next(iter(options)),
)
def test_values_that_a_config_does_not_write_count_too(options: dict[str, Any], fakes, register) -> None:
    register("scorer", "secretive", Secretive)
    assert secretive(**options).config != secretive().config
    assert secretive(**options) == secretive(**options)
    assert "secret" not in secretive(secret="my secret").model_dump_json().replace("secretive", "")


def test_files_of_values_that_a_config_does_not_write_are_digested(fakes, register, tmp_path: Path) -> None:
    register("scorer", "secretive", Secretive)
    (tmp_path / "a.csv").write_text("1", encoding="utf-8")
    before = secretive(file=str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("2", encoding="utf-8")
    assert secretive(file=str(tmp_path / "a.csv")).files != before.files


def test_sets_are_the_same_in_all_processes() -> None:
    program = (
        "from ganstrata import PluginConfig\n"
        "from ganstrata.core.plugins.config_contents import contents, canonical_text\n"
        "class C(PluginConfig):\n    names: frozenset[str] = frozenset('abcdefgh')\n"
        "print(contents(C()), canonical_text(C()))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(said) == 1


def test_plain_configs_keep_the_names_that_boundaries_know_generators_by() -> None:
    config = Further(word="ü", size=3)
    assert canonical_text(config) == config.model_dump_json()


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
        found = target_code(f"a_notebook:{name}")
        assert found is not None
        return found.digest

    before = code()
    assert code() == before
    assert code(factor=2) != before
    assert code(power=2) != before
    assert (code(size=2) != before) == (name == "Net")
