"""Masks that are painted in a tab teach an extractor, and go home as files that commands read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganstrata import Stream, UserError
from ganstrata.app.sessions import Session
from ganstrata.app.views.annotate import without_folders
from ganstrata.app.views.segmenting import MOST_OWN
from ganstrata.app.workspace import Workspace
from ganstrata.core.semantics.annotation.annotations import Annotations
from ganstrata.core.semantics.extractor_file import load_extractor
from ganstrata.core.semantics.learning.annotated import draw_samples
from masks_of_pages import blank, encoded, received
from numpy.typing import NDArray
from planted_semantics import CLASSES, Smooth, planted_samples
from pydantic import ValidationError

Ask = Callable[..., Any]
COLOURS = ("#ff0000", "#00ff00", "#0000ff")
NAMED = [{"name": name, "colour": colour} for name, colour in zip(CLASSES, COLOURS, strict=True)]


@pytest.fixture
def planted(workspace: Workspace) -> Workspace:
    """A generator whose classes are linear in its feature maps; nobody has told the app of a segmenter."""
    prepared = replace(workspace.prepared, generator=Smooth(), scorers={}, batch=8)
    return replace(workspace, prepared=prepared, memory={})


@pytest.fixture
def ask(planted: Workspace, asking: Callable[[Workspace], Ask]) -> Ask:
    return asking(planted)


def truth(sample: int, seed: int) -> NDArray[np.uint8]:
    """The classes of a sample, by the one who knows."""
    labels = draw_samples(planted_samples(seed=seed), [sample], Stream.TRAINING).labels
    return labels[0].numpy().astype(np.uint8)


def painted(samples: list[int], planted: Workspace) -> list[dict[str, Any]]:
    """Masks of samples, of which the left half is painted."""
    masks = []
    for sample in samples:
        mask = truth(sample, planted.prepared.seed)
        mask[:, 4:] = 255
        masks.append({"sample": sample, "mask": encoded(mask)})
    return masks


def test_pictures_to_paint_on_are_samples_of_the_generator(ask: Ask, planted: Workspace):
    answer, sent = ask("drawn", samples=[2, 5])
    assert answer == {"width": 8, "height": 8}
    assert {received(message)[0]["of"] for message in sent} == {"picture"}
    pictures = {header["sample"]: np.asarray(picture) for header, picture in map(received, sent)}
    assert list(pictures) == [2, 5]
    drawn = draw_samples(planted_samples(seed=planted.prepared.seed), [5], Stream.TRAINING).rendering.images
    expected = (255.0 * drawn[0].permute(1, 2, 0)).round().numpy()
    assert np.abs(pictures[5].astype(int) - expected).max() <= 1


def test_an_extractor_learns_from_masks_and_paints(ask: Ask, planted: Workspace, session: Session):
    assert ask("segmenters")[0]["readers"] == []
    answer, _ = ask("train", classes=NAMED, masks=painted(list(range(12)), planted))
    assert (answer["by"], answer["masks"]) == ("own 1", 12)
    (one,) = ask("segmenters")[0]["readers"]
    assert (one["by"], one["ready"], one["words"]) == ("own 1", True, answer["words"])
    # It is right where nothing was painted, and on other pictures; both are seen at once.
    legend, sent = ask("drawn", samples=[0, 20], by="own 1")
    assert [entry["name"] for entry in legend["classes"]] == list(CLASSES)
    labels = {h["sample"]: np.asarray(p) for h, p in map(received, sent) if h["of"] == "labels"}
    for sample in (0, 20):
        assert (labels[sample] == truth(sample, planted.prepared.seed)).mean() > 0.6  # by chance 0.33
    edit = {"picture": {"seed": 1}}
    _, (_, message) = ask("segment", edit=edit, by="own 1")
    found = np.asarray(received(message)[1])
    strokes = blank()
    strokes[2:6, 2:6] = (int(found[4, 4]) + 1) % 3
    result, _ = ask("paint", edit=edit, strokes=encoded(strokes), by="own 1", steps=3)
    assert result["kept"] in session.kept


def test_a_tab_holds_some_extractors_and_each_has_its_own_name(ask: Ask, planted: Workspace):
    masks = painted([0], planted)
    names = [ask("train", classes=NAMED, masks=masks)[0]["by"] for _ in range(MOST_OWN + 2)]
    assert len(set(names)) == MOST_OWN + 2
    assert [one["by"] for one in ask("segmenters")[0]["readers"]] == names[2:]
    with pytest.raises(UserError, match="not held any more"):
        ask("extractor_file", by=names[0])


def test_other_pictures_are_suggested(ask: Ask, planted: Workspace):
    fields = {"classes": NAMED, "masks": painted([0, 1], planted), "count": 2}
    answer, sent = ask("suggest", **fields)
    chosen = [one["sample"] for one in answer["samples"]]
    assert len(set(chosen)) == 2
    assert all(one["doubt"] > 0 for one in answer["samples"])
    assert sent[-1]["progress"]["total"] == answer["pool"] == sent[-1]["progress"]["step"]
    more, _ = ask("suggest", **fields, taken=chosen)
    assert not set(chosen) & {one["sample"] for one in more["samples"]}
    with pytest.raises(UserError, match="mask"):
        ask("suggest", classes=NAMED, masks=painted([0], planted), count=2)


def test_masks_go_home_as_a_folder_that_is_read(
    ask: Ask, planted: Workspace, session: Session, tmp_path: Path
):
    masks = painted([0, 7], planted)
    answer, _ = ask("masks_file", classes=NAMED, masks=masks)
    file = session.downloads[answer["file"]]
    assert file.name == answer["name"] == "annotations.zip"
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        archive.extractall(tmp_path)
    folder = Annotations.open(tmp_path / "annotations")
    assert folder.legend.names == CLASSES
    assert folder.legend.colours.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert folder.made_for.fingerprint == planted.prepared.generator.fingerprint
    assert (folder.seed, folder.size) == (planted.prepared.seed, (8, 8))
    read = folder.masks()
    assert list(read) == [0, 7]
    expected = truth(7, planted.prepared.seed).astype(int)
    expected[:, 4:] = -1
    assert (read[7] == expected).all()
    assert folder.file("sample", 7).is_file()


def test_an_extractor_goes_home_as_a_file(ask: Ask, planted: Workspace, session: Session, tmp_path: Path):
    by = ask("train", classes=NAMED, masks=painted([0, 1], planted))[0]["by"]
    answer, _ = ask("extractor_file", by=by)
    path = tmp_path / answer["name"]
    path.write_bytes(session.downloads[answer["file"]].content)
    extractor = load_extractor(path)
    extractor.check_generator(Smooth())
    sample = draw_samples(planted_samples(seed=planted.prepared.seed), [0], Stream.TRAINING)
    own = session.memory["own extractors"][by][1]
    torch.testing.assert_close(
        extractor.logits(sample.rendering.features), own.logits(sample.rendering.features)
    )


def test_no_path_of_this_machine_goes_home(tmp_path: Path):
    (tmp_path / "net.pkl").touch()
    options = {"checkpoint": str(tmp_path / "net.pkl"), "more": [f"{tmp_path}/gone.pt", "C:\\me\\x.pt", 3]}
    assert without_folders(options) == {"checkpoint": "net.pkl", "more": ["gone.pt", "x.pt", 3]}
    kept = {"checkpoint": "bundled:rooms", "names": ["a/b", "hf:owner/name/file.pt"], "nested": {"x": None}}
    assert without_folders(kept) == kept


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": [NAMED[0], NAMED[0]]}, "not two or more different classes"),
        ({"classes": NAMED[:2]}, "the mask of picture 0: a pixel has class 2"),
        ({"masks": [{"sample": 0, "mask": encoded(blank(4))}]}, "mask of picture 0: it has 4 x 4 pixels"),
        ({"masks": [{"sample": 0, "mask": encoded(blank())}]}, "nothing is painted"),
        ({"masks": [{"sample": 0, "mask": encoded(np.zeros((8, 8), np.uint8))}]}, "class"),
    ],
)
def test_masks_that_teach_nothing_are_refused(ask: Ask, planted: Workspace, change: Any, words: str):
    with pytest.raises(Exception, match=words):
        ask("train", **{"classes": NAMED, "masks": painted([0], planted), **change})


def test_a_sample_has_one_mask(ask: Ask, planted: Workspace):
    with pytest.raises(UserError, match="picture 0 has two masks"):
        ask("train", classes=NAMED, masks=painted([0, 0], planted))


@pytest.mark.parametrize(("first", "words"), [("#00ff00", "same colour"), ("#000000", "black means")])
def test_colours_that_a_file_cannot_tell_apart(ask: Ask, planted: Workspace, first: str, words: str):
    with pytest.raises(UserError, match=words):
        ask("masks_file", classes=[{**NAMED[0], "colour": first}, *NAMED[1:]], masks=painted([0], planted))


@pytest.mark.parametrize(
    "fields",
    [
        {"samples": []},
        {"samples": list(range(33))},
        {"samples": [-1]},
        {"samples": [0], "size": 4},
        {"samples": [0], "path": "/etc"},
    ],
)
def test_requests_that_are_out_of_bounds(ask: Ask, fields: Any):
    with pytest.raises(ValidationError):
        ask("drawn", **fields)
