"""Layout on the labels of any segmenter: the bundled network, planar networks, other people's scorers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ganstrata
import published_segmenters as published
import pytest
import torch
from ganstrata import Concept, PluginConfig, Rendering, Segmenter
from ganstrata.core.config.reading import validate
from ganstrata.core.errors import ConfigError, DataError
from ganstrata.core.plugins.plugin_info import PluginInfo
from ganstrata.core.plugins.registry import registry
from ganstrata.core.plugins.scoring import checked_scores
from ganstrata.core.runs.prepare import prepare
from ganstrata.plugins.scorers.layout import Layout, find_walls
from ganstrata.plugins.scorers.networks.planar import PlanarNetwork
from ganstrata.plugins.scorers.surfaces import SurfaceNetwork
from pydantic import Field
from torch import Tensor

Register = Callable[[str, str, type], None]
SURFACES = ("frontal_wall", "left_wall", "right_wall", "floor", "ceiling")


class Painted(Segmenter):
    """Another person's segmenter, with classes by any names: each pixel's is its red channel in tenths."""

    class Config(PluginConfig):
        """What the classes are called."""

        classes: tuple[str, ...] = Field(default=SURFACES, description="names")

    config: Config
    features = (2, 5)

    def __init__(self, config: Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.concepts = tuple(Concept(name, "object") for name in config.classes)
        self.passes = 0

    def check(self, samples: int) -> None:
        if samples == 13:
            raise DataError("thirteen is too few")

    def logits(self, rendering: Rendering) -> Tensor:
        self.passes += 1
        planes = torch.arange(len(self.concepts)).view(1, -1, 1, 1)
        return -(rendering.images[:, :1] * 10.0 - planes).abs()


@pytest.fixture(autouse=True)
def _painted(register: Register) -> None:
    register("scorer", "painted", Painted)


def layout(**config: Any) -> Layout:
    scorer = ganstrata.load_scorer("layout", device="cpu", **config)
    assert isinstance(scorer, Layout)
    return scorer


def painted(names: list[list[str]], classes: tuple[str, ...] = SURFACES) -> Rendering:
    """A picture of 20 rows per row of names, each 10 pixels wide."""
    planes = torch.tensor([[classes.index(name) for name in row] for row in names]) / 10.0
    return Rendering(
        planes.repeat_interleave(20, dim=0).repeat_interleave(10, dim=1)[None, None].expand(1, 3, -1, -1)
    )


ROOM = [
    ["ceiling"] * 6,
    ["left_wall", "left_wall", "left_wall", "left_wall", "frontal_wall", "frontal_wall"],
    ["floor"] * 6,
]


def test_any_segmenter_whose_classes_name_the_walls_will_do() -> None:
    scorer = layout(segmenter={"use": "painted"})
    rendering = painted(ROOM)
    assert checked_scores(scorer, rendering)[0, 0] == pytest.approx((39.5 - 29.5) / 30.0)
    assert scorer.extra(rendering).item() == pytest.approx(1.0 / 3.0)
    assert [scorer.concepts[0].name, scorer.extras] == ["wall_line", ("support",)]
    assert scorer.segmenter.passes == 1, "one pass for score and support"  # type: ignore[attr-defined]


def test_a_room_without_a_line_stays_undefined() -> None:
    scorer = layout(segmenter={"use": "painted"})
    rendering = painted([["ceiling"] * 6, ["left_wall"] * 6, ["floor"] * 6])
    assert torch.isnan(scorer.score(rendering)).all()
    assert scorer.extra(rendering).item() == 0.0


@pytest.mark.parametrize("order", [(3, 0, 2, 1, 4), (4, 3, 2, 1, 0), (1, 2, 0, 4, 3)])
def test_the_order_of_classes_does_not_matter(order: tuple[int, ...]) -> None:
    classes = tuple(SURFACES[i] for i in order)
    plain = layout(segmenter={"use": "painted"}).score(painted(ROOM))
    assert torch.equal(
        layout(segmenter={"use": "painted", "with": {"classes": classes}}).score(painted(ROOM, classes)),
        plain,
    )


def test_the_scorer_needs_the_features_that_its_segmenter_needs() -> None:
    scorer = layout(segmenter={"use": "painted"})
    assert scorer.features == (2, 5)
    scorer.check(14)
    with pytest.raises(DataError, match="thirteen"):
        scorer.check(13)


def test_a_run_gives_the_segmenter_the_features_that_it_reads(
    config: dict[str, Any], fakes: ModuleType
) -> None:
    registry().add(
        PluginInfo(
            "scorer", "painted", f"{__name__}:Painted", "the fakes begin a new list of plugins", "test 0"
        )
    )
    config["scorers"] = [{"use": "layout", "with": {"segmenter": {"use": "painted"}}}]
    assert prepare(validate(config, "config")).features == (2, 5)


def test_two_segmenters_without_a_file_are_not_taken_for_one() -> None:
    """Their results would otherwise be shared, as neither has a checkpoint's hash."""
    rendering = painted(ROOM)
    other = layout(
        segmenter={"use": "painted", "with": {"classes": ("a", "left wall", "b", "c", "right wall")}},
        walls=["left wall", "right wall"],
    )
    assert torch.isfinite(layout(segmenter={"use": "painted"}).score(rendering)).all()
    assert torch.isnan(other.score(rendering)).all()
    narrow = layout(segmenter={"use": "painted"}, walls=["left wall", "right wall"])
    assert torch.isnan(narrow.score(rendering)).all(), "the line is not between these walls"


