"""The parts of a file: their order, and the tensors and settings that belong to each."""

from __future__ import annotations

import argparse
import collections
import datetime
import json
from pathlib import Path
from typing import Any

import checkpoint_files as files
import numpy as np
import pytest
import torch
from ganstrata.core.checkpoints import read_checkpoint
from safetensors.torch import save_file
from torch import Tensor


def state(value: float, *names: str) -> dict[str, Tensor]:
    return {name: torch.full((2,), value) for name in names or ("conv.weight", "conv.bias")}


def parts(path: Path, content: Any, **options: Any) -> dict[str, Any]:
    torch.save(content, path / "a.pt", **options)
    return {part.name: part for part in read_checkpoint(path / "a.pt").parts}


@pytest.mark.parametrize("zipped", [True, False])
def test_rosinality(tmp_path: Path, zipped: bool) -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    content = {
        "g": state(1),
        "d": state(2),
        "g_ema": state(3),
        "g_optim": optimizer.state_dict(),
        "d_optim": optimizer.state_dict(),
        "latent_avg": torch.zeros(4),
        "args": argparse.Namespace(size=256, lr=0.002, path="data", ckpt=None, mixing=0.9),
        "ada_aug_p": 0.5,
    }
    by_name = parts(tmp_path, content, _use_new_zipfile_serialization=zipped)
    assert list(by_name) == ["g_ema", "g", "d"]
    assert set(by_name["g_ema"].tensors) == {"conv.weight", "conv.bias", "latent_avg"}
    assert set(by_name["g"].tensors) == {"conv.weight", "conv.bias", "latent_avg"}
    assert set(by_name["d"].tensors) == {"conv.weight", "conv.bias"}
    assert by_name["g_ema"].settings == {
        "args": {"size": 256, "lr": 0.002, "path": "data", "ckpt": None, "mixing": 0.9},
        "ada_aug_p": 0.5,
    }


def test_e4e(tmp_path: Path) -> None:
    whole = {**state(1, "encoder.input.weight"), **state(2, "decoder.style.1.weight", "decoder.input.input")}
    by_name = parts(
        tmp_path,
        {
            "state_dict": whole,
            "latent_avg": torch.zeros(18, 4),
            "opts": {"output_size": 1024, "device": torch.device("cpu")},
        },
    )
    assert next(iter(by_name)) == "decoder"
    assert list(by_name)[-1] == "encoder"
    assert set(by_name["decoder"].tensors) == {"style.1.weight", "input.input", "latent_avg"}
    assert set(by_name["encoder"].tensors) == {"input.weight"}
    assert by_name["decoder"].settings == {"opts": {"output_size": 1024}}
    assert set(whole) <= set(by_name["state_dict"].tensors), (
        "the whole stays a part, for networks that have both"
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda models: models,
        lambda models: {"models": models, "running_metadata": {"iter": 5}, "optimizers": {}},
    ],
)
def test_genforce(tmp_path: Path, wrap: Any) -> None:
    by_name = parts(
        tmp_path, wrap({"generator": state(1), "discriminator": state(2), "generator_smooth": state(3)})
    )
    assert list(by_name) == ["generator_smooth", "generator", "discriminator"]
    assert by_name["generator_smooth"].tensors["conv.weight"][0] == 3


def test_mmgeneration(tmp_path: Path) -> None:
    whole = {
        **state(1, "generator.convs.0.weight"),
        **state(2, "discriminator.convs.0.weight"),
        **state(3, "generator_ema.convs.0.weight"),
    }
    meta = {"env_info": "...", "iter": 7, "seed": np.int64(3), "time": np.float64(0.5)}
    by_name = parts(
        tmp_path,
        {"meta": meta, "state_dict": whole, "optimizer": {"generator": {"state": {}, "param_groups": []}}},
    )
    assert list(by_name)[:2] == ["generator_ema", "generator"]
    assert list(by_name)[-1] == "discriminator"
    assert by_name["generator_ema"].tensors["convs.0.weight"][0] == 3
    assert by_name["generator_ema"].settings["meta"] == {"env_info": "...", "iter": 7, "seed": 3, "time": 0.5}


