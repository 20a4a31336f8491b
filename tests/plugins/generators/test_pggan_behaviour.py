"""How the strata of ProgressiveGAN behave, and how classes reach its latents."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from closeness import assert_near
from derivatives import checked_gradient
from ganstrata import Generator, Pass, Stream, render
from ganstrata.core.errors import CheckpointError, ConfigError, DataError
from generator_files import codes_of, images_of, loader, write
from generators_pggan import plain, small_state, weights

load = loader("pggan")

NEAR = 1e-4  # pixel norm after pixel norm: float32 and float64 differ by up to 3e-5


@pytest.fixture
def small(tmp_path: Path) -> Generator:
    return load(write(tmp_path / "small.safetensors", small_state()))


def conditional(tmp_path: Path, layout: str = "tensorflow") -> Generator:
    """Four numbers of z and three classes."""
    return load(write(tmp_path / f"{layout}.safetensors", small_state(layout), label_size=3))


def test_classes_are_appended_to_z_before_it_is_normalised(tmp_path: Path) -> None:
    generator = conditional(tmp_path)
    assert (generator.card.latent_size, generator.card.code_size) == (4, 4)
    z, classes = torch.randn(3, 4), torch.tensor([2, 0, 1])
    images = render(generator, generator.broadcast(generator.map(z, classes)), condition=classes)
    wanted = plain(weights(), torch.cat([z, torch.eye(3)[classes]], dim=1))
    assert (images * 2.0 - 1.0 - wanted).abs().max() < NEAR
    assert_near(images, render(generator, z[:, None], condition=torch.eye(3)[classes]))
    assert not torch.allclose(images, render(generator, z[:, None], condition=classes.flip(0)), atol=1e-2)
    weights_of_z = generator.style_weights(0)
    assert weights_of_z is not None
    assert weights_of_z.shape == (16 * 6, 4)


def test_genforce_normalises_z_before_the_class_is_appended(tmp_path: Path) -> None:
    generator = load(write(tmp_path / "a.safetensors", small_state("genforce")), labels=3)
    z, classes = 2.0 * torch.randn(3, 4), torch.tensor([2, 0, 1])
    first = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    wanted = plain(weights(), torch.cat([first, torch.eye(3)[classes]], dim=1))
    assert (render(generator, z[:, None], condition=classes) * 2.0 - 1.0 - wanted).abs().max() < NEAR
    assert not torch.allclose(
        wanted, plain(weights(), torch.cat([z, torch.eye(3)[classes]], dim=1)), atol=1e-2
    )


def test_only_the_chosen_classes_are_drawn(tmp_path: Path) -> None:
    drawn = (
        load(write(tmp_path / "a.safetensors", small_state("tensorflow"), label_size=3), classes=[2, 0])
        .sample(40, 0, 0, Stream.PROBING)
        .condition
    )
    assert drawn is not None
    assert set(drawn.tolist()) == {0, 2}
    with pytest.raises(DataError, match="needs a class from 0 to 2"):
        images_of(conditional(tmp_path))
    with pytest.raises(CheckpointError, match="unconditional"):
        load(write(tmp_path / "b.safetensors", small_state()), classes=1)


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", small_state("tensorflow"), label_size=3)
    with pytest.raises(CheckpointError, match="the file stores that this ProgressiveGAN has 3 classes"):
        load(path, labels=2)
    with pytest.raises(CheckpointError, match="none remain for z"):
        load(write(tmp_path / "b.safetensors", small_state()), labels=7)
    with pytest.raises(ConfigError, match="labels"):
        load(path, labels=0)


def test_an_edit_restarts_where_the_code_is_read_and_equals_a_full_pass(small: Generator) -> None:
    codes = codes_of(small)
    done = Pass(small, codes, restarts=[0])
    moved = codes + 0.5
    assert torch.equal(done.edited(moved, (0,)).images, render(small, moved))
    assert not torch.allclose(done.rendering.images, render(small, moved), atol=1e-3)


def test_pictures_do_not_depend_on_the_batch(small: Generator) -> None:
    codes = codes_of(small, 5)
    assert torch.allclose(render(small, codes)[3:4], render(small, codes[3:4]), atol=1e-5)
    later = small.sample(2, 0, 3, Stream.PROBING)
    assert torch.equal(later.z, small.sample(5, 0, 0, Stream.PROBING).z[3:])


def test_gradients_reach_the_codes(small: Generator) -> None:
    gradient = checked_gradient(small, codes_of(small, 2))
    assert gradient.abs().min(dim=2).values.max() > 0.0


def test_bfloat16_is_close_to_float32(small: Generator) -> None:
    codes = codes_of(small)
    full, half = render(small, codes), render(small, codes, precision="bf16")
    assert half.dtype == torch.float32
    assert 0.0 < (full - half).abs().mean() < 0.01


def test_a_zero_latent_makes_a_picture(small: Generator) -> None:
    assert render(small, torch.zeros(1, 1, 7)).isfinite().all()
