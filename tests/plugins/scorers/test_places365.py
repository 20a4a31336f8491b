"""Places365 and SUN attributes: numbers of the reference code, the published files, and wrong files."""

from __future__ import annotations

from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.errors import CheckpointError, ConfigError
from ganstrata.plugins.scorers.networks.places365 import attribute_names
from ganstrata.plugins.scorers.networks.resnet import ResNet, ResNetShape
from safetensors.torch import load_file

DATA = Path(__file__).parents[2] / "data"
WIDE18 = ResNetShape(stem=64, widths=(64, 128, 256, 512), blocks=(2, 2, 2, 2), bottleneck=False, classes=365)
DEEP50 = ResNetShape(stem=64, widths=(64, 128, 256, 512), blocks=(3, 4, 6, 3), bottleneck=True, classes=365)
SMALL = ResNetShape(stem=4, widths=(4, 4, 8, 8), blocks=(1, 1, 1, 1), bottleneck=False, classes=5)


def published(path: Path, state: dict[str, torch.Tensor], arch: str = "wideresnet18") -> str:
    """A file as Places365 publishes them."""
    torch.save(
        {
            "epoch": 90,
            "arch": arch,
            "state_dict": {f"module.{k}": v for k, v in state.items()},
            "best_prec1": torch.tensor(56.0),
        },
        path,
    )
    return str(path)


