"""The published models: their facts agree with each other, and searches find them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from ganstrata.core.checkpoints.remote import HubFile, WebFile, parse
from ganstrata.core.checkpoints.zoo import Published, find, named, published
from ganstrata.core.errors import UserError

MODELS = published()


def test_higan_published_53() -> None:
    pool = [model for model in MODELS if model.pool == "HiGAN"]
    assert Counter(model.family for model in pool) == {"ProgressiveGAN": 31, "StyleGAN": 17, "StyleGAN2": 5}
    assert {(model.psi, model.psi_layers) for model in pool if model.family == "StyleGAN"} == {(0.7, 8)}
    assert {(model.psi, model.psi_layers) for model in pool if model.family == "StyleGAN2"} == {(0.5, 18)}


def test_families_after_higan_are_there() -> None:
    counts = Counter(model.family for model in MODELS)
    assert counts["R3GAN"] == 5
    assert counts["StyleGAN3"] == 12
    assert counts["StyleGAN-XL"] == 14
    assert counts["BigGAN-deep"] == 3
    assert counts["BigGAN"] == 1


def test_names_are_unique() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_facts_agree(model: Published) -> None:
    assert model.resolution & (model.resolution - 1) == 0, "generators make squares of a power of two"
    size = re.search(r"(\d{2,4})x(\d{2,4})", model.file or "")
    assert size is None or int(size[1]) == model.resolution
    assert model.url.startswith("http")
    assert model.page.startswith("https://github.com/")
    assert (model.psi is None) == (model.family in ("ProgressiveGAN", "BigGAN", "BigGAN-deep", "R3GAN"))
    assert model.plugin == {
        "ProgressiveGAN": "pggan",
        "BigGAN-deep": "biggan",
        "StyleGAN-XL": "stylegan3",
    }.get(model.family, model.family.lower())
    assert (model.classes > 0) == (model.data in ("ImageNet", "CIFAR-10"))


def test_a_link_is_called_dead_or_alive_on_evidence_alone() -> None:
    for model in MODELS:
        assert model.evidence
        assert model.link_dead is None or "http" in model.evidence
        assert model.link_dead is not None or model.evidence.endswith("no link was tried")


def test_hashes_and_copies_are_such_as_a_config_takes() -> None:
    for model in MODELS:
        assert date.fromisoformat(model.checked) <= date.today()
        assert (model.sha256 is None) == (model.sha256_from is None)
        assert model.sha256_from is None or "https://" in model.sha256_from
        for name in (model.checkpoint, model.mirror):
            assert name is None or isinstance(parse(name), HubFile | WebFile)
    assert named("stylegan_tower").checkpoint is None, "its link is dead"
    assert named("stylegan2_church").checkpoint.endswith(f"#sha256={named('STYLEGAN2_church').sha256}")
    assert named("stylegan2_churc") is None


def test_dead_links_and_the_others_are_all() -> None:
    dead, others = find(dead=True), find(dead=False)
    assert {model.link for model in dead} == {"dead"}
    assert "dead" not in {model.link for model in others}
    assert len(dead) + len(others) == len(MODELS)
    assert {model.publisher for model in dead} == {"genforce"}


def test_a_name_may_be_a_part_or_a_pattern() -> None:
    assert [model.name for model in find("GAN2_church")] == ["stylegan2_church"]
    assert {model.name for model in find("pggan_d*")} == {
        "pggan_diningroom",
        "pggan_dog",
        "pggan_diningtable",
    }
    assert {model.family for model in find("ffhq", family="stylegan3")} == {"StyleGAN3"}


def test_what_is_not_there_is_answered_with_what_is() -> None:
    with pytest.raises(
        UserError, match=r"no published model is called 'stylegan_bedrom'\. Did you mean 'stylegan_bedroom'\?"
    ):
        find("stylegan_bedrom")
    with pytest.raises(UserError, match=r"family 'pggan'.* Families: BigGAN, BigGAN-deep, ProgressiveGAN"):
        find(family="pggan")


def test_the_page_counts_as_the_list_does() -> None:
    page = (Path(__file__).parents[3] / "docs/models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| ([\w-]+) \| (\d+) \| [^|]+ \| [^|]+ \| (\w+) \|$", page, re.MULTILINE)
    counts: Counter[tuple[str, str]] = Counter()
    for family, count, link in rows:
        counts[family, link] += int(count)
    assert counts == Counter((model.family, model.link) for model in MODELS)
    assert f"shows {len(MODELS)} published generators" in page


def test_truncation_in_words() -> None:
    assert {model.truncation for model in find(family="StyleGAN")} == {"psi 0.7 on 8 layers"}
    assert {model.truncation for model in find(family="StyleGAN3")} == {"none"}
