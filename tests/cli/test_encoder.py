"""`ganstrata encoder train` writes an encoder, or says what is amiss and writes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from ganstrata.core.inversion.encoders import train
from ganstrata.core.inversion.encoders.encoder_file import read_encoder
from ganstrata.core.inversion.encoders.training import Trainer

FEW = ("--pictures", 32, "--batch", 16, "--perceptual", "none", "--device", "cpu", "--quiet")


def test_an_encoder_is_trained_with_all_that_was_asked_for(invoke, tmp_path):
    out = tmp_path / "e.safetensors"
    real = tmp_path / "real.npy"
    np.save(real, np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8))
    result = invoke(
        "encoder", "train", "--generator", "fake_layers:gain=0.04", "--out", out, *FEW, "--space", "w",
        "--learning-rate", 0.01, "--weight", "pixel=3", "--weight", "joint=0.2", "--mixing", 0.25,
        "--progressive", "--real", real, "--real-share", 0.25, "--real-from", 0.75, "--seed", 7,
        "--precision", "bf16", "--minutes", 5,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "Held-out samples of the generator (8) are reconstructed with" in result.stdout
    assert f"Encoder: {out}, with its card e.md" in result.stdout
    encoder = read_encoder(out)
    assert encoder.made_for.options == {"gain": 0.04}
    request = encoder.facts["request"]
    assert request["weights"] == {
        "latent": 1.0, "pixel": 3.0, "perceptual": 0.5, "deltas": 0.01, "reciprocity": 0.0, "joint": 0.2,
    }  # fmt: skip
    assert {key: request[key] for key in request if key != "weights"} == {
        "size": "small", "space": "w", "pictures": 32, "batch": 16, "learning_rate": 0.01, "mixing": 0.25,
        "progressive": True, "real_share": 0.25, "real_from": 0.75, "minutes": 5.0, "seed": 7,
        "precision": "bf16",
    }  # fmt: skip
    assert encoder.facts["real pictures"]["count"] == 18


def test_the_generator_of_a_run_is_used(invoke, finished, tmp_path):
    out = tmp_path / "e.safetensors"
    result = invoke("encoder", "train", "--run", finished.path, "--out", out, *FEW)
    assert result.exit_code == 0, result.stderr
    assert read_encoder(out).made_for.fingerprint == finished.record.generator.fingerprint


def test_an_interrupted_training_goes_on(invoke, monkeypatch, tmp_path):
    out = tmp_path / "e.safetensors"
    call = ("encoder", "train", "--generator", "fake_layers", "--out", out, *FEW)
    monkeypatch.setattr(train, "KEEP", -1.0)
    take, positions = Trainer._take, []

    def interrupted(self):
        positions.append(self.position)
        if positions == [0, 16]:
            raise KeyboardInterrupt
        return take(self)

    monkeypatch.setattr(Trainer, "_take", interrupted)
    result = invoke(*call)
    assert result.exit_code == 130
    assert f"The same command continues the training of {out}." in result.stderr
    assert not out.exists()
    result = invoke(*call)
    assert result.exit_code == 0, result.stderr
    assert positions == [0, 16, 16]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either --run RUN, whose generator is used, or --generator FILE"),
        (("--generator", "fake_layers", "--weight", "color=1"), "'color=1' is not PART=X, with PART one of"),
        (("--generator", "fake_layers", "--weight", "pixel=-1"), "-1 is not a number from 0"),
        (("--generator", "fake_layers", "--pictures", "0"), "0 is not a whole number from 1"),
        (("--generator", "fake_layers", "--perceptual", "nothing"), "perceptual distance"),
        (("--generator", "fake_layers", "--real", "nowhere"), "there is no folder or file"),
        (
            (
                "--generator",
                "fake_layers",
                *("--weight", "latent=0", "--weight", "pixel=0"),
                "--weight",
                "perceptual=0",
            ),
            "nothing would be learnt",
        ),
    ],
)
def test_what_is_amiss_is_said_and_nothing_is_written(invoke, tmp_path, words, message):
    result = invoke(
        "encoder",
        "train",
        "--out",
        tmp_path / "e.safetensors",
        "--perceptual",
        "none",
        "--device",
        "cpu",
        *words,
    )
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_overwritten(invoke, tmp_path):
    out = tmp_path / "e.safetensors"
    out.write_bytes(b"mine")
    result = invoke("encoder", "train", "--generator", "fake_layers", "--out", out, *FEW)
    assert result.exit_code == 2
    assert "exists; give another --out, or delete it" in result.stderr
    assert out.read_bytes() == b"mine"
