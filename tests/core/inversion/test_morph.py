"""Pictures between pictures, mixed styles, and diffusion, on generators of which all is known."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import LAYERS, SIZE, WIDTH, Classes, Layered
from ganstrata import Inputs, Pass, Rendering, State, Stream
from ganstrata.core.errors import DataError, LayerError, UserError
from ganstrata.core.figures.pictures import to_pixels
from ganstrata.core.inversion.distance import DistanceRule
from ganstrata.core.inversion.morph.commands import MorphRequest, perform_interpolate, perform_mix
from ganstrata.core.inversion.morph.diffuse import Box, diffuse
from ganstrata.core.inversion.morph.interpolate import Interpolated, Place, interpolate
from ganstrata.core.inversion.morph.mix import layers_named, mix
from ganstrata.core.inversion.morph.paths import slerp
from ganstrata.core.inversion.morph.points import Points, find_points, points_of, samples_of
from ganstrata.core.inversion.rendering import Renderer
from ganstrata.core.plugins.inverter import Inversion, Mixture
from ganstrata.core.randomness import Use, noise_seed, normals
from ganstrata.core.runs.inversion_rows import rows_of
from ganstrata.core.runs.inversions import StoredInversion, read_inversion
from ganstrata.core.runs.loading import build_class
from ganstrata.core.runs.progress import Progress
from ganstrata.plugins.inverters.mean import Mean
from ganstrata.plugins.inverters.w_plus import WPlus
from inverted_pictures import write_inverted
from torch import Tensor

CPU = torch.device("cpu")
NAMES = ("a", "b", "c")


class Noisy(Layered):
    """Stratum 3 adds fresh noise of each picture, and the texture may be tuned."""

    @property
    def tunable(self) -> Mapping[str, Tensor]:
        """The texture."""
        return {"texture": self.texture}

    def noise_map(self, s: int, inputs: Inputs) -> Tensor | None:
        """Fresh noise at stratum 3."""
        if s != 3:
            return None
        rows = [
            normals(inputs.noise, Stream.PROBING, Use.NOISE, range(i, i + 1), SIZE * SIZE)
            for i in inputs.index.tolist()
        ]
        return torch.from_numpy(np.concatenate(rows)).view(-1, 1, SIZE, SIZE)

    def begin(self, inputs: Inputs) -> State:
        """Keep the noise."""
        noise = inputs.maps.get(3, self.noise_map(3, inputs))
        return State(super().begin(inputs).x, kept={"noise": noise})

    def stratum(self, s: int, state: State, code: Tensor | None, style: Tensor | None = None) -> State:
        """Add the noise."""
        x = super().stratum(s, state, code, style).x
        return State(x + 0.05 * state.kept["noise"] if s == 3 else x, kept=state.kept)


def fake(kind: type[Layered] = Noisy) -> Layered:
    return kind(kind.Config(), CPU)


def stored(**changes) -> StoredInversion:
    numbers = torch.Generator().manual_seed(3)
    codes = torch.randn(3, LAYERS, WIDTH, generator=numbers)
    inversion = replace(Inversion(codes), **changes)
    return StoredInversion(Path("x/codes.safetensors"), NAMES, inversion, torch.tensor([4, 1, 7]), 6, (), "0")


def pictures_of(points: Points, inversion: Inversion, index: Tensor) -> np.ndarray:
    renderer = Renderer(points.generator, index, noise_seed(points.seed, Stream.EDITING))
    return to_pixels(renderer(inversion).pictures)


def test_the_path_goes_through_the_pictures_themselves_with_noise_and_weights() -> None:
    numbers = torch.Generator().manual_seed(8)
    texture = fake().texture
    weights = tuple({"texture": torch.randn(texture.shape, generator=numbers)} for _ in NAMES)
    points = points_of(stored(weights=weights), fake())
    counted: list[int] = []
    walk = interpolate(points, 4, batch=3, done=counted.append)
    themselves = pictures_of(points, points.inversion, points.index)
    assert walk.space == "w+"
    assert len(walk.pictures) == sum(counted) == 2 * 3 + 1
    assert np.abs(walk.pictures[[0, 3, 6]].astype(int) - themselves).max() <= 1
    assert [place.at for place in walk.places] == pytest.approx([0, 1 / 3, 2 / 3, 0, 1 / 3, 2 / 3, 1])
    assert (walk.places[1][:2], walk.places[6][:2]) == (("a", "b"), ("b", "c"))
    half = interpolate(points.rows([0, 2]), 3)
    assert half.places[1].at == 0.5
    torch.testing.assert_close(half.inversion.codes[1], points.inversion.codes[[0, 2]].mean(dim=0))
    delta = (weights[0]["texture"] + weights[2]["texture"]) / 2
    torch.testing.assert_close(half.inversion.weights[1]["texture"], delta)
    fresh = fake().noise_map(3, Inputs(3, None, points.index, points.noise))
    torch.testing.assert_close(half.inversion.noise[3], slerp(fresh[0], fresh[2], torch.tensor([0, 0.5, 1])))


def test_noise_that_was_found_goes_along_and_constant_noise_stays() -> None:
    found = torch.randn(3, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    walk = interpolate(points_of(stored(noise={3: found}), fake()).rows([1, 2]), 2)
    torch.testing.assert_close(walk.inversion.noise[3], found[1:])
    assert interpolate(points_of(stored(), fake(Layered)), 2).inversion.noise == {}


def test_distances_are_those_of_neighbours_whatever_the_batch() -> None:
    class Means:
        """Compares mean colours."""

        name = "mean colours"

        def features(self, rendering: Rendering) -> list[Tensor]:
            return [rendering.images.mean(dim=(2, 3), keepdim=True)]

        def compare(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
            return (first[0] - second[0]).abs().flatten(1).sum(dim=1)

    points = points_of(stored(), fake(Layered))
    walks = [interpolate(points, 4, network=Means(), batch=batch) for batch in (1, 3, 16)]
    images = Pass(points.generator, walks[0].inversion.codes).rendering.images.clamp(0, 1)
    wanted = (images[1:] - images[:-1]).square().flatten(1).mean(dim=1).sqrt().numpy()
    colours = images.mean(dim=(2, 3))
    for walk in walks:
        np.testing.assert_allclose(walk.pixels, wanted, rtol=1e-4)
        np.testing.assert_allclose(
            walk.perceptual, (colours[1:] - colours[:-1]).abs().sum(dim=1).numpy(), rtol=1e-3, atol=1e-6
        )
        assert walk.measured is walk.perceptual
        assert walk.network == "mean colours"


def test_a_step_of_more_than_twice_the_median_is_a_jump() -> None:
    places = tuple(Place("a", "b", t / 5) for t in range(6))
    nothing = (np.zeros((6, 2, 2, 3), np.uint8), Inversion(torch.zeros(6, 1, 1)), torch.zeros(6))
    walk = Interpolated("w", places, *nothing, np.array([1.0, 1.0, 2.0, 2.1, 0.5]), None, "")
    assert walk.jumps == [4]
    even = replace(walk, pixels=np.zeros(5))
    assert even.relative.tolist() == [1.0] * 5
    assert even.jumps == []


def test_samples_go_in_w_or_in_z_and_inverted_ones_where_they_were_found() -> None:
    points = samples_of(fake(Layered), [3, 5], seed=2)
    z = points.inversion.latent
    straight, arc = interpolate(points, 3), interpolate(points, 3, "z")
    assert (straight.space, arc.space) == ("w", "z")
    torch.testing.assert_close(straight.inversion.codes[1, 0], 2.0 * z.mean(dim=0))
    torch.testing.assert_close(arc.inversion.codes[1, 0], 2.0 * slerp(z[0], z[1], torch.tensor([0.5]))[0])
    assert not torch.allclose(arc.inversion.codes[1], straight.inversion.codes[1])
    w = stored(latent=torch.randn(3, WIDTH), space="w")
    assert interpolate(points_of(w, fake(Layered)), 2).space == "w"


@pytest.mark.parametrize(
    ("changes", "space", "message"),
    [
        ({}, "z", "were inverted with one code per layer, and have no z of their own; give --space w"),
        ({}, "w", "have no w of their own"),
        ({"latent": torch.zeros(3, WIDTH), "space": "w"}, "z", "have a w of their own, and no z"),
        ({}, "q", "there is no such space; give z, w or w"),
    ],
)
def test_a_space_that_pictures_do_not_have_is_refused(changes: dict, space: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        interpolate(points_of(stored(**changes), fake()), 3, space)  # type: ignore[arg-type]


def test_what_has_no_path_is_refused() -> None:
    points = points_of(stored(), fake())
    with pytest.raises(UserError, match="there is one picture, and a path needs two"):
        interpolate(points.rows([1]), 3)
    with pytest.raises(UserError, match="there are at least 2"):
        interpolate(points, 1)
    classes = samples_of(fake(Classes), [0, 1])
    with pytest.raises(UserError, match="are of different classes"):
        interpolate(classes, 3)
    assert len(interpolate(samples_of(fake(Classes), [1, 4]), 3).pictures) == 3  # both are of class 1
    with pytest.raises(DataError, match="are made of several codes each"):
        points_of(stored(mixture=Mixture(torch.zeros(3, 2, 8, 16), torch.zeros(3, 2, 3), 1)), fake())
    with pytest.raises(UserError, match="give one of them"):
        find_points(fake(), None, None)
    with pytest.raises(UserError, match="there is no picture 'd'; there are a, b, c"):
        points.named("a,d", "--pictures")


def test_weights_of_classes_mix_along_the_path() -> None:
    walk = interpolate(points_of(stored(condition=torch.eye(3)), fake()).rows([0, 2]), 3)
    assert walk.inversion.condition.tolist() == [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1]]


def test_mixed_layers_are_those_of_the_style_and_all_else_is_of_the_structure() -> None:
    points = points_of(stored(), fake())
    layers = layers_named(points, "2-4")
    mixed = mix(points, [0, 2], [1], layers, batch=1)
    codes = points.inversion.codes
    assert mixed.pictures.shape == (2, 1, SIZE, SIZE, 3)
    for row, i in enumerate((0, 2)):
        wanted = codes[[i]].clone()
        wanted[:, 2:5] = codes[1, 2:5]
        made = pictures_of(points, Inversion(wanted), points.index[[i]])  # its noise too
        np.testing.assert_array_equal(mixed.pictures[row, 0], made[0])
        itself = pictures_of(points, rows_of(points.inversion, [i]), points.index[[i]])
        np.testing.assert_array_equal(mixed.structure[row], itself[0])
    assert mixed.grid.shape == (3, 2, SIZE, SIZE, 3)
    np.testing.assert_array_equal(mixed.grid[0, 1], mixed.style[0])
    for text, error in (("all", UserError), ("9", LayerError)):
        with pytest.raises(error):
            layers_named(points, text)


def test_a_folder_of_a_path_holds_codes_that_give_the_same_pictures(tmp_path: Path) -> None:
    generator = fake()
    given = stored()
    write_inverted(tmp_path / "in", given.inversion, NAMES, generator, seed=6, index=given.index)
    request = MorphRequest(tmp_path / "in", None, ("strip", "gif", "html"), 8.0, tmp_path / "out")
    quiet = Progress(quiet=True)
    written = perform_interpolate(
        generator, request, pictures="c,a", steps=4, space=None, network=None, seed=0, progress=quiet
    )
    assert set(written.files) == {path.name for path in (tmp_path / "out").iterdir()}
    assert set(written.files) == {
        "interpolate.html", "strip.png", "film.gif", "steps.csv", "codes.safetensors", "interpolate.json",
    }  # fmt: skip
    again = read_inversion(tmp_path / "out/codes.safetensors", generator)
    points = points_of(read_inversion(tmp_path / "in", generator), generator)
    walk = interpolate(points.rows([2, 0]), 4)
    np.testing.assert_array_equal(
        pictures_of(replace(points, seed=again.seed), again.inversion, again.index), walk.pictures
    )
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/steps.csv").read_text(encoding="utf-8"))))
    assert [row["from"] for row in rows] == ["c"] * 4
    assert [float(row["pixels"]) for row in rows[1:]] == pytest.approx(walk.pixels.tolist(), rel=1e-4)
    page = (tmp_path / "out/interpolate.html").read_text(encoding="utf-8")
    assert page.count("<img") == 4
    assert written.sentences[0].startswith("Median distance of neighbours: ")
    grid = perform_mix(
        generator, replace(request, kinds=("strip", "html"), out=tmp_path / "mix"),
        rows="a", columns="b,c", layers="4-7", seed=0, progress=quiet,
    )  # fmt: skip
    assert set(grid.files) == {"grid.png", "mix.html", "codes.safetensors", "mix.json"}
    assert len(read_inversion(tmp_path / "mix/codes.safetensors", generator).names) == 2
    with pytest.raises(UserError, match="is not a film"):
        perform_mix(generator, request, rows=None, columns=None, layers="4-7", seed=0, progress=quiet)


def test_diffusion_fits_the_box_and_lets_the_rest_follow() -> None:
    generator = fake(Layered)
    numbers = torch.Generator().manual_seed(0)
    codes = torch.randn(3, LAYERS, WIDTH, generator=numbers)
    images = Pass(generator, codes).rendering.images.detach()
    box = Box.parse("0,0,4,4", SIZE, SIZE)
    embed = build_class(Mean, {}, CPU)
    search = build_class(WPlus, {"steps": 60, "rate": 0.1}, CPU)
    rule = DistanceRule(1.0, 0.0)
    found = diffuse(generator, images[0], images[1:], box, embed, [search], rule)
    pasted = images[1:].clone()
    pasted[:, :, :4, :4] = images[0, :, :4, :4]
    torch.testing.assert_close(found.pasted, pasted)
    error = (found.pictures - pasted).square()[:, :, :4, :4].mean(dim=(1, 2, 3))
    begun = (found.first - pasted).square()[:, :, :4, :4].mean(dim=(1, 2, 3))
    assert (error < begun / 20).all()
    torch.testing.assert_close(found.inside, -10 * error.log10(), rtol=0.02, atol=0.2)
    assert (found.outside < found.inside).all()  # nothing holds the rest to the context
    with pytest.raises(UserError, match="needs a step that searches"):
        diffuse(generator, images[0], images[1:], box, embed, [], rule)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "write LEFT,TOP,WIDTH,HEIGHT"),
        ("-1,0,4,4", "write LEFT,TOP,WIDTH,HEIGHT"),
        ("4,0,5,4", r"are 8 x 6 pixels \(width x height\)"),
        ("0,3,4,4", r"are 8 x 6 pixels \(width x height\)"),
        ("0,0,0,4", "must lie within them"),
        ("0,0,8,6", "is the whole picture"),
    ],
)
def test_a_box_that_does_not_fit_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Box.parse(text, 6, 8)
    assert Box.parse("4,2,4,4", 6, 8).mask(6, 8)[0, 0].sum() == 16.0
