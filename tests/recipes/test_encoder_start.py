"""The measurement of what an encoder is worth as the start of a search."""

from __future__ import annotations

import json

from ganstrata import load_generator, save_encoder
from ganstrata.core.inversion.encoders.train import train_encoder


def test_every_start_is_measured_on_renders_and_samples(renders, run, tmp_path):
    from recipes.rooms import encoder_start

    generator = load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu")
    file, out = tmp_path / "e.safetensors", tmp_path / "start.json"
    save_encoder(train_encoder(generator, pictures=8, batch=8), file)
    words = ("--held-out", renders, "--pictures", 3, "--encoder", file, "--perceptual", "none", "--out", out)
    run(encoder_start, *words, "--starts", "mean:0,mean:3")
    run(encoder_start, *words, "--starts", "encoder:0")
    found = json.loads(out.read_text())
    assert found.pop("distance") == "1 MSE"
    assert set(found) == {
        f"{kind} {start}" for kind in ("renders", "samples") for start in ("mean:0", "mean:3", "encoder:0")
    }
    assert all(len(part["psnr"]) == len(part["distance"]) == 3 for part in found.values())
    for kind in ("renders", "samples"):
        before, after = found[f"{kind} mean:0"], found[f"{kind} mean:3"]
        assert sum(after["distance"]) < sum(before["distance"])
        assert sum(after["psnr"]) > sum(before["psnr"])
