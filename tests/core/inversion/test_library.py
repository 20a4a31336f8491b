"""Inverting pictures from Python, and taking them from files and arrays."""

import ganstrata
import numpy as np
import pytest
import torch
from fakes import Layered
from ganstrata import ConfigError, PluginNotFound, UserError
from ganstrata.core.inversion.target_reading import read_targets, target_from_bytes
from ganstrata.core.runs.inversions import read_inversion
from inverted_fakes import layered
from PIL import Image

PLAIN = {"perceptual": "none", "embed": "mean"}


@pytest.fixture(scope="module")
def rooms():
    return ganstrata.load_generator("stylegan2", checkpoint="bundled:rooms", device="cpu", noise="none")


@pytest.fixture(scope="module")
def pictures(rooms):
    latents = rooms.sample(2, 0, 0, ganstrata.Stream.TRAINING)
    return ganstrata.render(rooms, rooms.broadcast(rooms.map(latents.z))).clamp(0, 1)


def test_tensors_are_inverted_in_memory(rooms, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = ganstrata.invert(pictures, rooms, **PLAIN, refine="w+", options={"w+": {"steps": 6}})
    assert found.names == ("picture-1", "picture-2")
    assert found.codes.shape == (2, 10, 128)
    assert found.pictures.shape == found.targets.shape == (2, 3, 64, 64)
    assert torch.equal(found.targets, pictures)
    assert found.distance == "1 MSE"
    for i, measures in enumerate(found.measures):
        psnr = -10 * (found.pictures[i].clamp(0, 1) - pictures[i]).square().mean().log10()
        assert measures["psnr"] == pytest.approx(float(psnr), abs=1e-3)
        assert found.losses[i]["w+"].shape == (7,)
        assert found.losses[i]["w+"][-1] < found.losses[i]["w+"][0]
    assert torch.allclose(ganstrata.render(rooms, found.codes), found.pictures, atol=1e-4)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_written_only_if_it_is_asked_for(rooms, pictures, tmp_path):
    here = ganstrata.invert(pictures, rooms, **PLAIN, refine="none")
    written = ganstrata.invert(pictures, rooms, **PLAIN, refine="none", out=tmp_path / "out")
    assert written.folder == tmp_path / "out"
    stored = read_inversion(tmp_path / "out", rooms)
    assert torch.equal(stored.inversion.codes, here.codes)
    for name in ("codes", "pictures", "targets"):
        assert torch.allclose(getattr(here, name), getattr(written, name), atol=1e-5), name
    assert [m["psnr"] for m in here.measures] == pytest.approx(
        [m["psnr"] for m in written.measures], abs=1e-3
    )


def test_files_arrays_and_tensors_are_the_same_pictures(tmp_path):
    generator = layered()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "some picture.png")
    wanted = torch.from_numpy(pixels).permute(2, 0, 1) / 255.0
    read = ganstrata.read_pictures([tmp_path / "some picture.png"], generator)
    for what in (
        str(tmp_path / "some picture.png"),
        [tmp_path],
        pixels,
        [pixels],
        wanted,
        wanted[None],
        read,
    ):
        (one,) = read_targets(what, generator).targets
        assert torch.allclose(one.picture, wanted, atol=1e-6)
        assert one.known is None
    (one,) = read_targets(tmp_path, generator).targets
    assert one.name == "some-picture"
    assert one.source == str(tmp_path / "some picture.png")
    assert one.facts["fit"]["words"].startswith("centre: 8 x 8 px")
    (grey,) = read_targets(pixels[..., 0], generator).targets
    assert torch.equal(grey.picture[0], grey.picture[2])
    assert "grey" in grey.notes


@pytest.mark.parametrize("crop", ["centre", "pad", "2,1,5,6"])
def test_content_that_was_sent_is_taken_as_its_file_would_be(tmp_path, crop):
    array = np.random.default_rng(0).integers(0, 256, (20, 12, 3), dtype=np.uint8)
    file = tmp_path / "living room.png"
    Image.fromarray(array).save(file)
    (read,) = read_targets(file, layered(), crop=crop).targets
    sent = target_from_bytes(file.read_bytes(), "living room.png", layered(), crop=crop)
    assert (sent.name, sent.sha256, sent.facts, sent.notes) == (
        read.name,
        read.sha256,
        read.facts,
        read.notes,
    )
    assert torch.equal(sent.picture, read.picture)
    assert (sent.known is None) == (read.known is None) == (crop != "pad")
    assert sent.known is None or torch.equal(sent.known, read.known)


