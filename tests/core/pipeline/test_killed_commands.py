"""Commands killed at any moment: nothing half-written counts as finished, and the same command ends."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import CONFIG, _on_path
from ganstrata.core.semantics.annotation.legend import read_legend
from ganstrata.core.semantics.annotation.masks import label_png
from ganstrata.core.storage.result_folder import faults_of
from kill_server import Ended, Server, served
from PIL import Image

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills copies of a process")

MOST, TIMED, TWICE = 24, 6, 6  # moments of a command: changes on the disk, after some time, once more
SEGMENT = """
generator: {use: fake_layers}
teacher: {use: fake_regions}
training: {images: 64, batch_size: 16, learning_rate: 0.05}
checks: false
device: cpu
"""
CODES = ("--codes", "{work}/inverted")
GENERATOR = ("--generator", "fake_layers")
STEPS = ("--embed", "mean", "--refine", "w+", "--set", "w+.steps=3", "--batch", 1)
INVERT = (
    *("{work}/pictures", *GENERATOR, *STEPS, "--perceptual", "none", "--device", "cpu"),
    *("--out", "{work}/out"),
)
PARTS = ("out/invert.json", "out/inversion.html", "out/parts/")
BOARD = ("learners.csv", "leaderboard.html", "leaderboard.md", "leaderboard.json", "computed/")


class Command(NamedTuple):
    """Describe a command.

    Attributes:
        arguments: of `ganstrata`; `{work}` is the folder it works in.
        index: the file whose presence, or `finished: true` in which, says that all is there.
        timed: beginnings of names of files that hold times, and so differ from call to call.
        earlier: more arguments of a call whose results are replaced; None if there is no such call.
        once: whether it refuses to write what is there already.
        adds: whether a second call adds to what the first has done.
    """

    arguments: tuple[object, ...]
    index: str
    timed: tuple[str, ...] = ()
    earlier: tuple[object, ...] | None = None
    once: bool = False
    adds: bool = False


COMMANDS = {
    "invert": Command(("invert", *INVERT), "out/invert.json", PARTS),
    "restore": Command(("restore", "colourise", *INVERT), "out/invert.json", PARTS),
    "encoder": Command(
        (
            *("encoder", "train", *GENERATOR, "--pictures", 32, "--batch", 16, "--perceptual", "none"),
            *("--device", "cpu", "--out", "{work}/e.safetensors"),
        ),
        "e.safetensors",
        ("e.",),
        once=True,
    ),
    "segment train": Command(
        ("segment", "train", "{work}/segment.yaml", "--out", "{work}/out"),
        "out/segmentation.json",
        ("out/training.csv",),
    ),
    "annotate": Command(
        ("segment", "annotate", "{work}/annotate.yaml", "--classes", "a,b", "-n", 3, "--out", "{work}/out"),
        "out/annotations.json",
        once=True,
    ),
    "dissect": Command(
        (
            *("dissect", "{work}/segment.yaml", "--stratum", "s1", "--samples", 32, "--permutations", 19),
            *("--counts", 1, "--curve-samples", 8, "--random-sets", 3, "--out", "{work}/out"),
        ),
        "out/dissection.json",
        earlier=("--samples", 40),
    ),
    "leaderboard": Command(
        (
            *("leaderboard", "{work}/run.json", "ridge", "mean_difference", "--samples", 100, "--verify", 16),
            *("--fresh", 40, "--null", 4, "--steps", "-1,1.5", "--seed", 2, "--out", "{work}/out"),
        ),
        "out/leaderboard.json",
        tuple(f"out/{name}" for name in BOARD),
    ),
    "morph": Command(
        ("morph", "interpolate", *GENERATOR, *CODES, "--perceptual", "none", "--out", "{work}/out"),
        "out/interpolate.json",
        earlier=("--steps", 3),
    ),
    "trust": Command(
        ("trust", "{work}/inverted", *GENERATOR, "--calibrate", 0, "--out", "{work}/out"),
        "out/trust.json",
    ),
    "learn": Command(
        ("segment", "learn", "{work}/paint", "--out", "{work}/out"), "out/segmentation.json", once=True
    ),
    "suggest": Command(
        ("segment", "suggest", "{work}/paint", "-n", 2, "--pool", 6), "paint/annotations.json", adds=True
    ),
    "eval": Command(
        ("segment", "eval", "{work}/seg", "--images", 16, "--out", "{work}/out"),
        "out/evaluation.json",
        earlier=("--images", 20),
    ),
    "edit": Command(
        ("segment", "edit", "{work}/seg", "--sample", 1, "--out", "{work}/out"), "out/paint.json"
    ),
}
QUICK = list(COMMANDS)[:9]  # the others write their folders as some of these do


class Bench:
    """A folder that is as at the beginning before each call, and a process that performs commands there."""

    def __init__(self, server: Server, base: Path, work: Path) -> None:
        self.server, self.base, self.work = server, base, work
        self.whole = cache(self._whole)

    def fresh(self, command: Command, *, earlier: bool = False) -> None:
        """Put the folder back, with the results of an earlier call if wanted."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.base, self.work)
        if earlier and command.earlier is not None:
            assert self.call(command, more=command.earlier).code == 0

    def call(self, command: Command, more: tuple[object, ...] = (), **when: Any) -> Ended:
        """Perform the command."""
        given = [str(one).format(work=self.work) for one in (*command.arguments, *more)]
        return self.server(*given, "--quiet", **when)

    def files(self) -> dict[str, bytes]:
        """The files in the folder by name."""
        paths = [path for path in self.work.rglob("*") if path.is_file() and path.name != "run.lock"]
        return {path.relative_to(self.work).as_posix(): path.read_bytes() for path in paths}

    def _whole(self, name: str) -> tuple[dict[str, bytes], int, float]:
        """What a command that is not killed leaves, how many moments it has, and how long it takes."""
        self.fresh(COMMANDS[name])
        began = time.monotonic()
        ended = self.call(COMMANDS[name])
        assert ended.code == 0, ended.output
        return self.files(), ended.moments, time.monotonic() - began

    def is_finished(self, command: Command) -> bool:
        """Whether the command's results are taken for finished."""
        file = self.work / command.index
        if not file.is_file() or self.files()[command.index] == (self.base_file(command) or b""):
            return False
        return file.suffix != ".json" or bool(json.loads(file.read_bytes()).get("finished", True))

    def base_file(self, command: Command) -> bytes | None:
        """What the index is before the command."""
        file = self.base / command.index
        return file.read_bytes() if file.is_file() else None

    def check_whole(self, name: str) -> None:
        """All is there, and as if the command had not been killed."""
        command, (wanted, *_) = COMMANDS[name], self.whole(name)
        found = self.files()
        assert not set(wanted) - set(found)
        differ = [
            file for file in wanted if found[file] != wanted[file] and not file.startswith(command.timed)
        ]
        assert differ == []
        folder, index = (self.work / command.index).parent, Path(command.index).name
        if "files" in json.loads(found[command.index] if index.endswith(".json") else b"{}"):
            assert faults_of(folder, index) == []

    def ends_after(self, name: str, *kills: dict[str, Any], earlier: bool = False) -> bool:
        """Kill a command, once or more often, and give it again; return whether it was killed at all."""
        command = COMMANDS[name]
        wanted = self.whole(name)[0]
        self.fresh(command, earlier=earlier)
        before, killed = self.files() if earlier else {}, False
        for kill in kills:
            if command.adds and self.is_finished(command):
                break
            ended = self.call(command, **kill)
            assert ended.code in (0, -9) or (command.once and self.is_finished(command)), ended.output
            assert "Traceback" not in ended.output
            killed |= ended.code == -9
            if self.is_finished(command) and self.files().get(command.index) != before.get(command.index):
                self.check_whole(name)
        if command.adds and self.is_finished(command):
            return killed
        refuses = command.once and self.is_finished(command)
        ended = self.call(command)
        assert ended.code == (2 if refuses else 0), ended.output
        self.check_whole(name)
        assert set(self.files()) == set(wanted), "nothing else is left"
        assert not list(self.work.rglob(".*.ganstrata-*"))
        return killed


