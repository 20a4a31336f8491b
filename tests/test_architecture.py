"""The description of the rooms of `core` says what is on disk and what the contract between them holds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def contract():
    """Return the names in each layer of the contract between the rooms, from the highest to the lowest."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (rooms,) = [c for c in contracts if "ganstrata.core.pipeline" in c.get("layers", [])]
    return [[name.strip().rpartition(".")[2] for name in layer.split("|")] for layer in rooms["layers"]]


def test_the_table_lists_every_room_in_the_order_of_the_contract():
    table = TEXT.partition("| room |")[2].partition("\n\n")[0]
    rooms = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    folders = {path.parent.name for path in (ROOT / "core").glob("*/__init__.py")}
    assert rooms == [name for layer in contract() for name in layer if name in folders]
    assert set(rooms) == folders


def test_every_module_outside_the_rooms_is_named_and_below_them():
    (loose,) = re.findall(r"^Loose in `core`(?:.+\n)+", TEXT, re.MULTILINE)
    modules = {path.stem for path in (ROOT / "core").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)`", loose)) == modules | {"core"}
    below = [name for layer in contract()[-4:] for name in layer]
    assert sorted(below) == sorted(modules)


def test_every_file_that_the_description_names_is_there():
    for name in re.findall(r"`([\w/]+\.py)`", TEXT):
        assert name == "stage.py" or (ROOT / "core" / name).is_file(), name


def test_rooms_that_do_not_know_each_other_are_named_together():
    folders = {path.parent.name for path in (ROOT / "core").glob("*/__init__.py")}
    beside = [
        " and ".join(f"`{name}`" for name in layer)
        for layer in contract()
        if len(layer) > 1 and layer[0] in folders
    ]
    assert beside
    for pair in beside:
        assert pair in TEXT
