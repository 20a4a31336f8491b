"""Test devices, precisions and batch sizes: names, refusals, defaults."""

from __future__ import annotations

import os

import pytest
import torch
from ganstrata.core import device
from ganstrata.core.device import (
    auto_batch,
    autocast,
    compute_dtype,
    cores,
    for_inference,
    resolve_device,
    resolve_precision,
)
from ganstrata.core.errors import UserError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def pretend(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 0)
    assert resolve_device("auto") == CPU
    pretend(monkeypatch, 2)
    assert resolve_device("auto") == CUDA
    assert resolve_device("cpu") == CPU
    assert resolve_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 0, "torch finds no CUDA device; use --device cpu or auto"),
        ("cuda:0", 0, "torch finds no CUDA device"),
        ("cuda:2", 2, "there are cuda:0 to cuda:1"),
        ("gpu", 1, "is not one of auto, cpu, cuda, cuda:N"),
        ("mps", 1, "is not one of auto, cpu, cuda, cuda:N"),
        ("", 1, "is not one of auto, cpu, cuda, cuda:N"),
        ("cuda:x", 1, "is not one of auto, cpu, cuda, cuda:N"),
    ],
)
def test_devices_that_are_not_there(
    name: str, count: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, count)
    with pytest.raises(UserError, match=message) as caught:
        resolve_device(name)
    assert f"'{name}'" in str(caught.value)


def test_precision_is_never_given_up_unasked() -> None:
    assert resolve_precision("auto", CPU) == resolve_precision("auto", CUDA) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"
    assert resolve_precision("fp16", CUDA) == "fp16"
    with pytest.raises(UserError, match="fp16 needs CUDA"):
        resolve_precision("fp16", CPU)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_decides_what_convolutions_compute_in(precision: str, dtype: torch.dtype) -> None:
    x = torch.ones(1, 1, 4, 4)
    with autocast(CPU, precision):
        assert compute_dtype(CPU) == dtype
        assert torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3)).dtype == dtype
    assert compute_dtype(CPU) == torch.float32


def test_full_precision_is_full_within_anothers_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16), autocast(CPU, "fp32"):
        assert (
            torch.nn.functional.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3)).dtype == torch.float32
        )


def test_batches_hold_a_fixed_number_of_pixels() -> None:
    for where in (CPU, CUDA):
        sizes = [auto_batch(resolution, where) for resolution in (4, 64, 256, 1024, 4096)]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] >= 1
        assert sizes[0] <= 256
        assert sizes[1] * 64**2 <= 2**22, "the same memory for every resolution, at most"
    assert auto_batch(256, CUDA) * 256**2 == auto_batch(1024, CUDA) * 1024**2
    assert auto_batch(256, CUDA) > auto_batch(256, CPU)


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ([], 32),
        ([None], 32),
        ([(64, 64)], 32),
        ([(224, 224)], 5),
        ([(224, 224), (64, 64), (384, 384)], 1),
        ([(112, 224)], 10),
        ([(2048, 2048)], 1),
    ],
)
def test_a_network_with_large_input_takes_a_smaller_batch_on_a_cpu(inputs: list, wanted: int) -> None:
    assert auto_batch(64, CPU, 64, inputs) == wanted
    assert auto_batch(64, CUDA, 64, inputs) == auto_batch(64, CUDA)
    assert auto_batch(1024, CPU, 1024, inputs) == 1


def test_a_settled_network_is_frozen_and_in_evaluation() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    assert for_inference(network, CPU) is network
    assert not network[1].training
    assert not any(p.requires_grad for p in network.parameters())
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_cores_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert cores() == 1


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system binds no process to a processor"
)
def test_a_process_that_is_bound_to_one_processor_has_one() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("machine", "avx512", "amx", "wanted"),
    [
        ("x86_64", False, False, False),
        ("AMD64", True, False, True),
        ("x86_64", False, True, True),
        ("arm64", True, True, None),
    ],
)
def test_whether_the_processor_computes_in_bf16_is_what_torch_says(
    machine: str, avx512: bool, amx: bool, wanted: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert device.has_bf16() is wanted


def test_a_torch_that_does_not_say_is_not_answered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert device.has_bf16() is None


@pytest.mark.parametrize(
    ("where", "precision", "has", "is_told"),
    [
        (CPU, "bf16", False, True),
        (CPU, "bf16", True, False),
        (CPU, "bf16", None, False),
        (CPU, "fp32", False, False),
        (CPU, "auto", False, False),
        (CUDA, "bf16", False, False),
    ],
)
def test_that_bf16_is_slow_is_told_where_it_is(
    where: torch.device, precision: str, has: bool | None, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "has_bf16", lambda: has)
    assert bool(device.slow_precision(where, precision)) is is_told
