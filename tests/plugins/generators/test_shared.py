"""Check what generators share: tables of names, state dicts, classes, noise, truncation, checkpoints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata import Inputs, Latents, Stream, normals
from ganstrata.core.checkpoints import digest
from ganstrata.core.checkpoints.detect import Examined
from ganstrata.core.errors import CheckpointError, ConfigError, DataError, ShapeError
from ganstrata.core.randomness import Use
from ganstrata.plugins.generators.shared import noise, truncation
from ganstrata.plugins.generators.shared.checkpoints import open_checkpoint
from ganstrata.plugins.generators.shared.classes import Classes
from ganstrata.plugins.generators.shared.config import CheckpointConfig
from ganstrata.plugins.generators.shared.layouts import Layout, Rule, find
from ganstrata.plugins.generators.shared.mapping import FullyConnected, Mapping
from ganstrata.plugins.generators.shared.state_dicts import compare, load
from ganstrata.plugins.generators.stylegan2.generator import StyleGAN2
from generators_stylegan2 import random_state
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

LAYOUT = Layout(
    "a friend's",
    signature=(r"body\.0\.w", r"head\.w"),
    rules=(
        Rule(r"body\.(\d)\.w", r"layer\1.weight", lambda t: t.permute(1, 0)),
        Rule(r"body\.(\d)\.b", lambda m: f"layer{int(m[1])}.bias" if m[1] != "9" else None),
        Rule(r"head\.(w|b)", lambda m: "out." + {"w": "weight", "b": "bias"}[m[1]]),
        Rule(r".*\.steps", None),
    ),
    absent=(r"critic\..*",),
)


def test_a_layout_is_known_by_whole_names() -> None:
    names = {"body.0.w": 0, "head.w": 0, "anything": 0}
    assert LAYOUT.fits(names)
    assert find([LAYOUT], names) is LAYOUT
    for other in (
        {"body.0.w": 0},
        {"xbody.0.w": 0, "head.w": 0},
        {"body.0.w": 0, "head.w2": 0},
        {},
        {**names, "critic.w": 0},
    ):
        assert not LAYOUT.fits(other)
        assert find([LAYOUT], other) is None
    other = Layout("another", signature=(r"anything",), rules=())
    assert find([other, LAYOUT], names) is other, "the first that fits"


def test_rules_rename_change_and_leave_out() -> None:
    stored = {
        "body.0.w": torch.arange(6.0).view(2, 3),
        "body.1.b": torch.ones(2),
        "body.9.b": torch.ones(1),
        "head.b": torch.zeros(4),
        "a.steps": torch.ones(1),
    }
    translated = LAYOUT.translate({**stored, "body.10.w": torch.ones(1), "steps": torch.ones(1)})
    assert translated.origin == {"layer0.weight": "body.0.w", "layer1.bias": "body.1.b", "out.bias": "head.b"}
    assert translated.unknown == ("body.10.w", "steps")
    assert translated.tensors.keys() == translated.origin.keys()
    assert translated.tensors["layer0.weight"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    assert translated.tensors["out.bias"] is stored["head.b"]


def test_the_first_rule_that_knows_a_name_decides() -> None:
    layout = Layout("", signature=(), rules=(Rule(r"w1", "special"), Rule(r"w(\d)", r"plain\1")))
    assert layout.translate({"w1": torch.ones(1), "w2": torch.ones(1)}).origin == {
        "special": "w1",
        "plain2": "w2",
    }


def test_of_two_tensors_with_one_meaning_the_first_counts() -> None:
    layout = Layout("", signature=(), rules=(Rule(r"(?:ema\.)?w", "w"),))
    first = torch.ones(1)
    translated = layout.translate({"w": first, "ema.w": torch.zeros(1)})
    assert translated.unknown == ("ema.w",)
    assert translated.tensors["w"] is first


def test_a_tensor_of_an_impossible_shape_is_refused() -> None:
    with pytest.raises(
        CheckpointError, match=r"body\.0\.w has the shape \(3,\), which the a friend's layout does not allow"
    ):
        LAYOUT.translate({"body.0.w": torch.ones(3)})


def tiny() -> nn.Linear:
    return nn.Linear(3, 2)


def describe_checkpoint(tensors: dict[str, Tensor], **faults: Any) -> Examined:
    return Examined("Tiny", "some", {}, 4, 1, 3, 2, tensors, **faults)


def test_misfits_are_reported_by_stored_names() -> None:
    tensors = {"weight": torch.zeros(2, 4), "more": torch.zeros(1), "most": torch.zeros(1)}
    misfits = compare(tiny, tensors, {"weight": "head.w", "more": "head.more"})
    assert misfits.missing == ("bias",)
    assert misfits.superfluous == ("head.more", "most")
    assert misfits.misshapen == ("head.w is (2, 4), expected (2, 3)",)
    assert compare(tiny, tiny().state_dict(), {}) == ((), (), ())


@pytest.mark.parametrize("size", [-1, 2**61])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(CheckpointError, match="no network of the sizes"):
        compare(lambda: FullyConnected(size, size), {}, {})


def test_a_network_is_loaded_in_full_precision_and_frozen() -> None:
    weight, bias = torch.randn(3, 2, dtype=torch.float64).t(), torch.randn(2).half()
    network = load(tiny, describe_checkpoint({"weight": weight, "bias": bias}), Path("a.pt"))
    assert not network.training
    assert all(
        p.dtype == torch.float32 and p.is_contiguous() and not p.requires_grad for p in network.parameters()
    )
    assert torch.equal(network.weight, weight.float())
    assert torch.equal(network.bias, bias.float())


def test_loading_lists_the_first_five_faults() -> None:
    examined = describe_checkpoint(
        {},
        missing=("a", "b"),
        superfluous=("c", "d"),
        misshapen=("e is (1,), expected (2,)", "f is (1,), expected (3,)", "g"),
    )
    message = (
        r"a\.pt does not fit a Tiny \(some names\): missing a; missing b; superfluous c; superfluous d; "
        r"e is .*expected \(2,\) and 2 more$"
    )
    with pytest.raises(CheckpointError, match=message):
        load(tiny, examined, Path("a.pt"))


def latents(start: int, n: int) -> Latents:
    return Latents(torch.zeros(n, 2), None, torch.arange(start, start + n))


def drawn(classes: Classes, start: int, n: int, seed: int = 0, stream: Stream = Stream.PROBING) -> list[int]:
    condition = classes.sample(latents(start, n), seed, stream).condition
    assert condition is not None
    return condition.tolist()


def test_a_class_depends_on_seed_stream_and_index_alone() -> None:
    classes = Classes("Family", 7, "sampled")
    both = drawn(classes, 0, 60)
    assert set(both) == set(range(7))
    assert drawn(classes, 40, 20) == both[40:]
    assert drawn(classes, 0, 60, seed=1) != both
    assert drawn(classes, 0, 60, stream=Stream.VERIFICATION) != both
    assert drawn(classes, 2**40, 2) == drawn(classes, 2**40, 2)


def test_only_the_chosen_classes_are_drawn() -> None:
    assert set(drawn(Classes("Family", 7, 3), 0, 20)) == {3}
    assert set(drawn(Classes("Family", 7, [6, 2]), 0, 40)) == {6, 2}
    plain = latents(0, 3)
    assert Classes("Family", 0, "sampled").sample(plain, 0, Stream.PROBING) is plain


@pytest.mark.parametrize("chosen", [7, -1, [0, 7], []])
def test_classes_outside_the_network_are_refused(chosen: int | list[int]) -> None:
    with pytest.raises(CheckpointError, match="this Family has classes 0 to 6"):
        Classes("Family", 7, chosen)
    with pytest.raises(CheckpointError, match="this Family is unconditional; leave `classes` out"):
        Classes("Family", 0, chosen)


def test_classes_become_weights() -> None:
    classes, like = Classes("Family", 3, "sampled"), torch.zeros(2, 5, dtype=torch.float64)
    weights = classes.weights(torch.tensor([2, 0]), like)
    assert weights is not None
    assert weights.dtype == torch.float64
    assert weights.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    given = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert torch.equal(classes.weights(given, like), given.double())  # type: ignore[arg-type]
    assert Classes("Family", 0, "sampled").weights(torch.tensor([1, 1]), like) is None


def test_conditions_that_do_not_fit_are_refused() -> None:
    classes, like = Classes("Family", 3, "sampled"), torch.zeros(2, 5)
    with pytest.raises(
        DataError, match="this Family is conditional: it needs a class from 0 to 2 for every sample"
    ):
        classes.weights(None, like)
    with pytest.raises(DataError, match=r"the condition holds \[-1, 3\]"):
        classes.weights(torch.tensor([3, -1]), like)
    for shaped in (torch.tensor([1]), torch.tensor([[1], [2]]), torch.ones(2, 4), torch.ones(3, 3)):
        with pytest.raises(ShapeError, match="class"):
            classes.weights(shaped, like)


def fresh(index: list[int], seed: int, s: int, size: int = 8) -> Tensor:
    inputs = Inputs(len(index), None, torch.tensor(index), seed)
    kept = noise.kept("fresh", inputs, {s: (size, size)}, torch.device("cpu"))
    drawn = noise.of_part("fresh", s, kept, None)
    assert drawn is not None
    return drawn


def test_the_noise_of_a_pass_is_drawn_for_each_part_and_sample() -> None:
    inputs = Inputs(2, None, torch.tensor([4, 7]), 5)
    kept = noise.kept("fresh", inputs, {3: (2, 4), 1: (3, 3)}, torch.device("cpu"))
    for part, height, width in ((3, 2, 4), (1, 3, 3)):
        drawn = noise.of_part("fresh", part, kept, None)
        assert drawn is not None
        assert drawn.shape == (2, 1, height, width)
        assert drawn.is_contiguous()
        for row, i in zip(drawn, (4, 7), strict=True):
            alone = normals(5, Stream.PROBING, Use.NOISE, range(i, i + 1), height * width, part=part)
            np.testing.assert_array_equal(row.flatten().numpy(), alone[0])
    assert noise.kept("const", inputs, {3: (2, 4)}, torch.device("cpu")) == {}
    assert noise.of_part("none", 3, {}, torch.ones(1)) is None


def test_fresh_noise_is_a_function_of_seed_sample_and_stratum() -> None:
    both = fresh([4, 2**40], 7, 3)
    assert both.shape == (2, 1, 8, 8)
    assert both.dtype == torch.float32
    assert torch.equal(fresh([2**40], 7, 3), both[1:]), "whatever the batch"
    others = (both[1:], fresh([4], 8, 3), fresh([4], 7, 4), fresh([4], 2**63 - 1, 3))
    assert not any(torch.equal(both[:1], other) for other in others)
    many = fresh(list(range(40)), 0, 0, 16)
    assert abs(float(many.mean())) < 0.05
    assert abs(float(many.std()) - 1.0) < 0.05


@pytest.mark.parametrize(
    ("truncated", "wanted"), [(None, [0.5] * 4), (0, [1.0] * 4), (3, [0.5, 0.5, 0.5, 1.0]), (99, [0.5] * 4)]
)
def test_truncation_scales_the_chosen_layers(truncated: int | None, wanted: list[float]) -> None:
    assert truncation.scale(4, 0.5, truncated).tolist() == wanted


def test_truncation_takes_one_mean_or_one_of_each_layer() -> None:
    w, mean = torch.randn(3, 5), torch.randn(5)
    scales = truncation.scale(4, 0.25, 2)
    codes = truncation.truncate(w, mean, scales)
    assert torch.allclose(codes[:, :2], (mean + 0.25 * (w - mean))[:, None].expand(-1, 2, -1))
    assert torch.equal(codes[:, 2:], w[:, None].expand(-1, 2, -1)), "untouched to the last bit"
    assert torch.equal(truncation.truncate(w, mean.expand(4, 5), scales), codes)
    means = torch.randn(4, 5)
    each = truncation.truncate(w, means, scales)
    assert torch.allclose(each[:, 1], means[1] + 0.25 * (w - means[1]))
    assert truncation.truncate(w, mean, np.ones(4, dtype=np.float32)).equal(w[:, None].expand(-1, 4, -1))


def test_truncation_is_described_in_words() -> None:
    assert truncation.describe(truncation.scale(14, 0.7, 8)) == "psi 0.7 on layers 0-7"
    assert truncation.describe(truncation.scale(14, 0.0, None)) == "psi 0 on layers 0-13"
    assert truncation.describe(truncation.scale(14, 0.7, 0)) == "none"


def test_a_mapping_network_of_the_widths_it_is_given() -> None:
    mapping = Mapping(7, 3, 3, classes=4, width=6, embedding=5, means=8)
    shapes = {name: tuple(t.shape) for name, t in mapping.state_dict().items()}
    assert shapes["embed.weight"] == (5, 4)
    assert shapes["fc0.weight"] == (6, 12)
    assert shapes["fc2.weight"] == (3, 6)
    assert shapes["w_avg"] == (8, 3)
    assert mapping(torch.randn(2, 7), torch.eye(4)[:2]).shape == (2, 3)
    assert "w_avg" not in Mapping(7, 3, 3, means=0).state_dict()
    joined = Mapping(7, 3, 2, classes=4, embedding=0)
    assert joined.label_weight.shape == (4, 7)
    assert joined.fc0.weight.shape == (3, 14)


def test_the_mapping_s_weights_are_divided_by_their_multiplier() -> None:
    torch.manual_seed(0)
    slow, fast = Mapping(7, 3, 2), Mapping(7, 3, 2, lr_multiplier=0.1)
    fast.load_state_dict({name: 0.1 * t for name, t in slow.state_dict().items()})
    z = torch.randn(4, 7)
    assert torch.allclose(slow(z), fast(z), atol=1e-6)


def write(folder: Path, **settings: Any) -> tuple[Path, str]:
    path = folder / "a.safetensors"
    save_file(random_state(), path, metadata={"ganstrata": json.dumps(settings)})
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_must_have_the_hash_that_the_config_gives(tmp_path: Path) -> None:
    path, actual = write(tmp_path)
    for spelled in (actual, actual.upper()):
        assert (
            ganstrata.load_generator(
                "stylegan2", checkpoint=str(path), sha256=spelled, device="cpu"
            ).card.sha256
            == actual
        )
    wrong = "0" * 64
    with pytest.raises(
        CheckpointError, match=rf"a\.safetensors has the SHA-256 {actual}, but the config asks for {wrong}"
    ):
        ganstrata.load_generator("stylegan2", checkpoint=str(path), sha256=wrong, device="cpu")
    with pytest.raises(ConfigError, match="sha256"):
        ganstrata.load_generator("stylegan2", checkpoint=str(path), sha256="abc", device="cpu")


def test_the_card_has_the_facts_of_the_file(tmp_path: Path) -> None:
    path, actual = write(tmp_path, licence="MIT", source="a friend")
    card = open_checkpoint(StyleGAN2, CheckpointConfig(checkpoint=str(path))).card(
        truncation="psi 0.5 on layers 0-2"
    )
    assert (card.family, card.resolution, card.layers, card.code_size, card.latent_size) == (
        "StyleGAN2",
        16,
        6,
        5,
        7,
    )
    assert (card.licence, card.source, card.truncation, card.sha256) == (
        "MIT",
        "a friend",
        "psi 0.5 on layers 0-2",
        actual,
    )
    assert card.weights == digest(random_state())
    plain, _ = write(tmp_path)
    unsaid = open_checkpoint(StyleGAN2, CheckpointConfig(checkpoint=str(plain))).card()
    assert (unsaid.licence, unsaid.source, unsaid.truncation) == ("unknown", "a.safetensors", "none")


def test_faults_of_an_examination_are_reported_with_the_file(tmp_path: Path) -> None:
    path, _ = write(tmp_path, conv_clamp=-1)
    with pytest.raises(CheckpointError, match=r"a\.safetensors: conv_clamp stored in the file is -1"):
        open_checkpoint(StyleGAN2, CheckpointConfig(checkpoint=str(path)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_must_be_finite_real_numbers(tmp_path: Path, value: float) -> None:
    state = load_file(Path(__file__).parents[2] / "data" / "stylegan2_uncond_32.safetensors")
    bias = state["mapping.fc0.bias"]
    state["mapping.fc0.bias"] = torch.full(bias.shape, value)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        CheckpointError, match=r"mapping\.fc0\.bias holds values that are not finite real numbers"
    ):
        ganstrata.load_generator("auto", checkpoint=str(tmp_path / "a.pt"), device="cpu")
