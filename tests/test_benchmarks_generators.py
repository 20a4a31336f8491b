"""The benchmark of the generators on tiny networks: plain passes compute the same pictures; it runs."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = (
    "stylegan",
    "stylegan2",
    "stylegan3-t",
    "stylegan3-r",
    "pggan",
    "biggan",
    "biggan-deep",
    "r3gan",
    "stylegan-xl",
    "stylegan-t",
    "mobile-stylegan",
    "r3gan2",
    "fastgan",
    "lightweight-gan",
    "lucidrains-stylegan2",
)
TINY = {"fastgan": 64, "lightweight-gan": 128}  # pixels of the pictures of tiny networks; of others 16


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """scripts("checkpoints") imports a module of benchmarks/, which is forgotten after the test."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    ours = {path.stem for path in BENCHMARKS.iterdir()}
    before = dict(sys.modules)

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in set(sys.modules) - set(before):
        if name.partition(".")[0] in ours:
            del sys.modules[name]


def subject_of(scripts: Any, name: str, folder: Path, batch: int = 3) -> Any:
    path = scripts("checkpoints").make(name, folder, tiny=True)
    return scripts("subject").Subject(str(path), batch)


def test_there_is_a_network_of_every_family_in_its_published_size(scripts: Any) -> None:
    families = scripts("checkpoints").FAMILIES
    architectures = {name: family.architecture(False) for name, family in families.items()}
    assert {name: a.resolution for name, a in architectures.items()} == {
        name: 128 if name == "biggan" else 256 for name in NAMES
    }
    with torch.device("meta"):
        millions = {
            name: round(sum(p.numel() for p in a.build().parameters()) / 1e6)
            for name, a in architectures.items()
        }
    assert millions == {
        "stylegan": 26,
        "stylegan2": 30,
        "stylegan3-t": 28,
        "stylegan3-r": 19,
        "pggan": 23,
        "biggan": 70,
        "biggan-deep": 56,
        "r3gan": 23,
        "stylegan-xl": 58,
        "stylegan-t": 120,
        "mobile-stylegan": 9,
        "r3gan2": 21,
        "fastgan": 29,
        "lightweight-gan": 14,
        "lucidrains-stylegan2": 29,
    }


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_plain_passes_compute_the_same_pictures(name: str, scripts: Any, tmp_path: Path) -> None:
    subject = subject_of(scripts, name, tmp_path)
    generators = scripts("generators")
    worst, seconds = subject.compare()
    assert worst < generators.TOLERANCE
    assert list(seconds) == subject.names
    image = subject.case("ganstrata.render")()
    size = TINY.get(name, 16)
    assert image.shape == (3, 3, size, size) if not name.startswith("biggan") else image.shape[:2] == (3, 3)
    assert image.std() > 1e-3
    assert (image[0] - image[1]).abs().max() > 1e-3 * image.std()
    for call in generators.cases(subject, subject.names).values():
        assert call().shape == image.shape


@torch.inference_mode()
def test_another_picture_is_noticed(scripts: Any, tmp_path: Path) -> None:
    subject = subject_of(scripts, "pggan", tmp_path)
    subject.tensors["outputs.2.bias"] = subject.tensors["outputs.2.bias"] + 0.01
    assert subject.compare()[0] > scripts("generators").TOLERANCE


def test_plain_passes_use_nothing_of_the_package() -> None:
    for path in (BENCHMARKS / "plain").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not [name for name in names if name and name.startswith("ganstrata")], path


def test_the_verdict_compares_round_by_round_with_the_better_plain_pass(scripts: Any) -> None:
    seconds = {
        "plain": [9.0, 9.0, 9.0],
        "plain, channels last": [2.0, 4.0, 8.0],
        "ganstrata.render": [2.2, 4.0, 8.8],
    }
    ratio, best = scripts("generators").verdict(seconds)
    assert (round(ratio, 6), best) == (1.1, "plain, channels last")


def test_cases_take_turns_and_stop_when_the_time_is_up(scripts: Any) -> None:
    measure, order = scripts("measure"), []
    cases = {name: lambda name=name: order.append(name) for name in "ab"}
    assert {name: len(values) for name, values in measure.turns(cases, 2).items()} == {"a": 2, "b": 2}
    assert "".join(order) == "ababab"
    assert len(measure.turns(cases, 9, budget=0.0, least=4)["a"]) == 4
    assert measure.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2.0 / 3.0)


def test_unknown_families_are_refused_by_name(scripts: Any) -> None:
    chosen = scripts("generators").chosen
    assert chosen("rooms,pggan") == ["rooms", "pggan"]
    assert set(chosen("all")) == {"rooms", *NAMES}
    with pytest.raises(SystemExit, match="no family vqgan; there are rooms, stylegan"):
        chosen("pggan,vqgan")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells")
def test_the_peak_is_what_a_pass_takes_at_most(scripts: Any) -> None:
    def call() -> torch.Tensor:
        return torch.ones(2**24).sum()  # 64 MiB

    peak = scripts("worker").peak(lambda: torch.ones(1), call, torch.device("cpu"))
    assert peak is not None
    assert 60 * 2**20 < peak < 100 * 2**20


def test_a_process_of_its_own_returns_its_answer(scripts: Any, tmp_path: Path) -> None:
    path = scripts("checkpoints").make("r3gan", tmp_path, tiny=True)
    assert scripts("worker").ask("freed", str(path), "plain", "bf16", 2, 1, "cpu") > 0.0


def test_a_failure_to_compile_is_reported_with_its_reason(
    scripts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> torch.Tensor:
        raise RuntimeError("no C++ compiler\nand more")

    monkeypatch.setattr(torch, "compile", lambda call: call)
    assert scripts("switches").compiled(fails) == (None, "not measured: RuntimeError: no C++ compiler")
    call, words = scripts("switches").compiled(lambda: torch.ones(1))
    assert call() == 1.0
    assert words.startswith("compiled in ")


def test_the_script_prints_ratios_and_reasons(
    scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generators, make = scripts("generators"), scripts("checkpoints").make
    monkeypatch.setattr(generators, "make", lambda name, folder: make(name, folder, tiny=True))
    monkeypatch.setattr(generators, "ask", lambda *_: 3.0 * 2**20)
    monkeypatch.setattr(generators, "keep_freed_memory", lambda: True)  # it acts on the whole process
    monkeypatch.setattr(generators, "compiled", lambda _: (None, "not measured: no compiler"))
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "generators.py",
            "--families",
            "stylegan2,pggan",
            "--rounds",
            "1",
            "--batch",
            "2",
            "--device",
            "cpu",
            "--compile",
            "1",
        ],
    )
    generators.main()
    stdout = capsys.readouterr().out
    for words in (
        "StyleGAN2 config F, 256 px, random weights: batches of 2",
        "plain, weights per sample",
        "that are allowed",
        "CUDA graphs: not measured, no CUDA device",
        "MiB per image",
        "top, layers 4-5",
        "nothing to reuse",
        "ganstrata.render, not measured: no compiler",
    ):
        assert words in stdout
