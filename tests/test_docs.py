"""The documentation is true: configs validate, code runs, tables match the code, links lead somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from doc_blocks import BLOCKS, FENCE, PAGES, ROOT, Block, write_info
from ganstrata.core.config.reading import validate
from ganstrata.core.plugins.hookspecs import PROJECT
from ganstrata.core.plugins.registry import registry

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
RUNNABLE = [block for block in BLOCKS if block.word == "runnable"]
CONFIGS = [
    block
    for block in BLOCKS
    if block.language == "yaml"
    and not block.word
    and {"generator", "scorers"} <= set(yaml.safe_load(block.text))
]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def distribution(page: str, folder: Path) -> dict[str, str]:
    """Put the files that a page shows into a folder, with the entry points that pip would write there."""
    files = {block.word: block.text for block in BLOCKS if block.page == ROOT / page and "." in block.word}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    write_info(folder, folder)
    return files


def command(folder: Path, *arguments: str) -> str:
    """Return both streams of the command line, with the distribution in `folder` installed."""
    line = [sys.executable, "-m", "ganstrata.cli.main", *arguments]
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_patterns_find_what_they_are_for() -> None:
    assert len(CONFIGS) >= 2
    assert len(RUNNABLE) >= 1
    assert sum(len(LINK.findall(page.read_text(encoding="utf-8"))) for page in PAGES) > 30


@pytest.mark.parametrize("block", CONFIGS, ids=lambda block: block.name)
def test_configs_validate(block: Block) -> None:
    validate(yaml.safe_load(block.text), block.name)


@pytest.mark.full
@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.name)
def test_code_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, str(block.page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [first or second for first, second in LINK.findall(text)]
    local = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]
    for target in local:
        path, _, anchor = target.partition("#")
        file = page if not path else page.parent / path
        assert file.exists(), f"{target} does not exist"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
            ]


@pytest.mark.parametrize("page", ["config.md", "cli.md", "segmentation.md"])
def test_generated_parts_are_up_to_date(page: str, generate: ModuleType) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    # Releases of click break lines in other places.
    assert generate.filled(text).split() == text.split(), "run `python docs/generate.py`"


def test_every_field_is_described(generate: ModuleType) -> None:
    undescribed = [
        line
        for table in (generate.run_fields(), generate.plugin_fields())
        for line in table.splitlines()
        if line.endswith(("| |", "|  |"))
    ]
    assert undescribed == []


def test_every_hook_is_documented_with_its_arguments() -> None:
    text = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    hooks = registry().hooks
    names = [name for name in vars(hooks.hook) if name.startswith(PROJECT)]
    assert len(names) == 10
    for name in names:
        assert f"`{name}({', '.join(getattr(hooks.hook, name).spec.argnames)})`" in text


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = sorted(re.split(r"[<>=!~ \[]", line)[0] for line in declared)
    explained = re.findall(
        r"^\| ([A-Za-z0-9-]+) \|", (ROOT / "docs/dependencies.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(name for name in explained if name not in ("package", "---")) == names


@pytest.mark.full
def test_the_example_by_hand_moves_saturation_and_draws_it(tmp_path: Path) -> None:
    line = [sys.executable, str(ROOT / "examples/by_hand.py"), "rooms.png"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = re.findall(
        r"^(\w+) +layers: .* by ([-+.\d]+), standard error ([.\d]+)$", done.stdout, re.MULTILINE
    )
    assert [name for name, _, _ in lines] == ["all", "bottom", "lower", "upper", "top"]
    assert float(lines[0][1]) > 3.0 * float(lines[0][2])
    assert (tmp_path / "rooms.png").read_bytes().startswith(b"\x89PNG")


def test_the_plugin_of_the_readme_is_loaded(tmp_path: Path) -> None:
    distribution("README.md", tmp_path)
    assert "ganstrata-contrast" in command(tmp_path, "plugins", "show", "rms_contrast")


def test_all_plugins_of_the_documentation_can_be_installed_together(tmp_path: Path) -> None:
    distribution("README.md", tmp_path)
    distribution("docs/plugins.md", tmp_path)
    assert "ganstrata-discs" in command(tmp_path, "plugins", "show", "contrast")


def test_the_plugins_of_the_documentation_make_a_run(tmp_path: Path) -> None:
    distribution("docs/plugins.md", tmp_path)
    output = command(tmp_path, "run", "discs.yaml", "--out", "run", "--quiet")
    assert "rescore took" in output
    assert (tmp_path / "run/report.html").is_file()
    # The disc's colour is decided at layer 1 alone, so lightness cannot move at layer 0 by more than the
    # disc's rim.
    rows = (line.split(",") for line in (tmp_path / "run/rescoring.csv").read_text().splitlines())
    moved = {
        row[2]: float(row[7])
        for row in rows
        if row[0] == row[3] == "contrast/lightness" and float(row[14]) > 0.0
    }
    assert moved["1"] > 10.0 * abs(moved["0"])

    assert re.search(
        r"\b[01]\.\d+ +contrast/", command(tmp_path, "analysis", "accuracies", "run", "--set", "top=1")
    )
    table = tmp_path / "run/analysis/accuracies/accuracies.csv"
    assert table.read_text().splitlines()[0] == "accuracy,concept"
    assert "Hello." in command(tmp_path, "greet")


@pytest.mark.full
def test_the_engine_of_the_documentation_makes_the_same_run(tmp_path: Path) -> None:
    distribution("docs/plugins.md", tmp_path)
    command(tmp_path, "run", "discs.yaml", "--out", "run", "--quiet")
    command(
        *(tmp_path, "run", "discs.yaml", "--out", "again", "--quiet", "--set", "engine.use=pool"),
        *("--set", "engine.with.renew_after=50", "--set", "engine.workers=2"),
    )
    assert (tmp_path / "again/rescoring.csv").read_bytes() == (tmp_path / "run/rescoring.csv").read_bytes()


@pytest.mark.full
def test_the_learner_without_labels_of_the_documentation_makes_a_run(tmp_path: Path) -> None:
    distribution("docs/plugins.md", tmp_path)
    summary = "Directions along which pictures change most: eigenvectors of the mean of J J^T"
    assert summary in command(tmp_path, "plugins", "show", "steepest")
    output = command(tmp_path, "run", "discs_steepest.yaml", "--out", "run", "--quiet")
    assert re.search(r"^0 of 3 directions .*(\n.*)*  unnamed: (steepest/\d(, )?){3}$", output, re.MULTILINE)
    rows = (tmp_path / "run/directions.csv").read_text(encoding="utf-8").splitlines()
    assert sorted(row.split(",")[0] for row in rows) == ["direction", *(f"steepest/{i}" for i in range(3))]
    assert "fact_share" in rows[0]


@pytest.mark.full
def test_the_plugins_of_the_documentation_keep_their_promises(tmp_path: Path) -> None:
    distribution("docs/plugins.md", tmp_path)
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_discs.py"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "FAILED" not in command(tmp_path, "plugins", "check", "discs", "--config", "discs.yaml")
    assert "FAILED" not in command(tmp_path, "plugins", "check", "pool")