@pytest.fixture(scope="module")
def bench(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Pictures, configs, inverted pictures, a segmentation and painted masks, made by commands."""
    root = tmp_path_factory.mktemp("killed")
    base = root / "base"
    (base / "pictures").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for k in range(3):
        picture = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(picture).save(base / f"pictures/{k}.png")
    (base / "segment.yaml").write_text(SEGMENT, encoding="utf-8")
    (base / "annotate.yaml").write_text(SEGMENT.replace("images: 64, ", ""), encoding="utf-8")
    keys = ("generator", "scorers", "device")
    board = {key: CONFIG[key] for key in keys} | {"boundary": {"use": "ridge"}, "checks": False}
    (base / "run.json").write_text(json.dumps(board), encoding="utf-8")
    with _on_path(site), served(root) as server:
        for name, place in (("invert", "inverted"), ("segment train", "seg"), ("annotate", "paint")):
            given = [str(one).format(work=base) for one in COMMANDS[name].arguments]
            ended = server(*given[:-1], base / place, "--quiet")
            assert ended.code == 0, ended.output
        labels = np.repeat(np.arange(8)[None] // 4, 8, axis=0)
        for k in (0, 1):
            (base / f"paint/mask-{k}.png").write_bytes(
                label_png(labels, read_legend(base / "paint/classes.json"))
            )
        yield Bench(server, base, root / "work")


@pytest.mark.parametrize("name", QUICK)
def test_a_command_that_was_killed_ends_when_it_is_given_again(name: str, bench: Bench) -> None:
    moments = bench.whole(name)[1]
    assert moments > 5
    assert bench.ends_after(name, {"stop": random.Random(name).randint(2, moments - 1)})


@pytest.mark.full
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_was_killed_at_any_moment_ends_when_it_is_given_again(
    name: str, bench: Bench, record_property: Callable[[str, object], None]
) -> None:
    chance, earlier = random.Random(name), COMMANDS[name].earlier is not None
    _, moments, seconds = bench.whole(name)
    killed = []
    for stop in sorted(chance.sample(range(1, moments + 1), min(moments, MOST))):
        killed.append(bench.ends_after(name, {"stop": stop}))
        if earlier:  # with results to replace, there are more moments
            killed.append(bench.ends_after(name, {"stop": stop + chance.randint(0, 9)}, earlier=True))
    assert all(killed) or earlier
    killed += [bench.ends_after(name, {"after": chance.uniform(0.0, seconds)}) for _ in range(TIMED)]
    for _ in range(TWICE):
        kills = [{"stop": chance.randint(1, moments)} for _ in range(2)]
        killed.append(bench.ends_after(name, *kills, earlier=chance.random() < 0.5))
    record_property("moments", len(killed))
    print(f"{name}: {moments} moments, {len(killed)} tried, {sum(killed)} killed")
