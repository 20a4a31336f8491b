"""One picture edited again and again has the bits of a full pass, and costs no more than it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import LAYERS, SIZE, WIDTH, Layered
from ganstrata import Boundary, Pass, Stream
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.config.reading import validate
from ganstrata.core.editing.directions import EditPart, find_parts
from ganstrata.core.editing.live import LivePicture
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import Source, find_source, source_of
from ganstrata.core.errors import DataError, ShapeError, UserError
from ganstrata.core.plugins.boundary import Boundaries
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.randomness import noise_seed
from ganstrata.core.runs.inversions import read_inversion
from ganstrata.core.runs.prepare import Prepared, prepare
from ganstrata.core.runs.run import Run
from ganstrata.core.strata.styles import style_channels
from ganstrata.core.strata.tuned import tuned
from generators_stylegan2 import small_state
from inverted_pictures import write_inverted
from safetensors.torch import save_file
from torch import Tensor

UNITS = {"w": 1.5, "s": 2.0}


@pytest.fixture
def prepared_for(config: dict[str, Any]) -> Callable[..., Prepared]:
    """Return prepared_for(checkpoint, ...): a StyleGAN2 with a scorer, whose plugins fit a config."""

    def make(checkpoint: str, **options: Any) -> Prepared:
        config["generator"] = {"use": "stylegan2", "with": {"checkpoint": checkpoint, **options}}
        config["scorers"] = [{"use": "hue", "as": "colour"}]
        config["synthesis"]["batch_size"] = 4
        config["rescoring"]["groups"] = None
        return prepare(validate(config, "test"))

    return make


@pytest.fixture
def tiny(prepared_for, tmp_path: Path) -> Callable[..., Prepared]:
    """Return tiny(...): the same with a random network of 16 pixels and 6 layers."""

    def make(sizes: dict[str, Any] | None = None, **options: Any) -> Prepared:
        save_file(small_state(**sizes or {}), tmp_path / "tiny.safetensors")
        return prepared_for(str(tmp_path / "tiny.safetensors"), **options)

    return make


def parts_of(prepared: Prepared, *along: str, styles: bool = False) -> tuple[EditPart, ...]:
    """Three random directions called a/b, c/d and e/f, at the layers that `along` names."""
    random, names = np.random.default_rng(5), ("a/b", "c/d", "e/f")
    generator = prepared.generator
    size = style_channels(generator) if styles else generator.card.code_size
    normals = random.standard_normal((3, size)).astype(np.float32)
    known = Boundaries(
        Boundary(
            name, "", n / np.linalg.norm(n), np.float32(0), "s" if styles else "w", generator.fingerprint
        )
        for name, n in zip(names, normals, strict=True)
    )
    return find_parts(prepared, known, EditRequest(along), unit_in=UNITS.__getitem__)


def picture(prepared: Prepared, number: int = 0) -> Source:
    return find_source(prepared, EditRequest(("a/b",), seeds=str(number)))


def in_full(
    prepared: Prepared, source: Source, codes: Tensor, styles: dict[int, Tensor] | None = None
) -> Tensor:
    """The picture of codes, by a pass over all strata."""
    with torch.inference_mode():
        return Pass(
            prepared.generator,
            codes,
            index=source.index,
            noise=noise_seed(prepared.seed, source.stream),
            styles=styles,
        ).rendering.pictures


def moved(codes: Tensor, parts: tuple[EditPart, ...], amounts: list[float]) -> Tensor:
    total = sum(a * part.direction.astype(np.float64) for part, a in zip(parts, amounts, strict=True))
    return codes + torch.from_numpy(np.asarray(total, np.float32))


DRAGS: list[tuple[list[float], int | None]] = [
    ([0.0, 0.0, 0.0], None),
    ([0.5, 0.0, 0.0], 0),
    ([1.0, 0.0, 0.0], 0),
    ([1.0, -2.0, 0.0], 1),
    ([1.0, -1.0, 0.0], 1),
    ([1.0, -1.0, 3.0], 2),
    ([0.5, -1.0, 3.0], 0),
    ([0.5, -1.0, 2.0], 2),
    ([0.5, -1.0, 2.0], None),
    ([0.0, 0.0, 0.0], None),
    ([1.0, -1.0, 3.0], None),
]


def dragged(prepared: Prepared, parts: tuple[EditPart, ...], source: Source) -> None:
    """Hold each frame of a session against that of a picture that was never rendered before."""
    live = LivePicture(prepared, source)
    seen = []
    for amounts, moving in DRAGS:
        frame = live.render(parts, amounts, moving)
        fresh = LivePicture(prepared, source).render(parts, amounts)
        assert torch.equal(frame.pictures, fresh.pictures)
        assert {s: x.tolist() for s, x in frame.features.items()} == {
            s: x.tolist() for s, x in fresh.features.items()
        }
        np.testing.assert_array_equal(prepared.score(frame), prepared.score(fresh))
        seen.append(frame.pictures)
    assert len({x.numpy().tobytes() for x in seen}) == len({tuple(amounts) for amounts, _ in DRAGS})


@pytest.mark.parametrize("styles", [False, True])
@pytest.mark.parametrize("noise", ["const", "fresh"])
def test_frames_do_not_depend_on_what_was_rendered_before(tiny, noise: str, styles: bool) -> None:
    prepared = tiny(noise=noise)
    parts = parts_of(prepared, "a/b@4-5", "c/d@2-3", "e/f@all", styles=styles)
    dragged(prepared, parts, picture(prepared))


def test_frames_of_the_bundled_rooms_do_not_depend_on_what_was_rendered_before(prepared_for) -> None:
    prepared = prepared_for("bundled:rooms")
    dragged(prepared, parts_of(prepared, "a/b@6-9", "c/d@2", "e/f@3-5"), picture(prepared))


def test_a_frame_is_the_picture_of_the_moved_codes(tiny) -> None:
    prepared = tiny(noise="fresh")
    source = picture(prepared, 7)
    parts, amounts = parts_of(prepared, "a/b@4-5", "c/d@2-4"), [1.5, -0.5]
    live = LivePicture(prepared, source)
    torch.testing.assert_close(
        live.render(parts, amounts).pictures, in_full(prepared, source, moved(source.codes, parts, amounts))
    )
    assert torch.equal(live.render((), ()).pictures, in_full(prepared, source, source.codes))
    parts = parts_of(prepared, "a/b@4-5", "c/d@2-4", styles=True)
    added: dict[int, Tensor] = {}
    for part, amount in zip(parts, amounts, strict=True):
        assert part.styles is not None
        for s, piece in part.styles.items():
            added[s] = added.get(s, 0) + torch.from_numpy(piece) * amount
    frame = live.render(parts, amounts, 1).pictures
    torch.testing.assert_close(frame, in_full(prepared, source, source.codes, added))
    assert not torch.equal(frame, live.render((), ()).pictures)


def counted(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the strata that run."""
    ran: list[int] = []
    stratum = prepared.generator.stratum

    def noting(s: int, *rest: Any) -> Any:
        ran.append(s)
        return stratum(s, *rest)

    monkeypatch.setattr(prepared.generator, "stratum", noting)
    return ran


