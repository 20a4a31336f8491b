"""Test that exceptions of plugins name the plugin, the call, and the plugin's own line."""

from __future__ import annotations

from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Inputs, Latents, PluginConfig, State, Stream
from ganstrata.core.errors import ConfigError, MemoryExhausted, PluginBroken
from pydantic import Field
from sound_plugins import Sound
from torch import Tensor


class Reading(Sound):
    class Config(PluginConfig):
        checkpoint: str = Field(default="", description="a file")
        nested: dict[str, str] = Field(default={}, description="files by name")

    def __init__(self, config: Any, device: torch.device) -> None:
        super().__init__(config, device)
        for file in (config.checkpoint, *config.nested.values()):
            if file:
                torch.load(file)


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        (
            {"checkpoint": "nope.pth"},
            ("with", "checkpoint"),
            "nope.pth: no such file or directory (looked in ",
        ),
        (
            {"nested": {"g": "~nobody-of-this-name/x"}, "checkpoint": "nope.pth"},
            ("with", "checkpoint"),
            "nope.pth: no such file",
        ),
        ({"nested": {"g": "gone.pt"}}, ("with", "nested", "g"), "gone.pt: no such file or directory"),
        ({"checkpoint": "."}, ("with", "checkpoint"), ".: is a directory"),
    ],
)
def test_a_file_that_a_constructor_cannot_open_is_a_fault_with_its_place(
    options: dict[str, Any], path: tuple[str, ...], words: str, register
) -> None:
    register("generator", "reading", Reading)
    with pytest.raises(ConfigError) as caught:
        ganstrata.load_generator("reading", device="cpu", **options)
    (fault,) = caught.value.faults
    assert fault.path == path
    assert fault.message.startswith(words)


class Mute(ValueError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Outside(BaseException):
    """Is not an Exception, so `except Exception` does not catch it."""


class Failing(Sound):
    """Fails in the call that its config names."""

    class Config(PluginConfig):
        where: str = Field(description="a method")
        error: str = Field(default="value", description="what to raise")

    config: Config

    def _maybe(self, where: str) -> None:
        if self.config.where != where:
            return
        raise {
            "value": ValueError("ouch"),
            "stop": StopIteration("early"),
            "exit": SystemExit(3),
            "memory": MemoryError(),
            "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
            "cpu": RuntimeError(
                "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: "
                "you tried to allocate 9 bytes"
            ),
            "cublas": RuntimeError(
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
            ),
            "own": ganstrata.DataError("as I say"),
            "nothing": ganstrata.DataError(""),
            "mute": Mute(),
            "long": ValueError("x" * 1_000_000),
            "outside": Outside("gone"),
            "closing": GeneratorExit(),
            "many": BaseExceptionGroup("all", [KeyboardInterrupt()]),
            "interrupt": KeyboardInterrupt(),
        }[self.config.error]

    @property
    def layer_scale(self) -> Any:
        self._maybe("layer_scale")
        return np.ones(2, np.float32)

    @property
    def groups(self) -> Any:
        self._maybe("groups")
        return None

    def sample(self, n: int, seed: int, start: int, stream: Stream) -> Latents:
        self._maybe("sample")
        return super().sample(n, seed, start, stream)

    def map(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        self._maybe("map")
        return z

    def broadcast(self, w: Tensor) -> Tensor:
        self._maybe("broadcast")
        return super().broadcast(w)

    def begin(self, inputs: Inputs) -> State:
        self._maybe("begin")
        return super().begin(inputs)

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        self._maybe(f"stratum({s})")
        return super().stratum(s, state, code)

    def finish(self, state: State) -> Tensor:
        self._maybe("finish")
        return super().finish(state)

    def style(self, s: int, code: Tensor) -> Tensor | None:
        self._maybe("style(1)")
        return None


CALLS = ("layer_scale", "groups", "sample", "map", "broadcast", "begin", "stratum(0)", "stratum(1)", "finish")


@pytest.mark.parametrize("where", CALLS)
@pytest.mark.parametrize(
    ("error", "words"),
    [("value", "ValueError: ouch"), ("exit", "SystemExit: 3"), ("outside", "Outside: gone")],
)
def test_an_exception_in_any_call_is_the_plugins(where: str, error: str, words: str, register) -> None:
    register("generator", "failing", Failing)
    with pytest.raises(PluginBroken) as caught:
        ganstrata.load_generator("failing", device="cpu", where=where, error=error)
    message = str(caught.value)
    assert message.startswith(f"generator 'failing' from test 0 failed in {where}: {words} ({__file__}:")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("stop", "StopIteration: early"),
        ("mute", "Mute"),
        ("nothing", "DataError"),
        ("long", "ValueError: xxx"),
        ("closing", "GeneratorExit"),
        ("many", r"BaseExceptionGroup: all (1 sub-exception)"),
    ],
)
def test_every_exception_becomes_one_short_line(error: str, words: str, register) -> None:
    register("generator", "failing", Failing)
    with pytest.raises(PluginBroken) as caught:
        ganstrata.load_generator("failing", device="cpu", where="finish", error=error)
    message = str(caught.value)
    assert message.startswith(f"generator 'failing' from test 0 failed in finish: {words}")
    assert f"({__file__}:" in message
    assert "\n" not in message
    assert len(message) < 1000


def test_calls_outside_of_a_run_are_the_plugins_too(register) -> None:
    register("generator", "failing", Failing)
    generator = ganstrata.load_generator("failing", device="cpu", where="style(1)")
    with pytest.raises(PluginBroken, match=r"failed in style\(1\): ValueError: ouch"):
        generator.style(1, torch.zeros(1, 3))
    with pytest.raises(
        PluginBroken, match=r"^generator tests\.core\.plugins\.test_failures\.Failing failed in finish"
    ):
        Failing(Failing.Config(where="finish"), torch.device("cpu")).finish(State(torch.zeros(1)))


@pytest.mark.parametrize("error", ["memory", "cuda", "cpu", "cublas"])
def test_exhausted_memory_is_reported_with_advice(error: str, register) -> None:
    register("generator", "failing", Failing)
    with pytest.raises(
        MemoryExhausted,
        match=r"generator 'failing' from test 0 failed in stratum\(1\).*smaller synthesis\.batch_size",
    ):
        ganstrata.load_generator("failing", device="cpu", where="stratum(1)", error=error)


def test_errors_of_ganstrata_and_ctrl_c_pass_as_they_are(register) -> None:
    register("generator", "failing", Failing)
    with pytest.raises(ganstrata.DataError, match=r"^as I say$"):
        ganstrata.load_generator("failing", device="cpu", where="stratum(1)", error="own")
    with pytest.raises(KeyboardInterrupt):
        ganstrata.load_generator("failing", device="cpu", where="stratum(1)", error="interrupt")
