"""Extractors in memory, without folders and configs."""

from __future__ import annotations

import ganstrata
import pytest
import torch
from ganstrata import ConfigError, Stream, UserError
from ganstrata.core.semantics.measuring.evaluation_page import trained_layerwise
from planted_semantics import Linear, Smooth, planted_samples

CPU = torch.device("cpu")


def agreement(extractor: ganstrata.Extractor) -> float:
    drawn = planted_samples(batch=32).draw(0, Stream.VERIFICATION)
    labels = extractor.logits(drawn.rendering.features).argmax(1)
    return float((labels == drawn.labels).float().mean())


@pytest.mark.parametrize("method", ["ridge", "lda"])
def test_closed_forms_find_what_is_planted(method):
    extractor = ganstrata.train_extractor(Smooth(), Linear(), method=method, images=128)
    assert agreement(extractor) > 0.9
    assert extractor.facts["solution"]["absent classes"] == []


def test_gradient_descent_takes_the_options_of_a_config():
    extractor = ganstrata.train_extractor(
        Smooth(),
        Linear(),
        images=1500,
        learning_rate=0.01,
        layer_weights="softplus",
        strata=[0, 1, 2],
        batch=32,
    )
    assert extractor.architecture.layer_weights == "softplus"
    assert agreement(extractor) > 0.9


def test_the_header_says_what_a_trained_folder_says():
    generator = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    teacher = ganstrata.load_scorer("segmentation", checkpoint="bundled:rooms", device="cpu")
    extractor = ganstrata.train_extractor(generator, teacher, method="ridge", images=50, batch=10)
    assert extractor.made_for.plugin == "stylegan2"
    assert extractor.made_for.options == {"checkpoint": "bundled:rooms"}
    taught, training = extractor.facts["teacher"], extractor.facts["training"]
    assert (taught["plugin"], taught["options"]) == ("segmentation", {"checkpoint": "bundled:rooms"})
    assert taught["weights"] == teacher.checkpoint
    assert (training["method"], training["images"], training["batch_size"]) == ("ridge", 50, 10)
    assert extractor.facts["quality"]["mIoU of held-out pixels"] > 0.2


def test_a_layerwise_loss_is_in_the_header():
    extractor = ganstrata.train_extractor(Smooth(), Linear(), images=50, layerwise_loss=0.1)
    assert trained_layerwise(extractor.facts)


def test_some_classes_and_strata_are_enough(tmp_path):
    extractor = ganstrata.train_extractor(
        Smooth(), Linear(), method="lda", images=64, classes=["tree"], strata="last_of_resolution"
    )
    assert extractor.classes == ("background", "tree")
    assert extractor.strata == (0, 2)
    ganstrata.save_extractor(extractor, tmp_path / "e.safetensors")
    loaded = ganstrata.load_extractor(tmp_path / "e.safetensors", CPU)
    assert loaded.architecture == extractor.architecture
    assert loaded.made_for == extractor.made_for
    loaded.check_generator(Smooth())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "SVM"}, "extractor -> head"),
        ({"images": 3}, "training -> images"),
        ({"learning_rate": -0.1}, "training -> learning_rate"),
        ({"batch": 0}, "training -> batch_size"),
        ({"kernel": 2}, "extractor -> kernel"),
        ({"method": "ridge", "head": "NSE-2"}, "ridge is for LSE"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        ganstrata.train_extractor(Smooth(), Linear(), **options)


def test_wrong_classes_and_strata_are_named():
    with pytest.raises(UserError, match="Did you mean 'tree'"):
        ganstrata.train_extractor(Smooth(), Linear(), classes=["tre"])
    with pytest.raises(UserError, match="strata 3 have no feature map"):
        ganstrata.train_extractor(Smooth(), Linear(), strata=[1, 3])


def test_what_is_no_segmenter_is_refused():
    hue = ganstrata.load_scorer("hue", device="cpu")
    with pytest.raises(UserError, match="needs a Segmenter as `teacher`"):
        ganstrata.train_extractor(Smooth(), hue)
