"""The renderer: the same rooms for the same seed, and the factors it says it has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recipes.rooms.camera import Camera
from recipes.rooms.factors import CATEGORIES, LABELS, sample_factors
from recipes.rooms.render import grid, render, render_set

WALLS = [LABELS.index(name) for name in ("left_wall", "right_wall", "frontal_wall")]
OWN = {"bedroom": "bed", "living_room": "sofa", "dining_room": "chair"}


@pytest.fixture(scope="module")
def rooms():
    return [render(11, i, 32) for i in range(300)]


def column(table, name):
    return np.array([getattr(factors, name) for factors in table], dtype=float)


def drawn(*, independent):
    rng = np.random.default_rng(5)
    return [sample_factors(rng, independent=independent) for _ in range(12_000)]


def test_a_picture_is_a_function_of_seed_and_index():
    picture, labels, factors = render(3, 17, 32)
    again, labels_again, factors_again = render(3, 17, 32)
    assert (picture == again).all()
    assert (labels == labels_again).all()
    assert factors == factors_again
    assert (picture != render(3, 18, 32)[0]).any()
    assert (picture != render(4, 17, 32)[0]).any()


def test_a_set_holds_the_single_pictures_whatever_the_number_of_workers(tmp_path):
    for workers in (1, 2):
        render_set(tmp_path, 260, 2, 16, workers=workers)
        images, labels, factors = (
            np.load(tmp_path / "images.npy"),
            np.load(tmp_path / "labels.npy"),
            np.load(tmp_path / "factors.npz"),
        )
        for i in (0, 249, 250, 259):
            picture, marks, causes = render(2, i, 16)
            assert (images[i] == picture).all()
            assert (labels[i] == marks).all()
            assert {name: factors[name][i] for name in factors.files} == pytest.approx(causes.as_row())


def test_factors_keep_to_their_ranges():
    table = drawn(independent=False)
    for name in ("indoor_light", "daylight", "hue", "accent_hue"):
        values = column(table, name)
        assert 0.0 <= values.min() < 0.02
        assert 0.98 < values.max() <= 1.0
        assert values.mean() == pytest.approx(0.5, abs=0.02)
    assert set(column(table, "clutter")) == set(range(7))
    shares = np.bincount(column(table, "category").astype(int)) / len(table)
    assert shares == pytest.approx([1 / 3] * 3, abs=0.02)


def test_a_tenth_of_the_rooms_shows_no_line_and_a_tenth_shows_two():
    shares = np.bincount(column(drawn(independent=False), "lines").astype(int)) / 12_000
    assert shares[0] >= 0.10
    assert shares[2] >= 0.10


def test_the_map_shows_as_many_walls_as_there_are_lines_and_one(rooms):
    seen = [len(set(np.unique(labels)) & set(WALLS)) for _, labels, _ in rooms]
    agree = [n == factors.lines + 1 for n, (_, _, factors) in zip(seen, rooms, strict=True)]
    assert np.mean(agree) > 0.97


def test_left_is_left_of_right_also_when_mirrored(rooms):
    def middle(labels, wall):
        return np.nonzero(labels == LABELS.index(wall))[1].mean()

    cornered = [(labels, factors) for _, labels, factors in rooms if factors.lines == 1]
    assert {factors.mirrored for _, factors in cornered} == {True, False}
    assert all(middle(labels, "left_wall") < middle(labels, "right_wall") for labels, _ in cornered)


@pytest.mark.parametrize("independent", [False, True])
def test_the_designed_correlations_and_their_switch(independent):
    table = drawn(independent=independent)
    light = np.corrcoef(column(table, "daylight"), column(table, "indoor_light"))[0, 1]
    wood = np.corrcoef(column(table, "wood"), column(table, "category") == CATEGORIES.index("dining_room"))[
        0, 1
    ]
    assert light == pytest.approx(0.0 if independent else -0.5, abs=0.03)
    assert wood == pytest.approx(0.0 if independent else 0.6, abs=0.03)


def test_no_other_pair_of_factors_is_correlated():
    table = drawn(independent=False)
    names = (
        "indoor_light",
        "daylight",
        "wood",
        "clutter",
        "hue",
        "saturation",
        "accent_hue",
        "curtains",
        "rug",
        "painting",
    )
    matrix = np.corrcoef([column(table, name) for name in names]) - np.eye(len(names))
    matrix[0, 1] = matrix[1, 0] = 0.0
    assert np.abs(matrix).max() < 0.04


def test_the_switch_leaves_the_share_of_wooden_floors():
    shares = [column(drawn(independent=independent), "wood").mean() for independent in (False, True)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_map_shows_the_furniture_of_the_category_and_of_no_other(rooms, category):
    chosen = [labels for _, labels, factors in rooms if CATEGORIES[factors.category] == category]
    own = [(labels == LABELS.index(OWN[category])).mean() for labels in chosen]
    others = [
        np.isin(labels, [LABELS.index(name) for key, name in OWN.items() if key != category]).any()
        for labels in chosen
    ]
    assert len(chosen) > 60
    assert np.mean(np.array(own) > 0.01) > 0.95
    assert not any(others)


def test_light_makes_rooms_brighter_and_a_wooden_floor_brown(rooms):
    brightness = [picture.mean() for picture, _, _ in rooms]
    light = [0.44 * factors.indoor_light + 0.30 * factors.daylight for _, _, factors in rooms]
    assert np.corrcoef(brightness, light)[0, 1] > 0.8
    floors = [
        picture[labels == LABELS.index("floor")].astype(float).mean(axis=0) for picture, labels, _ in rooms
    ]
    browner = [floor[0] / floor[2] for floor in floors]
    wood = np.array([factors.wood for _, _, factors in rooms])
    assert min(np.array(browner)[wood]) > np.median(np.array(browner)[~wood])


@pytest.mark.parametrize("place", [0.1, 0.5, 0.83, 1.2])
def test_the_corner_is_at_the_requested_column(place):
    camera = Camera(place, math.radians(45), 5.0, 1.5, 0.0)
    ((x, y),) = camera.project(camera.see(np.array([[0.0, 1.5, 0.0]])), 100)
    assert x == pytest.approx(100 * place)
    assert y == pytest.approx(50.0)  # at the height of the eye, seen level


def test_what_lies_behind_the_camera_is_not_drawn_and_what_crosses_is_cut():
    camera = Camera(0.5, math.radians(45), 5.0, 1.5, 0.0)
    behind = camera.eye - 2.0 * camera.axes[2]
    triangle = np.array([behind, behind + camera.axes[0], behind + camera.axes[1]])
    assert camera.project(camera.see(triangle), 100) is None
    ahead = camera.eye + 2.0 * camera.axes[2]
    crossing = camera.project(camera.see(np.array([behind, ahead, ahead + camera.axes[1]])), 100)
    assert crossing is not None
    assert len(crossing) == 4
    assert np.isfinite(crossing).all()


def test_a_grid_keeps_the_order_of_its_pictures():
    pictures = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    sheet = np.asarray(grid(pictures, 3, 2))
    assert sheet.shape == (16, 24, 3)
    assert sheet[::8, ::8, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
