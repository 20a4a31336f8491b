"""Training finds what is planted, keeps the paper's schedule, and continues exactly where it was stopped."""

from __future__ import annotations

import pytest
import torch
from ganstrata.core.errors import DataError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.extractor import Architecture
from ganstrata.core.semantics.heads import LSE, enlarge
from ganstrata.core.semantics.learning.losses import extractor_loss, pixel_cross_entropy
from ganstrata.core.semantics.learning.schedule import PAPER, planned_steps
from ganstrata.core.semantics.learning.training import Trainer, TrainingSettings
from ganstrata.core.semantics.teacher import UNKNOWN
from planted_semantics import CLASSES, planted_samples
from reference_numbers import reference

NUMBERS = reference("lineargan_extractors")


def architecture(samples, **changes) -> Architecture:
    return Architecture(**{"head": "LSE", "maps": samples.maps, "classes": CLASSES, "size": (8, 8)} | changes)


def accuracy(trainer: Trainer, start: int = 0) -> float:
    drawn = trainer.samples.draw(start, Stream.VERIFICATION)
    with torch.no_grad():
        predicted = trainer.head(drawn.maps, (8, 8)).argmax(1)
    return float((predicted == drawn.labels).float().mean())


def test_lse_finds_classes_that_are_linear_in_the_maps():
    samples = planted_samples(batch=32)
    trainer = Trainer(samples, architecture(samples), TrainingSettings(images=2000, learning_rate=0.01))
    before = accuracy(trainer)
    losses = [taken.loss for taken in trainer.steps()]
    assert before < 0.6
    assert accuracy(trainer) > 0.97
    assert sum(losses[-5:]) < 0.3 * sum(losses[:5])


@pytest.mark.parametrize(
    "changes",
    [{"layer_weights": "softplus"}, {"head": "NSE-1", "kernel": 3}, {"head": "NSE-2"}],
    ids=["softplus", "NSE-1", "NSE-2"],
)
def test_the_other_heads_learn_too(changes):
    samples = planted_samples(batch=32)
    trainer = Trainer(samples, architecture(samples, **changes), TrainingSettings(600, 0.01, seed=1))
    before = accuracy(trainer)
    for _ in trainer.steps():
        pass
    assert accuracy(trainer) > before + 0.2


def test_layer_weights_learn_ten_times_as_fast():
    samples = planted_samples()
    trainer = Trainer(samples, architecture(samples, layer_weights="softplus"), TrainingSettings(50, 1e-3))
    head = trainer.head
    assert isinstance(head, LSE)
    theta, weight = head.theta.detach().clone(), head.T[0].detach().clone()
    next(iter(trainer.steps()))
    # The first step of Adam is the learning rate, whatever the gradient.
    assert float((head.theta.detach() - theta).abs().max()) == pytest.approx(1e-2, rel=1e-3)
    assert float((head.T[0].detach() - weight).abs().max()) == pytest.approx(1e-3, rel=1e-3)


def test_the_schedule_is_that_of_the_paper():
    steps = list(planned_steps(PAPER))
    assert len(steps) == 6656
    assert [(s.stop - s.start) for s in (steps[0], steps[2047], steps[2048], steps[-1])] == [1, 1, 4, 64]
    assert steps[-1].stop == PAPER
    assert sum(s.stop - s.start for s in steps if s.rate == 1.0) == PAPER * 20 // 50


