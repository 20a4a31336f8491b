"""Edits of inverted pictures: with their own names, noise, weights, and place beside the boundary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import ganstrata
import numpy as np
import pytest
import torch
from fakes import LAYERS, SIZE, WIDTH, Grainy, Layered
from ganstrata import Generator, Inputs, Pass, State, Stream
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.editing.directions import find_boundaries, find_parts
from ganstrata.core.editing.render import Ruler, StripRenderer
from ganstrata.core.editing.request import EditRequest
from ganstrata.core.editing.sources import source_of
from ganstrata.core.editing.steps import Strip
from ganstrata.core.errors import DataError, MismatchError, UserError
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.plugins.inverter import Inversion, Mixture
from ganstrata.core.randomness import noise_seed
from ganstrata.core.runs.inversions import StoredInversion, read_inversion
from ganstrata.core.runs.prepare import prepare
from ganstrata.core.runs.run import Run
from ganstrata.core.strata.tuned import tuned
from inverted_pictures import write_inverted
from torch import Tensor

NAMES = ("1-sofa", "2-beach-2024", "3-grey-cat")


def codes(n: int = len(NAMES)) -> Tensor:
    return 2.0 * torch.randn(n, LAYERS, WIDTH, generator=torch.Generator().manual_seed(4))


def fake(kind: type[Layered] = Layered) -> Layered:
    return kind(kind.Config(), torch.device("cpu"))


def installed() -> Generator:
    """The generator of the run."""
    return ganstrata.load_generator("fake_layers", device="cpu")


class Tuned(Layered):
    """Its texture may be tuned, and stratum 3 adds noise."""

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """The texture."""
        return {"texture": self.texture}

    def begin(self, inputs: Inputs) -> State:
        """Keep the noise of stratum 3."""
        state = super().begin(inputs)
        given = inputs.maps.get(3)
        return State(state.x, kept={} if given is None else {"noise": given})

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """No noise by itself."""
        return torch.zeros(1, 1, SIZE, SIZE) if s == 3 else None

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add the noise."""
        after = super().stratum(s, state, code, style)
        x = after.x + 0.1 * state.kept["noise"] if s == 3 and "noise" in state.kept else after.x
        return State(x, kept=state.kept)


@pytest.fixture
def folder(fakes, tmp_path: Path) -> Path:
    return write_inverted(tmp_path / "inverted", Inversion(codes()), NAMES, installed())


def test_names_are_those_of_the_pictures_and_each_shows_where_it_lies_itself(
    manipulate, copied: Path, folder: Path
) -> None:
    edited = manipulate("seen/red", codes=folder, steps=3, kinds=("html", "strip"))
    assert edited.names == NAMES
    generator = fake()
    pictures = Pass(generator, codes()).rendering.pictures
    np.testing.assert_array_equal(edited.before[0].pictures[:, 0], to_pixels(pictures))
    red = load_boundaries(copied)[0].of("seen/red")
    own = (codes() @ torch.from_numpy(red.normal)).mean(dim=1).numpy() + float(red.offset)
    unit = Run.open(copied).step_unit_in("w")
    np.testing.assert_allclose(edited.before[0].distances[:, 0, 0], own / unit, rtol=1e-4)
    record = json.loads((edited.path / "manipulate.json").read_text(encoding="utf-8"))["codes"]
    assert (record["from"], record["names"], record["file"]) == ("inversion", list(NAMES), "inverted")
    assert (record["noise"], record["weights"]) == ([], False)
    page = (edited.path / "manipulate.html").read_text(encoding="utf-8")
    for name, distance in zip(NAMES, own / unit, strict=True):
        sign = "+" if distance > 0 else "−"
        assert f"{name} <small>itself at {sign}{abs(distance):.2f} sd</small>" in page
    assert 'max="2" value="1"' in page  # three steps; the middle one is the picture itself
    assert "data-itself" in page
    (line,) = edited.own_places()
    assert line.startswith("Distance from seen/red before the edit: 1-sofa ")
    assert line.endswith(" standard deviations of w")
    assert f"1-sofa {'+' if own[0] > 0 else '−'}{abs(own[0] / unit):.2f}" in line


def test_the_slider_of_an_absolute_edit_starts_at_the_step_next_to_the_pictures(
    manipulate, folder: Path
) -> None:
    far = manipulate("seen/red", codes=folder, steps=9, start=-4, end=4, mode="absolute", kinds=("html",))
    steps, own = far.strips[0].distances[0], np.median(far.before[0].distances[:, 0, 0])
    page = (far.path / "manipulate.html").read_text(encoding="utf-8")
    assert f'max="8" value="{np.abs(steps - own).argmin()}"' in page
    plain = manipulate("seen/red", seeds="0", steps=3, kinds=("html",))
    page = (plain.path / "manipulate.html").read_text(encoding="utf-8")
    assert 'max="2" value="2"' in page  # samples begin at the end, where most is to be seen
    assert "itself at" not in page
    assert "data-itself" not in page
    assert plain.own_places() == []