def test_the_history_of_mmengine_is_left_out(tmp_path: Path) -> None:
    class HistoryBuffer:
        def __init__(self) -> None:
            self.values, self.current = np.arange(3.0), HistoryBuffer.mean

        def mean(self) -> None: ...

    with files.pretending(mmengine__logging__history_buffer__HistoryBuffer=HistoryBuffer):
        HistoryBuffer.mean.__qualname__, HistoryBuffer.mean.__module__ = (
            "HistoryBuffer.mean",
            HistoryBuffer.__module__,
        )
        content = {"state_dict": state(1), "message_hub": {"log": {"loss": HistoryBuffer()}, "iter": 3}}
        for protocol in (2, 4):
            by_name = parts(tmp_path, content, pickle_protocol=protocol)
            assert list(by_name) == ["state_dict"]
            assert by_name["state_dict"].settings == {"message_hub": {"log": {}, "iter": 3}}


def test_places365(tmp_path: Path) -> None:
    by_name = parts(
        tmp_path,
        {"state_dict": state(1, "module.fc.weight", "module.fc.bias"), "arch": "wideresnet18", "epoch": 90},
    )
    assert set(by_name["state_dict"].tensors) == {"fc.weight", "fc.bias"}
    assert by_name["state_dict"].settings == {"arch": "wideresnet18", "epoch": 90}


def test_a_whole_network_in_data_parallel(tmp_path: Path) -> None:
    network = torch.nn.DataParallel(torch.nn.Linear(2, 3))
    torch.save({"model": network, "state": {"module.w": torch.ones(1)}}, tmp_path / "a.pt")
    first, second = read_checkpoint(tmp_path / "a.pt").parts
    assert (set(first.tensors), set(second.tensors)) == ({"weight", "bias"}, {"w"})


def test_a_bare_state_dict_is_the_first_part_whatever_its_names(tmp_path: Path) -> None:
    whole = {**state(1, "generator.a"), **state(2, "discriminator.a")}
    torch.save(whole, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert set(checkpoint.tensors) == set(whole)
    assert [part.name for part in checkpoint.parts] == ["", "generator", "discriminator"]


def test_a_bare_state_dict_with_plain_values(tmp_path: Path) -> None:
    by_name = parts(tmp_path, {**state(1), "epoch": 3})
    assert set(by_name[""].tensors) == {"conv.weight", "conv.bias"}
    assert by_name[""].settings == {"epoch": 3}


@pytest.mark.parametrize(
    "content",
    [
        {"model": {"module": state(1)}, "model_ema": {"module": state(2)}},
        {"g": {"model": state(1)}, "g_ema": {"model": state(2)}},
        {"train": {"generator": state(1)}, "ema": {"generator": state(2), "discriminator": state(3)}},
        {
            "state_dict": {f"G.{name}": tensor for name, tensor in state(1).items()},
            "ema": {f"{role}.{name}": tensor for role in "GD" for name, tensor in state(2).items()},
        },
    ],
)
def test_what_is_in_a_moving_average_is_one(tmp_path: Path, content: Any) -> None:
    """The names inside say no more than those beside it do, so the first in the file would be taken."""
    first = next(p for p in parts(tmp_path, content).values() if "conv.weight" in p.tensors)
    assert first.tensors["conv.weight"].tolist() == [2.0, 2.0]


def test_names_that_occur_twice(tmp_path: Path) -> None:
    by_name = parts(tmp_path, {"first": {"generator": state(1)}, "second": {"generator": state(2)}})
    assert [part.tensors["conv.weight"][0].item() for part in by_name.values()] == [1, 2]


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["D", "G", "G_ema"], ["G_ema", "G", "D"]),
        (["netD", "netG"], ["netG", "netD"]),
        (["params", "params_ema"], ["params_ema", "params"]),
        (["discriminator_ema", "other", "model"], ["model", "other", "discriminator_ema"]),
        (["encoder", "generator", "generator_ema"], ["generator_ema", "generator", "encoder"]),
    ],
)
def test_moving_averages_come_first_and_discriminators_last(
    tmp_path: Path, names: list[str], order: list[str]
) -> None:
    assert list(parts(tmp_path, {name: state(1) for name in names})) == order