@pytest.mark.parametrize(
    ("wanted", "classes", "indices"),
    [
        ([], ["floor", "left wall", "right wall"], (1, 2)),
        ([], ["Left-Wall", "CENTRE_WALL", "walls", "wall right"], (0, 1, 3)),
        ([], ["center wall", "wall", "back wall", "wallpaper"], (0, 2)),
        (["door", "Left Wall"], ["left_wall", "front_wall", "door"], (2, 0)),
        (["door", "wall", "door"], ["door", "wall"], (0, 1)),
    ],
)
def test_walls_are_found_by_name(wanted: list[str], classes: list[str], indices: tuple[int, ...]) -> None:
    assert find_walls(wanted, classes) == indices


@pytest.mark.parametrize(
    ("wanted", "classes", "message"),
    [
        (
            ["left_wal", "rigth wall"],
            SURFACES,
            r"(?s)2 faults.*'left_wal' is not a class.*Did you mean 'left wall'\?.*"
            r"'rigth wall'.*'right wall'",
        ),
        (
            [],
            ["wall", "floor", "bed"],
            "no two classes of the segmenter are called left, right or front wall. Classes: wall, floor, bed",
        ),
        (["wall"], ["wall", "floor"], "name two or more classes: the line is where two walls meet"),
        ([], [f"c{i}" for i in range(150)], r"c19 and 130 more"),
    ],
)
def test_classes_that_are_no_walls_are_refused(wanted: list[str], classes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_walls(wanted, classes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs either `checkpoint` or `segmenter`"),
        (
            {"checkpoint": "bundled:rooms", "segmenter": {"use": "painted"}},
            "needs either `checkpoint` or `segmenter`",
        ),
        (
            {"segmenter": {"use": "hue"}},
            r"scorers -> 0 -> with -> segmenter: scorer 'hue' is not a Segmenter",
        ),
        (
            {"segmenter": {"use": "layout", "with": {"checkpoint": "bundled:rooms"}}},
            "scorer 'layout' is not a Segmenter",
        ),
        (
            {"segmenter": {"use": "segmentatoin"}},
            r"segmenter: use: .*segmentatoin.*Did you mean 'segmentation'",
        ),
        (
            {"segmenter": {"use": "segmentation", "with": {"chekpoint": "x"}}},
            r"'chekpoint' is not|chekpoint: is not an option",
        ),
        (
            {"segmenter": {"use": "painted", "wiht": {}}},
            r"segmenter -> wiht: is not an option.*Did you mean 'with'\? Allowed: use, with",
        ),
        ({"segmenter": {"use": "painted"}, "label_order": "network"}, "`label_order` is for `checkpoint`"),
        (
            {"checkpoint": "bundled:rooms", "label_order": "theirs"},
            r"label_order: must be 'network' or 'toolkit'",
        ),
    ],
)
def test_faults_are_reported_before_anything_is_built(options: dict[str, Any], message: str) -> None:
    data = {
        "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
        "scorers": [{"use": "layout", "with": options}],
        "boundary": {"use": "ridge"},
    }
    with pytest.raises(ConfigError, match=message):
        validate(data, "config")


