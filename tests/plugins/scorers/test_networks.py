"""Scorers that read a network: what they do with its outputs, sharing, odd images, other checkpoints."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import ganstrata
import pytest
import torch
from ganstrata import Rendering, Scorer, Segmenter
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.core.errors import CheckpointError, ConfigError
from ganstrata.core.plugins.scoring import checked_scores
from ganstrata.plugins.scorers.layout import wall_line
from ganstrata.plugins.scorers.networks.resnet import ResNet
from ganstrata.plugins.scorers.scenes import SceneNetwork
from ganstrata.plugins.scorers.surfaces import SurfaceNetwork
from hostile_scorers import SHAPE
from safetensors.torch import load_file, save_file
from torch import Tensor

NAMES = ("category", "attribute", "segmentation", "layout")
DATA = Path(__file__).parents[2] / "data"


def load(name: str, checkpoint: str | Path = "bundled:rooms", **config: Any) -> Scorer:
    return ganstrata.load_scorer(name, checkpoint=str(checkpoint), device="cpu", **config)


@pytest.fixture(scope="module")
def images(rooms: ganstrata.Generator) -> Tensor:
    """(6, 3, 64, 64) of the bundled generator."""
    latents = rooms.sample(6, 0, 0, ganstrata.Stream.PROBING)
    return ganstrata.render(rooms, rooms.broadcast(rooms.map(latents.z)))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the networks that were run, in order."""
    ran: list[str] = []

    def counted(network: type[torch.nn.Module], method: str) -> None:
        counted_method = getattr(network, method)

        def count(self: torch.nn.Module, *args: Any) -> Any:
            ran.append(network.__name__)
            return counted_method(self, *args)

        monkeypatch.setattr(network, method, count)

    counted(SceneNetwork, "features")
    counted(SurfaceNetwork, "forward")
    return ran


def test_one_pass_for_category_and_attribute(images: Tensor, passes: list[str]) -> None:
    rendering = Rendering(images)
    load("category").score(rendering)
    load("attribute").score(rendering)
    load("category", against=[("bedroom", "living_room")]).score(rendering)
    embedded = load("attribute").embed(rendering)
    assert passes == ["SceneNetwork"]
    assert embedded is not None
    assert embedded.shape == (6, 256)
    load("attribute").score(Rendering(images))
    assert passes == ["SceneNetwork"] * 2, "another rendering is another picture"


def test_one_pass_for_layout_and_segmentation(images: Tensor, passes: list[str]) -> None:
    rendering = Rendering(images)
    layout, segmentation = load("layout"), load("segmentation")
    layout.score(rendering)
    layout.extra(rendering)
    segmentation.score(rendering)
    assert isinstance(segmentation, Segmenter)
    segmentation.logits(rendering)
    assert passes == ["SurfaceNetwork"]


def test_another_checkpoint_is_another_pass(images: Tensor, passes: list[str], tmp_path: Path) -> None:
    source = locate("bundled:rooms", "scenes")
    tensors = load_file(source)
    tensors["category.bias"] += 1.0
    save_file(tensors, tmp_path / "other", metadata={"ganstrata": metadata(source)})
    rendering = Rendering(images)
    load("category").score(rendering)
    load("category", tmp_path / "other").score(rendering)
    assert passes == ["SceneNetwork"] * 2


def metadata(path: Path) -> str:
    return json.dumps(dict(read_checkpoint(path).settings))


def test_categories_are_probabilities_of_the_logits(images: Tensor) -> None:
    scorer = load("category")
    rendering = Rendering(images)
    scores = scorer.score(rendering)
    logits, _ = scorer.model.outputs(rendering)  # type: ignore[attr-defined]
    odds = torch.exp(logits - logits.amax(dim=1, keepdim=True))
    assert torch.allclose(scores, odds / odds.sum(dim=1, keepdim=True), atol=1e-6)
    assert torch.allclose(scores.sum(dim=1), torch.ones(6), atol=1e-5)
    assert scores.std(dim=0).max() > 0.01, "pictures differ"
    assert all((c.level, c.threshold) == ("category", 0.5) for c in scorer.concepts)


