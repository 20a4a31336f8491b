"""Every code block and command of the documentation runs, or says why not."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
import yaml
from doc_blocks import BLOCKS, ROOT, Block, Session
from ganstrata.cli.main import main
from ganstrata.core.config.reading import validate

# Pages whose blocks are run one after the other. The others have tests of their own in test_docs.py.
QUICK = ["models", "unlabelled", "segmentation-from-masks", "inversion"]
SLOW = [
    "first-run",
    "first-plugin",
    "own-checkpoint",
    "library",
    "editing",
    "analyses",
    "study",
    "segmentation",
    "dissection",
]
OF_ROOMS = {"library", "editing", "analyses", "study"}  # they begin with a finished run
OF_TESTS = {"README.md", "docs/plugins.md"}  # test_docs.py installs the distributions that they show
CODE = ("sh", "python", "yaml", "toml")
COMMANDS = [
    (block, line)
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.replace("\\\n", " ").splitlines()
    if re.match(r"(exec )?ganstrata ", line)
]
PARTS = [
    block
    for block in BLOCKS
    if block.language == "yaml"
    and not block.word
    and not block.reason
    and not {"generator", "scorers"} <= set(yaml.safe_load(block.text))
]


@pytest.fixture(scope="module")
def finished_rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with examples/rooms.yaml, made small, and its finished run, which many pages begin with."""
    session = Session(tmp_path_factory.mktemp("rooms"))
    config = yaml.safe_load((ROOT / "examples/rooms.yaml").read_text(encoding="utf-8"))
    config["synthesis"]["samples"] = 1000
    config["boundary"]["with"] |= {"positives": 0.3, "negatives": 0.3}
    config["rescoring"] |= {"samples": 16, "adaptive": False, "learning_resamples": 4, "null_directions": 8}
    (session.place / "examples").mkdir()
    (session.place / "examples/rooms.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    line = "ganstrata run examples/rooms.yaml --out runs/rooms --quiet\n"
    session.run(Block(ROOT / "README.md", "", "sh", "", line))
    return session.place


@pytest.fixture(scope="module")
def small_segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with examples/segment.yaml, made small."""
    place = tmp_path_factory.mktemp("segment")
    config = yaml.safe_load((ROOT / "examples/segment.yaml").read_text(encoding="utf-8"))
    config["training"]["images"] = 200
    (place / "examples").mkdir()
    (place / "examples/segment.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return place


def run_page(page: str, folder: Path, begin_with: Path | None = None) -> Session:
    session = Session(folder)
    for path in begin_with.iterdir() if begin_with is not None else ():
        shutil.copytree(path, session.place / path.name)
    blocks = [block for block in BLOCKS if block.path == f"docs/{page}.md" and not block.reason]
    assert blocks
    for block in blocks:
        session.run(block)
    return session


def test_every_block_runs_or_says_why_not() -> None:
    pages = {f"docs/{page}.md" for page in (*QUICK, *SLOW)}
    unexplained = [
        block.name
        for block in BLOCKS
        if block.language != "text"
        and not block.word.startswith("{")  # a directive of the site
        and not block.reason
        and not (block.path in pages and block.language in CODE)
        and not (block.path in OF_TESTS and "." in block.word)
        and block.word != "runnable"
        and not (block.language == "yaml" and not block.word)
    ]
    assert not unexplained, "let test_doc_blocks.py run the page, or write <!-- not run: REASON --> above"
    assert len({block.reason for block in BLOCKS}) > 5


@pytest.mark.parametrize(("block", "line"), COMMANDS, ids=lambda value: getattr(value, "name", value))
def test_commands_and_their_options_exist(block: Block, line: str) -> None:
    """Every command, also one that is not run."""
    words = shlex.split(line, comments=True)
    words = words[words.index("ganstrata") + 1 :]
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words.pop(0))
        assert inner is not None, f"no such command: {line}"
        command = inner
    options = {name for parameter in command.params for name in parameter.opts} | {"-h", "--help"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    assert not unknown, f"{unknown} in: {line}"


@pytest.mark.parametrize("block", PARTS, ids=lambda block: block.name)
def test_parts_of_configs_validate(block: Block) -> None:
    whole = {
        "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
        "scorers": [{"use": "hue"}],
        "boundary": {"use": "ridge"},
    }
    validate(whole | yaml.safe_load(block.text), block.name)


@pytest.mark.parametrize("page", QUICK)
def test_pages_run(page: str, tmp_path: Path) -> None:
    run_page(page, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("page", SLOW)
def test_long_pages_run(page: str, tmp_path: Path, finished_rooms: Path, small_segment: Path) -> None:
    begin_with = {"segmentation": small_segment}.get(page, finished_rooms if page in OF_ROOMS else None)
    run_page(page, tmp_path, begin_with)


def test_the_plugins_of_the_tutorial_are_short() -> None:
    for block in BLOCKS:
        if block.path == "docs/first-plugin.md" and block.language == "python":
            assert len(block.text.splitlines()) < 40, block.word
