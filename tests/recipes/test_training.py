"""Training at the smallest sizes: it runs, saves, goes on where it stopped, and exports what plugins load."""

from __future__ import annotations

import csv

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.checkpoints import locate, read_checkpoint
from ganstrata.plugins.scorers.scenes import load_scenes
from ganstrata.plugins.scorers.surfaces import load_surfaces

from recipes.rooms import train_scorers
from recipes.rooms.discriminator import Discriminator
from recipes.rooms.export import export
from recipes.rooms.train_generator import Stage, Trainer, forward, mixed_codes, plan

CPU = torch.device("cpu")


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def trainer(renders, out):
    return lambda: Trainer(renders, out, size=16, batch=8, seed=0, device="cpu")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_generator_trains_saves_and_goes_on(trainer, out):
    first = trainer()
    before = {name: value.clone() for name, value in first.network.state_dict().items()}
    first.run((Stage(16, 24),), every=16)
    assert (first.seen, first.step) == (24, 3)
    changed = [
        name for name, value in first.network.named_parameters() if not torch.equal(value, before[name])
    ]
    # Noise is off at this stage: its strengths are all that stays.
    assert {name for name, _ in first.network.named_parameters()} - set(changed) == {
        name for name in before if name.endswith("noise_strength")
    }
    with (out / "progress.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[:2] for row in rows] == [["16", "16"], ["16", "24"]]
    assert list(out.glob("samples_16_*.png"))

    second = trainer()
    second.load()
    assert (second.seen, second.step, second.seconds) == (first.seen, first.step, first.seconds)
    for part in ("network", "average", "judge"):
        assert same(getattr(first, part).state_dict(), getattr(second, part).state_dict())
    assert torch.equal(first.fixed, second.fixed)
    second.run((Stage(16, 24),), every=16)
    assert second.step == 3  # there was nothing left to do
    second.run((Stage(16, 24), Stage(16, 8, noise=True)), every=16)
    assert (second.seen, second.step) == (32, 4)


def test_an_interrupted_training_goes_on_from_the_last_checkpoint(trainer, monkeypatch):
    whole = Trainer.train_step

    def stumble(self, stage):
        if self.seen == 24:
            raise KeyboardInterrupt
        return whole(self, stage)

    monkeypatch.setattr(Trainer, "train_step", stumble)
    with pytest.raises(KeyboardInterrupt):
        trainer().run((Stage(16, 32),), every=16)
    monkeypatch.undo()
    again = trainer()
    again.load()
    assert (again.seen, again.step) == (16, 2)


def test_the_averaged_weights_follow_slowly(trainer):
    started = trainer()
    started.step = 10_000  # long after the start, where the average is a plain mean
    old = {name: value.clone() for name, value in started.average.named_parameters()}
    started.train_step(Stage(16, 8, average=0.9))
    for name, value in started.average.named_parameters():
        expected = 0.9 * old[name] + 0.1 * dict(started.network.named_parameters())[name]
        assert torch.allclose(value, expected, atol=1e-6)


def test_mixed_codes_have_one_or_two_styles_the_first_of_them_at_the_bottom(trainer):
    network = trainer().network
    with torch.no_grad():
        codes, w = mixed_codes(network, 300, 6, CPU)
    assert (codes[:, 0] == w).all()
    from_first = (codes == w[:, None]).all(dim=2)  # (N, L)
    assert (from_first.int().diff(dim=1) <= 0).all()  # once the second style begins, it stays
    mixed = ~from_first.all(dim=1)
    assert 0.7 < mixed.float().mean() < 0.9
    assert {int(n) for n in from_first[mixed].sum(dim=1)} == {1, 2, 3, 4, 5}


def test_plans_grow_and_end_at_the_requested_size():
    for size in (64, 128):
        stages = plan(size)
        assert [stage.size for stage in stages] == sorted(stage.size for stage in stages)
        assert stages[0].size == 16
        assert stages[-1].size == size
        assert stages[-1].noise
        assert stages[-1].rate < stages[0].rate


def test_the_adversary_sees_whether_pictures_differ():
    torch.manual_seed(0)
    judge = Discriminator({4: 8, 8: 8, 16: 8}, group=4)
    picture = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        alike, varied = (
            judge(picture.expand(4, -1, -1, -1)),
            judge(torch.cat([picture, torch.randn(3, 3, 16, 16)])),
        )
        small = judge(torch.randn(4, 3, 8, 8))
    assert alike.shape == small.shape == (4, 1)
    assert alike.std() == pytest.approx(0.0, abs=1e-6)
    assert not torch.isclose(varied[0], alike[0]).item()


def test_scorers_go_on_where_they_were_interrupted(renders, out, monkeypatch):
    monkeypatch.setattr(train_scorers, "BATCH", 2)
    rooms = train_scorers.Rooms(renders)
    served = []
    whole = train_scorers.Rooms.pictures

    def count(self, chosen):
        served.append(len(chosen))
        if len(served) == 253:
            raise KeyboardInterrupt
        return whole(self, chosen)

    monkeypatch.setattr(train_scorers.Rooms, "pictures", count)
    with pytest.raises(KeyboardInterrupt):
        train_scorers.train("scenes", rooms, pictures=510, seed=0, out=out)
    saved = torch.load(out / "scenes.state.pt", weights_only=True)
    assert saved["step"] == 250
    train_scorers.train("scenes", rooms, pictures=510, seed=0, out=out)
    assert len(served) == 253 + 5  # steps 250 to 254
    assert not (out / "scenes.state.pt").exists()
    final = torch.load(out / "scenes.pt", weights_only=True)
    assert final.keys() == saved["network"].keys()
    assert not torch.equal(final["category.weight"], saved["network"]["category.weight"])


def test_augmented_pictures_stay_pictures_of_the_same_rooms(pictures):
    torch.manual_seed(0)
    x = torch.from_numpy(pictures[:64]).permute(0, 3, 1, 2).float() / 255.0
    y = train_scorers.augment(x)
    assert y.shape == x.shape
    assert y.min() >= 0.0
    assert y.max() <= 1.0
    shift = (y - x).abs().mean(dim=(1, 2, 3))
    assert (shift > 0).all()
    assert shift.max() < 0.12


def test_what_is_exported_loads_through_the_plugins(trainer, renders, out, monkeypatch):
    trained = trainer()
    trained.run((Stage(16, 8),), every=8)
    monkeypatch.setattr(train_scorers, "BATCH", 4)
    rooms = train_scorers.Rooms(renders)
    networks = {
        part: train_scorers.train(part, rooms, pictures=8, seed=0, out=out)[0]
        for part in ("scenes", "surfaces")
    }
    weights = out / "weights"
    export(out, out, weights)

    generator = ganstrata.load_generator(
        "stylegan2", checkpoint=str(weights / "rooms.generator.safetensors"), noise="none", device="cpu"
    )
    assert (generator.card.resolution, generator.card.layers, generator.card.licence) == (16, 6, "MIT")
    latents = generator.sample(4, 0, 0, ganstrata.Stream.PROBING)
    with torch.inference_mode():
        codes = trained.average.mapping(latents.z)[:, None].expand(-1, 6, -1)
        expected = (forward(trained.average, codes, 16, torch.float32, noise=False) + 1.0) / 2.0
        rendered = ganstrata.render(generator, generator.broadcast(generator.map(latents.z)))
    assert torch.allclose(rendered, expected, atol=5e-3)

    images = rooms.pictures(np.arange(6))
    rendering = ganstrata.Rendering(images)
    scorers = {
        name: ganstrata.load_scorer(name, checkpoint=str(weights / "rooms.scenes.safetensors"), device="cpu")
        for name in ("category", "attribute")
    }
    surfaces = ganstrata.load_scorer(
        "segmentation", checkpoint=str(weights / "rooms.surfaces.safetensors"), device="cpu"
    )
    with torch.inference_mode():
        logits, margins = networks["scenes"](images)
        assert torch.allclose(scorers["category"].score(rendering), logits.softmax(dim=1), atol=5e-3)
        assert torch.allclose(scorers["attribute"].score(rendering), margins, atol=2e-2)
        assert torch.allclose(surfaces.logits(rendering), networks["surfaces"](images), atol=5e-2)
    assert tuple(c.name for c in scorers["attribute"].concepts) == train_scorers.ATTRIBUTES


def test_the_bundled_scorers_read_rooms_they_have_never_seen(renders):
    rooms = train_scorers.Rooms(renders)
    scenes = train_scorers.measure_scenes(
        load_scenes(read_checkpoint(locate("bundled:rooms", "scenes")), CPU).network, rooms
    )
    assert scenes["accuracy"] > 0.98
    assert min(scenes["auc"].values()) > 0.93
    surfaces = train_scorers.measure_surfaces(
        load_surfaces(read_checkpoint(locate("bundled:rooms", "surfaces")), CPU).network, rooms
    )
    assert surfaces["pixel_accuracy"] > 0.95
    assert surfaces["layout_error_pixels"]["median"] < 1.0
    assert surfaces["layout_defined"]["agreement"] > 0.95
