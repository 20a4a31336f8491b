"""Sampling by a mask starts from the best sample, as the authors' code does, and agrees better afterwards."""

from __future__ import annotations

import ganstrata
import pytest
import torch
from editing_numbers import authors_extractor, authors_generator, number
from ganstrata.core.errors import DataError
from ganstrata.core.plugins.records import Latents
from ganstrata.core.semantics.agreement import picture_mious
from ganstrata.core.semantics.painting.editing import by_labels
from ganstrata.core.semantics.painting.sampling import best_candidates, count_matching, rows_of, sample_like
from ganstrata.core.semantics.predictors import Predictor
from ganstrata.core.semantics.teacher import UNKNOWN
from ganstrata.core.strata.code_search import Renderer, Search, search_codes
from ganstrata.core.strata.code_spaces import CodeSpace


@pytest.fixture(scope="module")
def authors(tmp_path_factory: pytest.TempPathFactory) -> tuple[ganstrata.Generator, Predictor]:
    generator = authors_generator(tmp_path_factory.mktemp("authors"))
    return generator, Predictor.of_extractor(authors_extractor(generator))


def test_start_and_steps_are_those_of_the_authors(authors: tuple[ganstrata.Generator, Predictor]) -> None:
    generator, predictor = authors
    target, z = number("input/scs_target").long(), number("input/scs_z_init")
    latents = Latents(z[:, 0], None, torch.arange(4))
    renderer = Renderer(CodeSpace(generator, "z"), latents, predictor.strata)
    with torch.no_grad():
        labels = predictor.labels(renderer.render(renderer.space.codes(z)), (32, 32))
    matching = count_matching(labels, target[0])
    assert (matching == number("output/scs.matching_pixels")).all()
    start = z[matching.argmax()][None]
    assert torch.equal(start[0], number("output/scs.z_before")[0])
    found = search_codes(
        Renderer(CodeSpace(generator, "z"), rows_of(latents, slice(0, 1)), predictor.strata),
        start,
        by_labels(predictor, target),
        Search(steps=4, learning_rate=0.01),
    )
    wanted = number("output/scs.loss").float()
    assert float((found.losses[:4, 0] - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())
    assert float(((found.variables[0] - number("output/scs.z_final")).abs() <= 1e-4).float().mean()) >= 0.999


def test_the_best_candidate_is_chosen_by_known_pixels(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    target = torch.randint(0, 5, (32, 32), generator=torch.Generator().manual_seed(1))
    target[:20] = UNKNOWN
    found = best_candidates(generator, predictor, target, 3, 4, batch=5)
    assert found.matching.shape == (3, 4)
    assert int(found.matching.max()) <= 12 * 32
    expected = [4 * i + int(found.matching[i].argmax()) for i in range(3)]
    assert found.latents.index.tolist() == expected
    for i, k in enumerate(expected):  # the latents are those of the numbers
        alone = generator.sample(1, 0, k, ganstrata.Stream.EDITING)
        assert torch.equal(found.latents.z[i], alone.z[0])
    fewer = best_candidates(generator, predictor, target, 2, 4, batch=8)
    assert fewer.latents.index.tolist() == expected[:2]


def test_samples_agree_better_with_the_mask_after_the_search(
    authors: tuple[ganstrata.Generator, Predictor],
) -> None:
    generator, predictor = authors
    latents = generator.sample(1, 0, 77, ganstrata.Stream.TRAINING)
    renderer = Renderer(CodeSpace(generator, "z"), latents, predictor.strata)
    with torch.no_grad():
        target = predictor.labels(renderer.render(renderer.space.codes(latents.z[:, None])), (32, 32))[0]
    candidates = best_candidates(generator, predictor, target, 3, 4, batch=16)
    counted: list[int] = []
    found = sample_like(
        generator, predictor, target, candidates, Search(steps=15, learning_rate=0.05), batch=2,
        on_step=counted.append,
    )  # fmt: skip
    assert sum(counted) == 2 * 15
    assert found.codes.shape == (3, generator.card.layers, generator.card.code_size)
    assert (found.before.known == 32 * 32).all()
    assert (found.after.correct > found.before.correct).all()
    assert (
        picture_mious(found.after, background=False).mean()
        > picture_mious(found.before, background=False).mean()
    )
    again = sample_like(
        generator, predictor, target, candidates, Search(steps=15, learning_rate=0.05), batch=2
    )
    assert torch.equal(found.codes, again.codes)


def test_an_unknown_mask_is_refused(authors: tuple[ganstrata.Generator, Predictor]) -> None:
    generator, predictor = authors
    target = torch.full((32, 32), UNKNOWN)
    candidates = best_candidates(generator, predictor, target, 1, 2, batch=2)
    with pytest.raises(DataError, match="every pixel of the target is unknown"):
        sample_like(generator, predictor, target, candidates, Search(steps=1), batch=1)
