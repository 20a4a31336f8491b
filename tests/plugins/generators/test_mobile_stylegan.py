"""What the plugin of MobileStyleGAN reads off a file, and its pictures against the author's.

tests/data/mobile_stylegan_32.safetensors has the names of a file of training: mapping network, teacher and
student of random weights, built by the classes of bes-dev/MobileStyleGAN.pytorch (commit a9776ff, with
pytorch_wavelets 1.3.0) for the channels [16, 12, 8], 8 numbers in w and 3 mapping layers.
tests/data/mobile_stylegan_32.npz has what they made of them: `images` of `z` and `noise<pixels>` (a row for
each convolution), `truncated` the same with their truncation of 0.5, `by_code` of `codes` (N, 8, 8), and
`teacher` of `z` without noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from closeness import assert_near
from ganstrata import Generator, Pass, render
from ganstrata.core.checkpoints import Part, read_checkpoint
from ganstrata.core.checkpoints.detect import choose
from ganstrata.core.checkpoints.signatures import mixture
from ganstrata.core.errors import CheckpointError
from ganstrata.plugins.generators.mobile_stylegan.generator import MobileStyleGAN
from ganstrata.plugins.generators.mobile_stylegan.network import Convolution, inverse_haar
from generator_files import codes_by_layer, codes_of, loader, write
from generators_mobile import plain, small_state
from reference_numbers import DATA, as_reference, tensor
from torch import Tensor

load = loader("mobile_stylegan")
NAME = "mobile_stylegan_32"
FILE = DATA / f"{NAME}.safetensors"
READ = [0, 1, 2, 4, 5, 6]  # of the 8 codes of the author's program, those that reach the picture
FORMS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "one doubling": {"widths": (4, 3)},
    "another size and depth": {"widths": (4, 8, 8, 2), "size": 9, "depth": 3},
    "student alone": {"training": False},
}


def training_file(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"epoch": 3, "global_step": 7, "state_dict": state, "optimizer_states": []}, path)
    return path


def noise_of(generator: Generator) -> list[Tensor]:
    """The fixed noise of each convolution."""
    assert isinstance(generator, MobileStyleGAN)
    return list(generator._fixed.values())


def with_the_authors_noise(generator: Generator) -> Generator:
    assert isinstance(generator, MobileStyleGAN)
    for s in generator._fixed:
        stratum = generator.strata[s]
        rows = tensor(NAME, f"noise{stratum.size}")  # (1 or 2, 1, r, r)
        generator._fixed[s] = rows[-1:] if stratum.name.endswith("conv2") else rows[:1]
    return generator


@pytest.mark.parametrize(("psi", "key"), [(1.0, "images"), (0.5, "truncated")])
def test_pictures_are_those_of_the_author(psi: float, key: str) -> None:
    generator = with_the_authors_noise(load(FILE, truncation_psi=psi))
    w = generator.map(tensor(NAME, "z"))
    assert_near(w, tensor(NAME, "w"))
    assert_near(as_reference(render(generator, generator.broadcast(w))), tensor(NAME, key))


def test_layers_are_the_codes_of_the_author_that_reach_the_picture() -> None:
    generator = with_the_authors_noise(load(FILE))
    codes = tensor(NAME, "codes")[:, READ]
    assert_near(as_reference(render(generator, codes)), tensor(NAME, "by_code"))


def test_the_teacher_is_a_stylegan2_if_it_is_asked_for() -> None:
    assert choose(read_checkpoint(FILE)).plugin == "mobile_stylegan"
    teacher = loader("stylegan2")(FILE, noise="none")
    images = as_reference(render(teacher, teacher.broadcast(teacher.map(tensor(NAME, "z")))))
    assert_near(images, tensor(NAME, "teacher"))
    told = " ".join(teacher.card.assumptions)
    assert "tensors of other networks of the training are not used" in told
    assert "learning rate multiplier is 0.01 (config: lr_mlp)" in told


def test_a_file_with_the_teacher_alone_is_a_stylegan2(tmp_path: Path) -> None:
    path = training_file(tmp_path / "a.ckpt", small_state(student=False))
    assert choose(read_checkpoint(path)).plugin == "stylegan2"
    with pytest.raises(CheckpointError, match="belongs to the generator plugin stylegan2"):
        load(path)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_pictures_are_those_of_the_plain_network(form: dict[str, Any], tmp_path: Path) -> None:
    state, sizes = small_state(**form), form.get("widths", (8, 12, 4))
    path = training_file(tmp_path / "a.ckpt", state)
    assert choose(read_checkpoint(path)).plugin == "mobile_stylegan"
    generator = load(path)
    card, size = generator.card, form.get("size", 6)
    assert (card.resolution, card.layers) == (4 * 2 ** len(sizes), 2 * len(sizes))
    assert (card.code_size, card.latent_size) == (size, size)
    codes = codes_by_layer(generator)
    wanted = plain(state, codes, noise_of(generator))
    assert wanted.std() > 0.1
    assert_near(as_reference(render(generator, codes)).double(), wanted)


def test_everything_that_is_assumed_is_told(tmp_path: Path) -> None:
    state = small_state()
    told = load(training_file(tmp_path / "a.ckpt", state)).card.assumptions
    teachers = sum(name.startswith("synthesis_net.") for name in state)
    for words in (
        f"the student is used; not used: {teachers} tensors of the teacher, such as synthesis_net.input.",
        "tensors of other networks of the training are not used (2, such as loss.gan_loss.m.convs.",
        "not used are the 8 tensors of the others, such as student.to_img1.",
        "the mapping's learning rate multiplier is 0.01 (config: lr_mlp)",
        "no file stores the noise: fixed noise, drawn from seed 0, is used for all samples",
    ):
        assert any(words in sentence for sentence in told), (words, told)
    assert len(told) == 5
    none = load(training_file(tmp_path / "b.ckpt", small_state(averaged=False))).card.assumptions
    assert "the file stores no mean w: truncation uses the mean w of fixed z" in none


def test_truncation_without_a_stored_mean(tmp_path: Path) -> None:
    path = training_file(tmp_path / "a.ckpt", small_state(averaged=False))
    whole, half = load(path), load(path, truncation_psi=0.5, truncation_layers=4)
    z = torch.randn(4000, 6, generator=torch.Generator().manual_seed(1))
    w = whole.map(z)
    codes = half.broadcast(w)
    assert torch.equal(codes[:, 4:], whole.broadcast(w)[:, 4:])
    mean = (2.0 * codes[:, :4] - w[:, None]).mean(dim=(0, 1))
    assert (mean - w.mean(dim=0)).abs().max() < 0.2 * w.std()


def test_lr_mlp_is_the_factor_of_the_mapping_network(tmp_path: Path) -> None:
    state = small_state()
    path = training_file(tmp_path / "a.ckpt", state)
    scaled = {k: 0.01 * t if k.startswith("mapping_net.") else t for k, t in state.items()}
    one, other = load(path), load(training_file(tmp_path / "b.ckpt", scaled), lr_mlp=1.0)
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    assert_near(one.map(z), other.map(z))
    assert not any("lr_mlp" in sentence for sentence in other.card.assumptions)


@pytest.mark.parametrize("noise", ["const", "fresh"])
def test_an_edit_of_a_layer_restarts_there(noise: str, tmp_path: Path) -> None:
    state = small_state()
    generator = load(training_file(tmp_path / "a.ckpt", state), noise=noise)
    assert [(s.name, s.reads, s.size) for s in generator.strata] == [
        ("b4.conv", 0, 4),
        ("b8.up", 1, 8),
        ("b8.conv1", 1, 8),
        ("b8.conv2", 2, 8),
        ("b16.up", 3, 16),
        ("b16.conv1", 3, 16),
        ("b16.conv2", 4, 16),
        ("output", 5, 32),
    ]
    assert generator.groups == {"bottom": (0, 1), "upper": (2, 3), "top": (4, 5)}
    codes = codes_of(generator, n=2)
    first = [next(s for s, stratum in enumerate(generator.strata) if stratum.reads == k) for k in range(6)]
    whole = Pass(generator, codes, restarts=first, noise=4)
    for layer in range(6):
        moved = codes.clone()
        moved[:, layer] += torch.randn(6, generator=torch.Generator().manual_seed(layer))
        edited = whole.edited(moved, [layer]).images
        assert (edited - whole.rendering.images).abs().max() > 0.003
        assert_near(edited, render(generator, moved, noise=4))


def test_styles_are_affine_in_codes_and_may_be_given(tmp_path: Path) -> None:
    generator = load(training_file(tmp_path / "a.ckpt", small_state()))
    codes = codes_by_layer(generator)
    for s, stratum in enumerate(generator.strata):
        assert stratum.reads is not None
        code, weights = codes[:, stratum.reads], generator.style_weights(s)
        style, origin = generator.style(s, code), generator.style(s, torch.zeros_like(code))
        assert weights is not None
        assert style is not None
        assert origin is not None
        assert weights.shape == (stratum.style_width, 6)
        assert_near(style - origin, code @ weights.t())


def test_gradients_reach_the_code_of_every_layer(tmp_path: Path) -> None:
    state = small_state()
    generator = load(training_file(tmp_path / "a.ckpt", state))
    codes, same = (codes_of(generator, n=2).clone().requires_grad_() for _ in range(2))
    weights = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    (as_reference(render(generator, codes)) * weights).sum().backward()
    (plain(state, same, noise_of(generator)) * weights).sum().backward()
    assert codes.grad is not None
    assert same.grad is not None
    assert same.grad.abs().amax(dim=(0, 2)).min() > 1e-3
    assert_near(codes.grad, same.grad, tolerance=1e-4)


def test_noise_is_fixed_fresh_or_left_out(tmp_path: Path) -> None:
    state = small_state()
    path = training_file(tmp_path / "a.ckpt", state)
    fresh, none = (load(path, noise=noise) for noise in ("fresh", "none"))
    codes = codes_of(none)
    assert_near(as_reference(render(none, codes)).double(), plain(state, codes))
    one, other = render(fresh, codes, noise=1), render(fresh, codes, noise=2)
    assert (one - other).abs().max() > 0.01
    assert_near(render(fresh, codes[1:2], noise=1, index=torch.tensor([1])), one[1:2])


def test_the_inverse_wavelet_transform_keeps_lengths() -> None:
    x = torch.randn(2, 12, 3, 5, generator=torch.Generator().manual_seed(1))
    y = inverse_haar(x)
    assert y.shape == (2, 3, 6, 10)
    assert_near(y.square().sum(dim=(1, 2, 3)), x.square().sum(dim=(1, 2, 3)))
    mean = torch.zeros(1, 12, 1, 1)
    mean[0, 1] = 2.0
    assert_near(inverse_haar(mean)[0, 1], torch.ones(2, 2))


def test_a_separable_convolution_is_the_dense_one_of_its_product() -> None:
    separable = Convolution(4, 5, 3, separable=True)
    dense = Convolution(4, 5, 3, separable=False)
    product = separable.pointwise * separable.depthwise.transpose(0, 1)  # (O, I, 3, 3)
    dense.load_state_dict(
        {**dense.state_dict(), "weight": product.detach(), "fixed_style": separable.fixed_style}
    )
    random = torch.Generator().manual_seed(1)
    x, style = torch.randn(2, 4, 6, 6, generator=random), torch.randn(2, 4, generator=random)
    assert_near(separable(x, style, None), dense(x, style, None))


def test_tensors_that_examine_returns_load_again(tmp_path: Path) -> None:
    examined = MobileStyleGAN.examine(read_checkpoint(FILE).parts[0])
    assert examined is not None
    assert examined.faults == []
    again = write(
        tmp_path / "b.safetensors",
        {name: t.contiguous() for name, t in examined.tensors.items()},
        plugin="mobile_stylegan",
        network=examined.architecture,
    )
    assert choose(read_checkpoint(again)).plugin == "mobile_stylegan"
    one, other = load(FILE), load(again)
    assert torch.equal(render(one, codes_of(one)), render(other, codes_of(other)))
    assert one.fingerprint == other.fingerprint
    with pytest.raises(CheckpointError, match=r"lr_mlp: 0\.1 is configured, but the file states 0\.01"):
        load(again, lr_mlp=0.1)


def test_another_wavelet_is_refused(tmp_path: Path) -> None:
    state = small_state()
    state["student.layers.1.up.idwt.g1_col"] = -state["student.layers.1.up.idwt.g1_col"]
    with pytest.raises(CheckpointError, match=r"student\.layers\.1\.up\.idwt\.g1_col is not the filter of"):
        load(training_file(tmp_path / "a.ckpt", state))


def test_widths_that_no_wavelet_divides_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"sizes of this MobileStyleGAN are inconsistent.*'widths': \(6"
    ):
        load(training_file(tmp_path / "a.ckpt", small_state(widths=(6, 4))))


def test_an_incomplete_file_is_named_by_its_own_names(tmp_path: Path) -> None:
    state = small_state()
    assert mixture(Part("", state, {})) == ["MobileStyleGAN"]
    for name in ("student.layers.1.to_img.bias", "student.layers.1.conv2.conv.style_inv"):
        path = training_file(tmp_path / "a.ckpt", {k: t for k, t in state.items() if k != name})
        with pytest.raises(CheckpointError, match=rf"missing {name}"):
            load(path)


EVERYTHING = small_state(widths=(4, 3), depth=1, training=False)


def test_any_missing_or_misshapen_tensor_is_a_fault() -> None:
    for name in EVERYTHING:
        if name.startswith(("student.to_img1.", "student.device_info")):
            continue
        damaged = [EVERYTHING | {name: torch.zeros(shape)} for shape in ((0,), (3, 5, 2))]
        missing = {k: v for k, v in EVERYTHING.items() if k != name}
        for state in ([] if "idwt" in name or name == "style_mean" else [missing]) + damaged:
            try:
                examined = MobileStyleGAN.examine(Part("state_dict", state, {}))
            except CheckpointError:
                continue
            assert examined is None or examined.faults, name