def test_pairs_are_log_ratios(images: Tensor) -> None:
    scorer = load("category", against=[["bedroom", "living_room"], ["dining_room", "bedroom"]])
    scores = scorer.score(Rendering(images))
    names = [concept.name for concept in scorer.concepts]
    assert names[-2:] == ["bedroom-vs-living_room", "dining_room-vs-bedroom"]
    column = {name: scores[:, j] for j, name in enumerate(names)}
    assert torch.allclose(
        column["bedroom-vs-living_room"], (column["bedroom"] / column["living_room"]).log(), atol=1e-3
    )
    assert torch.allclose(
        column["dining_room-vs-bedroom"], (column["dining_room"] / column["bedroom"]).log(), atol=1e-3
    )
    assert scorer.concepts[-1].threshold == 0.0
    assert scorer.concepts[-1].least is None


def test_pairs_stay_finite_where_a_probability_vanishes() -> None:
    scorer = load("category", against=[("bedroom", "living_room")])
    rendering = Rendering(torch.zeros(1, 3, 64, 64))
    scorer.model = type(
        "Sure", (), {"outputs": staticmethod(lambda _: (torch.tensor([[-400.0, 400.0, 0.0]]), None))}
    )()  # type: ignore[attr-defined]
    assert scorer.score(rendering).tolist() == [[0.0, 1.0, 0.0, -800.0]]


def test_a_pair_of_unknown_categories_is_refused() -> None:
    with pytest.raises(
        CheckpointError, match=r"no category 'bed_room'\. Did you mean 'bedroom'\? Categories: bedroom, "
    ):
        load("category", against=[("bed_room", "bedroom")])
    with pytest.raises(ConfigError, match="against"):
        load("category", against=[("bedroom",)])


def test_attributes_are_margins(images: Tensor) -> None:
    scorer = load("attribute")
    scores = scorer.score(Rendering(images))
    assert scores.shape == (6, len(scorer.concepts))
    assert scores.min() < 0.0 < scores.max(), "margins have both signs"
    assert all((c.level, c.least, c.threshold) == ("attribute", None, 0.0) for c in scorer.concepts)


def test_segments_are_area_shares_of_the_labels(images: Tensor) -> None:
    scorer = load("segmentation")
    assert isinstance(scorer, Segmenter)
    rendering = Rendering(images)
    scores = scorer.score(rendering)
    logits = scorer.logits(rendering)
    assert logits.shape == (6, len(scorer.concepts), 64, 64)
    labels = logits.argmax(dim=1)
    for j in range(len(scorer.concepts)):
        assert torch.allclose(scores[:, j], (labels == j).float().mean(dim=(1, 2)), atol=1e-6)
    assert torch.allclose(scores.sum(dim=1), torch.ones(6), atol=1e-5)


def test_layout_is_the_wall_line_of_the_segments(images: Tensor) -> None:
    layout, segmentation = load("layout"), load("segmentation")
    assert isinstance(segmentation, Segmenter)
    rendering = Rendering(images)
    names = [concept.name for concept in segmentation.concepts]
    walls = tuple(
        names.index(wall) for wall in read_checkpoint(locate("bundled:rooms", "surfaces")).settings["walls"]
    )
    line, support = wall_line(segmentation.labels(rendering), walls)
    assert torch.equal(layout.score(rendering)[:, 0].nan_to_num(9.0), line.nan_to_num(9.0))
    assert torch.equal(layout.extra(rendering)[:, 0], support)
    assert layout.extras == ("support",)
    assert line.isfinite().sum() >= 4, "most rooms have a line"


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_does_not_change_a_score(name: str, images: Tensor) -> None:
    scorer = load(name)
    together = scorer.score(Rendering(images))
    alone = torch.cat([scorer.score(Rendering(images[i : i + 1])) for i in range(len(images))])
    # One pixel may change sides where two classes are equally likely.
    assert torch.allclose(together, alone, atol=1e-3, equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "shape", [(1, 3, 64, 64), (2, 3, 128, 128), (1, 3, 40, 70), (1, 3, 256, 256), (1, 3, 4, 4)]
)
@pytest.mark.parametrize("fill", [0.0, 1.0, -3.0, 40.0])
def test_any_picture_has_a_score_within_the_contract(name: str, shape: tuple[int, ...], fill: float) -> None:
    scores = checked_scores(load(name, check=False), Rendering(torch.full(shape, fill)))
    assert scores.shape[0] == shape[0]