def random_state(shape: ResNetShape, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return ResNet(shape, max_pool=True).state_dict()


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The reference's network at an eighth of its widths, with weights for its attributes."""
    folder = tmp_path_factory.mktemp("narrow")
    np.save(folder / "W.npy", np.load(DATA / "places365_narrow.npz")["W_attribute"])
    return published(
        folder / "wideresnet18_places365.pth.tar", load_file(DATA / "places365_narrow.safetensors")
    ), str(folder / "W.npy")


@pytest.mark.parametrize(("row", "image"), [(0, "image0"), (1, "image2"), (2, "image3")])
def test_scores_are_those_of_the_reference(narrow: tuple[str, str], row: int, image: str) -> None:
    checkpoint, weights = narrow
    reference = np.load(DATA / "places365_narrow.npz")
    rendering = ganstrata.Rendering(torch.from_numpy(reference[image]).permute(2, 0, 1)[None].float() / 255.0)
    true = ganstrata.load_scorer("category", checkpoint=checkpoint, device="cpu").score(rendering)
    clamped = ganstrata.load_scorer("category", checkpoint=checkpoint, clamp_fc=True, device="cpu").score(
        rendering
    )
    margins = ganstrata.load_scorer("attribute", checkpoint=checkpoint, weights=weights, device="cpu").score(
        rendering
    )
    np.testing.assert_allclose(true[0, :365], reference["category_unclamped"][row], atol=1e-6)
    np.testing.assert_allclose(clamped[0, :365], reference["category_higan"][row], atol=1e-6)
    np.testing.assert_allclose(margins[0], reference["attribute"][row], atol=1e-5, rtol=1e-4)


def test_names_are_those_of_the_published_lists_in_order(narrow: tuple[str, str]) -> None:
    checkpoint, weights = narrow
    category = ganstrata.load_scorer(
        "category", checkpoint=checkpoint, against=[("bedroom", "living_room")], device="cpu"
    )
    names = [concept.name for concept in category.concepts]
    # Positions as in the published lists.
    assert (
        names.index("bedroom"),
        names.index("living_room"),
        names.index("apartment_building__outdoor"),
    ) == (52, 215, 8)
    assert names[365:] == ["bedroom-vs-living_room", "indoor"]
    attribute = [
        concept.name
        for concept in ganstrata.load_scorer(
            "attribute", checkpoint=checkpoint, weights=weights, device="cpu"
        ).concepts
    ]
    assert [attribute.index(n) for n in ("natural_light", "sunny", "indoor_lighting", "cluttered_space")] == [
        74,
        75,
        76,
        98,
    ]
    assert len(attribute) == len(set(attribute_names())) == 102


def test_the_size_of_the_input_is_told(narrow: tuple[str, str]) -> None:
    for checkpoint, size in ((narrow[0], (224, 224)), ("bundled:rooms", (64, 64))):
        assert ganstrata.load_scorer("category", checkpoint=checkpoint, device="cpu").input_size == size
    attribute = ganstrata.load_scorer("attribute", checkpoint="bundled:rooms", device="cpu")
    assert attribute.input_size == (64, 64)
    assert ganstrata.load_scorer("hue", device="cpu").input_size is None


def test_probabilities_add_up_and_indoor_is_a_part_of_them(narrow: tuple[str, str]) -> None:
    scorer = ganstrata.load_scorer("category", checkpoint=narrow[0], device="cpu")
    scores = scorer.score(ganstrata.Rendering(torch.rand(2, 3, 40, 40)))
    torch.testing.assert_close(scores[:, :365].sum(dim=1), torch.ones(2))
    assert ((scores[:, -1] > 0.1) & (scores[:, -1] < 0.9)).all()


def test_pictures_go_through_the_network_once_for_both_plugins(
    narrow: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    features = ResNet.features
    monkeypatch.setattr(
        ResNet, "features", lambda self, images: passes.append(len(images)) or features(self, images)
    )
    checkpoint, weights = narrow
    both = [ganstrata.load_scorer("category", checkpoint=checkpoint, device="cpu")]
    both.append(ganstrata.load_scorer("attribute", checkpoint=checkpoint, weights=weights, device="cpu"))
    rendering = ganstrata.Rendering(torch.rand(3, 3, 32, 32))
    for scorer in both:
        scorer.score(rendering)
    assert passes == [3]


def test_gradients_reach_the_images(narrow: tuple[str, str]) -> None:
    images = torch.rand(1, 3, 48, 48, requires_grad=True)
    ganstrata.load_scorer("category", checkpoint=narrow[0], device="cpu").score(ganstrata.Rendering(images))[
        0, 52
    ].backward()
    assert images.grad is not None
    assert float(images.grad.abs().max()) > 0.0


@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_flat_pictures_have_finite_scores(narrow: tuple[str, str], fill: float) -> None:
    scores = ganstrata.load_scorer("category", checkpoint=narrow[0], device="cpu").score(
        ganstrata.Rendering(torch.full((1, 3, 64, 64), fill))
    )
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize(
    ("shape", "arch", "crop"),
    [(WIDE18, "wideresnet18", False), (WIDE18, "resnet18", True), (DEEP50, "resnet50", True)],
)
def test_published_networks_at_full_size_load(
    tmp_path: Path, shape: ResNetShape, arch: str, crop: bool
) -> None:
    scorer = ganstrata.load_scorer(
        "category", checkpoint=published(tmp_path / "a.pth.tar", random_state(shape), arch), device="cpu"
    )
    assert scorer.model.crop == scorer.model.network.max_pool == crop
    assert len(scorer.concepts) == 366


@pytest.mark.full
@pytest.mark.parametrize(
    ("shape", "arch"), [(WIDE18, "wideresnet18"), (WIDE18, "resnet18"), (DEEP50, "resnet50")]
)
def test_published_networks_at_full_size_run(tmp_path: Path, shape: ResNetShape, arch: str) -> None:
    scorer = ganstrata.load_scorer(
        "category", checkpoint=published(tmp_path / "a.pth.tar", random_state(shape), arch), device="cpu"
    )
    assert scorer.score(ganstrata.Rendering(torch.rand(2, 3, 256, 256))).shape == (2, 366)


def test_batch_normalisation_is_folded_exactly() -> None:
    torch.manual_seed(0)
    network = ResNet(ResNetShape(4, (4, 6, 6, 8), (1, 2, 1, 1), bottleneck=True, classes=3), max_pool=True)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.normal_()
            module.bias.data.normal_()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before = network.eval()(images)
        network.fuse()
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
        torch.testing.assert_close(network(images), before, atol=1e-4, rtol=1e-4)


def test_a_bare_file_does_not_say_whether_there_is_a_pooling(tmp_path: Path) -> None:
    file = tmp_path / "bare.pth"
    torch.save(random_state(WIDE18), file)
    with pytest.raises(
        CheckpointError, match=r"resnet18 and wideresnet18 have the same tensors.*max_pool: true"
    ):
        ganstrata.load_scorer("category", checkpoint=str(file), device="cpu")
    assert not ganstrata.load_scorer(
        "category", checkpoint=str(file), max_pool=False, device="cpu"
    ).model.crop


def test_another_network_needs_labels(tmp_path: Path) -> None:
    checkpoint = published(tmp_path / "a.pth.tar", random_state(SMALL), "resnet18")
    with pytest.raises(
        CheckpointError, match=r"has 5 outputs, not the 365 categories of Places365; give `labels:`"
    ):
        ganstrata.load_scorer("category", checkpoint=checkpoint, device="cpu")
    (tmp_path / "names.txt").write_text(
        "/a/attic 0\n/b/bar/inside 1\ncellar\nden 3\nempty room\n", encoding="utf-8"
    )
    scorer = ganstrata.load_scorer(
        "category", checkpoint=checkpoint, labels=str(tmp_path / "names.txt"), device="cpu"
    )
    assert [concept.name for concept in scorer.concepts] == [
        "attic",
        "bar__inside",
        "cellar",
        "den",
        "empty_room",
    ]
    (tmp_path / "few.txt").write_text("attic\nbar\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"has 2 names, but .* has 5 outputs"):
        ganstrata.load_scorer(
            "category", checkpoint=checkpoint, labels=str(tmp_path / "few.txt"), device="cpu"
        )
    (tmp_path / "twice.txt").write_text("attic\nattic\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match="the name 'attic' occurs twice"):
        ganstrata.load_scorer(
            "category", checkpoint=checkpoint, labels=str(tmp_path / "twice.txt"), device="cpu"
        )
    with pytest.raises(CheckpointError, match=r"cannot read .*absent\.txt: No such file"):
        ganstrata.load_scorer(
            "category", checkpoint=checkpoint, labels=str(tmp_path / "absent.txt"), device="cpu"
        )


def test_tensors_that_do_not_fit_are_named(tmp_path: Path) -> None:
    state = random_state(SMALL)
    del state["layer2.0.bn1.weight"]
    state["extra"] = torch.zeros(2)
    state["layer3.0.conv2.weight"] = torch.zeros(8, 8, 1, 1)
    state["fc.bias"] = torch.full_like(state["fc.bias"], torch.inf)
    faults = (
        r"extra is \(2,\), expected no such tensor; layer2.0.bn1.weight is missing, .*; "
        r"layer3.0.conv2.weight is \(8, 8, 1, 1\), .* and 1 more"
    )
    with pytest.raises(CheckpointError, match=faults):
        ganstrata.load_scorer(
            "category", checkpoint=published(tmp_path / "a.pth.tar", state), max_pool=True, device="cpu"
        )


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((102, 7), np.float32),
            "for 7 features, but the network has 64; the file belongs to another network",
        ),
        (np.zeros((100, 64), np.float32), "holds 100 attributes, but SUN has 102 names; give `labels:`"),
        (np.zeros((102, 64), np.int64), "must hold finite numbers of shape"),
        (np.full((102, 64), np.nan), "must hold finite numbers of shape"),
        (np.array([{"a": 1}], dtype=object), r"weights: .* is not a readable array"),
    ],
)
def test_attribute_weights_that_do_not_fit_are_refused(
    narrow: tuple[str, str], tmp_path: Path, array: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "W.npy", array, allow_pickle=True)
    with pytest.raises(CheckpointError, match=message):
        ganstrata.load_scorer(
            "attribute", checkpoint=narrow[0], weights=str(tmp_path / "W.npy"), device="cpu"
        )


def test_attributes_need_weights(narrow: tuple[str, str]) -> None:
    with pytest.raises(CheckpointError, match=r"give W_sceneattribute_wideresnet18\.npy"):
        ganstrata.load_scorer("attribute", checkpoint=narrow[0], device="cpu")
    with pytest.raises(CheckpointError, match=r"no file /nowhere/W\.npy"):
        ganstrata.load_scorer("attribute", checkpoint=narrow[0], weights="/nowhere/W.npy", device="cpu")


@pytest.mark.parametrize(
    ("name", "options"), [("category", {"clamp_fc": True}), ("attribute", {"weights": "W.npy"})]
)
def test_the_bundled_network_refuses_options_it_does_not_use(name: str, options: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="meant for Places365 networks"):
        ganstrata.load_scorer(name, checkpoint="bundled:rooms", device="cpu", **options)


def test_an_unknown_option_is_named(narrow: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'clamp_fc'"):
        ganstrata.load_scorer("category", checkpoint=narrow[0], clampfc=True, device="cpu")


def test_feature_maps_are_those_of_the_stem_and_the_stages(narrow: tuple[str, str]) -> None:
    scorer = ganstrata.load_scorer("category", checkpoint=narrow[0], device="cpu")
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    rendering = ganstrata.Rendering(images)
    maps = scorer.feature_stages(rendering)
    assert [x.shape[-1] for x in maps] == [112, 112, 56, 28, 14]  # wideresnet18 does not pool at first
    torch.testing.assert_close(maps[-1].mean(dim=(2, 3)), scorer.embed(rendering))
    for x in maps:
        (gradient,) = torch.autograd.grad(x.square().mean(), images, retain_graph=True)
        assert gradient.abs().sum().item() > 0.0
