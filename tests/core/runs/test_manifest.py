"""run.json edited or damaged: one error that names the file and the key, or a run that is read as it is."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ganstrata.core.errors import GanstrataError, RunError
from ganstrata.core.runs.run import Run
from ganstrata.core.storage.seal import sealed_text

Data = dict[str, Any]


def put(*path: str | int, value: Any) -> Callable[[Data], None]:
    """Set a value at a path."""

    def edit(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        data[path[-1]] = value

    return edit


def cut(*path: str | int) -> Callable[[Data], None]:
    """Remove a key."""

    def edit(data: Any) -> None:
        for part in path[:-1]:
            data = data[part]
        del data[path[-1]]

    return edit


EDITS = [
    (put("stages", value=[]), "stages: "),
    (put("stages", value=None), "stages: "),
    (put("stages", "learn", value={}), r"stages.learn.seconds: is missing"),
    (put("stages", "learn", value=None), "stages.learn: "),
    (put("stages", "learn", "files", value=[]), "stages.learn.files: "),
    (put("stages", "learn", "files", value={"../../x": "y"}), "must be a path within the run directory"),
    (put("stages", "learn", "files", value={"C:/x": "y"}), "must be a path within the run directory"),
    (put("stages", "learn", "files", value={"/etc/passwd": "y"}), "must be a path within the run directory"),
    (put("leftovers", value={"edit": ["../precious"]}), "must be a path within the run directory"),
    (put("stages", "bake", value={"seconds": 1, "finished": "", "files": {}}), "stages.bake"),
    (put("stages", "learn", "seconds", value=-1), "stages.learn.seconds: "),
    (put("config", value=None), "config: "),
    (put("config", value={}), r"config.generator: is missing"),
    (put("config", "synthesis", "samples", value="many"), r"config.synthesis.samples: .*'many'"),
    (put("config", "synthesis", "sample", value=3), "config.synthesis.sample: "),
    (put("checkpoints", value=None), "checkpoints: "),
    (put("checkpoints", value=["x"]), "checkpoints: "),
    (put("batch_size", value="x"), "batch_size: .*'x'"),
    (put("batch_size", value=None), "batch_size: "),
    (put("batch_size", value=True), "batch_size: "),
    (put("batch_size", value=0), "batch_size: "),
    (put("spread", value=None), "spread or concepts are missing"),
    (cut("spread"), "spread or concepts are missing"),
    (put("spread", value=float("nan")), "spread: "),
    (put("spread", value="2"), "spread: "),
    (cut("concepts"), "spread or concepts are missing"),
    (put("concepts", value=None), "concepts: "),
    (put("concepts", 0, value={}), r"concepts.0.id: is missing"),
    (put("concepts", 1, "sd", value="wide"), "concepts.1.sd: "),
    (put("concepts", 1, "level", value="mood"), "concepts.1.level: "),
    (put("concepts", 1, "id", value="seen/left"), "a concept has two rows"),
    (put("layer_sets", value={}), "layer_sets has no `all`"),
    (put("layer_sets", value=None), "layer_sets: "),
    (put("layer_sets", "top", value=[99]), "top has layers that a generator of 8 does not have"),
    (put("groups", "top", value=["a"]), "groups.top.0: "),
    (put("generator", value=None), "generator: "),
    (cut("generator", "fingerprint"), r"generator.fingerprint: is missing"),
    (put("keys", value={"latents": 3}), "keys.latents: "),
    (put("provenance", value=[]), "provenance: "),
    (put("plugins", value=3), "plugins: "),
    (put("x" * 100_000, value=1), "run.json is damaged"),
    (put("format", value=10**40), "run.json"),
]


@pytest.mark.parametrize(("edit", "words"), EDITS)
def test_an_edited_run_is_an_error_with_its_key(
    edit: Callable[[Data], None], words: str, copied: Path
) -> None:
    data = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    edit(data)
    (copied / "run.json").write_text(sealed_text(data), encoding="utf-8")
    with pytest.raises(RunError, match=words) as caught:
        Run.open(copied)
    assert str(copied / "run.json") in str(caught.value)
    assert len(str(caught.value)) <= 2_000


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"",
        b"\xff\xfe",
        b"null",
        b'"',
        b"[]",
        b"3",
        b"9" * 100_000,
        b'{"format": NaN}',
        b"\0" * 1000,
    ],
)
def test_a_damaged_manifest_is_an_error_in_words(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(
        RunError, match=r"run\.json is damaged: .*; the run cannot be continued, use another directory"
    ):
        Run.open(tmp_path)


def test_no_edit_anywhere_is_a_traceback(invoke, copied: Path, finished: Run) -> None:
    """With any value at any place, every reader of the run reports a fault or works."""
    rng = random.Random(0)
    whole = (finished.path / "run.json").read_text(encoding="utf-8")
    values = [None, True, -1, 0, 1e300, "x", "", [], {}, [[]], {"x": None}, float("nan"), 10**30]
    for trial in range(40):
        data = json.loads(whole)
        place, path = data, []
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = rng.choice(keys)
            path.append(key)
            if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
                break
            place = place[key]
        place[key] = rng.choice(values)
        (copied / "run.json").write_text(sealed_text(data), encoding="utf-8")
        command = (
            ("boundaries", "list", copied),
            ("analysis", "ranking", copied),
            ("manipulate", copied, "--along", "nothing"),
        )[trial % 3]
        result = invoke(*command)
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            path,
            place[key],
            result.exc_info,
        )


def test_a_run_of_an_early_version_is_read_and_computed_again(fakes, copied: Path, config) -> None:
    import ganstrata

    data = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    del data["keys"], data["provenance"]
    (copied / "run.json").write_text(sealed_text(data), encoding="utf-8")
    with pytest.raises(GanstrataError, match="nothing is recorded of what its numbers were computed from"):
        ganstrata.manipulate(copied, "seen/red")
    assert ganstrata.open_run(copied).spread == data["spread"]


def test_a_changed_byte_that_leaves_good_json_is_noticed(copied: Path) -> None:
    file = copied / "run.json"
    whole = file.read_text(encoding="utf-8")
    places = [match.start() for match in re.finditer(r"(?<=[0-9])[0-9](?=[0-9])", whole)]
    for place in [*places[:: max(len(places) // 20, 1)], whole.index("  "), whole.index("sd")]:
        file.write_text(whole[:place] + chr(ord(whole[place]) ^ 1) + whole[place + 1 :], encoding="utf-8")
        with pytest.raises(RunError, match=r"run\.json is damaged"):
            Run.open(copied)
    file.write_text(whole, encoding="utf-8")
    assert Run.open(copied).is_done("report")
