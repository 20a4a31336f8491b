"""Editing by painting takes the steps of the authors' code, and moves nothing that it should not."""

from __future__ import annotations

import io

import ganstrata
import numpy as np
import pytest
import torch
from editing_numbers import authors_extractor, authors_generator, number
from ganstrata.core.errors import DataError, ShapeError, UserError
from ganstrata.core.plugins.records import Latents
from ganstrata.core.semantics.painting.editing import by_colours, by_labels, colour_loss, semantic_loss
from ganstrata.core.semantics.painting.painted_folder import codes_file
from ganstrata.core.semantics.predictors import Predictor
from ganstrata.core.semantics.teacher import UNKNOWN
from ganstrata.core.strata.code_search import Objective, Renderer, Search, penalties, search_codes
from ganstrata.core.strata.code_spaces import SPACES, CodeSpace
from reference_numbers import DATA
from torch import Tensor


@pytest.fixture(scope="module")
def authors(tmp_path_factory: pytest.TempPathFactory) -> tuple[ganstrata.Generator, Predictor]:
    generator = authors_generator(tmp_path_factory.mktemp("authors"))
    return generator, Predictor.of_extractor(authors_extractor(generator))


def _renderer(generator: ganstrata.Generator, predictor: Predictor, space: str) -> Renderer:
    latents = Latents(torch.zeros(1, 512), None, torch.arange(1))
    return Renderer(CodeSpace.of(generator, space), latents, predictor.strata)  # type: ignore[arg-type]


def _gradient(renderer: Renderer, c: Tensor, start: Tensor, objective: Objective) -> Tensor:
    c = c.clone().requires_grad_(True)
    loss = objective(renderer.render(renderer.space.codes(c))) + penalties(c, start, Search())
    (gradient,) = torch.autograd.grad(loss.sum(), c)
    return gradient


