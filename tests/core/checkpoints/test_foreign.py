"""What a generator does not need is no reason to refuse its file: it is recorded, and never run."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import checkpoint_files as files
import pytest
import torch
from ganstrata.core.checkpoints import Checkpoint, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.errors import CheckpointError
from torch import nn

from tests.checkpoint_files import named, raw_pickle, text
from tests.generators_stylegan2 import small_state

STATE = small_state()
FOREIGN = (
    "timm.models.layers.conv2d_same.Conv2dSame",
    "torchvision.models.efficientnet.EfficientNet",
    "clip.model.CLIP",
    "open_clip.model.CLIP",
    "trainer.賣扣老師.賣扣老師",
)


class Unrunnable:
    """An object of somebody's class: restoring it by its own code fails."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setstate__(self, state: Any) -> None:
        raise AssertionError("code of the class has run")


def foreign_module() -> Any:
    """Return a class, and a module of it with a tensor and a child of torch's own."""
    kind = type("Kind", (nn.Module,), {})
    module = kind()
    module.weight = nn.Parameter(torch.ones(2))
    module.inner = nn.Linear(2, 2)
    return kind, module


def write(path: Path, content: Any, how: str, **classes: Any) -> Path:
    """Write by pickle, or by torch in either of its formats, with classes under other names."""
    with files.pretending(
        dnnlib__util__EasyDict=files.EasyDict,
        torch_utils__persistence___reconstruct_persistent_obj=files._reconstruct_persistent_obj,
        **classes,
    ):
        if how == "pickle":
            path.write_bytes(pickle.dumps(content, 4))
        else:
            # The old format stores the source code of modules, and warns where it finds none.
            with warnings.catch_warnings(action="ignore"):
                torch.save(content, path, pickle_protocol=4, _use_new_zipfile_serialization=how == "zip")
    return path


def chosen(checkpoint: Checkpoint) -> str:
    claim = choose(checkpoint)
    assert claim.plugin == "stylegan2"
    return claim.part.name


@pytest.mark.parametrize("how", ["pickle", "zip", "legacy"])
@pytest.mark.parametrize("full", FOREIGN)
def test_a_discriminator_of_any_class_is_left_aside(tmp_path: Path, full: str, how: str) -> None:
    kind, module = foreign_module()
    content = {"D": module, "G_ema": files.persistent(STATE, {"z_dim": 7}), "augment_pipe": module}
    before = set(sys.modules)
    checkpoint = read_checkpoint(write(tmp_path / "a", content, how, **{full.replace(".", "__"): kind}))
    assert chosen(checkpoint) == "G_ema"
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] == full.split(".")[0]}
    if not full.startswith(("timm", "open_clip")):  # known of StyleGAN-XL and StyleGAN-T: it is read
        assert [part.name for part in checkpoint.parts] == ["G_ema"]
        assert f"the part D is left aside: it has the class {full}" in checkpoint.notes[0]
        assert "nothing of it was run" in checkpoint.notes[0]


@pytest.mark.parametrize("outermost", [True, False])
def test_a_generator_that_needs_a_foreign_class_is_refused_by_its_name(
    tmp_path: Path, outermost: bool
) -> None:
    kind, module = foreign_module()
    network = module if outermost else nn.Sequential(nn.Linear(1, 1), module)
    path = write(tmp_path / "a", {"g_ema": network}, "zip", my__layers__EqualLinear=kind)
    with pytest.raises(CheckpointError, match=r"it names my\.layers\.EqualLinear.*Nothing was run") as caught:
        read_checkpoint(path)
    assert "state_dict()" in str(caught.value)
    discriminator = nn.Linear(2, 2)
    path = write(tmp_path / "b", {"g_ema": network, "d": discriminator}, "zip", my__layers__EqualLinear=kind)
    with pytest.raises(CheckpointError, match=r"the part g_ema is left aside.*my\.layers\.EqualLinear"):
        choose(read_checkpoint(path))


@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_configs_of_any_class_become_settings(tmp_path: Path, how: str) -> None:
    """As in pytorch_GAN_zoo: its config is an object of a class of its own."""
    config = Unrunnable(
        depthScales=[16, 8], alpha=0.0, inner=Unrunnable(lr=0.001), device=torch.device("cpu")
    )
    content = {"config": config, "netG": {name: t + 1 for name, t in STATE.items()}, "avgG": STATE}
    checkpoint = read_checkpoint(
        write(tmp_path / "a", content, how, models__utils__config__BaseConfig=Unrunnable)
    )
    assert chosen(checkpoint) == "avgG"
    assert checkpoint.settings["config"] == {"depthScales": [16, 8], "alpha": 0.0, "inner": {"lr": 0.001}}
    assert "neither imported nor run: models.utils.config.BaseConfig" in checkpoint.notes[0]


