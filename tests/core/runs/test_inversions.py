"""Inverted pictures as they are stored: written, read, and refused where they do not fit."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fakes import Classes, Layered, Styled
from ganstrata.core.editing.saved_codes import find_codes
from ganstrata.core.errors import DataError, GanstrataError, MismatchError, UserError
from ganstrata.core.interchange.code_shapes import CodeSizes
from ganstrata.core.plugins.inverter import Inversion, Mixture
from ganstrata.core.runs.inversion_file import SETTINGS, codes_bytes, weights_bytes
from ganstrata.core.runs.inversion_rows import joined, rows_of
from ganstrata.core.runs.inversions import CODES, INDEX, is_inversion, read_inversion
from ganstrata.core.storage.result_folder import index_text
from safetensors.torch import load, save

N, L, D = 3, 8, 16
NAMES = ("a", "b-2", "c")
INDICES = torch.tensor([4, 0, 7])


class Furnished(Layered):
    """Strata 0 and 5 take noise maps, and two tensors may be tuned."""

    @property
    def tunable(self):
        """A matrix and a number."""
        return {"s1.weight": torch.zeros(2, 3), "s1.strength": torch.zeros(())}

    def noise_map(self, s, inputs):
        """Noise of two sizes."""
        sizes = {0: 8, 5: 4}
        return torch.zeros(1, 1, sizes[s], sizes[s]) if s in sizes else None


def fake(kind=Furnished, gain=0.05):
    return kind(kind.Config(gain=gain), torch.device("cpu"))


def inversion(**changes: Any) -> Inversion:
    numbers = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=numbers)

    full = Inversion(
        codes=draw(N, L, D),
        latent=draw(N, D),
        space="w",
        noise={0: draw(N, 1, 8, 8), 5: draw(N, 1, 4, 4)},
        weights=tuple(
            {"s1.weight": draw(2, 3), "s1.strength": draw()} for _ in range(N)
        ),  # one of them a number
        mixture=Mixture(draw(N, 2, L, D), draw(N, 2, 5), 3),
        losses=draw(6, N),
    )
    return replace(full, **changes)


def written(folder, value: Inversion, generator=None, *, finished: bool = True, **changes: Any):
    fingerprint = (generator or fake()).fingerprint
    files = {CODES: codes_bytes(value, INDICES, NAMES, generator=fingerprint, seed=5)}
    files |= {
        f"weights/{name}.safetensors": weights_bytes(weights, generator=fingerprint, picture=name)
        for name, weights in zip(NAMES, value.weights, strict=False)
    }
    record = {"finished": finished, "pictures": [{"name": name, "psnr": i} for i, name in enumerate(NAMES)]}
    (folder / "weights").mkdir(parents=True)
    for name, content in {**files, INDEX: index_text(record | changes, files)}.items():
        (folder / name).write_bytes(content)
    return folder


def test_what_is_written_is_read_again(tmp_path):
    value = inversion()
    stored = read_inversion(written(tmp_path, value), fake())
    read = stored.inversion
    assert stored.names == NAMES
    assert stored.index.tolist() == [4, 0, 7]
    assert (stored.seed, read.space, read.losses) == (5, "w", None)
    assert [record["psnr"] for record in stored.records] == [0, 1, 2]
    assert torch.equal(read.codes, value.codes)
    assert torch.equal(read.latent, value.latent)
    assert read.noise.keys() == {0, 5}
    assert all(torch.equal(read.noise[s], value.noise[s]) for s in (0, 5))
    for a, b in zip(read.weights, value.weights, strict=True):
        assert a.keys() == b.keys() == {"s1.weight", "s1.strength"}
        assert a["s1.strength"].shape == ()
        assert all(torch.equal(a[name], b[name]) for name in b)
    assert torch.equal(read.mixture.codes, value.mixture.codes)
    assert torch.equal(read.mixture.weights, value.mixture.weights)
    assert read.mixture.stratum == 3
    assert read_inversion(tmp_path / CODES, fake()).names == NAMES
    assert is_inversion(tmp_path)
    assert is_inversion(tmp_path / CODES)
    assert not is_inversion(tmp_path / INDEX)


def test_some_pictures_are_taken_and_found_by_name(tmp_path):
    value = inversion()
    stored = read_inversion(written(tmp_path, value), fake())
    chosen = stored.rows([2, 0])
    assert chosen.names == ("c", "a")
    assert chosen.index.tolist() == [7, 4]
    assert [record["psnr"] for record in chosen.records] == [2, 0]
    assert torch.equal(chosen.inversion.codes, value.codes[[2, 0]])
    assert stored.named("b-2") == 1
    with pytest.raises(UserError, match="has no picture 'd'; it has a, b-2, c"):
        stored.named("d")


def test_pictures_that_are_taken_apart_are_joined_again():
    value = inversion(condition=torch.tensor([2, 0, 1]))
    parts = [rows_of(value, [i]) for i in range(N)]
    again = joined(parts)
    for name in ("codes", "latent", "condition", "losses"):
        assert torch.equal(getattr(again, name), getattr(value, name)), name
    assert all(torch.equal(again.noise[s], value.noise[s]) for s in (0, 5))
    assert torch.equal(again.mixture.codes, value.mixture.codes)
    assert torch.equal(again.mixture.weights, value.mixture.weights)
    assert again.weights == value.weights
    uneven = joined([parts[0], replace(parts[1], losses=torch.zeros(2, 1))])
    assert uneven.losses is None
    assert joined([rows_of(inversion(latent=None, weights=(), mixture=None), [0])]).weights == ()


def test_codes_alone_need_no_folder_but_weights_do(tmp_path):
    alone = tmp_path / "moved.safetensors"
    alone.write_bytes(
        codes_bytes(inversion(weights=()), INDICES, NAMES, generator=fake().fingerprint, seed=5)
    )
    stored = read_inversion(alone, fake())
    assert stored.records == ()
    assert stored.rows([1]).records == ()
    alone.write_bytes(codes_bytes(inversion(), INDICES, NAMES, generator=fake().fingerprint, seed=5))
    with pytest.raises(DataError, match="which the picture 'a' needs; give the whole folder"):
        read_inversion(alone, fake())


def test_programs_that_know_codes_alone_read_them(tmp_path):
    folder = written(tmp_path, inversion())
    found = find_codes(folder / CODES, CodeSizes(L, D, D, True))
    assert found.space == "w+"
    assert found.generator == fake().fingerprint
    assert np.array_equal(found.values, inversion().codes.numpy())
    assert found.optional["index"].tolist() == [4, 0, 7]


def test_those_of_another_generator_are_refused(tmp_path):
    folder = written(tmp_path, inversion())
    other = fake(gain=0.06)
    with pytest.raises(MismatchError, match=f"are of generator .*; this one is {other.fingerprint}"):
        read_inversion(folder, other)
    mixed = written(tmp_path / "mixed", inversion())
    file = mixed / "weights" / "b-2.safetensors"
    file.write_bytes(weights_bytes({}, generator="0" * 16, picture="b-2"))
    files = {name: (mixed / name).read_bytes() for name in (CODES, "weights/b-2.safetensors")}
    (mixed / INDEX).write_bytes(
        index_text({"finished": True, "pictures": [{"name": n} for n in NAMES]}, files)
    )
    with pytest.raises(MismatchError, match=r"b-2.safetensors is of generator '0000000000000000'"):
        read_inversion(mixed, fake())


def test_a_folder_of_folders_names_those_that_were_meant(tmp_path):
    for name in ("a", "b", "c", "d"):
        written(tmp_path / name, inversion())
    (tmp_path / "e").mkdir()
    with pytest.raises(UserError) as raised:
        read_inversion(tmp_path, fake())
    assert re.search(r"such as \S+a, \S+b, \S+c and 1 more$", str(raised.value)), raised.value


def test_a_folder_that_is_none_or_unfinished_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"has no codes.safetensors; give a folder that `ganstrata invert` wrote"
    ):
        read_inversion(tmp_path, fake())
    with pytest.raises(UserError, match="there is no such file"):
        read_inversion(tmp_path / "none", fake())
    unfinished = written(tmp_path / "unfinished", inversion(), finished=False)
    with pytest.raises(DataError, match="not all inverted yet; run the same command again"):
        read_inversion(unfinished, fake())
    (unfinished / CODES).unlink()
    with pytest.raises(UserError, match="not all inverted yet; run the same command again"):
        read_inversion(unfinished, fake())


def test_damage_is_named(tmp_path):
    for name in (CODES, "weights/c.safetensors"):
        folder = written(tmp_path / name.replace("/", "-"), inversion())
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(
            DataError, match=f"changed or missing since it was written: {name}; run the command"
        ):
            read_inversion(folder, fake())
    (folder / INDEX).write_bytes((folder / INDEX).read_bytes()[:-9])
    with pytest.raises(DataError, match=r"invert.json is damaged.*which mends it"):
        read_inversion(folder, fake())
    other = written(tmp_path / "names", inversion(), pictures=[{"name": "x"}] * N)
    with pytest.raises(DataError, match="is not of the pictures that"):
        read_inversion(other, fake())
    lists = written(tmp_path / "lists", inversion(), pictures="many")
    with pytest.raises(DataError, match="does not list its pictures"):
        read_inversion(lists, fake())


def rewritten(tmp_path, generator=None, value=None, *, header=None, **tensors: Any):
    """A file of codes of which the header or tensors were changed; None removes one."""
    generator = generator or fake()
    value = inversion(weights=()) if value is None else value
    content = codes_bytes(value, INDICES, NAMES, generator=generator.fingerprint, seed=5)
    size = int.from_bytes(content[:8], "little")
    settings = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][SETTINGS])
    arrays = {name: tensor for name, tensor in (load(content) | tensors).items() if tensor is not None}
    file = tmp_path / "codes.safetensors"
    file.write_bytes(save(arrays, metadata={SETTINGS: json.dumps(settings | (header or {}))}))
    return file


FAULTS = {
    "no codes": ({"codes": None}, {}, "codes is missing"),
    "fewer codes": ({"codes": torch.zeros(2, L, D)}, {}, "codes has shape 2 x 8 x 16; 3 x 8 x 16 is needed"),
    "double": ({"codes": torch.zeros(N, L, D).double()}, {}, "numbers of single precision are needed"),
    "NaN": ({"codes": torch.full((N, L, D), torch.nan)}, {}, "codes holds numbers that are not finite"),
    "no index": ({"index": None}, {}, "index must hold a number, 0 or more, for each of 3 pictures"),
    "below 0": ({"index": torch.tensor([0, -1, 2])}, {}, "index must hold a number"),
    "of floats": ({"index": torch.zeros(N)}, {}, "index must hold a number"),
    "latent": ({"latent": torch.zeros(N, 3)}, {}, "latent has shape 3 x 3; 3 x 16 is needed"),
    "noise": ({"noise.0": torch.zeros(N, 2, 4, 4)}, {}, "noise.0 has shape .*; 3 x 1 x 8 x 8 is needed"),
    "empty noise": ({"noise.0": torch.zeros(N, 1, 0, 4)}, {}, "noise.0 has shape"),
    "wrong noise": ({"noise.5": torch.zeros(N, 1, 8, 8)}, {}, "noise.5 has shape .*; 3 x 1 x 4 x 4"),
    "noise that is not added": ({"noise.1": torch.zeros(N, 1, 8, 8)}, {}, "noise.1: .* adds no noise there"),
    "no stratum": ({"noise.8": torch.zeros(N, 1, 4, 4)}, {}, "a stratum that the generator does not have"),
    "no number": ({"noise.x": torch.zeros(N, 1, 4, 4)}, {}, "a stratum that the generator does not have"),
    "mixture": ({"mixture.weights": torch.zeros(N, 3, 5)}, {}, "mixture.weights has shape"),
    "unknown": ({"more": torch.zeros(1)}, {}, "holds more, which no inversion has"),
    "condition": ({"condition": torch.zeros(N)}, {}, "has a condition, but this generator takes none"),
    "far stratum": ({}, {"stratum": 8}, "a stratum that the generator does not have"),
    "no mixture": ({}, {"stratum": None}, "holds mixture.codes, mixture.weights, which no inversion has"),
    "space": ({}, {"space": "s"}, "its header is damaged"),
    "seed": ({}, {"seed": -1}, "its header is damaged"),
    "names": ({}, {"names": ["a", "a", "b"]}, "two pictures have the same name"),
    "names on other disks": ({}, {"names": ["a", "A", "b"]}, "two pictures have the same name"),
    "no latent": ({"latent": None}, {}, "said to be in w, and it holds no w"),
    "latent of nothing": ({}, {"space": "w+"}, r"said to be in w\+, and it holds a latent"),
    "path": ({}, {"names": ["a", "../b", "c"]}, "cannot be the name of a file"),
    "fewer names": ({}, {"names": ["a", "b"]}, "codes has shape 3 x 8 x 16; 2 x 8 x 16 is needed"),
    "holds": ({}, {"holds": "directions"}, "does not hold the codes of inverted pictures"),
    "format": ({}, {"inversion": 2}, "written by another version"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_does_not_fit_is_refused(tmp_path, fault):
    tensors, header, message = FAULTS[fault]
    with pytest.raises(DataError, match=message):
        read_inversion(rewritten(tmp_path, header=header, **tensors), fake())


def test_conditions_fit_the_generator(tmp_path):
    generator = fake(Classes)
    labels = torch.tensor([2, 0, 1])
    value = inversion(weights=(), condition=labels, noise={})
    assert read_inversion(rewritten(tmp_path, generator, value), generator).inversion.condition.tolist() == [
        2,
        0,
        1,
    ]
    soft = replace(value, condition=torch.full((N, 3), 1 / 3))
    assert read_inversion(rewritten(tmp_path, generator, soft), generator).inversion.condition.shape == (N, 3)
    for wrong, message in (
        (None, "the condition of each picture is missing"),
        (torch.zeros(2, dtype=torch.long), "the condition of each picture is missing"),
        (torch.zeros(N, 3, dtype=torch.long), "its condition has shape 3 x 3"),
        (torch.full((N, 3), torch.inf), "not finite"),
    ):
        with pytest.raises(DataError, match=message):
            read_inversion(rewritten(tmp_path, generator, value, condition=wrong), generator)


def test_weights_of_another_picture_or_kind_are_refused(tmp_path):
    for content, message in (
        (
            weights_bytes({"x": torch.ones(2)}, generator=fake().fingerprint, picture="c"),
            "is of the picture 'c'",
        ),
        (
            codes_bytes(inversion(), INDICES, NAMES, generator=fake().fingerprint, seed=0),
            "does not hold the weights",
        ),
        (
            weights_bytes({"x": torch.tensor([torch.inf])}, generator=fake().fingerprint, picture="a"),
            "not finite",
        ),
        (b"nothing", "cannot be read"),
        (
            weights_bytes({"x": torch.ones(2)}, generator=fake().fingerprint, picture="a"),
            "a.safetensors: tuned weights are for x",
        ),
        (
            weights_bytes({"s1.weight": torch.ones(3, 2)}, generator=fake().fingerprint, picture="a"),
            r"a.safetensors: tuned weights for s1.weight have the shape \(3, 2\)",
        ),
    ):
        alone = tmp_path / "alone.safetensors"
        alone.write_bytes(codes_bytes(inversion(), INDICES, NAMES, generator=fake().fingerprint, seed=5))
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / "a.safetensors").write_bytes(content)
        with pytest.raises(GanstrataError, match=message):
            read_inversion(alone, fake())


@pytest.mark.parametrize("cut", [0, 5, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path, cut):
    file = rewritten(tmp_path)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(UserError):
        read_inversion(file, fake(Styled) if cut == 5 else fake())
