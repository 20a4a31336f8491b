"""Published segmentation networks in files: planar ones of LSUN-room, face parsers of CelebAMask-HQ."""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ganstrata
import published_segmenters as published
import pytest
import torch
from ganstrata import Rendering
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.scorers.networks import segmenters
from ganstrata.plugins.scorers.networks.faces import TABLE as FACES
from ganstrata.plugins.scorers.networks.planar import TABLE as ROOMS
from ganstrata.plugins.scorers.segmentation import Segmentation
from safetensors.torch import save_file
from torch import Tensor

SMALL: dict[str, Any] = {"blocks": (1, 2, 1, 1), "width": 4, "inner": 6}


def pictures(n: int, size: int, seed: int = 0) -> Tensor:
    """Smooth pictures (N, 3, size, size) that use the whole range."""
    coarse = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Segmentation]:
    """load(tensors) writes a bare state dict and reads it again."""

    def make(tensors: dict[str, Tensor], **config: Any) -> Segmentation:
        torch.save(OrderedDict(tensors), tmp_path / "weights.pth")
        scorer = ganstrata.load_scorer(
            "segmentation", checkpoint=str(tmp_path / "weights.pth"), device="cpu", **config
        )
        assert isinstance(scorer, Segmentation)
        return scorer

    return make


