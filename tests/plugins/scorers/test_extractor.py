"""The scorer `extractor`: what is read off feature maps counts as any other segmentation."""

from __future__ import annotations

import json
from pathlib import Path

import ganstrata
import pytest
import torch
from ganstrata.core.errors import CheckpointError, UserError
from ganstrata.core.randomness import Stream
from ganstrata.core.semantics.extractor import Architecture, Extractor, MadeFor
from ganstrata.core.semantics.extractor_file import load_extractor, save_extractor
from ganstrata.testing import check_plugin
from planted_semantics import CLASSES, Linear, planted_samples
from safetensors.torch import load_file, save_file

CPU = torch.device("cpu")


def stored(path: Path, heads: int = 1, **changes: object) -> Extractor:
    """An extractor with the teacher's own parameters, in a file."""
    samples = planted_samples()
    architecture = Architecture("LSE", samples.maps, CLASSES, (8, 8))
    made = [architecture.build() for _ in range(heads)]
    for head in made[:1]:
        head.load_state_dict(Linear().head.state_dict())
    extractor = Extractor(architecture, made, MadeFor.of(samples.generator), {"teacher": "linear"})
    save_extractor(extractor, path)
    return extractor


def test_it_labels_as_its_parameters_say(tmp_path):
    stored(tmp_path / "e.safetensors")
    scorer = ganstrata.load_scorer("extractor", checkpoint=str(tmp_path / "e.safetensors"), device="cpu")
    samples = planted_samples()
    drawn = samples.draw(0, Stream.EDITING)
    assert torch.equal(scorer.labels(drawn.rendering), drawn.labels)
    shares = torch.stack([(drawn.labels == k).float().mean((1, 2)) for k in range(3)], dim=1)
    torch.testing.assert_close(scorer.score(drawn.rendering), shares)
    assert [c.name for c in scorer.concepts] == list(CLASSES)
    assert scorer.features == (0, 1, 2)


def test_an_ensemble_gives_the_mean_of_the_probabilities(tmp_path):
    extractor = stored(tmp_path / "e.safetensors", heads=3)
    loaded = load_extractor(tmp_path / "e.safetensors", CPU)
    drawn = planted_samples().draw(0, Stream.EDITING)
    with torch.no_grad():
        each = torch.stack([head(drawn.maps, (8, 8)).softmax(1) for head in extractor.heads])
        logits = loaded.logits(drawn.rendering.features)
    torch.testing.assert_close(logits.exp(), each.mean(0), rtol=1e-4, atol=1e-6)


def test_probing_another_generator_is_refused_by_what_differs(tmp_path):
    stored(tmp_path / "e.safetensors")
    scorer = ganstrata.load_scorer("extractor", checkpoint=str(tmp_path / "e.safetensors"), device="cpu")
    rooms = ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu", check=False)
    with pytest.raises(
        UserError, match=r"trained for another generator.*its family is StyleGAN2, not smooth"
    ):
        ganstrata.probe(rooms, {"object": scorer}, samples=4)


def test_a_run_with_an_extractor_of_another_generator_is_refused(tmp_path, invoke):
    stored(tmp_path / "e.safetensors")
    (tmp_path / "run.yaml").write_text(
        "generator: {use: fake_layers}\n"
        f"scorers: [{{use: extractor, as: object, with: {{checkpoint: {tmp_path / 'e.safetensors'}}}}}]\n"
        "boundary: {use: ridge}\n",
        encoding="utf-8",
    )
    result = invoke("run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run"), "--device", "cpu")
    assert result.exit_code == 2
    assert "scorers -> 0: 'object': the extractor was trained for another generator" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda header: header.update(classes=["a", "a", "b"]), "two classes have the same name"),
        (lambda header: header.update(classes=["a", "b"]), r"0\.T\.0 is \(3, 6\), expected \(2, 6\)"),
        (lambda header: header.update(heads=2), r"1\.T\.0 is missing"),
        (lambda header: header.update(head="MLP"), "header is damaged"),
        (lambda header: header["maps"].reverse(), "do not rise"),
        (lambda header: header.update(size=[60_000, 60_000]), "60000 x 60000 pixels are too many"),
        (lambda header: header.update(generator={"fingerprint": 3}), r"generator -> fingerprint"),
        (lambda header: header.update(architecture="rooms-surfaces-1"), "is not an extractor"),
        (lambda header: header["maps"][0].update(channels=2**16), "does not fit its header"),
        (lambda header: header["maps"][0].update(channels=2**64), "maps -> 0 -> channels"),
        (lambda header: header["maps"][0].update(height=2**64), "maps -> 0 -> height"),
    ],
)
def test_damaged_files_are_refused(damage, message, tmp_path):
    path = tmp_path / "e.safetensors"
    stored(path)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["ganstrata"])
    damage(header)
    save_file(load_file(path), path, metadata={"ganstrata": json.dumps(header)})
    with pytest.raises(CheckpointError, match=message):
        load_extractor(path, CPU)


def test_parameters_that_are_not_finite_are_refused(tmp_path):
    extractor = stored(tmp_path / "e.safetensors")
    extractor.heads[0].T[1].data[0, 0] = torch.nan
    save_extractor(extractor, tmp_path / "e.safetensors")
    with pytest.raises(CheckpointError, match=r"0\.T\.1 holds values that are not finite"):
        load_extractor(tmp_path / "e.safetensors", CPU)


def test_it_keeps_the_promises_of_scorers(tmp_path):
    stored(tmp_path / "e.safetensors")
    config = {"checkpoint": str(tmp_path / "e.safetensors")}
    outcomes = check_plugin("scorer", "extractor", config, generator=planted_samples().generator)
    assert [(o.check.name, o.message) for o in outcomes if o.verdict not in ("ok", "skipped")] == []
    assert sum(o.verdict == "ok" for o in outcomes) >= 8