def test_optimisers_schedulers_and_a_trainer_around_it_all(tmp_path: Path) -> None:
    class Trainer(Unrunnable):
        """Somebody's trainer, pickled whole."""

    trainer = Trainer(
        generator_ema=STATE,
        optimizer=torch.optim.Adam([torch.zeros(1)]),
        step=torch.tensor(3),
        callbacks=[Unrunnable(patience=3)],
    )
    path = write(
        tmp_path / "a", trainer, "zip", project__train__Trainer=Trainer, project__train__Callback=Unrunnable
    )
    assert chosen(read_checkpoint(path)) == "generator_ema"


def test_networks_in_a_list_or_a_tuple(tmp_path: Path) -> None:
    torch.save((STATE, torch.nn.Linear(2, 2).state_dict(), 3), tmp_path / "a.pt")
    assert chosen(read_checkpoint(tmp_path / "a.pt")) == "0"


def dill(*operations: bytes) -> bytes:
    """Return a pickle of {G_ema: {w: a tensor of two numbers}, D: what the operations make}."""
    tensor = (
        named("torch._utils._rebuild_tensor_v2")
        + b"("
        + files.storage(torch.ones(2))
        + b"K\x00K\x02\x85K\x01\x85"
        b"\x89" + named("collections.OrderedDict") + b")RtR"
    )
    return raw_pickle(
        b"}", text("D"), *operations, b"s", text("G_ema"), b"}", text("w"), tensor, b"ss", protocol=4
    )


TYPE = named("dill._dill._create_type") + b"(" + named("dill._dill._load_type") + text("type") + b"\x85R"


@pytest.mark.parametrize(
    "operations",
    {
        "a class that dill makes, and an object of it": TYPE
        + text("D")
        + b")}tR)\x81}"
        + text("a")
        + b"K\x01sb",
        "a function that dill makes": named("dill._dill._create_function")
        + b"("
        + named("dill._dill._create_code")
        + b"(K\x00C\x02ab"
        + b"tR}tR",
        "a class called with keywords": named("a.B") + b")}" + text("k") + b"K\x01s\x92",
        "a method of an object": named("builtins.getattr") + named("a.B") + text("forward") + b"\x86R",
        "a partial function": named("functools.partial") + named("torch._C._nn.gelu") + b"\x85R",
    }.items(),
    ids=lambda item: item[0],
)
def test_what_dill_and_others_write_is_inert(tmp_path: Path, operations: tuple[str, bytes]) -> None:
    (tmp_path / "a").write_bytes(dill(operations[1]))
    assert read_checkpoint(tmp_path / "a").tensors["w"].tolist() == [1.0, 1.0]


def test_a_set_that_dill_stores_is_a_set(tmp_path: Path) -> None:
    """In protocol 2 dill names `set` in its own way; a network names its passing buffers in one."""
    network = {"G_ema": files.persistent(STATE, {"z_dim": 7})}
    plain = files.write_nvidia(tmp_path / "plain", network, 2).read_bytes()
    of_dill = named("dill._dill._load_type") + text("set") + b"\x85R"
    assert named("__builtin__.set") in plain
    (tmp_path / "a").write_bytes(plain.replace(named("__builtin__.set"), of_dill))
    assert read_checkpoint(tmp_path / "a").tensors.keys() == STATE.keys()


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (named("types.FunctionType") + b")R", "names types.FunctionType"),
        (named("webbrowser.open") + text("https://a") + b"\x85R", "names webbrowser.open"),
        (named("pip.main") + b")R", "names pip.main"),
        (named("torch.ops.load_library") + text("a.so") + b"\x85R", "names torch.ops.load_library"),
        (named("torch._utils._rebuild_qtensor") + b")R", "it holds quantised tensors"),
        (named("a b.C") + b")R", "names a b.C"),
        (
            named("builtins.getattr") + named("torch.nn.modules.linear.Linear") + text("to") + b"\x86R",
            "getattr",
        ),
        (named("builtins.dict") + b")R" + b")R", "something that it has made itself"),
        (
            named("dill._dill._create_array") + b"(" + named("os.system") + b")NtR",
            "names os.system",
        ),
        (
            named("dill._dill._create_array") + b"(" + named("a.b") + b")NtR",
            "not made by a function of numpy",
        ),
    ],
)
def test_python_torch_and_numpy_are_not_foreign(tmp_path: Path, operations: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(dill(operations))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a")