def lightning(tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Lightning's checkpoint callback writes, with classes of its own among the settings."""
    for name in ("", ".utilities", ".callbacks"):
        monkeypatch.setitem(sys.modules, f"pytorch_lightning{name}", ModuleType(f"pytorch_lightning{name}"))
    for name, cls in (
        ("utilities.parsing", "AttributeDict"),
        ("callbacks.model_checkpoint", "ModelCheckpoint"),
    ):
        module = ModuleType(f"pytorch_lightning.{name}")
        setattr(module, cls, type(cls, (dict,), {"__module__": module.__name__}))
        monkeypatch.setitem(sys.modules, module.__name__, module)
    settings = sys.modules["pytorch_lightning.utilities.parsing"].AttributeDict
    callback = sys.modules["pytorch_lightning.callbacks.model_checkpoint"].ModelCheckpoint
    step = {
        name: torch.zeros_like(tensor)
        for name, tensor in tensors.items()
        if name.endswith("fc_stage2.weight")
    }
    return {
        "epoch": 49,
        "global_step": 12500,
        "pytorch-lightning_version": "1.0.8",
        "callbacks": {callback: {"best_model_score": torch.tensor(0.1), "best_model_path": "last.ckpt"}},
        "optimizer_states": [
            {"state": {0: {"step": 3, "exp_avg": step}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
        ],
        "lr_schedulers": [{"best": 0.1}],
        "state_dict": OrderedDict(tensors),
        "hparams_name": "kwargs",
        "hyper_parameters": settings(
            lr=1e-4, backbone="resnet101", l1_factor=0.2, l2_factor=0.0, edge_factor=0.2
        ),
    }


def test_a_planar_network_of_full_size_gives_what_its_definition_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ResNet-101 with 37 channels in the head, in a file as its authors' training writes it."""
    tensors = published.planar()
    trunk = [
        t.numel()
        for name, t in tensors.items()
        if name.startswith("model.resnet.") and "running" not in name and "num_" not in name
    ]
    assert sum(trunk) == 44_549_160, "torchvision's resnet101"
    torch.save(lightning(tensors, monkeypatch), tmp_path / "model.ckpt")
    monkeypatch.undo()
    scorer = ganstrata.load_scorer("segmentation", checkpoint=str(tmp_path / "model.ckpt"), device="cpu")
    assert isinstance(scorer, Segmentation)
    assert [concept.name for concept in scorer.concepts] == [
        "frontal_wall",
        "left_wall",
        "right_wall",
        "floor",
        "ceiling",
    ]
    images = pictures(1, 320)
    logits, expected = scorer.logits(Rendering(images)), published.planar_logits(tensors, images)
    assert logits.shape == (1, 5, 320, 320)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("prefix", ["model.", "", "module.model."])
@pytest.mark.parametrize("size", [320, 64, 500])
def test_planar_networks_of_other_depths_give_what_their_definition_gives(
    load: Callable[..., Segmentation], prefix: str, size: int
) -> None:
    tensors = published.planar(**SMALL, prefix=prefix)
    scorer, images = load(tensors), pictures(2, size)
    rendering = Rendering(images)
    seen = (
        torch.nn.functional.interpolate(images, size=(320, 320), mode="bilinear", antialias=True)
        if size != 320
        else images
    )
    wanted = published.planar_logits(
        {name.removeprefix("module."): t for name, t in tensors.items()} if prefix else tensors, seen
    )
    torch.testing.assert_close(scorer.logits(rendering), wanted, rtol=1e-4, atol=1e-4)
    labels = wanted.argmax(dim=1)
    assert (scorer.labels(rendering) == labels).float().mean() > 0.999
    assert torch.allclose(scorer.score(rendering).sum(dim=1), torch.ones(2))


def test_a_planar_network_of_basic_blocks_gives_what_its_definition_gives(
    load: Callable[..., Segmentation],
) -> None:
    """As LSUN-room's `backbone: resnet18` makes it."""
    tensors = published.planar((2, 2, 2, 2), width=8, inner=6, bottleneck=False)
    assert "model.resnet.layer1.0.downsample.0.weight" not in tensors
    images = pictures(2, 320)
    torch.testing.assert_close(
        load(tensors).logits(Rendering(images)),
        published.planar_logits(tensors, images),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("classes", [15, 19])
def test_face_parsers_of_full_size_give_what_their_definition_gives(
    load: Callable[..., Segmentation], classes: int
) -> None:
    tensors = published.face_parser(classes)
    scorer, images = load(tensors), pictures(1, 512)
    names = [concept.name for concept in scorer.concepts]
    assert len(names) == classes
    assert {"skin", "nose", "hair", "cloth", "neck"} < set(names)
    assert ("l_eye" in names) == (classes == 19)
    logits, expected = scorer.logits(Rendering(images)), published.face_logits(tensors, images)
    assert logits.shape == (1, classes, 512, 512)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)


def test_faces_are_enlarged_and_cut_as_the_authors_do(load: Callable[..., Segmentation]) -> None:
    tensors = published.face_parser(feature_scale=16)
    images = pictures(1, 128) * 1.6 - 0.3
    seen = torch.nn.functional.interpolate(
        images, size=(512, 512), mode="bilinear", align_corners=True
    ).clamp(0.0, 1.0)
    torch.testing.assert_close(
        load(tensors).logits(Rendering(images)), published.face_logits(tensors, seen), rtol=1e-3, atol=1e-3
    )


def test_a_face_parser_may_be_safetensors_and_lack_counters(tmp_path: Path) -> None:
    tensors = {
        name: t for name, t in published.face_parser(feature_scale=16).items() if "num_batches" not in name
    }
    save_file({name: t.half() for name, t in tensors.items()}, tmp_path / "faces.safetensors")
    scorer = ganstrata.load_scorer(
        "segmentation", checkpoint=str(tmp_path / "faces.safetensors"), device="cpu"
    )
    assert scorer.score(Rendering(pictures(1, 64))).shape == (1, 15)


@pytest.mark.parametrize("kind", ["planar", "faces"])
def test_gradients_reach_the_pictures_and_batches_do_not_matter(
    load: Callable[..., Segmentation], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = load(published.planar(**SMALL) if kind == "planar" else published.face_parser(feature_scale=16))
    images = pictures(3, 32).requires_grad_()
    together = scorer.logits(Rendering(images))
    (slope,) = torch.autograd.grad(together.square().mean(), images)
    assert slope.isfinite().all()
    assert (slope.abs().amax(dim=(1, 2, 3)) > 0.0).all()
    monkeypatch.setattr("ganstrata.plugins.scorers.networks.square.PIXELS", 1)
    torch.testing.assert_close(
        scorer.logits(Rendering(images.detach())), together.detach(), rtol=1e-4, atol=1e-4
    )


def test_both_networks_share_their_pass_with_every_scorer_of_the_file(
    load: Callable[..., Segmentation],
) -> None:
    rendering, first = Rendering(pictures(2, 32)), load(published.planar(**SMALL))
    second = load(published.planar(**SMALL), label_order="toolkit")
    assert second.logits(rendering) is first.logits(rendering)
    assert [c.name for c in second.concepts] == [
        "floor",
        "frontal_wall",
        "right_wall",
        "left_wall",
        "ceiling",
    ]


def test_tables_of_class_names_agree_with_each_other() -> None:
    """A room's surfaces have two published orders; faces of 15 classes are those of 19 with some merged."""
    rooms, faces = (
        json.loads(ROOMS.read_text(encoding="utf-8")),
        json.loads(FACES.read_text(encoding="utf-8")),
    )
    for order in ("network", "toolkit"):
        for ours, theirs in zip(rooms[order], rooms["published"][order], strict=True):
            assert theirs.split()[0].replace("centre", "frontal") in ours
        assert sorted(rooms[order]) == sorted(rooms["network"])
    assert list(dict.fromkeys(faces["merged"].get(name, name) for name in faces["19"])) == faces["15"]


def damaged(tensors: dict[str, Tensor], **changes: Tensor | None) -> dict[str, Tensor]:
    changed = {name.replace("__", "."): tensor for name, tensor in changes.items()}
    return {name: t for name, t in {**tensors, **changed}.items() if t is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__planar_seg__clf1__weight": None}, "planar_seg.clf1.weight is missing"),
        (
            {"model__planar_seg__clf2__weight": torch.zeros(6)},
            r"planar_seg.clf2.weight is \(6,\); it should have 2 axes",
        ),
        (
            {"model__planar_seg__dec3__weight": torch.zeros(6, 6, 16, 16)},
            r"planar_seg.dec3.weight is \(6, 6, 16, 16\), expected \(6, 6, 32, 32\)",
        ),
        (
            {"model__planar_seg__fc_stage2__weight": torch.zeros(7, 6, 1, 1)},
            "has 7 planes, not the 5 surfaces of LSUN: frontal_wall",
        ),
        (
            {"model__resnet__layer3__0__conv1__weight": None},
            "not a residual network with a classifier: it lacks 'layer3",
        ),
        (
            {"model__resnet__layer2__0__bn2__bias": None},
            r"resnet.layer2.0.bn2.bias is missing, expected \(8,\)",
        ),
        (
            {"model__planar_seg__extra": torch.zeros(1)},
            r"planar_seg.extra is \(1,\), expected no such tensor",
        ),
    ],
)
def test_planar_networks_that_do_not_fit_are_refused(
    load: Callable[..., Segmentation], changes: dict[str, Tensor | None], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(damaged(published.planar(**SMALL), **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"final__weight": torch.zeros(11, 4, 1, 1)},
            "has 11 classes; a face parser has the 19 of CelebAMask-HQ, or 15",
        ),
        ({"conv3__conv1__0__weight": torch.zeros(0, 8, 3, 3)}, "none of them empty"),
        ({"up_concat3__up__bias": None}, r"up_concat3.up.bias is missing, expected \(16,\)"),
        (
            {"up_concat1__up__weight": None},
            "not a segmentation network of a known kind: its header names no architecture",
        ),
    ],
)
def test_face_parsers_that_do_not_fit_are_refused(
    load: Callable[..., Segmentation], changes: dict[str, Tensor | None], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(damaged(published.face_parser(feature_scale=16), **changes))


def test_an_order_of_labels_is_refused_for_other_networks() -> None:
    with pytest.raises(CheckpointError, match="label_order is for planar networks of LSUN-room"):
        ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", label_order="network", device="cpu")


def test_every_kind_of_network_follows_the_protocol(load: Callable[..., Segmentation]) -> None:
    """What the dispatcher returns has what the protocol names."""
    for tensors in (published.planar(**SMALL), published.face_parser(feature_scale=16)):
        model: segmenters.SegmentationModel = load(tensors).model
        assert model.sha256
        assert model.logits(Rendering(pictures(1, 16))).shape[1] == len(model.classes)
