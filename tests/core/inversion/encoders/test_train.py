"""Training into a file: what is written, what is continued, and what is refused."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from fakes import SIZE, Layered
from ganstrata import Generator
from ganstrata.core.errors import RunError, UserError
from ganstrata.core.inversion.encoders import learn, train
from ganstrata.core.inversion.encoders.encoder_file import read_encoder
from ganstrata.core.inversion.encoders.real import read_real
from ganstrata.core.inversion.encoders.train import train_encoder
from ganstrata.core.inversion.encoders.training import Trainer
from PIL import Image


def fake() -> Generator:
    generator = Layered(Layered.Config(), torch.device("cpu"))
    generator.name = "fake"
    return generator


def pixels(count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def test_a_file_a_card_and_a_log_are_written(tmp_path: Path) -> None:
    out = tmp_path / "toy.encoder.safetensors"
    encoder = train_encoder(fake(), out, pictures=48, batch=16, real=pixels(), real_from=0.0)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "toy.encoder.csv",
        "toy.encoder.md",
        "toy.encoder.safetensors",
    ]
    stored = read_encoder(out)
    assert stored.facts["quality"] == encoder.facts["quality"]
    assert stored.facts["quality"]["real"] == 2
    card = (tmp_path / "toy.encoder.md").read_text()
    assert hashlib.sha256(out.read_bytes()).hexdigest() in card
    assert fake().fingerprint in card
    assert "18 of an array" in card
    assert f"{encoder.facts['quality']['psnr']:.2f} dB" in card
    log = (tmp_path / "toy.encoder.csv").read_text().splitlines()
    assert log[0].startswith("pictures,loss,latent,pixel")
    assert [int(line.split(",")[0]) for line in log[1:]] == [16, 32, 48]
    assert re.search(r"\| 48 \|", card)


def test_an_interrupted_training_continues_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_encoder(fake(), pictures=64, batch=16)
    out = tmp_path / "e.safetensors"
    monkeypatch.setattr(train, "KEEP", -1.0)
    take, count = Trainer._take, 0

    def interrupted(self: Trainer) -> object:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return take(self)

    monkeypatch.setattr(Trainer, "_take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_encoder(fake(), out, pictures=64, batch=16)
    assert not out.exists()
    assert (tmp_path / "e.safetensors.training" / "state.safetensors").exists()
    with pytest.raises(
        RunError, match=r"unfinished training with something else: encoder\.batch: 16 there, 8"
    ):
        train_encoder(fake(), out, pictures=64, batch=8)
    continued = train_encoder(fake(), out, pictures=64, batch=16)
    assert count == 5  # two steps before, two after
    for a, b in zip(whole.network.parameters(), continued.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert not (tmp_path / "e.safetensors.training").exists()


def test_what_a_training_leaves_that_was_killed_at_its_end_is_removed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, folder = tmp_path / "e.safetensors", tmp_path / "e.safetensors.training"
    with monkeypatch.context() as patched:
        patched.setattr("ganstrata.core.inversion.encoders.folder.forget", lambda _: None)
        train_encoder(fake(), out, pictures=16, batch=16)
    assert (folder / "training.json").is_file()
    mine = out.read_bytes()
    for content, kept in ((b"another file", True), (mine, False)):
        out.write_bytes(content)
        with pytest.raises(RunError, match="exists; give another --out"):
            train_encoder(fake(), out, pictures=16, batch=16)
        assert folder.exists() == kept
    assert out.read_bytes() == mine


def test_a_damaged_state_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "e.safetensors"
    monkeypatch.setattr(train, "KEEP", -1.0)
    monkeypatch.setattr(learn, "for_inference", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train_encoder(fake(), out, pictures=16, batch=16)
    state = tmp_path / "e.safetensors.training" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(RunError, match="is damaged"):
        train_encoder(fake(), out, pictures=16, batch=16)
    index = state.with_name("training.json")
    index.write_text(index.read_text().replace("fake", "fade"))
    with pytest.raises(RunError, match=r"training\.json is damaged"):
        train_encoder(fake(), out, pictures=16, batch=16)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e.pt", r"ends in \.safetensors; give --out .*e\.safetensors"),
        ("nowhere/e.safetensors", "there is no folder"),
        ("there.safetensors", "exists; give another --out, or delete it"),
    ],
)
def test_names_that_cannot_be_written_are_refused_first(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "there.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match=message):
        train_encoder(fake(), tmp_path / name, pictures=16)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there.safetensors"]


def test_a_users_mistake_leaves_nothing(tmp_path: Path) -> None:
    class Flat(Layered):
        layers = 1

    with pytest.raises(UserError, match="has one layer"):
        train_encoder(Flat(Flat.Config(), torch.device("cpu")), tmp_path / "e.safetensors", space="w+")
    assert list(tmp_path.iterdir()) == []


def test_unknown_parts_of_the_loss_are_named() -> None:
    with pytest.raises(UserError, match=r"has no part color; its parts are latent, pixel"):
        train_encoder(fake(), weights={"color": 1.0})
    with pytest.raises(UserError, match="needs a Generator"):
        train_encoder(3)  # type: ignore[arg-type]


def test_a_scorer_may_compare_pictures() -> None:
    scorer = ganstrata.load_scorer("attribute", checkpoint="bundled:rooms", device="cpu")
    encoder = train_encoder(fake(), pictures=8, batch=8, perceptual=scorer)
    assert encoder.facts["perceptual"].startswith("attribute")


# --- real pictures -----------------------------------------------------------------------------------


def test_pictures_of_a_folder_are_read_and_some_held_out(tmp_path: Path) -> None:
    images = pixels(11)
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    found = read_real(tmp_path, fake())
    assert (found.learnt.count, found.held_out.count) == (10, 1)
    both = [found.learnt.read(np.arange(10)), found.held_out.read(np.arange(1))]
    values = (torch.cat(both) * 255.0).round().byte().permute(0, 2, 3, 1).numpy()
    assert sorted(v.tobytes() for v in values) == sorted(v.tobytes() for v in images)
    same = read_real(np.stack(images), fake())
    assert same.digest == found.digest
    images[3, 0, 0, 0] ^= 1
    assert read_real(images, fake()).digest != found.digest


def test_arrays_of_files_are_read_in_parts(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", pixels(30))
    found = read_real(tmp_path / "p.npy", fake())
    assert (found.learnt.count, found.held_out.count) == (27, 3)
    assert found.words == "p.npy"
    drawn = found.learnt.draw(5, 0, 32)
    torch.testing.assert_close(drawn, found.learnt.draw(5, 0, 32))
    assert not torch.equal(drawn, found.learnt.draw(5, 0, 64))
    assert drawn.shape == (5, 3, SIZE, SIZE)
    assert 0.0 <= drawn.min() <= drawn.max() <= 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pixels(1), "holds 1 picture; at least 2 are needed"),
        (pixels(4)[:, :4], r"of shape \(4, 4, 8, 3\)"),
        (pixels(4).astype(np.float32), "holds float32"),
        (None, "there is no folder or file"),
        (b"no array", "cannot be read as an array of pictures"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "p.npy"
    if isinstance(content, np.ndarray):
        np.save(file, content)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_real(file, fake())
