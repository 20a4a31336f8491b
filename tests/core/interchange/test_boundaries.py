"""Boundaries of other programs are imported, among them the published ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.core.boundaries.files import load_boundaries
from ganstrata.core.errors import UserError
from ganstrata.core.interchange.assumed import AssumedGenerator, identify_generator
from ganstrata.core.interchange.importing import ImportOptions, import_boundaries, write_imported
from ganstrata.core.plugins.compatibility import check_fits
from ganstrata.core.runs.run import Run
from ganstrata.core.strata.composition import Pass
from ganstrata.core.strata.moves import edit_direction, move
from generators_stylegan import small_state
from safetensors.numpy import load_file

PARITY = os.environ.get("GANSTRATA_PARITY")
needs_parity = pytest.mark.skipif(not PARITY, reason="GANSTRATA_PARITY names no folder of reference numbers")
GENERATOR = AssumedGenerator("f" * 16, "w", 4, 6, "StyleGAN, some.pth")
RNG = np.random.default_rng(0)


def unit(*shape: int) -> np.ndarray:
    x = RNG.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def put(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, content, allow_pickle=True)
    return path


def test_a_list_with_every_kind(tmp_path: Path) -> None:
    wood, dirt, view = unit(1, 6), unit(1, 4, 6), unit(1, 6)
    put(
        tmp_path / "lists" / "a" / "wood.npy",
        {"boundary": wood, "meta_data": {"type": "attribute", "manipulate_layers": "2-3"}},
    )
    put(tmp_path / "lists" / "dirt.npy", {"boundary": dirt, "meta_data": {"manipulate_layers": [0, 1]}})
    put(tmp_path / "lists" / "view.npy", 3.0 * view)
    file = tmp_path / "lists" / "list.txt"
    file.write_text("(wood, w): a/wood.npy\n(dirt, wp): dirt.npy\n(view, w): view.npy\n(view, W): view.npy\n")
    imported = import_boundaries(
        [file], GENERATOR, ImportOptions(levels={"dirt": "category", "view": "layout"}, alias="higan")
    )
    write_imported(imported, tmp_path / "out")
    read, _ = load_boundaries(tmp_path / "out")
    assert read.names == ("higan/wood", "higan/dirt", "higan/view")
    assert [b.level for b in read] == ["attribute", "category", "layout"]
    assert [b.space for b in read] == ["w", "w+", "w"]
    assert [b.layers for b in read] == [(2, 3), (0, 1), None]
    assert {b.generator for b in read} == {GENERATOR.fingerprint}
    for boundary, normal in zip(read, (wood[0], dirt[0], view[0]), strict=True):
        np.testing.assert_allclose(boundary.normal, normal, atol=1e-6)
        assert not np.any(boundary.offset)
        assert boundary.facts["offset"].startswith("unknown, set to 0")
    assert np.shape(read[1].offset) == (4,)
    assert len(imported.remarks) == 3
    assert "comes in line 3 and in line 4" in imported.remarks[0]
    assert "had length 3; it was normalised" in imported.remarks[1]
    assert imported.remarks[2].startswith("assumed: no file says which generator these boundaries belong to")


def test_paths_of_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, here, root = unit(1, 6), unit(1, 6), unit(1, 6)
    put(tmp_path / "lists" / "a.npy", beside)
    put(tmp_path / "cwd" / "a.npy", here)
    put(tmp_path / "cwd" / "b.npy", here)
    put(tmp_path / "root" / "a.npy", root)
    (tmp_path / "lists" / "a.txt").write_text("(a, w): a.npy\n")
    (tmp_path / "lists" / "b.txt").write_text("(b, w): b.npy\n")
    monkeypatch.chdir(tmp_path / "cwd")

    def normal(name: str, **options: Any) -> np.ndarray:
        return np.asarray(
            import_boundaries(
                [tmp_path / "lists" / name], GENERATOR, ImportOptions(level="layout", **options)
            )
            .boundaries[0]
            .normal
        )

    np.testing.assert_allclose(normal("a.txt"), beside[0], atol=1e-6)
    np.testing.assert_allclose(normal("b.txt"), here[0], atol=1e-6)
    np.testing.assert_allclose(normal("a.txt", root=tmp_path / "root"), root[0], atol=1e-6)
    with pytest.raises(UserError, match=r"line 1: there is no file b.npy \(looked in .*root\)"):
        normal("b.txt", root=tmp_path / "root")


def test_nothing_is_taken_from_the_name_of_a_file(tmp_path: Path) -> None:
    put(tmp_path / "stylegan_bedroom" / "wood_w_boundary.npy", unit(1, 6))
    with pytest.raises(
        UserError, match="does not say which latent space it lies in; say --space w, or --space wp"
    ):
        import_boundaries([tmp_path / "stylegan_bedroom"], GENERATOR, ImportOptions(level="attribute"))
    with pytest.raises(
        UserError, match="does not say its level; say it with --level, or --level wood_w=LEVEL"
    ):
        import_boundaries([tmp_path / "stylegan_bedroom"], GENERATOR, ImportOptions(space="w"))


def test_level_and_layers_from_options_override_those_of_the_file(tmp_path: Path) -> None:
    put(
        tmp_path / "a_boundary.npy",
        {"boundary": unit(1, 6), "meta_data": {"type": "attribute", "manipulate_layers": "2-3"}},
    )
    imported = import_boundaries(
        [tmp_path / "a_boundary.npy"], GENERATOR, ImportOptions(space="w", level="layout", layers="0-1")
    )
    assert (imported.boundaries[0].concept, imported.boundaries[0].level, imported.boundaries[0].layers) == (
        "imported/a",
        "layout",
        (0, 1),
    )
    assert len(imported.remarks) == 3
    imported = import_boundaries(
        [tmp_path / "a_boundary.npy"], GENERATOR, ImportOptions(space="w", layers="all")
    )
    assert imported.boundaries[0].layers is None


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (
            unit(1, 7),
            ImportOptions("w", "layout"),
            "it has D = 7, but the codes of this generator (StyleGAN, some.pth) have D = 6",
        ),
        (
            unit(1, 3, 6),
            ImportOptions("wp", "layout"),
            "normals for 3 layers, but this generator (StyleGAN, some.pth) has 4",
        ),
        (
            unit(1, 4, 6),
            ImportOptions("w", "layout"),
            "has a normal per layer, shape (4, 6), but is said to lie in w",
        ),
        (unit(1, 6), ImportOptions("wp", "layout"), "has one normal, shape (6,), but is said to lie in w+"),
        (
            unit(1, 6),
            ImportOptions("z", "layout"),
            "it lies in space z, but the codes of this generator (StyleGAN, some.pth) are in w",
        ),
        (
            unit(1, 6),
            ImportOptions("q", "layout"),
            "--space q: there is no such latent space; z, w, wp, s are known",
        ),
        (
            unit(1, 6),
            ImportOptions("w", "layuot"),
            "--level layuot: there is no such level. Did you mean 'layout'?",
        ),
        (
            unit(1, 6),
            ImportOptions("w", "layout", {"b": "layout"}),
            "--level b=layout: no boundary has this name.",
        ),
        (
            unit(1, 6),
            ImportOptions("w", "layout", layers="3-4"),
            "there is no layer 4; this generator has layers 0 to 3",
        ),
        (unit(1, 6), ImportOptions("w", "layout", alias="a/b"), "--alias 'a/b'"),
        (
            unit(5, 6),
            ImportOptions("w", "layout"),
            "holds an array (5, 6), and its shape does not say what it is. "
            "If it holds directions, say which: --as rows: 5 directions, one per row",
        ),
        (unit(1, 6), ImportOptions("w", "layout", form="diagonal"), "--as diagonal: there is no such form"),
        (unit(1, 6), ImportOptions("w", "layout", only=["b*"]), "--only b*: no boundary has this name"),
        (
            {"boundary": unit(1, 6), "meta_data": {"type": "smell"}},
            ImportOptions("w"),
            "calls its level 'smell', which is not one of layout,",
        ),
    ],
)
def test_what_does_not_fit(tmp_path: Path, content: Any, options: ImportOptions, words: str) -> None:
    with pytest.raises(UserError) as caught:
        import_boundaries([put(tmp_path / "a.npy", content)], GENERATOR, options)
    assert words in str(caught.value)


def test_all_missing_facts_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("(a, w): none.npy\n\n(b, w): nil.npy\n")
    put(tmp_path / "c.npy", unit(1, 6))
    put(tmp_path / "d" / "c_boundary.npy", unit(1, 6))
    sources = [
        tmp_path / "a.txt",
        tmp_path / "zero.npy",
        tmp_path / "zero.txt",
        tmp_path / "empty",
        tmp_path / "c.npy",
        tmp_path / "d",
    ]
    with pytest.raises(UserError) as caught:
        import_boundaries(sources, GENERATOR, ImportOptions("w", "layout"))
    message = str(caught.value)
    assert "6 faults, nothing was written" in message
    for words in (
        "line 1: there is no file none.npy",
        "line 3: there is no file nil.npy",
        "zero.npy: there is no such file",
        "zero.txt: there is no",
    ):
        assert words in message
    assert "there is no .npy, .npz, .pt file in this folder" in message
    assert f"'c' was there already ({tmp_path / 'c.npy'})" in message


@pytest.mark.parametrize("name", ["x" * 4000, "a\0b"], ids=["long", "NUL"])
def test_paths_in_a_list_that_no_system_takes_are_missing_files(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text(f"(a, w): {name}\n")
    with pytest.raises(UserError, match="line 1: there is no file "):
        import_boundaries([tmp_path / "a.txt"], GENERATOR, ImportOptions("w", "layout"))


def test_directions_of_one_file_get_names_and_may_be_chosen(tmp_path: Path) -> None:
    torch.save({"eigvec": torch.eye(6)}, tmp_path / "factor.pt")
    imported = import_boundaries(
        [tmp_path / "factor.pt"],
        GENERATOR,
        ImportOptions(level="attribute", levels={"factor.1": "colour"}, only=["factor.[13]"]),
    )
    assert [(b.concept, b.level, b.space) for b in imported.boundaries] == [
        ("imported/factor.1", "colour", "w"),
        ("imported/factor.3", "attribute", "w"),
    ]
    assert imported.boundaries[0].normal.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    with pytest.raises(UserError, match="it lies in w, as its format says, and not in z"):
        import_boundaries([tmp_path / "factor.pt"], GENERATOR, ImportOptions("z", "attribute"))
    (tmp_path / "a.txt").write_text("(hair, w): factor.pt\n")
    named = import_boundaries([tmp_path / "a.txt"], GENERATOR, ImportOptions(level="attribute")).boundaries
    assert named[2].name == "imported/hair.2"


def test_directions_per_layer_need_no_space(tmp_path: Path) -> None:
    rows = unit(4, 6)
    torch.save({"31_Smiling": torch.from_numpy(rows.reshape(1, 24))}, tmp_path / "boundary.pt")
    (smiling,) = import_boundaries(
        [tmp_path / "boundary.pt"], GENERATOR, ImportOptions(level="attribute")
    ).boundaries
    assert (smiling.name, smiling.space) == ("imported/31_Smiling", "w+")
    np.testing.assert_allclose(smiling.normal, rows, atol=1e-6)
    np.save(tmp_path / "z.npy", unit(1, 6))
    unmapped = AssumedGenerator("0" * 16, "z", 4, 6, "PGGAN, other.pth")
    options = ImportOptions(level="attribute")
    assert import_boundaries([tmp_path / "z.npy"], unmapped, options).boundaries[0].space == "z"


def test_the_generator_is_that_of_a_run_or_of_a_checkpoint(finished: Run, rooms: ganstrata.Generator) -> None:
    facts = identify_generator(str(finished.path))
    assert (facts.fingerprint, facts.layers, facts.code_size, facts.space) == (
        finished.manifest["generator"]["fingerprint"],
        8,
        16,
        "w",
    )
    facts = identify_generator("bundled:rooms")
    assert (facts.fingerprint, facts.layers, facts.code_size, facts.space) == (
        rooms.fingerprint,
        10,
        128,
        "w",
    )


def test_runs_and_files_that_tell_of_no_generator(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run directory"):
        identify_generator(str(tmp_path))
    (tmp_path / "run.json").write_text(
        json.dumps({"format": 1, "config": {}, "batch_size": 1, "checkpoints": {}, "stages": {}})
    )
    with pytest.raises(UserError, match=r"run\.json is damaged: .*generator: is missing"):
        identify_generator(str(tmp_path))
    with pytest.raises(UserError, match="no checkpoint file"):
        identify_generator(str(tmp_path / "none.pth"))


@needs_parity
def test_the_published_boundaries_load_and_edit(tmp_path: Path) -> None:
    """All 50, with a random generator of the right sizes: 256 pixels, 14 layers, D = 512, very narrow."""
    folder = Path(str(PARITY)) / "higan_boundaries"
    truth, facts = (
        load_file(folder / "boundaries.safetensors"),
        json.loads((folder / "boundaries.json").read_text()),
    )
    state = small_state("higan", widths=(4,) * 7, z_dim=512, w_dim=512, depth=2, hidden=512)
    torch.save(state, tmp_path / "random.pth")
    generator = ganstrata.load_generator("auto", checkpoint=str(tmp_path / "random.pth"), device="cpu")
    assert (generator.card.layers, generator.card.code_size) == (14, 512)
    identified = identify_generator(str(tmp_path / "random.pth"))
    assert identified.fingerprint == generator.fingerprint
    lines = [f"({key.replace('/', '.')}, w): {facts[key]['file']}" for key in truth]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    imported = import_boundaries(
        [tmp_path / "list.txt"], identified, ImportOptions(level="attribute", root=folder)
    ).boundaries
    assert len(imported) == 50
    with torch.inference_mode():
        codes = generator.broadcast(
            generator.map(torch.randn(1, 512, generator=torch.Generator().manual_seed(0)))
        )
        base = Pass(generator, codes, restarts=[0])
    for boundary, (key, normal) in zip(imported, truth.items(), strict=True):
        check_fits(boundary, generator)
        np.testing.assert_allclose(boundary.normal, normal[0] / np.linalg.norm(normal[0]), atol=1e-6)
        assert boundary.facts["sha256"] == facts[key]["sha256"]
        meta = facts[key]["meta_data"]
        assert boundary.layers == (tuple(range(6, 12)) if meta else None)
    with torch.inference_mode():
        for boundary in imported[::10]:
            layers = boundary.layers or tuple(range(14))
            moved = base.edited(
                move(codes, edit_direction(boundary.normal, layers, generator.layer_scale), 3.0), layers
            ).images
            assert moved.isfinite().all()
            assert (moved - base.rendering.images).abs().mean() > 1e-4