@pytest.mark.parametrize("name", NAMES)
def test_values_beyond_the_range_are_cut(name: str, images: Tensor) -> None:
    scorer = load(name)
    wide = (images - 0.5) * 3.0 + 0.5
    assert torch.equal(
        scorer.score(Rendering(wide)).nan_to_num(9.0),
        scorer.score(Rendering(wide.clamp(0.0, 1.0))).nan_to_num(9.0),
    )


@pytest.mark.parametrize("name", ["category", "attribute", "segmentation"])
def test_a_larger_picture_says_nearly_the_same(name: str, images: Tensor) -> None:
    scorer = load(name)
    larger = torch.nn.functional.interpolate(images, scale_factor=2.0, mode="nearest")
    small, large = scorer.score(Rendering(images)), scorer.score(Rendering(larger))
    assert (small - large).abs().mean() < 0.2 * small.std(dim=0).mean().clamp(min=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_checkpoints_of_another_kind_are_refused(name: str, tmp_path: Path) -> None:
    scenes = name in ("category", "attribute")
    what = "scene network" if scenes else "segmentation network of a known kind"
    other = "surfaces" if scenes else "scenes"
    with pytest.raises(CheckpointError, match=f"is not a {what}: its header names 'rooms-{other}-1'"):
        load(name, locate("bundled:rooms", other))
    with pytest.raises(CheckpointError, match=f"is not a {what}: its header names no architecture"):
        load(name, DATA / "stylegan2_uncond_32.safetensors")
    with pytest.raises(CheckpointError, match="no bundled"):
        load(name, "bundled:halls")
    with pytest.raises(
        ConfigError, match="checkpoint: is missing" if scenes else "needs either `checkpoint` or"
    ):
        ganstrata.load_scorer(name, device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": []}, "its header lists no categories"),
        ({"attributes": "many"}, "its header lists no attributes"),
        (
            {"categories": ["one", "two", "\x1b[2J"]},
            r"of the categories in its header, '\\x1b\[2J' contains the character U\+001B",
        ),
        ({"categories": ["one", "two", "a/b"]}, "of the categories in its header, 'a/b' holds '/'"),
        ({"attributes": ["one", "two", "one"]}, "of the attributes in its header, 'one' occurs twice"),
        (
            {"categories": ["one", "two"]},
            r"does not fit its architecture: category\.bias is \(3,\), expected \(2,\)",
        ),
    ],
)
def test_a_scene_network_with_a_wrong_header_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    source = locate("bundled:rooms", "scenes")
    settings = {**read_checkpoint(source).settings, **change}
    save_file(load_file(source), tmp_path / "a", metadata={"ganstrata": json.dumps(settings)})
    with pytest.raises(CheckpointError, match=message):
        load("category", tmp_path / "a")