def test_no_file_but_our_own_tells_a_plugin_what_to_build(tmp_path: Path) -> None:
    by_name = parts(
        tmp_path, {"g_ema": state(1), "network": {"channels": {}}, "plugin": "stylegan2", "iter": 3}
    )
    assert by_name["g_ema"].settings == {"iter": 3}


def test_settings_that_are_not_plain_are_left_out(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    content = {
        "state_dict": state(1),
        "ends": 1,
        "set": {1, 2},
        "long": "x" * 200_000,
        "tuple": (1, (2,)),
        "deep": endless,
        "keys": {1: 2, "a": 3},
    }
    settings = parts(tmp_path, content)["state_dict"].settings
    assert settings["ends"] == 1
    assert settings["tuple"] == [1, [2]]
    assert settings["keys"] == {"a": 3}
    assert "long" not in settings
    json.dumps(settings)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
@pytest.mark.parametrize(
    ("config", "read"),
    [
        ('{"layers": [[true, 16, 16]], "plugin": "x"}', True),
        ('{"model_type": "bert"}', False),
        ("[1]", False),
        ("{", False),
        ('{"layers": "' + "x" * 1_000_001 + '"}', False),
    ],
)
def test_a_config_beside_a_bare_state_dict(tmp_path: Path, kind: str, config: str, read: bool) -> None:
    (tmp_path / "config.json").write_text(config)
    (torch.save if kind == "torch" else save_file)(state(1), tmp_path / "a.bin")  # type: ignore[operator]
    assert read_checkpoint(tmp_path / "a.bin").settings == ({"layers": [[True, 16, 16]]} if read else {})


def test_a_config_is_not_for_files_that_have_settings(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"layers": 3}')
    save_file(state(1), tmp_path / "a.safetensors", metadata={"ganstrata": '{"licence": "MIT"}'})
    assert read_checkpoint(tmp_path / "a.safetensors").settings == {"licence": "MIT"}
    torch.save({"g_ema": state(1)}, tmp_path / "b.pt")
    assert read_checkpoint(tmp_path / "b.pt").settings == {}


def test_tensors_that_share_their_numbers(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    parameter = torch.nn.Parameter(whole.t())
    content = {
        "whole": whole,
        "part": whole[1:, ::2],
        "turned": parameter,
        "empty": torch.zeros(0, 3),
        "brain": whole.bfloat16(),
        "yes": whole > 3,
    }
    for zipped in (True, False):
        tensors = parts(tmp_path, content, _use_new_zipfile_serialization=zipped)[""].tensors
        for name, tensor in content.items():
            assert tensors[name].dtype == tensor.dtype
            assert torch.equal(tensors[name], tensor), name
            assert tensors[name].is_contiguous()
        tensors["whole"][1, 2] = 100.0
        assert tensors["part"][0, 1] == 6.0, "what lay elsewhere in them is a tensor of its own"
        assert tensors["turned"][2, 1] == 6.0


def test_entries_that_occur_in_many_files_are_left_out(tmp_path: Path) -> None:
    """The reader accepts the file, and they do not become settings."""
    beside = {
        "path": Path("a") / "b",
        "when": datetime.datetime(2026, 1, 1),
        "last": collections.deque([1, 2], maxlen=3),
        "random": np.random.RandomState(0).get_state(legacy=False),
        "type": np.float32,
        "device": torch.device("cpu"),
        "scheduler": torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.zeros(1)]), 1).state_dict(),
        "bytes": b"abc",
        "size": torch.Size([2, 3]),
    }
    settings = parts(tmp_path, {"g_ema": state(1), **beside})["g_ema"].settings
    assert settings["size"] == [2, 3]
    assert settings["type"] == "numpy.float32"
    assert not {"path", "when", "last", "device", "bytes"} & set(settings)
    json.dumps(settings)