def _close(found: Tensor, wanted: Tensor, tolerance: float = 1e-5) -> None:
    assert float((found - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


def _mostly_close(found: Tensor, wanted: Tensor) -> None:
    """Adam divides tiny gradients by themselves, so a few entries may step the other way."""
    assert float(((found - wanted).abs() <= 1e-4).float().mean()) >= 0.999


def test_pictures_and_labels_are_those_of_the_authors(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    renderer = _renderer(generator, predictor, "layers")
    with torch.no_grad():
        rendering = renderer.render(renderer.space.codes(number("input/z")))
    torch.testing.assert_close(rendering.images * 2.0 - 1.0, number("output/image0"), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        predictor.logits(rendering, (32, 32)), number("output/logits0"), rtol=1e-5, atol=1e-5
    )
    assert (predictor.labels(rendering, (32, 32)) == number("output/label0")).all()


def test_semantic_editing_takes_the_steps_of_the_authors(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    renderer, start = _renderer(generator, predictor, "layers"), number("input/z")
    objective = by_labels(predictor, number("input/fused_label").long())
    before = number("output/sie.z_before")
    for step in (0, 1):
        gradient = _gradient(renderer, before[step][None], start, objective)
        _close(gradient[0], number(f"output/sie.grad{step}"))
    found = search_codes(renderer, start, objective, Search(steps=5, learning_rate=0.01))
    _close(found.losses[:5, 0], number("output/sie.loss").float())
    _mostly_close(found.variables[0], number("output/sie.z_final"))
    _mostly_close(found.codes, number("output/sie.wp_final"))


def test_the_terms_of_the_loss_are_those_of_the_authors(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    z = number("input/z")
    entropy, stay, prior = number("output/sie.terms0").float()
    found = semantic_loss(number("output/logits0"), number("input/fused_label").long())
    torch.testing.assert_close(found[0], entropy)
    torch.testing.assert_close(penalties(z, z, Search(prior=0.0))[0], stay)
    torch.testing.assert_close(penalties(z, z, Search(stay=0.0))[0], prior)


def test_editing_in_colour_space_takes_the_steps_of_the_authors(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    renderer, start = _renderer(generator, predictor, "layers"), number("input/z")
    objective = by_colours((number("input/color_target") + 1.0) / 2.0, number("input/mask") > 0)
    _close(_gradient(renderer, start, start, objective)[0], number("output/color.grad0"))
    found = search_codes(renderer, start, objective, Search(steps=2, learning_rate=0.01))
    _close(found.losses[:2, 0], number("output/color.loss").float())
    _mostly_close(found.variables[0], number("output/color.z_final"))


def test_unknown_pixels_do_not_count() -> None:
    logits = torch.randn(1, 3, 4, 4)
    target = torch.randint(0, 3, (1, 4, 4))
    half = target.clone()
    half[:, 2:] = UNKNOWN
    torch.testing.assert_close(semantic_loss(logits, half), semantic_loss(logits[:, :, :2], target[:, :2]))


def test_a_colour_loss_counts_both_regions_by_their_own_size() -> None:
    images, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    painted = torch.tensor([[[True, False], [False, False]]])
    target[:, :, 0, 0] = 0.5  # the painted pixel: 3 channels, (2 * 0.5)^2 each
    target[:, 0, 1, 1] = 1.0  # one of three others: 1 channel, (2 * 1)^2
    assert colour_loss(images, target, painted).tolist() == pytest.approx([3.0 + 4.0 / 3.0])
    assert colour_loss(images, target, torch.ones_like(painted)).tolist() == pytest.approx([7.0 / 4.0])


@pytest.mark.parametrize("space", SPACES)
def test_every_space_starts_from_the_sample_itself(rooms: ganstrata.Generator, space: str) -> None:
    latents = rooms.sample(2, 0, 5, ganstrata.Stream.EDITING)
    codes = rooms.broadcast(rooms.map(latents.z))
    found = CodeSpace.of(rooms, space)  # type: ignore[arg-type]
    start = found.start(latents)
    assert start.shape[1] == (rooms.card.layers if space in ("layers", "w+") else 1)
    torch.testing.assert_close(found.codes(start), codes, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_classes_of_a_conditional_generator_stay(space: str) -> None:
    generator = ganstrata.load_generator(
        "stylegan2", checkpoint=str(DATA / "stylegan2_cond_64.safetensors"), device="cpu"
    )
    latents = generator.sample(2, 0, 0, ganstrata.Stream.EDITING)
    assert latents.condition is not None
    codes = generator.broadcast(generator.map(latents.z, latents.condition), latents.condition)
    found = CodeSpace.of(generator, space, latents.condition)  # type: ignore[arg-type]
    torch.testing.assert_close(found.codes(found.start(latents)), codes, rtol=1e-4, atol=1e-4)
    name, content = codes_file(codes, latents.condition)
    assert name == "codes.npz"
    with np.load(io.BytesIO(content)) as arrays:
        assert (arrays["codes"] == codes.numpy()).all()
        assert (arrays["condition"] == latents.condition.numpy()).all()


def test_variables_of_w_are_in_standard_deviations(rooms: ganstrata.Generator) -> None:
    start = CodeSpace.of(rooms, "w").start(rooms.sample(512, 1, 0, ganstrata.Stream.TRAINING))
    assert float(start.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(start.std()) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("space", ["layers", "w+"])
def test_a_row_of_variables_moves_its_layer_alone(rooms: ganstrata.Generator, space: str) -> None:
    found = CodeSpace.of(rooms, space)  # type: ignore[arg-type]
    start = found.start(rooms.sample(1, 0, 0, ganstrata.Stream.EDITING))
    moved = start.clone()
    moved[:, 3] += 1.0
    changed = (found.codes(moved) - found.codes(start)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [3]


@pytest.mark.parametrize("space", SPACES)
def test_only_chosen_layers_move(rooms: ganstrata.Generator, space: str) -> None:
    latents = rooms.sample(2, 0, 0, ganstrata.Stream.EDITING)
    every = CodeSpace.of(rooms, space)  # type: ignore[arg-type]
    start = every.start(latents)
    found = every.only((2, 5), every.codes(start))
    assert torch.equal(found.codes(start), every.codes(start))
    changed = (found.codes(start + 1.0) - found.codes(start)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [2, 5]


def test_a_generator_without_w_has_no_space_w() -> None:
    generator = ganstrata.load_generator(
        "pggan", checkpoint=str(DATA / "pggan_higan_32.safetensors"), device="cpu"
    )
    assert generator.space == "z"
    with pytest.raises(UserError, match=r"has no w: its layers take z itself\. Use space layers"):
        CodeSpace.of(generator, "w+")
    with pytest.raises(UserError, match="space 'q' is not one of z, w, layers"):
        CodeSpace.of(generator, "q")  # type: ignore[arg-type]


def test_pictures_of_a_batch_are_edited_each_by_itself(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    latents = generator.sample(3, 0, 0, ganstrata.Stream.EDITING)
    target = torch.randint(0, 5, (3, 32, 32), generator=torch.Generator().manual_seed(0))
    target[1, :16] = UNKNOWN

    def edited(rows: slice) -> Tensor:
        part = Latents(latents.z[rows], None, latents.index[rows])
        renderer = Renderer(CodeSpace.of(generator, "z"), part, predictor.strata)
        start = renderer.space.start(part)
        return search_codes(renderer, start, by_labels(predictor, target[rows]), Search(steps=3)).variables

    together = edited(slice(0, 3))
    for i in range(3):
        _mostly_close(edited(slice(i, i + 1))[0], together[i])


def test_no_steps_change_nothing_and_parameters_gather_no_gradients(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    renderer, start = _renderer(generator, predictor, "layers"), number("input/z")
    objective = by_labels(predictor, number("input/fused_label").long())
    found = search_codes(renderer, start, objective, Search(steps=0))
    assert torch.equal(found.codes, found.codes_before)
    assert torch.equal(found.before.images, found.after.images)
    assert found.losses.shape == (1, 1)
    assert not found.after.images.requires_grad


def test_targets_that_do_not_fit_are_refused(authors: tuple[ganstrata.Generator, Predictor]) -> None:
    _, predictor = authors
    with pytest.raises(ShapeError, match="labels from 7 to 7 does not fit"):
        by_labels(predictor, torch.full((1, 4, 4), 7))
    with pytest.raises(DataError, match="every pixel of the target is unknown"):
        by_labels(predictor, torch.full((1, 4, 4), UNKNOWN))


def test_an_objective_without_gradients_is_refused(authors: tuple[ganstrata.Generator, Predictor]) -> None:
    generator, predictor = authors
    renderer = _renderer(generator, predictor, "layers")
    with pytest.raises(UserError, match="gives no gradients"):
        search_codes(renderer, number("input/z"), lambda r: torch.zeros(1), Search(steps=1))


def test_emphasis_adds_the_mean_over_painted_pixels(authors: tuple[ganstrata.Generator, Predictor]) -> None:
    generator, predictor = authors
    renderer = _renderer(generator, predictor, "layers")
    with torch.no_grad():
        rendering = renderer.render(renderer.space.codes(number("input/z")))
    target, painted = number("input/fused_label").long(), number("input/mask") > 0
    logits = predictor.logits(rendering, (32, 32))
    inside = torch.nn.functional.cross_entropy(logits.permute(0, 2, 3, 1)[painted], target[painted])
    plain = by_labels(predictor, target)(rendering)
    found = by_labels(predictor, target, painted, 0.3)(rendering)
    torch.testing.assert_close(found, plain + 0.3 * inside)


def test_a_loss_that_is_not_finite_ends_the_search(authors: tuple[ganstrata.Generator, Predictor]) -> None:
    generator, predictor = authors
    renderer = _renderer(generator, predictor, "layers")
    with pytest.raises(DataError, match="not finite in step 0 of 2"):
        search_codes(
            renderer,
            number("input/z"),
            lambda r: r.images.sum((1, 2, 3)) * float("nan"),
            Search(steps=2),
        )