def test_a_dragged_frame_runs_only_the_strata_from_the_first_that_reads_its_layers(
    tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tiny()
    reads = [stratum.reads for stratum in prepared.generator.strata]
    parts = parts_of(prepared, "a/b@4-5", "c/d@2-3")
    late, early, end = reads.index(4), reads.index(2), len(reads)
    ran, live = counted(prepared, monkeypatch), LivePicture(prepared, picture(prepared))

    def strata(amounts: list[float], moving: int | None) -> list[int]:
        ran.clear()
        live.render(parts, amounts, moving)
        return list(ran)

    assert strata([0.0, 1.0], None) == list(range(end))
    assert strata([0.5, 1.0], 0) == list(range(late, end))
    assert strata([1.0, 1.0], 0) == list(range(late, end))
    assert strata([1.0, 1.0], None) == []  # the same picture, such as for its scores
    assert strata([1.0, 1.5], 1) == list(range(early, end))
    assert strata([1.0, 2.0], 1) == list(range(early, end))
    # The other part moved since the pass was kept, so one full pass is due; then frames are quick again.
    assert strata([1.5, 2.0], 0) == list(range(end))
    assert strata([2.0, 2.0], 0) == list(range(late, end))
    assert strata([0.0, 0.0], None) == list(range(early, end))


def test_truncation_draws_codes_towards_their_mean(tiny) -> None:
    prepared = tiny(truncation_psi=0.5, truncation_layers=3)
    generator, source = prepared.generator, picture(prepared)
    live = LivePicture(prepared, source)
    mean = generator.network.mapping.w_avg
    w = generator.map(generator.sample(4, prepared.seed, 0, Stream.EDITING).z)[:1]
    full = live.render((), (), truncation=2.0).pictures  # psi 0.5 x 2 = 1 on the truncated layers
    codes = w[:, None].repeat(1, generator.card.layers, 1)
    others = generator.map(generator.sample(2048, prepared.seed, 0, Stream.PROBING).z).mean(dim=0)
    codes[:, 3:] = others + 2.0 * (codes[:, 3:] - others)
    torch.testing.assert_close(full, in_full(prepared, source, codes), atol=1e-4, rtol=1e-4)
    codes = mean[None, None].repeat(1, generator.card.layers, 1)
    codes[:, 3:] = others
    at_mean = live.render((), (), truncation=0.0).pictures
    torch.testing.assert_close(at_mean, in_full(prepared, source, codes), atol=1e-4, rtol=1e-4)
    other = LivePicture(prepared, picture(prepared, 1)).render((), (), truncation=0.0).pictures
    torch.testing.assert_close(other, at_mean)
    # Moves come after it: their length is not scaled.
    parts = parts_of(prepared, "a/b@4-5")
    torch.testing.assert_close(
        live.render(parts, [2.0], 0, truncation=0.0).pictures,
        in_full(prepared, source, moved(codes, parts, [2.0])),
        atol=1e-4,
        rtol=1e-4,
    )
    assert torch.equal(live.render((), (), truncation=1.0).pictures, in_full(prepared, source, source.codes))


def test_a_generator_whose_codes_have_no_mean_is_not_truncated(tiny, monkeypatch) -> None:
    prepared = tiny()
    monkeypatch.setattr(
        prepared.generator, "broadcast", lambda w, condition=None: w[:, None].tanh().repeat(1, 6, 1)
    )
    live = LivePicture(prepared, picture(prepared))
    live.render((), ())
    with pytest.raises(DataError, match=r"truncation 0\.7 is impossible with this generator"):
        live.render((), (), truncation=0.7)


@pytest.mark.parametrize(
    ("amounts", "truncation", "words"),
    [
        ([float("nan")], 1.0, "a/b at 4-5: nan is not a finite number"),
        ([1.0], float("inf"), "truncation: inf is not a finite number"),
        ([], 1.0, "1 part of an edit and 0 amounts"),
    ],
)
def test_numbers_that_are_none_are_refused(tiny, amounts, truncation, words: str) -> None:
    prepared = tiny()
    live = LivePicture(prepared, picture(prepared))
    for render in (live.render, live.preview):
        with pytest.raises(UserError, match=words):
            render(parts_of(prepared, "a/b@4-5"), amounts, truncation=truncation)


def test_several_pictures_at_once_are_refused(tiny) -> None:
    prepared = tiny()
    with pytest.raises(ShapeError, match="codes of a live picture"):
        LivePicture(prepared, find_source(prepared, EditRequest(("a/b",), seeds="0-1")))


def test_inverted_pictures_keep_their_noise_and_their_weights(tiny, tmp_path: Path) -> None:
    prepared = tiny(noise="const")
    generator, card = prepared.generator, prepared.generator.card
    random = torch.Generator().manual_seed(4)
    weights = {
        name: 0.2 * torch.randn(x.shape, generator=random)
        for name, x in generator.tunable.items()
        if name.endswith("b16.conv0.bias")
    }
    assert weights
    noisy = next(s for s, x in enumerate(generator.strata) if x.name == "b8.conv1")
    codes = torch.randn(1, card.layers, card.code_size, generator=random)
    inversion = Inversion(codes, noise={noisy: torch.randn(1, 1, 8, 8, generator=random)}, weights=(weights,))
    folder = write_inverted(tmp_path / "inverted", inversion, ("one",), generator)
    source = source_of(read_inversion(folder, generator))
    parts = parts_of(prepared, "a/b@4-5", "c/d@2-3", "e/f@all")
    dragged(prepared, parts, source)
    with tuned(generator, source.weights[0]), torch.inference_mode():
        expected = Pass(generator, source.codes, maps=source.noise).rendering.pictures
    assert torch.equal(LivePicture(prepared, source).render((), ()).pictures, expected)
    for bare in (replace(source, noise={}), replace(source, weights=())):
        assert not torch.equal(LivePicture(prepared, bare).render((), ()).pictures, expected)


def test_a_preview_is_the_picture_of_the_layers_so_far(tiny) -> None:
    prepared = tiny(noise="fresh")
    generator, source = prepared.generator, picture(prepared)
    parts = parts_of(prepared, "a/b@1", "c/d@2-3", "e/f@5")
    live = LivePicture(prepared, source)
    for amounts, moving in (
        ([1.0, 0.0, 0.0], 0),
        ([2.0, 0.0, 0.0], 0),
        ([2.0, 1.0, 0.0], 1),
        ([1.0, 1.0, 0.0], 1),  # the part before it moved meanwhile
        ([0.0] * 3, None),
    ):
        small = live.preview(parts, amounts, moving, most=15)
        assert small is not None
        assert small.shape == (1, 3, 8, 8)
        assert torch.equal(small, LivePicture(prepared, source).preview(parts, amounts, None, most=8))
        # In a network with skip connections the last RGB layer adds details to this picture.
        names = [s.name for s in generator.strata]
        with torch.inference_mode():
            done = Pass(
                generator,
                moved(source.codes, parts, amounts),
                index=source.index,
                noise=noise_seed(prepared.seed, source.stream),
                restarts=[names.index("b8.torgb") + 1],
            )
            (state,) = done._states.values()
            torch.testing.assert_close(small, generator.finish(state))
    assert live.preview(parts, [0.0] * 3, None, most=3) is None
    assert live.preview(parts, [0.0] * 3, None, most=16) is None  # that is the picture itself
    assert live.preview(parts, [0.0, 0.0, 1.0], 2, most=8) is None  # nothing of it would be seen
    assert live.preview(parts, [0.0, 0.0, 1.0], None, most=8) is not None


def test_a_dragged_preview_runs_only_the_strata_from_the_first_that_reads_its_layers(
    tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = tiny()
    begin = [stratum.reads for stratum in prepared.generator.strata].index(2)
    end = [stratum.name for stratum in prepared.generator.strata].index("b8.torgb") + 1
    ran, live = counted(prepared, monkeypatch), LivePicture(prepared, picture(prepared))
    parts = parts_of(prepared, "a/b@2", "c/d@0")
    for amounts, strata in (
        ([1.0, 0.0], range(end)),
        ([2.0, 0.0], range(begin, end)),
        ([2.0, 1.0], range(end)),  # the other part moved, before what is kept
        ([3.0, 1.0], range(begin, end)),
    ):
        ran.clear()
        assert live.preview(parts, amounts, 0, most=8) is not None
        assert ran == list(strata), amounts


@pytest.mark.parametrize("kind", ["resnet", "orig"])
def test_networks_that_make_rgb_at_the_end_alone_have_no_preview(tiny, kind: str) -> None:
    prepared = tiny({"kind": kind})
    live = LivePicture(prepared, picture(prepared))
    assert live.preview((), (), None, most=8) is None
    assert live.render((), ()).pictures.shape == (1, 3, 16, 16)


def test_a_preview_changes_nothing_of_the_picture(tiny) -> None:
    prepared = tiny()
    parts, source = parts_of(prepared, "a/b@1"), picture(prepared)
    live = LivePicture(prepared, source)
    live.preview(parts, [1.0], 0, most=8)
    frame = live.render(parts, [1.0], 0)
    assert torch.equal(frame.pictures, LivePicture(prepared, source).render(parts, [1.0]).pictures)
    live.preview(parts, [2.0], 0, most=8)
    assert torch.equal(live.render(parts, [1.0], 0).pictures, frame.pictures)


class Short(Layered):
    """Its last layer has a code that no stratum reads."""

    def __init__(self, config: Layered.Config, device: torch.device) -> None:
        super().__init__(config, device)
        self.strata = self.strata[:-1]


def test_layers_that_no_stratum_reads_change_nothing(fakes, copied: Path) -> None:
    run = Run.open(copied)
    prepared = prepare(run.config, batch=32, check=False)
    known, _ = load_boundaries(copied)
    request = EditRequest(("seen/red@7", "seen/left@bottom"), seeds="3")
    parts = find_parts(prepared, known, request, unit_in=run.step_unit_in)
    short = replace(prepared, generator=Short(Short.Config(), torch.device("cpu")))
    live = LivePicture(short, find_source(prepared, request))
    plain = live.render((), ()).pictures
    for amount in (1.0, 2.0):
        assert torch.equal(live.render(parts, [amount, 0.0], 0).pictures, plain)
    moved_left = live.render(parts, [2.0, 1.0], 1).pictures
    assert torch.equal(live.render(parts, [0.0, 1.0], 0).pictures, moved_left)
    assert not torch.equal(moved_left, plain)
    assert live.preview(parts, [1.0, 0.0], 0, most=4) is None


def test_a_generator_of_somebody_else_is_dragged_too(fakes, copied: Path) -> None:
    run = Run.open(copied)
    prepared = prepare(run.config, batch=32, check=False)
    known, _ = load_boundaries(copied)
    parts = find_parts(
        prepared, known, EditRequest(("seen/red@7", "seen/left@bottom")), unit_in=run.step_unit_in
    )
    live = LivePicture(prepared, find_source(prepared, EditRequest(("seen/red",), samples="5")))
    assert (prepared.generator.card.layers, prepared.generator.card.code_size) == (LAYERS, WIDTH)
    assert live.preview(parts, [1.0, 0.0], 0, most=SIZE // 2) is None
    before = prepared.score(live.render((), ()))
    after = prepared.score(live.render(parts, [2.0, 0.0], 0))
    red = [concept.name for concept in prepared.concepts].index("seen/red")
    assert after[0, red] - before[0, red] == pytest.approx(0.2, rel=0.2)


def test_codes_of_an_edit_are_those_that_it_renders(tiny) -> None:
    prepared = tiny(truncation_psi=0.5)
    source, parts, amounts = picture(prepared), parts_of(prepared, "a/b@4-5", "c/d@2-3"), [1.0, -2.0]
    live = LivePicture(prepared, source)
    codes = live.codes(parts, amounts, truncation=1.5)
    assert torch.equal(live.render(parts, amounts, truncation=1.5).pictures, in_full(prepared, source, codes))
    assert torch.equal(live.codes((), ()), source.codes)


def test_moves_of_style_channels_have_no_codes(tiny) -> None:
    prepared = tiny()
    with pytest.raises(UserError, match="moves style channels"):
        LivePicture(prepared, picture(prepared)).codes(parts_of(prepared, "a/b@all", styles=True), [1.0])
