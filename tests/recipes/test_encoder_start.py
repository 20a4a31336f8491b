"""The measurement of what an encoder is worth as the start of a search."""

from __future__ import annotations

import hashlib
import json

import pytest
from ganstrata import load_generator, save_encoder
from ganstrata.core.inversion.encoders.train import train_encoder


def test_results_stand_in_the_card_of_their_encoder_once():
    from recipes.rooms.encoder_start import with_table

    results = {
        "distance": "1 MSE",
        "encoder": "abc",
        "precision": "fp32",
        "starts": {"renders mean:50": {"psnr": [20.0, 22.0], "distance": [0.5, 0.25]}},
    }
    card = with_table("# e\n`abc`\n\n## Training\n\nrest\n", results)
    assert "| renders | mean | 50 | 21.00 | 0.3750 |" in card
    assert "2 held-out renders and as many samples, searched by `w+` with `1 MSE` in fp32" in card
    assert card.endswith("## Training\n\nrest\n")
    assert with_table(card, results) == card
    with pytest.raises(SystemExit, match="of another encoder"):
        with_table("# e\n`abd`\n\n## Training\n", results)


def test_every_start_is_measured_on_renders_and_samples(renders, run, tmp_path):
    from recipes.rooms import encoder_start

    generator = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    file, out = tmp_path / "e.safetensors", tmp_path / "start.json"
    save_encoder(train_encoder(generator, pictures=8, batch=8), file)
    words = ("--held-out", renders, "--pictures", 3, "--encoder", file, "--perceptual", "none", "--out", out)
    run(encoder_start, *words, "--starts", "mean:0,mean:3")
    run(encoder_start, *words, "--starts", "encoder:0")
    results = json.loads(out.read_text())
    assert results["distance"] == "1 MSE"
    assert results["encoder"] == hashlib.sha256(file.read_bytes()).hexdigest()
    found = results["starts"]
    assert set(found) == {
        f"{kind} {start}" for kind in ("renders", "samples") for start in ("mean:0", "mean:3", "encoder:0")
    }
    assert all(len(part["psnr"]) == len(part["distance"]) == 3 for part in found.values())
    for kind in ("renders", "samples"):
        before, after = found[f"{kind} mean:0"], found[f"{kind} mean:3"]
        assert sum(after["distance"]) < sum(before["distance"])
        assert sum(after["psnr"]) > sum(before["psnr"])
