"""`ganstrata plugins new`: what it writes works, passes its own tests, and makes a run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from ganstrata.cli.plugin_new import files_of
from ganstrata.core.plugins.plugin_info import KINDS
from kit_outcomes import outcome

UNLABELLED = "learner without labels"
OF_RUNS = (*KINDS, UNLABELLED)
ALL = (*OF_RUNS, "inverter")
FILES = ["pyproject.toml", "README.md", "run.yaml", ".github/workflows/test.yml"]


def python(folder: Path, *arguments: str) -> str:
    """Return both streams of a command of Python's in the folder, with the distribution there on the path."""
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def made(invoke, kind: str, home: Path) -> None:
    """Write a distribution."""
    arguments = ["learner", "my_own", "--without-labels"] if kind == UNLABELLED else [kind, "my_own"]
    result = invoke("plugins", "new", *arguments, "--out", str(home))
    assert result.exit_code == 0, result.output


def files(kind: str, name: str) -> dict[str, str]:
    """Return the files of a distribution."""
    without = kind == UNLABELLED
    return files_of("boundary" if without else kind, name, without_labels=without)


def module_of(kind: str) -> str:
    """Return the name of the module with the class."""
    return "learner" if kind in ("boundary", UNLABELLED) else kind


def installed(invoke, kind: str, folder: Path) -> Path:
    """Write a distribution, and beside it what pip would write, so that it counts as installed."""
    home = folder / "mine"
    made(invoke, kind, home)
    project = tomllib.loads((home / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = home / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    points = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["ganstrata"].items())
    (info / "entry_points.txt").write_text(f"[ganstrata]\n{points}", encoding="utf-8")
    return home


@pytest.mark.parametrize(
    "kind",
    [
        "scorer",
        *(pytest.param(kind, marks=pytest.mark.full) for kind in ALL if kind != "scorer"),
    ],
)
def test_it_passes_its_own_tests(invoke, kind: str, tmp_path: Path) -> None:
    home = installed(invoke, kind, tmp_path)
    assert "failed" not in python(home, "-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.full
@pytest.mark.parametrize("kind", OF_RUNS)
def test_it_makes_a_run(invoke, kind: str, tmp_path: Path) -> None:
    home = installed(invoke, kind, tmp_path)
    run = [
        "-m",
        "ganstrata.cli.main",
        "run",
        "run.yaml",
        "--out",
        "run",
        "--quiet",
        "--set",
        "engine.workers=1",
    ]
    python(home, *run)
    assert (home / "run/report.html").is_file()


@pytest.mark.full
@pytest.mark.parametrize("kind", ALL)
def test_pip_installs_it(invoke, kind: str, tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    home, site = tmp_path / "mine", tmp_path / "site"
    made(invoke, kind, home)
    python(
        home, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(site), str(home)
    )
    assert "my_own" in python(site, "-m", "ganstrata.cli.main", "plugins", "show", "my_own")


@pytest.mark.parametrize("kind", ALL)
def test_its_files_are_short_and_well_formed(kind: str) -> None:
    written, module = files(kind, "two_words"), module_of(kind)
    assert sorted(written) == sorted(
        [
            *(name for name in FILES if kind in OF_RUNS or name != "run.yaml"),
            "ganstrata_two_words/__init__.py",
            f"ganstrata_two_words/{module}.py",
            "tests/test_two_words.py",
        ]
    )
    for name, text in written.items():
        assert text.endswith("\n")
        assert max(map(len, text.splitlines())) <= 110, name
        assert "{{" not in text or name.endswith("test.yml")
    assert len(written[f"ganstrata_two_words/{module}.py"].splitlines()) < 40
    assert "class TwoWords(" in written[f"ganstrata_two_words/{module}.py"]
    if kind in OF_RUNS:
        assert yaml.safe_load(written["run.yaml"])["synthesis"] == {"samples": 512}
    assert yaml.safe_load(written[".github/workflows/test.yml"])["jobs"]
    point = tomllib.loads(written["pyproject.toml"])["project"]["entry-points"]["ganstrata"]
    assert point == {"two_words": "ganstrata_two_words"}


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "name", ["state", "stratum", "boundaries", "boundary", "field", "model_card", "plugin_config", "extremes"]
)
def test_a_class_leaves_the_names_alone_that_its_module_uses(kind: str, name: str) -> None:
    module, contract = module_of(kind), "boundary" if kind == UNLABELLED else kind
    written, names = files(kind, name), {"__name__": "written"}
    exec(compile(written[f"ganstrata_{name}/{module}.py"], name, "exec"), names)
    expected = "".join(part.capitalize() for part in name.split("_")) + "Plugin"
    assert outcome(contract, names[expected], "declarations are complete").verdict == "ok"
    assert f"import {expected}\n" in written[f"tests/test_{name}.py"]
    assert f".{module}:{expected}" in written[f"ganstrata_{name}/__init__.py"]


@pytest.mark.parametrize("name", ["none", "true", "exception", "scorer", "warning"])
def test_a_class_is_no_keyword_and_hides_nothing_of_python(name: str) -> None:
    text = files_of("scorer", name)[f"ganstrata_{name}/scorer.py"]
    assert f"class {name.capitalize()}Plugin(Scorer):" in text
    compile(text, name, "exec")


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("scorer", "hue", "has a scorer 'hue' already"),
        ("scorer", "My-Own", "small letters"),
        ("scorer", "class", "small letters"),
        ("generator", "auto", "leaves the choice to the checkpoint"),
        ("scorer", "a" * 41, "up to 40"),
        ("network", "x", "'network' is not one of 'generator', 'scorer', 'boundary', 'learner', 'inverter'"),
    ],
)
def test_names_that_cannot_be_are_refused(invoke, kind: str, name: str, message: str, tmp_path: Path) -> None:
    result = invoke("plugins", "new", kind, name, "--out", str(tmp_path / "x"))
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(invoke, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    result = invoke("plugins", "new", "scorer", "mine", "--out", str(tmp_path / "x"))
    assert (result.exit_code, "exists" in result.stderr) == (2, True)
    assert list((tmp_path / "x").iterdir()) == []


def test_only_learners_are_without_labels(invoke, tmp_path: Path) -> None:
    result = invoke("plugins", "new", "scorer", "x", "--without-labels", "--out", str(tmp_path / "x"))
    assert (result.exit_code, "is for learners, and 'scorer' is not one" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_what_the_list_says_is_the_docstring_of_the_class(invoke, tmp_path: Path) -> None:
    home = installed(invoke, UNLABELLED, tmp_path)
    command = ["-m", "ganstrata.cli.main", "plugins", "list"]
    assert re.search(r"my_own +Directions in which codes vary most +\[", python(home, *command))
    module = home / "ganstrata_my_own" / "learner.py"
    text = 'import nowhere_at_all\n\n\nclass MyOwn:\n    """Something else.\n\n    More.\n    """\n'
    module.write_text(text, encoding="utf-8")
    assert re.search(r"my_own +Something else +\[", python(home, *command))


def test_a_learner_is_a_boundary_learner(invoke, tmp_path: Path) -> None:
    assert invoke("plugins", "new", "learner", "x", "--out", str(tmp_path / "x")).exit_code == 0
    text = (tmp_path / "x" / "ganstrata_x" / "__init__.py").read_text(encoding="utf-8")
    assert "ganstrata_register_boundaries" in text


def test_nothing_is_installed_from_the_package_index_by_the_name_alone() -> None:
    files = files_of("scorer", "two_words")
    assert "pypi" not in files["README.md"]
    steps = yaml.safe_load(files[".github/workflows/test.yml"])["jobs"]["test"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands[0].endswith('"$GANSTRATA"')
    assert commands.index("pip install -e '.[test]'") == 1