def counted(network: type[torch.nn.Module], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the size of the batch at every pass."""
    ran: list[int] = []
    forward = network.forward

    def count(self: torch.nn.Module, images: Tensor) -> Any:
        ran.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(network, "forward", count)
    return ran


@pytest.mark.parametrize("kind", ["surfaces", "planar"])
def test_one_pass_for_every_scorer_on_the_same_weights(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "bundled:rooms"
    if kind == "planar":
        file = str(tmp_path / "planar.ckpt")
        torch.save({"state_dict": published.planar(blocks=(1, 1, 1, 1), width=4, inner=6)}, file)
    ran = counted(SurfaceNetwork if kind == "surfaces" else PlanarNetwork, monkeypatch)
    used = {"use": "segmentation", "with": {"checkpoint": file}}
    rendering = Rendering(torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    segmentation = ganstrata.load_scorer("segmentation", checkpoint=file, device="cpu")
    for scorer in (
        layout(segmenter=used),
        segmentation,
        layout(checkpoint=file),
        layout(segmenter=used, walls=["left wall", "right wall"]),
    ):
        scorer.score(rendering)
        scorer.extra(rendering)
    assert ran == [3]
    assert (
        segmentation.checkpoint
        == layout(checkpoint=file).checkpoint
        == layout(segmenter=used).checkpoint
        != ""
    )


def test_the_bundled_network_gives_the_same_as_checkpoint_and_as_segmenter(
    rooms: ganstrata.Generator,
) -> None:
    images = ganstrata.render(
        rooms, rooms.broadcast(rooms.map(rooms.sample(6, 0, 0, ganstrata.Stream.PROBING).z))
    )
    through = layout(segmenter={"use": "segmentation", "with": {"checkpoint": "bundled:rooms"}}).score(
        Rendering(images)
    )
    assert torch.equal(
        through.nan_to_num(9.0), layout(checkpoint="bundled:rooms").score(Rendering(images)).nan_to_num(9.0)
    )
    assert through.isfinite().any()


def test_the_order_of_labels_is_taken_from_the_config(tmp_path: Path) -> None:
    """Exchanged planes give the same layout when the config says so, and another when it does not."""
    tensors = published.planar(blocks=(1, 1, 1, 1), width=4, inner=6, seed=3)
    network, toolkit = (
        ("frontal", "left", "right", "floor", "ceiling"),
        ("floor", "frontal", "right", "left", "ceiling"),
    )
    name = "model.planar_seg.fc_stage2.weight"
    torch.save({"state_dict": tensors}, tmp_path / "network.ckpt")
    torch.save(
        {"state_dict": {**tensors, name: tensors[name][[network.index(surface) for surface in toolkit]]}},
        tmp_path / "toolkit.ckpt",
    )
    rendering = Rendering(torch.rand(16, 3, 5, 5, generator=torch.Generator().manual_seed(1)))
    plain = layout(checkpoint=str(tmp_path / "network.ckpt"))
    configured = layout(checkpoint=str(tmp_path / "toolkit.ckpt"), label_order="toolkit")
    nested = {
        "use": "segmentation",
        "with": {"checkpoint": str(tmp_path / "toolkit.ckpt"), "label_order": "toolkit"},
    }
    untold = layout(checkpoint=str(tmp_path / "toolkit.ckpt"))
    assert plain.score(rendering).isfinite().all(), "random weights make blocks, whose edges stand in a line"
    for scorer in (configured, layout(segmenter=nested)):
        torch.testing.assert_close(scorer.score(rendering), plain.score(rendering), equal_nan=True)
        torch.testing.assert_close(scorer.extra(rendering), plain.extra(rendering))
    assert (untold.extra(rendering) != plain.extra(rendering)).any()