@pytest.mark.parametrize("images", [50, 51, 127, 1000])
def test_every_image_is_used_once_whatever_their_number(images):
    steps = list(planned_steps(images))
    assert [s.start for s in steps] == [0, *(s.stop for s in steps[:-1])]
    assert steps[-1].stop == images
    for step in steps:  # whatever their number, 40 % of them are learnt fast
        assert step.rate == (1.0 if step.stop <= images * 20 // 50 else 0.1)


@pytest.mark.parametrize("stop", [1, 7, 15])
def test_a_training_that_was_stopped_continues_exactly(stop):
    settings = TrainingSettings(images=120, seed=5)
    whole = planted_samples()
    straight = Trainer(whole, architecture(whole, layer_weights="softplus"), settings)
    losses = [taken.loss for taken in straight.steps()]
    samples = planted_samples()
    first = Trainer(samples, architecture(samples, layer_weights="softplus"), settings)
    steps = first.steps()
    found = [next(steps).loss for _ in range(stop)]
    second = Trainer(samples, architecture(samples, layer_weights="softplus"), settings)
    second.restore(first.state(), first.position)
    found += [taken.loss for taken in second.steps()]
    assert len(found) == len(losses)
    assert found == pytest.approx(losses, rel=1e-5)
    for a, b in zip(straight.head.parameters(), second.head.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_first_parameters_depend_on_the_seed_and_leave_the_global_state_alone():
    samples = planted_samples()
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    heads = [
        Trainer(samples, architecture(samples), TrainingSettings(50, seed=seed)).head for seed in (0, 0, 1)
    ]
    assert torch.equal(torch.rand(3), expected)
    a, b, c = (torch.cat([p.detach().flatten() for p in head.parameters()]) for head in heads)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_pixels_of_unknown_class_teach_nothing():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    known = labels.clone()
    known[:, :2] = UNKNOWN
    expected = pixel_cross_entropy(logits[:, :, 2:], labels[:, 2:])
    torch.testing.assert_close(pixel_cross_entropy(logits, known), expected)
    assert float(pixel_cross_entropy(logits, torch.full_like(labels, UNKNOWN))) == 0.0
    by_class = logits.transpose(0, 1).contiguous().transpose(0, 1)  # as an LSE's logits lie in memory
    torch.testing.assert_close(pixel_cross_entropy(by_class, known), expected)


def test_a_layerwise_loss_lowers_the_loss_of_each_stratum_by_itself():
    samples = planted_samples(batch=32)
    drawn = samples.draw(0, Stream.VERIFICATION)
    losses = []
    for layerwise in (0.0, 0.5):
        settings = TrainingSettings(300, learning_rate=0.03, layerwise=layerwise)
        trainer = Trainer(samples, architecture(samples), settings)
        for _ in trainer.steps():
            pass
        alone = [enlarge(x, (8, 8)).detach() for x in trainer.head.readings(drawn.maps)]
        losses.append([float(pixel_cross_entropy(logits, drawn.labels)) for logits in alone])
    assert all(trained < 0.97 * plain for plain, trained in zip(*losses, strict=True)), losses


def test_losses_are_those_of_the_authors():
    maps = [torch.from_numpy(NUMBERS[f"input/feature{i}"]) for i in range(6)]
    labels = torch.from_numpy(NUMBERS["input/label"]).long()
    head = LSE([x.shape[1] for x in maps], 6, "softplus")
    state = {
        f"T.{i}": torch.from_numpy(NUMBERS[f"state/LSE_softplus/extractor.{i}.weight"])[..., 0, 0]
        for i in range(6)
    }
    head.load_state_dict({**state, "theta": torch.from_numpy(NUMBERS["state/LSE_softplus/layer_weight"])})
    each = NUMBERS["output/loss.cross_entropy_per_output"]
    for reading, expected in zip(head.readings(maps), each[:-1], strict=True):
        assert float(pixel_cross_entropy(enlarge(reading, (40, 40)).detach(), labels)) == pytest.approx(
            float(expected), rel=1e-5
        )
    total, _ = extractor_loss(head, maps, labels, layerwise=0.1)
    assert total.item() == pytest.approx(float(NUMBERS["output/loss.layerwise_total"]), rel=1e-5)
    final, _ = extractor_loss(head, maps, labels)
    assert final.item() == pytest.approx(float(NUMBERS["output/loss.final_ce"]), rel=1e-5)
    total.backward()
    for found, name in ((head.theta.grad, "layer_weight"), (head.T[0].grad, "extractor0")):
        expected = torch.from_numpy(NUMBERS[f"output/loss.layerwise_total.grad_{name}"]).reshape(found.shape)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_maps_that_are_not_finite_are_named():
    samples = planted_samples()
    samples.generator.filters[1][0, 0, 0, 0] = torch.inf
    trainer = Trainer(samples, architecture(samples), TrainingSettings(50))
    with pytest.raises(
        DataError, match=r"stratum 1 \('middle'\) is not finite in sample 0; leave that stratum out"
    ):
        list(trainer.steps())
