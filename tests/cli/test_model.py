"""`ganstrata model`: what it prints, for people and programs, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import ganstrata
import pytest
import torch
import yaml
from ganstrata.core.checkpoints import read_checkpoint
from ganstrata.core.plugins.records import Match
from rivals import Rival
from safetensors.torch import load_file, save_file

DATA = Path(__file__).parents[1] / "data"
UNCOND = DATA / "stylegan2_uncond_32.safetensors"
COND = DATA / "stylegan2_cond_64.safetensors"
Register = Callable[[str, str, type], None]


class Silent(ganstrata.Generator):
    """Claims one kind of file, but does not examine it."""

    @classmethod
    def recognise(
        cls, names_and_shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, object]
    ) -> Match | None:
        return Match(1.0, "one of mine") if "alpha" in names_and_shapes else None


def changed(folder: Path, **tensors: torch.Tensor | None) -> Path:
    """Write the unconditional StyleGAN2 with tensors removed (None) or replaced; `__` stands for a dot."""
    state = load_file(UNCOND)
    for name, tensor in tensors.items():
        if tensor is None:
            del state[name.replace("__", ".")]
        else:
            state[name.replace("__", ".")] = tensor
    path = folder / "changed.safetensors"
    save_file(state, path)
    return path


@pytest.mark.parametrize(
    "tensor",
    [
        torch.full((16,), float("nan")),
        torch.tensor([float("inf"), *[0.0] * 15]),
        torch.ones(16, dtype=torch.complex64),
        torch.full((16,), float("nan")).to(torch.float8_e4m3fn),
    ],
)
def test_all_commands_report_values_that_are_not_finite_real_numbers(
    tensor: torch.Tensor, invoke, tmp_path: Path
) -> None:
    file = changed(tmp_path, mapping__fc0__bias=tensor)
    result = invoke("model", "inspect", file)
    assert result.exit_code == 2
    assert "not finite  mapping.fc0.bias" in result.stdout
    assert "1 tensor with values that are not finite real numbers" in result.stderr
    assert json.loads(invoke("model", "inspect", file, "--json").stdout)["unreal"] == ["mapping.fc0.bias"]
    result = invoke("model", "convert", file, tmp_path / "out.safetensors")
    assert result.exit_code == 2
    assert "mapping.fc0.bias holds values that are not finite real numbers" in result.stderr
    assert not (tmp_path / "out.safetensors").exists()
    with pytest.raises(
        ganstrata.CheckpointError, match=r"mapping\.fc0\.bias holds values that are not finite real numbers"
    ):
        ganstrata.load_generator("stylegan2", checkpoint=str(file), device="cpu")


def test_finite_numbers_of_eight_bits_are_read(invoke, tmp_path: Path) -> None:
    file = changed(tmp_path, mapping__fc0__bias=torch.ones(16).to(torch.float8_e4m3fn))
    assert invoke("model", "inspect", file).exit_code == 0
    assert ganstrata.load_generator("stylegan2", checkpoint=str(file), device="cpu").card.resolution == 32


def test_inspect_prints_family_layout_and_sizes(invoke) -> None:
    result = invoke("model", "inspect", UNCOND)
    assert result.exit_code == 0
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert shown[0] == str(UNCOND)
    assert f"SHA-256 {read_checkpoint(UNCOND).sha256}" in shown
    assert "family StyleGAN2, names of NVIDIA PyTorch" in shown
    assert "resolution 32 pixels" in shown
    assert "layers 8" in shown
    assert "classes none" in shown
    assert any(line.startswith("plugin stylegan2 from ganstrata ") for line in shown)
    assert any(line.startswith("network channels: 4 ") for line in shown)


@pytest.mark.parametrize("file", ["bundled:rooms", UNCOND, COND], ids=str)
def test_the_config_that_inspect_proposes_works(file: str | Path, invoke) -> None:
    config = yaml.safe_load(invoke("model", "inspect", file).stdout.split("In a config:")[1])["generator"]
    generator = ganstrata.load_generator(config["use"], device="cpu", **config["with"])
    inspection = json.loads(invoke("model", "inspect", file, "--json").stdout)
    assert inspection["resolution"] == generator.card.resolution
    assert inspection["layers"] == generator.card.layers
    assert inspection["latent_size"] == generator.card.latent_size
    assert inspection["code_size"] == generator.card.code_size
    assert inspection["family"] == generator.card.family
    assert inspection["sha256"] == generator.card.sha256
    assert (inspection["classes"] > 0) == ("classes" in config["with"]) == (file == COND)


def test_a_path_with_odd_characters_survives_the_config(invoke, tmp_path: Path) -> None:
    path = tmp_path / 'it\'s: {odd} # "name".safetensors'
    path.write_bytes(UNCOND.read_bytes())
    config = yaml.safe_load(invoke("model", "inspect", path).stdout.split("In a config:")[1])
    assert config["generator"]["with"]["checkpoint"] == str(path)


def test_everything_that_does_not_fit_is_listed(invoke, tmp_path: Path) -> None:
    missing = {f"synthesis__b{size}__torgb__bias": None for size in (4, 8, 16, 32)} | {
        "mapping__w_avg": None,
        "synthesis__b4__const": None,
    }
    path = changed(tmp_path, **missing, extra=torch.zeros(2), synthesis__b8__conv0__bias=torch.zeros(3))
    result = invoke("model", "inspect", path)
    assert result.exit_code == 2
    for name in missing:
        assert name.replace("__", ".") in result.stdout
    assert "extra" in result.stdout
    assert "synthesis.b8.conv0.bias is (3,)" in result.stdout
    assert (
        "does not fit a StyleGAN2: 6 tensors missing, 1 tensor superfluous, 1 tensor of the wrong shape"
        in result.stderr
    )
    assert "In a config:" not in result.stdout
    inspection = json.loads(invoke("model", "inspect", path, "--json").stdout)
    assert len(inspection["missing"]) == 6
    assert inspection["superfluous"] == ["extra"]


def test_names_out_of_a_file_cannot_draw_on_the_terminal(invoke, tmp_path: Path) -> None:
    known = changed(tmp_path, **{"\x1b[2Jgone\n\x07": torch.zeros(1)})
    unknown = tmp_path / "unknown.pt"
    torch.save({"\x1b[2Jgone": torch.zeros(1)}, unknown)
    for command in (
        ["inspect", known],
        ["inspect", unknown],
        ["convert", known, tmp_path / "o.safetensors"],
        ["convert", unknown, tmp_path / "o.safetensors"],
    ):
        output = invoke("model", *command).output
        assert "\\x1b[2Jgone" in output
        assert "\x1b" not in output
        assert "\x07" not in output


def test_two_families_in_one_file_are_named(invoke, tmp_path: Path) -> None:
    path = tmp_path / "mixed.safetensors"
    save_file(load_file(UNCOND) | load_file(DATA / "stylegan2_rosinality_32.safetensors"), path)
    result = invoke("model", "inspect", path)
    assert result.exit_code == 2
    assert "mixes tensors of several generators: StyleGAN2 (NVIDIA's names)" in result.stderr
    assert "StyleGAN2 (rosinality's names)" in result.stderr


def test_an_unknown_file_is_described_by_its_tensors(invoke, tmp_path: Path) -> None:
    path = tmp_path / "resnet.pt"
    torch.save({"layer4.0.conv1.weight": torch.zeros(2), "fc.weight": torch.zeros(10, 2)}, path)
    result = invoke("model", "inspect", path)
    assert result.exit_code == 2
    assert (
        "belongs to no generator plugin that is installed: "
        "it seems to be a classifier: a ResNet of 10 classes" in result.stderr
    )
    assert "fc.weight (10, 2)" in result.stdout
    content = json.loads(invoke("model", "inspect", path, "--json").stdout)
    assert content["plugin"] is None
    assert content["parts"][0]["shapes"]["fc.weight"] == [10, 2]


def test_rivals_are_both_named(invoke, register: Register) -> None:
    register("generator", "rival", Rival)
    result = invoke("model", "inspect", UNCOND)
    assert result.exit_code == 2
    assert "claimed by the generator plugins rival and stylegan2 with equal right" in result.stderr


def test_a_plugin_without_examine_is_distinguished_from_a_faulty_file(
    invoke, register: Register, tmp_path: Path
) -> None:
    register("generator", "silent", Silent)
    path = tmp_path / "alpha.pt"
    torch.save({"alpha": torch.zeros(2)}, path)
    result = invoke("model", "inspect", path)
    assert result.exit_code == 0
    assert "it has no examine()" in result.stdout
    assert "use: silent" in result.stdout


@pytest.mark.parametrize("command", [["inspect"], ["convert"]], ids=str)
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no checkpoint file"), (b"", "has 0 bytes"), (b"just some text, no weights", "text")],
)
def test_bad_files_end_with_a_message(
    command: list[str], content: bytes | None, words: str, invoke, tmp_path: Path
) -> None:
    path = tmp_path / "bad.pt"
    if content is not None:
        path.write_bytes(content)
    result = invoke(
        "model", *command, path, *([tmp_path / "out.safetensors"] if command == ["convert"] else [])
    )
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.safetensors").exists()


def test_convert_says_what_it_wrote(invoke, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    result = invoke("model", "convert", UNCOND, out)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{out}: StyleGAN2, ")
    assert f"SHA-256 {read_checkpoint(out).sha256}\n" in result.stdout
    again = invoke("model", "convert", UNCOND, out)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert invoke("model", "convert", UNCOND, out, "--force").exit_code == 0


def test_the_list_has_a_line_for_each_model(invoke) -> None:
    lines = invoke("model", "list", "--family", "stylegan").stdout.splitlines()
    assert lines[0].split()[:3] == ["name", "family", "pixels"]
    assert [line.split()[0] for line in lines[1:6]] == [
        "stylegan_ffhq",
        "stylegan_celebahq",
        "stylegan_bedroom",
        "stylegan_cat",
        "stylegan_car",
    ]
    assert lines[-1].startswith("17 models, 12 with a link that is known to be dead.")
    assert all(line.endswith(("dead", "unknown")) for line in lines[1:-2])


def test_dead_links_can_be_left_out(invoke) -> None:
    assert "apartment" not in invoke("model", "list", "--alive").stdout
    assert "apartment" in invoke("model", "list", "--dead").stdout


def test_list_of_one_model_prints_all_its_facts(invoke) -> None:
    shown = invoke("model", "list", "stylegan2-ada-cifar10").stdout
    assert shown.splitlines()[0] == "stylegan2-ada-cifar10"
    for words in (
        "https://nvlabs-fi-cdn.nvidia.com/",
        "classes       10",
        "no link was tried",
        "unverified    licence of the weights",
        "`stylegan2` reads it",
    ):
        assert words in shown


def test_the_list_is_json_for_programs(invoke) -> None:
    models = json.loads(invoke("model", "list", "apartment", "--json").stdout)
    assert [(model["name"], model["link"], model["resolution"]) for model in models] == [
        ("stylegan_apartment", "dead", 256)
    ]


def test_a_misspelt_name_gets_a_hint(invoke) -> None:
    result = invoke("model", "list", "stylegan_bedrom")
    assert result.exit_code == 2
    assert "Did you mean 'stylegan_bedroom'?" in result.stderr