def test_masks_follow_their_pictures(tmp_path):
    generator = layered()
    pixels = np.full((8, 16, 3), 200, dtype=np.uint8)
    mask = np.zeros((8, 16), dtype=np.uint8)
    mask[:, 4:8] = 255  # the left half of what is cropped from the middle
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for given in (mask, [mask, mask], tmp_path / "mask.png", mask > 0):
        both = read_targets([pixels, pixels], generator, masks=given).targets
        assert all(one.known[0, :, :4].min() == 1.0 and one.known[0, :, 4:].max() == 0.0 for one in both)
    with pytest.raises(
        UserError, match=r"mask .* has 8 x 8 px \(width x height\), and its picture 16 x 8 px"
    ):
        read_targets(pixels, generator, masks=mask[:, :8])
    (resized,) = read_targets(pixels, generator, masks=mask[:, :8], resize_mask=True).targets
    assert resized.notes == both[0].notes
    for odd, words in ((np.full_like(mask, 255), "all pixels are known"), (mask // 2 + 40, "count in part")):
        (noted,) = read_targets(pixels, generator, masks=odd).targets
        assert noted.notes[-1].endswith(words)
    assert resized.known[0, 0].tolist() == [0.0] * 4 + [1.0] * 4
    with pytest.raises(UserError, match="leaves no pixel of its picture known"):
        read_targets(pixels, generator, masks=np.zeros((8, 16), dtype=np.uint8))
    with pytest.raises(UserError, match="3 masks for 2 pictures: give one mask for all"):
        read_targets([pixels, pixels], generator, masks=[mask] * 3)
    (padded,) = read_targets(pixels, generator, crop="pad", masks=mask).targets
    assert padded.known[0, 0].sum() == 0.0
    assert padded.known[0, 4].tolist() == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert torch.allclose(padded.picture, torch.full_like(padded.picture, 200 / 255), atol=1e-4)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (torch.zeros(3, 4, 4), "floats in .* of the generator's size .3, 8, 8. are needed"),
        (torch.full((3, 8, 8), 255.0), "values outside .0, 1.; divide by 255"),
        (torch.full((3, 8, 8), torch.nan), "values outside"),
        (np.zeros((8, 8, 2), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((8, 8, 3), np.int64), "of int64"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(picture, message):
    with pytest.raises(UserError, match=message):
        read_targets(picture, layered())


def test_wrong_steps_and_fields_are_refused(rooms, pictures):
    with pytest.raises(PluginNotFound, match="mean"):
        ganstrata.invert(pictures, rooms, embed="meen")
    with pytest.raises(
        UserError, match=r"--embed w\+: this step refines what another one found; --embed takes"
    ):
        ganstrata.invert(pictures, rooms, embed="w+")
    with pytest.raises(
        UserError, match="--refine mean: this step starts from pictures alone; --refine takes"
    ):
        ganstrata.invert(pictures, rooms, embed="mean", refine="mean")
    with pytest.raises(UserError, match="--refine none stands alone"):
        ganstrata.invert(pictures, rooms, embed="mean", refine=["none", "w+"])
    with pytest.raises(UserError, match=r"w\+ is given twice"):
        ganstrata.invert(pictures, rooms, embed="mean", refine=["w+", "w+"])
    with pytest.raises(ConfigError, match=r"(?s)options: 2 faults.*w\+ -> step: .*distance -> pixel: "):
        ganstrata.invert(
            pictures, rooms, embed="mean", options={"w+": {"step": 1}, "distance": {"pixel": -1.0}}
        )
    with pytest.raises(UserError, match=r"no step z is used; the names here are mean, w\+, distance"):
        ganstrata.invert(pictures, rooms, embed="mean", options={"z": {}})
    with pytest.raises(UserError, match="has no classes"):
        ganstrata.invert(pictures, rooms, embed="mean", class_index=3)


class Stopped(Layered):
    """No gradients flow through it."""

    def stratum(self, s, state, code, style=None):
        """As it was, without its history."""
        after = super().stratum(s, state, code.detach(), style)
        return after.with_x(after.x.detach())


def test_a_generator_without_gradients_is_refused_with_a_way_out():
    generator = Stopped(Stopped.Config(), torch.device("cpu"))
    picture = torch.full((3, 8, 8), 0.5)
    with pytest.raises(UserError, match="--embed best --refine none"):
        ganstrata.invert(picture, generator, perceptual="none")
    found = ganstrata.invert(
        picture, generator, perceptual="none", refine="none", options={"best": {"samples": 8}}
    )
    assert found.codes.shape == (1, 8, 16)