def test_the_file_of_codes_says_itself_that_it_is_of_inverted_pictures(manipulate, folder: Path) -> None:
    alone = folder.parent / "codes.safetensors"
    alone.write_bytes((folder / "codes.safetensors").read_bytes())
    assert manipulate("seen/red", codes=alone, steps=1).names == NAMES
    kept = manipulate("seen/red", codes=folder, steps=1, keep="seen/left")
    assert kept.strips[0].parts[0].boundary.given == ("seen/left",)


def test_what_cannot_be_edited_is_refused(manipulate, fakes, folder: Path, tmp_path: Path) -> None:
    for option in ({"codes_as": "codes"}, {"space": "w+"}):
        with pytest.raises(UserError, match="says itself what its codes are"):
            manipulate("seen/red", codes=folder, **option)
    mixture = Mixture(codes()[:, None], torch.ones(3, 1, 3), 2)
    several = write_inverted(tmp_path / "several", Inversion(codes(), mixture=mixture), NAMES, installed())
    with pytest.raises(DataError, match="are made of several codes each"):
        manipulate("seen/red", codes=several)
    other = write_inverted(tmp_path / "other", Inversion(codes()), NAMES, fake(Grainy))
    with pytest.raises(MismatchError, match="its codes are of generator"):
        manipulate("seen/red", codes=other)
    with pytest.raises(UserError, match=r"has no codes\.safetensors"):
        manipulate("seen/red", codes=tmp_path)


def strip_of(run: Run, prepared) -> Strip:
    known, _ = find_boundaries(run, None)
    (part,) = find_parts(prepared, known, EditRequest(along=("seen/red@4-7",)), run.step_unit_in)
    return Strip(part.name, "independent", (part,), np.array([[0.0, 2.0]]))


def test_each_picture_is_edited_with_its_own_noise_and_its_own_weights(fakes, copied: Path) -> None:
    run, generator = Run.open(copied), fake(Tuned)
    own = prepare(run.config, batch=2, check=False)
    prepared, strip, texture = (
        replace(own, generator=generator),
        strip_of(run, own),
        generator.texture.clone(),
    )
    numbers = torch.Generator().manual_seed(1)
    noise = {3: torch.randn(3, 1, SIZE, SIZE, generator=numbers)}
    weights = tuple({"texture": torch.randn(texture.shape, generator=numbers)} for _ in NAMES)
    inversion = Inversion(codes(), noise=noise, weights=weights)
    stored = StoredInversion(Path("x/codes.safetensors"), NAMES, inversion, torch.arange(3), 0, (), "")
    made: list[int] = []
    renderer = StripRenderer(prepared, source_of(stored), Ruler(1.0), scored=True)
    (before,), (after,) = renderer.draw([strip], made.append)
    moved = codes() + 2.0 * torch.from_numpy(strip.parts[0].direction)
    for i in range(3):
        with tuned(generator, weights[i]):
            for values, found in ((codes(), before.pictures[i, 0]), (moved, after.pictures[i, 1])):
                maps = {3: noise[3][i : i + 1]}
                wanted = Pass(generator, values[i : i + 1], maps=maps).rendering.pictures
                np.testing.assert_array_equal(found, to_pixels(wanted)[0])
    assert sum(made) == source_of(stored).rendered(2) * 2 == 6
    assert torch.equal(generator.texture, texture)
    plain = replace(stored, inversion=Inversion(codes(), noise=noise))
    (without,), _ = StripRenderer(prepared, source_of(plain), Ruler(1.0), scored=False).draw(
        [strip], made.append
    )
    assert not np.array_equal(without.pictures, before.pictures)
    assert source_of(plain).rendered(2) == 4
    maps = {3: noise[3]}
    np.testing.assert_array_equal(
        without.pictures[:, 0], to_pixels(Pass(generator, codes(), maps=maps).rendering.pictures)
    )


def test_fresh_noise_is_that_with_which_the_pictures_were_inverted(
    fakes, copied: Path, tmp_path: Path
) -> None:
    run, generator = Run.open(copied), fake(Grainy)
    own = prepare(run.config, batch=2, check=False)
    prepared, strip = replace(own, generator=generator), strip_of(run, own)
    index = torch.tensor([5, 9, 2])
    place = write_inverted(tmp_path / "in", Inversion(codes()), NAMES, generator, seed=77, index=index)
    source = source_of(read_inversion(place, generator))
    (before,), _ = StripRenderer(prepared, source, Ruler(1.0), scored=False).draw([strip], lambda count: None)
    noise = noise_seed(77, Stream.EDITING)
    wanted = Pass(generator, codes(), index=index, noise=noise).rendering.pictures
    np.testing.assert_array_equal(before.pictures[:, 0], to_pixels(wanted))
    other = source.rows([2, 0])
    assert (other.names, other.index.tolist()) == (("3-grey-cat", "1-sofa"), [2, 5])
