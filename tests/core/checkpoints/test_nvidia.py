"""Weights and settings of NVIDIA's pickles are read; the source code in them is never run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import checkpoint_files as files
import numpy as np
import pytest
import torch
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.errors import CheckpointError
from safetensors.torch import load_file
from torch import Tensor, nn

DATA = Path(__file__).parents[2] / "data"
PARITY = os.environ.get("GANSTRATA_PARITY")
KWARGS: dict[str, Any] = {
    "z_dim": 16,
    "c_dim": 0,
    "synthesis_kwargs": files.EasyDict(conv_clamp=256, channel_base=512, num_fp16_res=np.int64(0)),
    "dtype": torch.float32,
    "rate": np.float64(0.5),
    "sizes": (4, 8),
    "something": object,
    "network": {"not": "ours"},
}
STORED = {
    "z_dim": 16,
    "c_dim": 0,
    "synthesis_kwargs": {"conv_clamp": 256, "channel_base": 512, "num_fp16_res": 0},
    "dtype": "torch.float32",
    "rate": 0.5,
    "sizes": [4, 8],
    "something": "builtins.object",
}


def same(part: Part, state: dict[str, Tensor]) -> None:
    assert set(part.tensors) == set(state)
    for name, tensor in state.items():
        assert part.tensors[name].dtype == tensor.dtype
        assert torch.equal(part.tensors[name], tensor), name


@pytest.mark.parametrize("name", ["stylegan2_cond_64", "stylegan2_uncond_32"])
def test_a_snapshot_of_pytorch(tmp_path: Path, name: str) -> None:
    state = load_file(DATA / f"{name}.safetensors")
    source = files.hostile_source(tmp_path / "it ran")
    checkpoint = read_checkpoint(files.nvidia(tmp_path / "network.pkl", state, KWARGS, source))
    assert checkpoint.container == "NVIDIA pickle"
    assert [part.name for part in checkpoint.parts] == ["G_ema", "G", "D"]
    same(checkpoint.parts[0], state)
    name = next(iter(state))
    assert not torch.equal(checkpoint.parts[1].tensors[name], state[name]), "the average is another part"
    assert checkpoint.settings == STORED | {
        "class_name": "Generator",
        "module_src_sha256": hashlib.sha256(source.encode()).hexdigest(),
    }
    assert checkpoint.parts[2].settings["class_name"] == "Discriminator"
    assert all(part.beside["training_set_kwargs"]["resolution"] == 32 for part in checkpoint.parts)
    assert not (tmp_path / "it ran").exists()
    json.dumps(dict(checkpoint.settings))


@pytest.mark.skipif(not PARITY, reason="GANSTRATA_PARITY names no folder of reference numbers")
@pytest.mark.parametrize("name", ["nv_sg2ada_uncond_32", "nv_sg2ada_cond_64", "nv_sg3t_32", "nv_sg3r_32"])
def test_snapshots_of_the_references(tmp_path: Path, name: str) -> None:
    folder = Path(str(PARITY)) / name
    state, kwargs = (
        load_file(folder / "state.safetensors"),
        json.loads((folder / "README.json").read_text())["init_kwargs"],
    )
    checkpoint = read_checkpoint(
        files.nvidia(tmp_path / "network.pkl", state, kwargs, files.hostile_source(tmp_path / "it ran"))
    )
    same(checkpoint.parts[0], state)
    assert {key: value for key, value in checkpoint.settings.items() if key in kwargs} == kwargs
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(tmp_path: Path, protocol: int) -> None:
    state = {
        "mapping.w_avg": torch.arange(3.0),
        "synthesis.b4.const": torch.ones(2, 4, 4).half(),
        "b": torch.tensor(7),
    }
    network = files.persistent(state, {"img_resolution": 4}, args=(512, 0))
    checkpoint = read_checkpoint(files.write_nvidia(tmp_path / "a", {"G_ema": network, "D": None}, protocol))
    same(checkpoint.parts[0], state)
    assert checkpoint.settings["img_resolution"] == 4
    assert checkpoint.settings["init_args"] == [512, 0]


def test_a_network_alone_is_a_part_without_a_name(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(
        files.write_nvidia(tmp_path / "a", files.persistent({"a.weight": torch.ones(2)}, {"z_dim": 3}))
    )
    assert [part.name for part in checkpoint.parts] == [""]
    assert checkpoint.settings["z_dim"] == 3


def test_a_pickle_of_modules_by_reference(tmp_path: Path) -> None:
    """As in R3GAN: its own classes and torch's, with arrays and types among the attributes."""
    kinds = {
        name: type("Kind", (nn.Module,), {})
        for name in ("training__networks__Generator", "R3GAN__Networks__Generator", "R3GAN__Resamplers__R")
    }
    with files.pretending(**kinds):
        outer, inner = kinds["training__networks__Generator"](), kinds["R3GAN__Networks__Generator"]()
        inner.MainLayers = nn.ModuleList(
            [nn.Linear(3, 2), nn.Sequential(nn.Conv2d(1, 1, 1), nn.LeakyReLU(0.2))]
        )
        inner.MainLayers[0].DataType, inner.Gain = torch.bfloat16, np.sqrt(2)
        inner.Resampler = kinds["R3GAN__Resamplers__R"]()
        inner.Resampler.register_buffer("Kernel", torch.ones(3, 3))
        outer.Model = inner
        state = outer.state_dict()
        (tmp_path / "a").write_bytes(
            pickle.dumps({"G": outer, "D": None, "G_ema": outer, "augment_pipe": None})
        )
    checkpoint = read_checkpoint(tmp_path / "a")
    assert checkpoint.container == "NVIDIA pickle"
    assert [part.name for part in checkpoint.parts] == ["G_ema", "G"]
    same(checkpoint.parts[0], dict(state))
    assert checkpoint.settings == {"class_name": "training.networks.Generator"}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_network_by_torch_save(tmp_path: Path, zipped: bool) -> None:
    """As saved by pivotal tuning."""
    state = {"synthesis.b4.const": torch.randn(2, 4, 4), "mapping.w_avg": torch.randn(3)}
    network = files.persistent(state, {"w_dim": 3})
    with files.pretending(
        dnnlib__util__EasyDict=files.EasyDict,
        torch_utils__persistence___reconstruct_persistent_obj=files._reconstruct_persistent_obj,
    ):
        torch.save(network, tmp_path / "a", _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / "a")
    assert checkpoint.container == ("torch zip" if zipped else "torch legacy")
    same(checkpoint.parts[0], state)
    assert checkpoint.settings["w_dim"] == 3


