"""Pictures of the user: looked at, inverted as the command does, stopped, judged; hostile ones refused."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ganstrata
import numpy as np
import pytest
import torch
from ganstrata.app.compute import Stopped
from ganstrata.app.sessions import MOST_KEPT, Session
from ganstrata.app.side_thread import SideThread
from ganstrata.app.views.explore import LAST_FRAME
from ganstrata.app.views.inverting import SAMPLES, wait_for_quiet
from ganstrata.app.views.shell import hello
from ganstrata.app.workspace import Folders, Workspace
from ganstrata.core.errors import GanstrataError, UserError
from ganstrata.core.inversion.trust.measure import calibrated, code_trust
from ganstrata.core.plugins.inverter import Inversion
from ganstrata.core.runs.run import Run
from hostile_pictures import encoded, oriented, png
from inverted_pictures import write_inverted
from PIL import Image

Ask = Callable[..., Any]
WAY = {"embed": "mean", "refine": ["w+"], "steps": 12}


def opened(message: bytes) -> tuple[dict[str, Any], np.ndarray]:
    end = 4 + int.from_bytes(message[:4], "big")
    return json.loads(message[4:end]), np.asarray(Image.open(io.BytesIO(message[end:])))


def pictures(sent: list[Any]) -> dict[str, np.ndarray]:
    """The pictures by what they show; of several the last."""
    read = [opened(message) for message in sent if isinstance(message, bytes)]
    return {header["what"]: picture for header, picture in read}


def pictures_of(workspace: Workspace, seed: int) -> np.ndarray:
    """A sample, without the app."""
    generator, prepared = workspace.prepared.generator, workspace.prepared
    latents = generator.sample(prepared.batch, prepared.seed, 0, ganstrata.Stream.EDITING)
    made = ganstrata.render(generator, generator.broadcast(generator.map(latents.z)))[seed]
    return (made.clamp(0, 1) * 255 + 0.5).byte().movedim(0, -1).numpy()


@pytest.fixture
def content(workspace: Workspace) -> bytes:
    """A file of a picture that the generator can nearly make."""
    generator = workspace.prepared.generator
    latents = generator.sample(1, 5, 0, ganstrata.Stream.TARGETS)
    made = ganstrata.render(generator, generator.broadcast(generator.map(latents.z)))[0]
    pixels = (made.clamp(0, 1) * 255).byte().movedim(0, -1).numpy()
    return encoded("PNG", np.ascontiguousarray(pixels))


@pytest.fixture
def upload(session: Session, content: bytes) -> str:
    session.uploads["u"] = content
    return "u"


def test_a_look_shows_the_whole_picture_and_what_the_rule_makes_of_it(ask: Ask, session: Session) -> None:
    array = np.zeros((90, 60, 3), np.uint8)
    array[:45] = 255  # stored above, upright on the right
    session.uploads["u"] = encoded("TIFF", Image.fromarray(array), exif=oriented(6))
    answer, sent = ask("look", upload="u", crop="centre", name="C:\\private\\scan.tif")
    assert (answer["width"], answer["height"], answer["format"]) == (90, 60, "TIFF")
    assert answer["box"] == [15, 0, 60, 60]
    assert any("turned upright" in note for note in answer["notes"])
    shown = pictures(sent)
    assert shown["whole"].shape == (60, 90, 3)
    assert shown["fitted"].shape == (8, 8, 3)
    assert shown["fitted"][:, :3].max() < 30
    assert shown["fitted"][:, -3:].min() > 225
    answer, sent = ask("look", upload="u", crop="0,0,30,30")
    assert answer["box"] == [0, 0, 30, 30]
    assert pictures(sent)["fitted"].max() < 30


def test_margins_of_a_padded_picture_are_grey(ask: Ask, session: Session) -> None:
    session.uploads["u"] = encoded("PNG", np.zeros((40, 80, 3), np.uint8))
    fitted = pictures(ask("look", upload="u", crop="pad")[1])["fitted"]
    assert (fitted[0] == 128).all()
    assert (fitted[4] == 0).all()


def test_a_large_picture_is_shown_small(ask: Ask, session: Session) -> None:
    session.uploads["u"] = encoded("JPEG", np.full((600, 1200, 3), 200, np.uint8))
    assert pictures(ask("look", upload="u")[1])["whole"].shape == (240, 480, 3)


@pytest.mark.parametrize("request_name", ["look", "invert"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "a.png is not a picture"),
        (png(10_000, 5_001), "claims 10000 x 5001 pixels, more than the 50000000"),
        (png(40, 40), "incomplete|damaged"),
        (b"%PDF-1.7", "is a PDF"),
        (b'<?xml version="1.0"?><svg onload="alert(1)"></svg>', "is SVG"),
        (encoded("PNG")[:200], "incomplete|damaged"),
    ],
)
def test_hostile_pictures_are_refused_in_words(
    ask: Ask, session: Session, request_name: str, content: bytes, words: str
) -> None:
    session.uploads["u"] = content
    with pytest.raises(GanstrataError, match=words):
        ask(request_name, upload="u", name="../a.png")
    assert not session.kept


def test_a_picture_of_the_most_pixels_is_taken(ask: Ask, session: Session) -> None:
    session.uploads["u"] = encoded("PNG", Image.new("1", (10_000, 5_000)))
    assert ask("look", upload="u")[0]["box"] == [2500, 0, 5000, 5000]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"upload": "gone"}, "not held any more"),
        ({"upload": "u", "crop": "centr"}, "Did you mean 'centre'"),
        ({"upload": "u", "crop": "0,0,900,900"}, "outside the picture"),
        ({"upload": "u", "way": {"embed": "w+"}}, "this step refines"),
        ({"upload": "u", "way": {"embed": "nothing"}}, "nothing"),
        ({"upload": "u", "way": {"embed": "mean", "number": 3}}, "has no classes"),
        ({"upload": "u", "way": {"embed": "mean", "refine": ["w+", "w+"]}}, "given twice"),
    ],
)
def test_what_cannot_be_is_refused_in_words(ask: Ask, upload: str, fields: Any, words: str) -> None:
    with pytest.raises(GanstrataError, match=words):
        ask("invert", **fields)


def test_an_inversion_is_that_of_the_library(
    ask: Ask, workspace: Workspace, session: Session, upload: str
) -> None:
    answer, sent = ask("invert", upload=upload, name="living room.png", way=WAY)
    with Image.open(io.BytesIO(session.uploads[upload])) as image:
        array = np.asarray(image)
    prepared = workspace.prepared
    expected = ganstrata.invert(
        array,
        prepared.generator,
        embed="mean",
        refine="w+",
        options={"w+": {"steps": 12}},
        seed=prepared.seed,
    )
    source = session.kept[answer["kept"]].source
    assert torch.equal(source.codes, expected.codes)
    assert (source.noise_seed, source.index.tolist()) == (prepared.seed, [0])
    assert answer["name"] == "living room"
    assert answer["distance"] == expected.distance
    value = f"{expected.measures[0]['psnr']:.1f} dB"
    assert [row["value"] for row in answer["measures"] if row["words"] == "PSNR"] == [value]
    (curve,) = answer["curves"]
    assert curve["step"] == "w+"
    assert [loss for _, loss in curve["losses"]] == pytest.approx(expected.losses[0]["w+"].tolist())
    steps = [message["progress"] for message in sent if isinstance(message, dict)]
    assert steps[-1]["step"] == steps[-1]["total"] == 12
    shown = pictures(sent)
    assert (shown["target"] == array).all()
    # The picture that is edited is the one that was found.
    made = pictures([*ask("inverted", kept=answer["kept"])[1]])["made"]
    assert (shown["made"] == made).all()
    _, (frame,) = ask("frame", edit={"picture": {"kept": answer["kept"]}}, final=True)
    assert (opened(frame)[1] == made).all()
    assert (shown["difference"] == np.clip(4 * np.abs(made.astype(int) - array), 0, 255)).all()
    json.dumps(answer, allow_nan=False)


def test_a_stop_keeps_what_was_found(
    ask: Ask, session: Session, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The search alone breathes.
    monkeypatch.setattr(SideThread, "run", lambda self, perform, breathe: perform())
    breaths = 0

    def breathe() -> None:
        nonlocal breaths
        breaths += 1
        if breaths > 4:
            raise Stopped

    answer, sent = ask("invert", upload=upload, way=WAY, breathe=breathe)
    assert answer["stopped"]
    assert answer["kept"] in session.kept
    assert len(answer["curves"][0]["losses"]) == 5
    assert answer["trust"]["warning"] is None
    assert "stopped" in answer["trust"]["why_no_warning"]
    assert {"target", "made", "difference"} <= set(pictures(sent))


def test_the_default_has_no_encoder_where_there_is_none(ask: Ask) -> None:
    answer, _ = ask("ways")
    assert answer["default"] == {"embed": "best", "refine": ["w+"], "steps": 100}
    reasons = {step["name"]: step["why_not"] for step in (*answer["embed"], *answer["refine"])}
    assert reasons["best"] == reasons["w+"] == ""
    assert "encoder" in reasons["encoder"]
    assert "multi_code" not in reasons


def test_tuned_weights_are_in_the_picture_that_is_edited(
    ask: Ask, workspace: Workspace, session: Session, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunable = property(lambda generator: {"texture": generator.texture})
    monkeypatch.setattr(type(workspace.prepared.generator), "tunable", tunable)
    answer, sent = ask("invert", upload=upload, way={**WAY, "refine": ["w+", "pivotal"], "steps": 4})
    (weights,) = session.kept[answer["kept"]].source.weights
    assert weights
    _, (frame,) = ask("frame", edit={"picture": {"kept": answer["kept"]}}, final=True)
    assert (opened(frame)[1] == pictures(sent)["made"]).all()
    edit = {"picture": {"kept": answer["kept"]}, "moves": [{"along": "seen/red", "by": 3.0}]}
    _, (frame,) = ask("frame", edit=edit, final=True)
    assert opened(frame)[1].mean() != pictures(sent)["made"].mean()
    _, (frame,) = ask("frame", edit={"picture": {"seed": 3}}, final=True)
    untuned = opened(frame)[1]
    assert (untuned == pictures_of(workspace, 3)).all()


def test_warnings_are_those_of_trust_once_all_samples_are_inverted(
    ask: Ask, workspace: Workspace, session: Session, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganstrata.app.views.inverting.SAMPLES", 21)
    way = {**WAY, "steps": 2}
    answer, _ = ask("invert", upload=upload, way=way)
    assert answer["trust"]["warning"] is None
    assert answer["trust"]["left"] == 21
    asked = 0
    while True:
        again, _ = ask("judge", kept=answer["kept"])
        asked += 1
        if not again["left"]:
            break
    assert asked == 7
    kept = session.kept[answer["kept"]]
    cloud, method = workspace.memory["cloud"], kept.view_data.method
    expected = calibrated(method, cloud, samples=21, batch=3, done=lambda count: None)
    found = kept.view_data.outcome.found
    trust = code_trust(cloud, found.inversion.codes)
    code, error = expected.warnings(trust, [found.measures["psnr"]]).raised[0]
    assert kept.facts["trust"]["warning"]["code"] == bool(code)
    assert kept.facts["trust"]["warning"]["error"] == bool(error)
    assert kept.facts["trust"]["distance"] == pytest.approx(float(trust.whole[0]))
    assert "4.5 %" in kept.facts["trust"]["alarms"]
    # Another picture that is inverted in the same way needs no samples of its own.
    other, _ = ask("invert", upload=upload, way=way)
    assert other["trust"]["warning"] is not None
    assert ask("invert", upload=upload, way=WAY)[0]["trust"]["warning"] is None


def test_a_stopped_calibration_goes_on_where_it_was(ask: Ask, upload: str) -> None:
    answer, _ = ask("invert", upload=upload, way={**WAY, "steps": 3})

    def breathe() -> None:
        raise Stopped

    ask("judge", kept=answer["kept"])
    with pytest.raises(Stopped):
        ask("judge", kept=answer["kept"], breathe=breathe)
    assert ask("judge", kept=answer["kept"])[0]["left"] == SAMPLES - 6


def test_what_is_done_beside_waits_while_somebody_drags(ask: Ask, workspace: Workspace) -> None:
    now, slept, frames = 100.0, 0.0, 4

    def breathe() -> None:
        nonlocal frames
        if frames:  # each frame comes with a breath
            frames -= 1
            workspace.memory[LAST_FRAME] = now

    def sleep(seconds: float) -> None:
        nonlocal now, slept
        now, slept = now + seconds, slept + seconds

    wait_for_quiet(workspace, breathe, lambda: now, sleep)
    assert frames == 0
    assert 0.5 <= slept < 0.55  # half a second since the last frame
    slept = 0.0
    wait_for_quiet(workspace, breathe, lambda: now, sleep)
    assert slept == 0.0
    began = time.monotonic()
    ask("frame", edit={"picture": {"seed": 0}})
    assert began <= workspace.memory[LAST_FRAME] <= time.monotonic()


def test_a_picture_that_is_removed_while_it_is_judged_is_said(
    ask: Ask, session: Session, upload: str
) -> None:
    answer, _ = ask("invert", upload=upload, way={**WAY, "steps": 3})
    with pytest.raises(UserError, match="not held any more"):
        ask("judge", kept=answer["kept"], breathe=lambda: session.forget(answer["kept"]))
    assert session.kept == {}


def test_a_full_tab_is_told_before_anything_is_computed(ask: Ask, session: Session, upload: str) -> None:
    for number in range(MOST_KEPT):
        session.keep(str(number), None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="remove one first"):
        ask("invert", upload=upload, way=WAY)


def test_pictures_of_folders_are_there_from_the_beginning(
    ask: Ask, workspace: Workspace, finished: Run, tmp_path: Path
) -> None:
    generator = workspace.prepared.generator
    codes = torch.randn(
        2, generator.card.layers, generator.card.code_size, generator=torch.Generator().manual_seed(1)
    )
    write_inverted(
        tmp_path,
        Inversion(codes),
        ["one", "two"],
        generator,
        record={"pictures": [{"name": "one", "measures": {"psnr": 20.0}}, {"name": "two"}]},
    )
    (tmp_path / "pictures").mkdir()
    target = np.full((8, 8, 3), 100, np.uint8)
    Image.fromarray(target).save(tmp_path / "pictures" / "one.target.png")
    begun = Workspace.open(Path(finished.path), folders=Folders(inversions=(tmp_path,)))
    session = Session("another")
    first = hello(begun, session, None, None)["kept"]  # type: ignore[arg-type]
    assert [one["name"] for one in first] == ["one", "two"]
    assert first[0]["measures"][0]["value"] == "20.0 dB"
    assert hello(begun, session, None, None)["kept"] == first  # type: ignore[arg-type]
    assert str(tmp_path) not in json.dumps(first)
    assert torch.equal(session.kept["k2"].source.codes, codes[1:])
    from ganstrata.app.views.photograph import KeptPicture, inverted

    class Sink(list[Any]):
        def picture(self, content: bytes, media_type: str, size: Any, **facts: Any) -> None:
            self.append((facts["what"], np.asarray(Image.open(io.BytesIO(content)))))

    sink = Sink()
    inverted(begun, session, KeptPicture(kept="k1"), sink)  # type: ignore[arg-type]
    assert (dict(sink)["target"] == target).all()
    assert set(dict(sink)) == {"target", "made", "difference"}
    sink = Sink()
    inverted(begun, session, KeptPicture(kept="k2"), sink)  # type: ignore[arg-type]
    assert set(dict(sink)) == {"made"}
    (tmp_path / "pictures" / "one.target.png").unlink()
    with pytest.raises(UserError, match=r"cannot read one\.target\.png any more: No such file"):
        inverted(begun, session, KeptPicture(kept="k1"), Sink())  # type: ignore[arg-type]


def test_only_so_many_pictures_of_folders_are_taken(
    workspace: Workspace, finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = workspace.prepared.generator
    codes = torch.zeros(3, generator.card.layers, generator.card.code_size)
    write_inverted(tmp_path, Inversion(codes), ["a", "b", "c"], generator)
    monkeypatch.setattr("ganstrata.app.inverted.MOST_AT_START", 2)
    begun = Workspace.open(Path(finished.path), folders=Folders(inversions=(tmp_path,)))
    assert [one.name for one in begun.begun] == ["a", "b"]
    assert begun.remarks == ("--codes: there are 3 pictures; a tab begins with the first 2 of them",)
    assert replace(begun, begun=()).remarks
