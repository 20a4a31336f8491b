"""pyproject.toml names what lies in the folders: a package that it forgot would be missing in the wheel."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from types import FunctionType

import ganstrata
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
SHIPPED = ("app", "core", "plugins", "cli", "testing", "weights")
OUTSIDE = ("tests", "recipes", "examples", "docs", "benchmarks")


def folder_of(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:])


def test_the_list_of_packages_is_that_of_the_folders() -> None:
    inside = [path.parent for top in SHIPPED for path in (ROOT / top).rglob("__init__.py")]
    assert {folder_of(package) for package in SETUPTOOLS["packages"]} == {ROOT, *inside}
    assert len(SETUPTOOLS["packages"]) == len(set(SETUPTOOLS["packages"]))


def test_every_folder_with_modules_is_a_package() -> None:
    for top in SHIPPED:
        for path in (ROOT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), f"{path.parent} has modules but no __init__.py"


def test_the_root_holds_no_module_that_would_ship_by_accident() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]


def test_every_data_file_is_named_by_a_pattern_and_every_pattern_finds_one() -> None:
    data = SETUPTOOLS["package-data"]
    for package, patterns in data.items():
        for pattern in patterns:
            matches = list(folder_of(package).glob(pattern))
            assert matches, f"{package}: {pattern} finds nothing"
    for package in SETUPTOOLS["packages"]:
        if package == "ganstrata":
            continue
        files = [p for p in folder_of(package).iterdir() if p.is_file() and p.suffix not in (".py", ".pyc")]
        missed = [p.name for p in files if not any(p.match(pattern) for pattern in data.get(package, []))]
        assert not missed, f"{package} holds files that the wheel would lack"


def test_shipped_data_can_be_read() -> None:
    assert ganstrata.__file__ is not None
    home = Path(ganstrata.__file__).parent
    for file in (
        "py.typed",
        "core/report/report.html.j2",
        "core/figures/figure.css",
        "core/figures/page.css",
        "core/figures/page.js",
    ):
        assert (home / file).is_file()
    for role in ("generator", "scenes", "surfaces", "encoder"):
        assert (home / "weights" / f"rooms.{role}.safetensors").stat().st_size > 100_000
        card = (home / "weights" / f"rooms.{role}.md").read_text(encoding="utf-8")
        assert sha256((home / "weights" / f"rooms.{role}.safetensors").read_bytes()).hexdigest() in card


def test_entry_points_lead_to_hooks() -> None:
    declared = PROJECT["project"]["entry-points"]["ganstrata"]
    mine = [
        point
        for point in entry_points(group="ganstrata")
        if point.dist is not None and point.dist.name == "ganstrata"
    ]
    assert {point.name: point.value for point in mine} == declared, "install the package again"
    for target in declared.values():
        module = importlib.import_module(target)
        hooks = [value for name, value in vars(module).items() if name.startswith("ganstrata_register_")]
        assert len(hooks) == 1
        assert isinstance(hooks[0], FunctionType)


def test_the_command_leads_to_the_command_line() -> None:
    module, _, name = PROJECT["project"]["scripts"]["ganstrata"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    (script,) = entry_points(group="console_scripts", name="ganstrata")
    assert script.value == f"{module}:{name}"


def test_the_lowest_versions_are_those_that_are_tested() -> None:
    """What `make test-lowest` installs is what pyproject.toml allows, for all packages needed to run."""
    extras = PROJECT["project"]["optional-dependencies"]
    allowed = [
        Requirement(line)
        for line in (
            *PROJECT["project"]["dependencies"],
            *extras["app"],
            *extras["video"],
            *extras["pandas"],
            *extras["ray"],
            *extras["slurm"],
            *extras["remote"],
            *extras["diffusers"],
            *extras["transformers"],
        )
    ]
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    tested = [Requirement(line) for line in lines if not line.startswith("#")]
    # What other packages require is pinned too, with the reason in a comment.
    explained = {line.split()[1] for line in lines if line.startswith("#")}
    own = [requirement.name for requirement in tested if requirement.name not in explained]
    assert own == sorted(requirement.name for requirement in allowed)
    for requirement in allowed:
        (bound,), (pin,) = (
            requirement.specifier,
            next(one.specifier for one in tested if one.name == requirement.name),
        )
        assert (bound.operator, pin.operator) == (">=", "==")
        assert Version(bound.version) == Version(pin.version), requirement.name


def test_the_version_is_stated_once() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "ganstrata.__version__"}
    assert (ROOT / "LICENSE").is_file()


def test_the_package_imports_itself_relatively() -> None:
    """Standing in the checkout, an absolute import could find a second copy."""
    for top in SHIPPED:
        for path in (ROOT / top).rglob("*.py"):
            lines = path.read_text(encoding="utf-8").splitlines()
            wrong = [
                line
                for line in lines
                if line.strip().startswith(
                    ("from ganstrata", "import ganstrata", "from core", "from plugins")
                )
            ]
            assert not wrong, f"{path.relative_to(ROOT)}: {wrong[0]}"


@pytest.mark.full
def test_the_wheel_holds_weights_and_templates_but_no_tests(tmp_path: Path) -> None:
    source = tmp_path / "ganstrata"
    leftovers = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")

    def ignored(folder: str, names: list[str]) -> set[str]:
        """Leave out results in the root as well; core/runs is a package."""
        return leftovers(folder, names) | ({"runs"} if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, source, ignore=ignored)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(tmp_path),
        str(source),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    wanted = [
        path
        for top in SHIPPED
        for path in (source / top).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    assert inside == {f"ganstrata/{path.relative_to(source).as_posix()}" for path in wanted} | {
        "ganstrata/__init__.py",
        "ganstrata/py.typed",
    }
    assert "ganstrata/weights/rooms.generator.safetensors" in inside
    assert not [name for name in inside if name.split("/")[1] in OUTSIDE]
    assert any(name.endswith("entry_points.txt") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