@pytest.mark.parametrize("walls", [["left_wall"], ["left_wall", "hedge"]])
def test_a_surface_network_without_two_walls_is_refused(walls: list[str], tmp_path: Path) -> None:
    source = locate("bundled:rooms", "surfaces")
    settings = {**read_checkpoint(source).settings, "walls": walls}
    save_file(load_file(source), tmp_path / "a", metadata={"ganstrata": json.dumps(settings)})
    with pytest.raises(CheckpointError, match="which are not two or more of its classes"):
        load("layout", tmp_path / "a")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_cpu_and_cuda_agree(name: str, images: Tensor) -> None:
    device = ganstrata.load_scorer(name, checkpoint="bundled:rooms", device="cuda")
    scores = device.score(Rendering(images.cuda())).cpu()
    assert torch.allclose(scores, load(name).score(Rendering(images)), atol=2e-2, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("category.bias", torch.tensor([0.0, float("nan"), 0.0])),
        ("category.bias", torch.ones(3, dtype=torch.complex64)),
    ],
)
def test_values_that_are_no_finite_real_numbers_are_refused(
    name: str, tensor: Tensor, tmp_path: Path
) -> None:
    source = locate("bundled:rooms", "scenes")
    settings = json.dumps(dict(read_checkpoint(source).settings))
    save_file(load_file(source) | {name: tensor}, tmp_path / "a", metadata={"ganstrata": settings})
    with pytest.raises(
        CheckpointError, match=r"category\.bias holds values that are not finite real numbers"
    ):
        load("category", tmp_path / "a")


def nothing(*shape: int) -> Tensor:
    """A tensor of any extent, without numbers."""
    return torch.empty(*shape, 0)


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("", "it has 40000 blocks; at most 400 are supported"),
        ("resnet.", "it has 40000 blocks"),
    ],
)
def test_tens_of_thousands_of_layers_are_refused_before_a_network_is_built(
    prefix: str, message: str, tmp_path: Path
) -> None:
    blocks = [f"{prefix}layer{stage}.{i}.conv1.weight" for stage in (1, 2, 3, 4) for i in range(10_000)]
    others = [f"{prefix}{name}.weight" for name in ("conv1", "bn1", "fc")] + [
        f"planar_seg.clf{i}.weight" for i in (1, 2, 3)
    ]
    tensors = {name: nothing(4, 4) for name in (*blocks, *others)}
    tensors |= {"planar_seg.fc_stage2.weight": nothing(5, 5)} if prefix else {}
    save_file(tensors, tmp_path / "a")
    began = time.process_time()
    with pytest.raises(CheckpointError, match=message):
        load("segmentation" if prefix else "category", tmp_path / "a")
    assert time.process_time() - began < 20


@pytest.mark.parametrize("extent", [2**20, 2**30])
def test_sizes_that_a_file_claims_take_no_memory(extent: int, tmp_path: Path) -> None:
    state = {
        name: tensor for name, tensor in ResNet(SHAPE, max_pool=True).state_dict().items() if tensor.dim()
    }
    state |= {f"layer{stage}.0.conv1.weight": nothing(extent) for stage in (1, 2, 3, 4)}
    save_file(state, tmp_path / "a")
    with pytest.raises(
        CheckpointError, match=r"does not fit a residual network|there is no network of the sizes"
    ):
        load("category", tmp_path / "a", max_pool=True)


def test_the_bundled_segmenter_states_the_accuracy_of_its_card() -> None:
    accuracy = load("segmentation").accuracy
    assert accuracy is not None
    card = (files("ganstrata.weights") / "rooms.surfaces.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z_ IoU]+) \| ([01]\.\d+) \|$", card, flags=re.MULTILINE))
    assert accuracy.pixel_accuracy == float(rows["pixel accuracy"])
    assert accuracy.iou == {name: float(rows[name]) for name in load("segmentation").model.classes}
    assert accuracy.mean_iou == pytest.approx(float(rows["mean IoU"]), abs=5e-4)


def test_a_network_of_unknown_accuracy_states_none(tmp_path: Path) -> None:
    source = read_checkpoint(locate("bundled:rooms", "surfaces"))
    other = tmp_path / "other.safetensors"
    tensors = {name: tensor.clone() for name, tensor in source.tensors.items()}
    next(iter(tensors.values())).add_(0.25)
    save_file(tensors, other, metadata={"ganstrata": json.dumps(dict(source.settings))})
    assert load("segmentation", other).accuracy is None