@pytest.mark.parametrize(
    "options", [{"protocol": 2}, {"protocol": 4}, {"protocol": 5}, {"protocol": 3, "progressive": True}]
)
def test_a_triple_of_tensorflow(tmp_path: Path, options: dict[str, Any]) -> None:
    outer = {
        "dlatent_avg": np.arange(4, dtype=np.float32),
        "lod": np.float32(0.0),
        "shared": np.zeros(2, np.float32),
    }
    mapping = {
        "Dense0/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "shared": np.ones(2, np.float32),
    }
    synthesis = {
        "4x4/Const/const": np.asfortranarray(np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)),
        "noise0": np.ones((1, 1), ">f4"),
    }
    settings = {
        "resolution": 32,
        "label_size": 0,
        "G_mapping": "training.networks_stylegan2.G_mapping",
        "act": None,
    }
    path = files.tensorflow(
        tmp_path / "a",
        outer,
        {"mapping": mapping, "synthesis": synthesis},
        settings,
        source=files.hostile_source(tmp_path / "it ran"),
        **options,
    )
    checkpoint = read_checkpoint(path)
    assert checkpoint.container == "NVIDIA TensorFlow pickle"
    assert [part.name for part in checkpoint.parts] == ["Gs", "G", "D"]
    expected = {**mapping, **synthesis, **outer}
    assert set(checkpoint.tensors) == set(expected)
    for name, values in expected.items():
        assert checkpoint.tensors[name].dtype == torch.float32
        assert np.array_equal(checkpoint.tensors[name].numpy(), values), name
    assert checkpoint.settings == settings | {"build_func_name": "G_style", "version": 4, "name": "G"}
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    ("names", "first"), [(("E", "G", "D", "Gs"), "Gs"), (("G", "Gs"), "Gs"), (("a", "a"), "network0")]
)
def test_other_numbers_of_networks_of_tensorflow_go_by_their_own_names(
    tmp_path: Path, names: tuple[str, ...], first: str
) -> None:
    """As idinvert keeps an encoder before the three."""
    networks = tuple(
        files.Network(name, {"w": np.full(3, i, np.float32)}, {}, "") for i, name in enumerate(names)
    )
    checkpoint = read_checkpoint(files.write_tensorflow(tmp_path / "a.pkl", networks))
    assert checkpoint.parts[0].name == first
    place = names.index(first) if first in names else 0
    assert checkpoint.parts[0].tensors["w"].tolist() == [float(place)] * 3


def test_one_network_of_tensorflow(tmp_path: Path) -> None:
    network = files.Network("vgg16", {"w": np.ones(2, np.float32)}, {}, "")
    checkpoint = read_checkpoint(files.write_tensorflow(tmp_path / "a", network))
    assert checkpoint.container == "NVIDIA TensorFlow pickle"
    assert checkpoint.tensors["w"].tolist() == [1.0, 1.0]


def test_text_of_python_2_is_numbers(tmp_path: Path) -> None:
    """Protocol 2 of Python 2: old names, and bytes as text."""
    array = b"".join(
        [
            *(
                files.named("numpy.core.multiarray._reconstruct"),
                files.named("numpy.ndarray"),
                b"K\x00\x85U\x01b\x87R",
            ),
            *(
                b"(K\x01K\x02\x85",
                files.named("numpy.dtype"),
                b"U\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
            ),
            b"\x89U\x08" + np.array([1.5, -2.0], "<f4").tobytes() + b"tb",
        ]
    )
    reconstructor = files.named("copy_reg._reconstructor")
    operations = b"(" + files.named("tfutil.Network") + files.named("__builtin__.object") + b"NtR}"
    state = b"(U\x09variables](U\x01w" + array + b"\x86eU\x0dstatic_kwargs}U\x0aresolutionK\x08sub"
    (tmp_path / "a").write_bytes(files.raw_pickle(reconstructor, operations, state))
    checkpoint = read_checkpoint(tmp_path / "a")
    assert checkpoint.tensors["w"].tolist() == [1.5, -2.0]
    assert checkpoint.settings["resolution"] == 8


def test_a_network_without_weights_is_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="where a state dict, names with tensors, is expected"):
        read_checkpoint(files.write_nvidia(tmp_path / "a", {"G_ema": files.persistent({}), "D": None}))
