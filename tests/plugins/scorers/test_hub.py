"""Scorers on models of the transformers library: small, with random weights, saved as the library does."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from closeness import assert_near
from ganstrata.core.errors import CheckpointError, ConfigError
from PIL import Image

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
import hub_models  # noqa: E402 - needs transformers
from ganstrata.plugins.scorers.networks.segmenters import labelled  # noqa: E402
from ganstrata.plugins.shared import embeddings  # noqa: E402
from ganstrata.plugins.shared.huggingface import preparation_of  # noqa: E402

CONCEPTS = [
    {"name": "clutter", "present": "a cluttered room", "absent": "a tidy room"},
    {"name": "night", "present": ["at night", "dark"], "absent": "by day", "level": "colour"},
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """hub("segformer") is a folder with such a model."""
    made: dict[str, Path] = {}

    def find(name: str) -> str:
        if name not in made:
            made[name] = getattr(hub_models, name)(tmp_path_factory.mktemp(name))
        return str(made[name])

    return find


def rendering(n: int = 2, size: int = 48, seed: int = 0) -> ganstrata.Rendering:
    return ganstrata.Rendering(torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize(("family", "planes"), [("segformer", 5), ("upernet", 4), ("mask2former", 3)])
def test_segmentation_models_give_area_shares(hub, family: str, planes: int) -> None:
    scorer = ganstrata.load_scorer("segmentation", model=hub(family), device="cpu")
    given = rendering()
    logits, labels, shares = scorer.logits(given), scorer.labels(given), scorer.score(given)
    assert logits.shape[:2] == (2, planes)
    assert labels.shape == (2, 48, 48)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2))
    for k in range(planes):
        torch.testing.assert_close(shares[:, k], (labels == k).float().mean(dim=(1, 2)))


def test_names_of_classes_are_those_of_the_model_without_synonyms(hub) -> None:
    scorer = ganstrata.load_scorer("segmentation", model=hub("segformer"), device="cpu")
    assert [c.name for c in scorer.concepts] == ["wall", "floor", "bed", "wall_2", "light_lamp"]
    assert {c.level for c in scorer.concepts} == {"object"}


def test_a_model_of_150_classes_without_names_has_those_of_ade20k(tmp_path: Path) -> None:
    sizes = {
        "depths": [1] * 4,
        "hidden_sizes": [8] * 4,
        "num_attention_heads": [1, 2, 4, 8],
        "decoder_hidden_size": 8,
    }
    config = transformers.SegformerConfig(num_labels=150, **sizes)
    folder = hub_models.save(
        transformers.SegformerForSemanticSegmentation(config),
        tmp_path / "m",
        size={"height": 32, "width": 32},
    )
    names = [c.name for c in ganstrata.load_scorer("segmentation", model=str(folder), device="cpu").concepts]
    assert (names[0], names[7], names[8], names[36]) == ("wall", "bed", "windowpane", "lamp")
    assert len(set(names)) == 150


def test_labels_are_those_of_the_library(hub) -> None:
    scorer = ganstrata.load_scorer("segmentation", model=hub("mask2former"), device="cpu")
    given = rendering()
    network = scorer.model.loaded.network
    output = network(pixel_values=scorer.model.loaded.prepare(given.images))
    processor = transformers.Mask2FormerImageProcessorPil()
    reference = processor.post_process_semantic_segmentation(output, target_sizes=[(48, 48)] * 2)
    agreement = (torch.stack(reference) == scorer.labels(given)).float().mean()
    assert agreement > 0.98  # it enlarges the sum of products, here its logarithm is enlarged


def test_labels_are_read_where_the_enlarged_planes_are_highest() -> None:
    logits = torch.randn(3, 6, 8, 8, generator=torch.Generator().manual_seed(0))
    enlarged = torch.nn.functional.interpolate(logits, size=(20, 30), mode="bilinear", align_corners=False)
    highest = enlarged.gather(1, labelled(logits, (20, 30))[:, None])
    assert_near(highest, enlarged.amax(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("family", "processor"),
    [
        ("clip", "CLIPImageProcessorPil"),
        ("siglip", "SiglipImageProcessorPil"),
        ("segformer", "SegformerImageProcessorPil"),
    ],
)
def test_pictures_are_prepared_as_the_library_prepares_them(hub, family: str, processor: str) -> None:
    folder = Path(hub(family))
    picture = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    try:
        theirs = getattr(transformers, processor).from_pretrained(folder)
    except ImportError as error:  # transformers 5.6 asks for torchvision here
        pytest.skip(f"the library itself cannot prepare pictures: {error}")
    reference = theirs(Image.fromarray(picture), return_tensors="pt")["pixel_values"]
    prepare = preparation_of(json.loads((folder / "preprocessor_config.json").read_text()), "here")
    ours = prepare(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255.0)
    assert ours.shape == reference.shape
    assert (
        float((ours - reference).abs().max()) <= 1.01 / 255 / 0.25
    )  # a level, divided by the standard deviation


def test_a_classifier_of_one_label_gives_a_distribution(hub) -> None:
    scorer = ganstrata.load_scorer(
        "image_classifier", model=hub("classifier"), level="attribute", device="cpu"
    )
    assert [(c.name, c.level) for c in scorer.concepts] == [
        ("cat", "attribute"),
        ("dog", "attribute"),
        ("old_house", "attribute"),
    ]
    torch.testing.assert_close(scorer.score(rendering()).sum(dim=1), torch.ones(2))


def test_a_classifier_of_several_labels_gives_each_its_own_probability(tmp_path: Path) -> None:
    scorer = ganstrata.load_scorer(
        "image_classifier", model=str(hub_models.classifier(tmp_path / "m", several=True)), device="cpu"
    )
    given = rendering()
    logits = scorer.loaded.network(pixel_values=scorer.loaded.prepare(given.images)).logits
    torch.testing.assert_close(scorer.score(given), logits.sigmoid())


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_text_scores_are_differences_of_the_models_own_logits(hub, family: str) -> None:
    concepts = [{"name": "clutter", "present": "a cluttered room", "absent": "a tidy room"}]
    scorer = ganstrata.load_scorer("text", model=hub(family), concepts=concepts, device="cpu")
    given = rendering()
    split = transformers.AutoTokenizer.from_pretrained(hub(family))
    tokens = split(
        ["a cluttered room", "a tidy room"], padding="max_length", max_length=12, return_tensors="pt"
    )
    names = ("input_ids",) if family == "siglip" else ("input_ids", "attention_mask")
    with torch.no_grad():
        output = scorer.loaded.network(
            pixel_values=scorer.loaded.prepare(given.images), **{key: tokens[key] for key in names}
        )
    expected = output.logits_per_image[:, 0] - output.logits_per_image[:, 1]
    torch.testing.assert_close(scorer.score(given)[:, 0], expected, atol=1e-4, rtol=1e-4)


def test_sentences_and_templates_are_averaged(hub) -> None:
    whole = ganstrata.load_scorer(
        "text", model=hub("clip"), concepts=CONCEPTS, templates=["a photo of {}", "{}"], device="cpu"
    )
    assert [(c.name, c.level) for c in whole.concepts] == [("clutter", "attribute"), ("night", "colour")]
    plain = [
        {
            "name": "n",
            "present": [f"{t}{s}" for t in ("a photo of ", "") for s in ("at night", "dark")],
            "absent": ["a photo of by day", "by day"],
        }
    ]
    same = ganstrata.load_scorer("text", model=hub("clip"), concepts=plain, device="cpu")
    torch.testing.assert_close(
        whole.score(rendering())[:, 1], same.score(rendering())[:, 0], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("plugin", "family", "options"),
    [
        ("text", "clip", {"concepts": CONCEPTS}),
        ("image_classifier", "classifier", {}),
        ("segmentation", "segformer", {}),
    ],
)
def test_gradients_reach_the_images(hub, plugin: str, family: str, options: dict[str, object]) -> None:
    scorer = ganstrata.load_scorer(plugin, model=hub(family), device="cpu", **options)
    images = rendering().images.requires_grad_()
    given = ganstrata.Rendering(images)
    (scorer.logits(given) if plugin == "segmentation" else scorer.score(given)).square().sum().backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    assert float(images.grad.abs().max()) > 0.0


@pytest.mark.parametrize("fill", [0.0, 1.0])
@pytest.mark.parametrize("size", [16, 100])
def test_flat_pictures_of_any_size_have_finite_scores(hub, fill: float, size: int) -> None:
    scorer = ganstrata.load_scorer("text", model=hub("clip"), concepts=CONCEPTS, device="cpu")
    scores = scorer.score(ganstrata.Rendering(torch.full((1, 3, size, size), fill)))
    assert all(math.isfinite(value) for value in scores.flatten().tolist())


def test_two_scorers_on_one_model_share_its_pass(hub, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ganstrata.load_scorer("text", model=hub("clip"), concepts=CONCEPTS[:1], device="cpu")
    two = ganstrata.load_scorer("text", model=hub("clip"), concepts=CONCEPTS[1:], device="cpu")
    assert one.loaded.sha256 == two.loaded.sha256
    assert one.checkpoint != two.checkpoint, "they read other sentences"
    given = rendering()
    one.score(given)
    monkeypatch.setattr(two.loaded.network, "get_image_features", None)
    assert two.score(given).shape == (2, 1)


def test_a_model_of_another_kind_is_refused(hub, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"cannot be read as AutoModelForImage|it is not an AutoModelForImage"
    ):
        ganstrata.load_scorer("image_classifier", model=hub("segformer"), device="cpu")
    with pytest.raises(
        CheckpointError, match=r"does not compare images with sentences|it is not an AutoModel"
    ):
        ganstrata.load_scorer("text", model=hub("classifier"), concepts=CONCEPTS, device="cpu")


def test_a_place_without_a_model_is_refused(hub, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is a folder without config\.json"):
        ganstrata.load_scorer("segmentation", model=str(tmp_path), device="cpu")
    with pytest.raises(CheckpointError, match="there is no such folder, and it is no hub id either"):
        ganstrata.load_scorer("segmentation", model=str(tmp_path / "nothing"), device="cpu")
    with pytest.raises(
        CheckpointError,
        match="is not in the local cache, and nothing is downloaded by default: write `download: true`",
    ):
        ganstrata.load_scorer("segmentation", model="nobody/has-this-model", device="cpu")


def test_pickled_weights_are_not_read(hub, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(hub("segformer"), folder)
    (folder / "model.safetensors").unlink()
    network = transformers.SegformerForSemanticSegmentation(
        transformers.SegformerConfig.from_pretrained(folder)
    )
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"holds no \.safetensors weights; pickled ones are not read"):
        ganstrata.load_scorer("segmentation", model=str(folder), device="cpu")


def test_unknown_preparation_is_refused() -> None:
    with pytest.raises(CheckpointError, match="asks for Pillow's filter 5"):
        preparation_of({"resample": 5}, "m")
    with pytest.raises(CheckpointError, match=r"has the size \{'longest_edge': 9\}"):
        preparation_of({"size": {"longest_edge": 9}}, "m")
    with pytest.raises(CheckpointError, match="does not scale images to"):
        preparation_of({"do_rescale": False}, "m")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concepts": []}, "concepts: must have at least 1 item"),
        ({"concepts": [CONCEPTS[0], CONCEPTS[0]]}, "two concepts are named 'clutter'"),
        ({"concepts": [{**CONCEPTS[0], "absent": " "}]}, "needs at least one sentence"),
        ({"concepts": CONCEPTS, "templates": ["a photo"]}, "must contain {} once, for the sentence"),
    ],
)
def test_concepts_without_usable_sentences_are_refused(hub, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ganstrata.load_scorer("text", model=hub("clip"), device="cpu", **options)
    assert message in str(caught.value)


def test_a_sentence_that_is_too_long_is_refused(hub) -> None:
    concepts = [{"name": "x", "present": "a room " * 9, "absent": "a room"}]
    with pytest.raises(CheckpointError, match="is longer than the 12 tokens that model"):
        ganstrata.load_scorer("text", model=hub("clip"), concepts=concepts, device="cpu")


def test_segmentation_needs_exactly_one_network(hub) -> None:
    for options in ({}, {"checkpoint": "bundled:rooms", "model": hub("segformer")}):
        with pytest.raises(ConfigError, match="needs either `checkpoint` or `model`"):
            ganstrata.load_scorer("segmentation", device="cpu", **options)


def test_without_transformers_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(
        CheckpointError,
        match=r"needs the package transformers, which is not installed .*: "
        r"pip install 'ganstrata\[transformers\]'",
    ):
        ganstrata.load_scorer("image_classifier", model="a/b", device="cpu")


def test_a_tokenizer_that_splits_sentences_differently_counts_as_another_checkpoint(
    hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checkpoint() -> str:
        return ganstrata.load_scorer(
            "text", model=hub("clip"), concepts=CONCEPTS[:1], device="cpu"
        ).checkpoint

    before, own = checkpoint(), embeddings.tokenizer
    assert checkpoint() == before
    monkeypatch.setattr(
        embeddings,
        "tokenizer",
        lambda config: lambda texts, **more: own(config)([f"the {words}" for words in texts], **more),
    )
    assert checkpoint() != before


def test_an_image_classifier_gives_its_hidden_states_as_feature_maps(hub) -> None:
    scorer = ganstrata.load_scorer("image_classifier", model=hub("classifier"), device="cpu")
    images = rendering().images.requires_grad_(True)
    maps = scorer.feature_stages(ganstrata.Rendering(images))
    assert len(maps) > 1
    assert all(x.ndim == 4 and len(x) == 2 for x in maps)
    (gradient,) = torch.autograd.grad(sum(x.square().mean() for x in maps), images)
    assert bool((gradient.abs().sum(dim=(1, 2, 3)) > 0.0).all())


def test_tokens_become_pixels_of_a_feature_map(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32,
        patch_size=8, num_labels=3,
    )  # fmt: skip
    folder = hub_models.save(
        transformers.ViTForImageClassification(config), tmp_path, size={"height": 32, "width": 32}, resample=2
    )
    scorer = ganstrata.load_scorer("image_classifier", model=str(folder), device="cpu")
    given = rendering()
    maps = scorer.feature_stages(given)
    states = scorer.loaded.network(
        pixel_values=scorer.loaded.prepare(given.images), output_hidden_states=True
    ).hidden_states
    assert [tuple(x.shape) for x in maps] == [(2, 16, 17, 1)] * 3  # 16 patches and the class token
    assert torch.equal(maps[1][0, :, 5, 0], states[1][0, 5])
