"""Test that input that would need too much memory or time, or has invalid content, is refused."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import numpy as np
import pytest
from ganstrata.core.config.limits import BYTES, DEPTH, DIGITS, VALUES
from ganstrata.core.config.reading import read_config, validate
from ganstrata.core.config.schema import RunConfig
from ganstrata.core.errors import ConfigError, UserError

YAML = """\
generator: {use: stylegan2, with: {checkpoint: "bundled:rooms"}}
scorers: [{use: hue}]
boundary: {use: ridge}
"""
JSON = """\
"generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
"scorers": [{"use": "hue"}], "boundary": {"use": "ridge"}"""
TOML = """\
scorers = [{use = "hue"}]
boundary = {use = "ridge"}
generator = {use = "stylegan2", with = {checkpoint = "bundled:rooms"}}
"""
STEPS = list(zip("abcdefghi", "bcdefghij", strict=True))
LAUGHS = "a: &a [lol, lol]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 8)}]\n" for a, b in STEPS)
MERGES = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 6)}]}}\n" for a, b in STEPS)


def refused(folder: Path, text: str | bytes, name: str = "run.yaml", *overrides: str) -> str:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    began = time.process_time()
    with pytest.raises(UserError) as caught:
        read_config(file, overrides)
    assert time.process_time() - began < 20
    message = str(caught.value)
    assert len(message) <= 2000
    assert message.startswith((str(file), f"cannot read {file}", "--set"))
    return message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (YAML + LAUGHS, f"it holds more than {VALUES} values, where an alias counts as often as it is used"),
        (YAML + MERGES, f"it holds more than {VALUES} values"),
        (YAML + "synthesis: {samples: " + "[" * 50 + "]" * 50 + "}", f"nested more than {DEPTH} deep"),
        (YAML + "x: " + "[" * 3000, f"nested more than {DEPTH} deep"),
        (YAML + "x: " + "{a: " * 3000, f"nested more than {DEPTH} deep"),
        (YAML + "x: " + "- " * 3000, "nested more than|not well-formed"),
        (YAML + "x: &a [1, *a]", "the alias 'a' contains itself"),
        (YAML + "x: &a {b: *a}", "the alias 'a' contains itself"),
        (YAML + "x: [" + "1," * VALUES + "]", f"it holds more than {VALUES} values"),
        (YAML + "x: *" + "b" * 100_000, "not well-formed: found undefined alias"),
        (YAML + "x: 0x" + "f" * 100_000, f"a number has 100002 digits; {DIGITS} are allowed"),
        (YAML + "x: " + "9" * 5000, f"a number has 5000 digits; {DIGITS} are allowed"),
        (YAML + "x: " + "1:" * 2000 + "1", f"a number has 4001 digits; {DIGITS} are allowed"),
        (YAML + "x: !!int abc", "this is not a valid int"),
        (YAML + "x: !!int ''", "this is not a valid int"),
        (YAML + "x: !!bool maybe", "this is not a valid bool"),
        (YAML + "x: !!float abc", "this is not a valid float"),
        (YAML + "x: !!binary aGk=", "the tag binary has no place in a config"),
        (YAML + "x: !!set {a, b}", "the tag set has no place in a config"),
        (YAML + "x: !!omap [a: 1]", "the tag omap has no place"),
        (YAML + "x: !!timestamp 2001-12-31", "the tag timestamp has no place"),
        (YAML + "x: !mine 3", "the tag !mine has no place in a config"),
        (YAML + "x: !!python/name:os.system ''", "the tag python/name:os.system has no place"),
        (YAML + "? [a, b]\n: c", "not well-formed"),
        (YAML + "\tx: 1", "not well-formed"),
        (YAML + "x: \0", "not well-formed"),
        (YAML + 'x: "\\0"', "x: contains a control character, U+0000"),
        (YAML + '"a\\e[31m": 1', "a key contains a control character, U+001B"),
        (YAML + "yes: 1", "True: keys must be text, but this one is a boolean; write it in quotes"),
        (YAML + "rescoring: {groups: {off: 0-1}}", "rescoring -> groups -> False: keys must be text"),
        (YAML + "3: 1", "3: keys must be text, but this one is a number"),
        (YAML + "~: 1", "None: keys must be text, but this one is empty"),
        (YAML + "x: {a: 1, a: 1}", "'a' is given twice"),
        (YAML + f"x: {{{'k' * 5000}: 1, {'k' * 5000}: 1}}", "is given twice|not well-formed"),
        (YAML + "synthesis: {mixing: .inf}", "synthesis -> mixing: must be a finite number (got inf)"),
        (
            YAML.replace("ridge", "ridge, with: {x: {y: .nan}}"),
            "boundary -> with -> x -> y: must be a finite number (got nan)",
        ),
        (b"\xff\xfe" + YAML.encode("utf-16-le"), "it seems to be UTF-16. Save it as UTF-8"),
        (YAML.encode() + b"x: caf\xe9", "it is not UTF-8 from byte"),
        (YAML + "x: '" + "s" * BYTES + "'", "it has more than 1 MiB"),
    ],
    ids=lambda value: None if isinstance(value, str) and len(value) < 60 else "text",
)
def test_yaml(tmp_path: Path, text: str | bytes, words: str) -> None:
    message = refused(tmp_path, text)
    assert any(part in message for part in words.split("|"))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{" + JSON + ', "x": ' + "[" * 100_000, f"nested more than {DEPTH} deep"),
        ("a.json", "{" + JSON + ', "x": ' + "[" * 40 + "]" * 40 + "}", f"nested more than {DEPTH} deep"),
        (
            "a.json",
            "{" + JSON + ', "x": ' + "7" * 5000 + "}",
            f"a number has 5000 digits; {DIGITS} are allowed",
        ),
        ("a.json", "{" + JSON + ', "x": NaN}', "x: must be a finite number (got nan)"),
        ("a.json", "{" + JSON + ', "x": 1e999}', "x: must be a finite number (got inf)"),
        ("a.json", "{" + JSON + ', "x": "\\ud800"}', "x: contains half of a surrogate pair, U+D800"),
        ("a.json", "{" + JSON + ', "x": "\\u0000"}', "x: contains a control character, U+0000"),
        ("a.json", "{" + JSON + ', "' + "k" * 9000 + '": 1, "' + "k" * 9000 + '": 1}', "is given twice"),
        ("a.json", "{" + JSON + ', "x": [' + "1," * VALUES + "1]}", f"holds more than {VALUES} values"),
        ("a.toml", TOML + "a" + ".a" * 200_000 + " = 1", f"line 4: a key has more than {DEPTH} parts"),
        ("a.toml", TOML + "[a" + ' . "a"' * 100_000 + "]", f"line 4: a key has more than {DEPTH} parts"),
        ("a.toml", TOML + "a = " + "[" * 100_000, f"nested more than {DEPTH} deep"),
        ("a.toml", TOML + "a = " + "9" * 5000, "not well-formed"),
        ("a.toml", TOML + "a = 0x" + "f" * 100_000, f"has more than the {DIGITS} digits"),
        ("a.toml", TOML + "a = 2001-12-31", "a: is of the type date, which a config cannot contain"),
        ("a.toml", TOML + "a = 2001-12-31T10:00:00Z", "a: is of the type datetime"),
        ("a.toml", TOML + "a = 2001-13-45", "not well-formed"),
        ("a.toml", TOML + "a = nan", "a: must be a finite number"),
        ("a.toml", TOML + 'a = "\\u0000"', "a: contains a control character"),
    ],
    ids=lambda value: None if len(value) < 60 else "text",
)
def test_json_and_toml(tmp_path: Path, name: str, text: str, words: str) -> None:
    assert words in refused(tmp_path, text, name)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("synthesis.samples=" + "9" * 5000, f"a number has 5000 digits; {DIGITS} are allowed"),
        (
            "synthesis.samples=2001-13-45",
            "synthesis -> samples: must be an integer (got '2001-13-45')",
        ),
        ("synthesis.samples=2001-12-31", "(got '2001-12-31')"),
        ("x=" + "[" * 3000, f"nested more than {DEPTH} deep"),
        ("x=" + "[" * 40 + "]" * 40, f"nested more than {DEPTH} deep"),
        ("x=&a [*a]", "the alias 'a' contains itself"),
        ("synthesis.samples=0x" + "f" * 100_000, f"digits; {DIGITS} are allowed"),
        ("scorers.²=x", "is a list without an item '²'; it has items 0 to 0"),
        ("scorers.٣=x", "is a list without an item '٣'"),
        ("scorers." + "9" * 5000 + "=x", "is a list without an item '999"),
        ("scorers.-1=x", "is a list without an item '-1'"),
        ("synthesis.samples=.nan", "synthesis -> samples: must be a finite number (got nan)"),
        ("synthesis.samples=1e999", "synthesis -> samples: must be "),
        ("synthesis.samples=!!python/object/apply:os.getcwd []", "has no place in a config"),
        ("synthesis.samples=\0", "the value is not valid YAML"),
        ("a" + ".a" * 10_000 + "=1", f"the key has 10001 parts; {DEPTH} are allowed"),
        ("a..b=1", "write it as key=value"),
        (".=1", "write it as key=value"),
        ("x" * 100_000, "write it as key=value"),
        ("x" * 100_000 + "=1", "is not an option"),
        ("device=<<", "device: must have the form"),
        ("device==", "device: must have the form"),
        ("device=" + "x" * 100_000, "device: must have the form"),
        ("Engine.workers=1", "Engine: is not an option. Did you mean 'engine'?"),
    ],
    ids=lambda value: None if len(value) < 60 else "text",
)
def test_overrides(tmp_path: Path, override: str, words: str) -> None:
    assert words in refused(tmp_path, YAML, "run.yaml", override)


@pytest.mark.parametrize(
    ("key", "most"),
    [
        ("synthesis.samples", 100_000_000),
        ("synthesis.batch_size", 65_536),
        ("rescoring.samples", 100_000_000),
        ("rescoring.distance", 1e6),
        ("rescoring.null_directions", 100_000),
        ("rescoring.bootstrap", 1_000_000),
        ("editing.samples", 10_000),
        ("editing.steps", 1000),
        ("editing.end", 1e6),
        ("report.samples", 10_000),
        ("engine.workers", 1024),
        ("engine.threads", 1024),
    ],
)
def test_what_no_machine_could_follow_is_refused_with_the_limit(
    key: str, most: float, tmp_path: Path
) -> None:
    read_config(_file(tmp_path), [f"{key}={most:.1f}" if isinstance(most, float) else f"{key}={most}"])
    for beyond in (most + 1, 10**11, 10**18, 10**90):
        message = refused(tmp_path, YAML, "run.yaml", f"{key}={int(beyond)}")
        assert f"{key.replace('.', ' -> ')}: must be less than or equal to {int(most)}" in message


def _file(folder: Path) -> Path:
    file = folder / "run.yaml"
    file.write_text(YAML, encoding="utf-8")
    return file


@pytest.mark.parametrize("size", [0, 10**9, 10**18])
def test_a_module_of_latents_that_no_memory_holds_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match="generator -> with -> latent -> size: must be "):
        validate(
            {"generator": {"use": "module", "with": {"target": "a:B", "latent": {"size": size}}}}, "here"
        )


def test_an_alias_bomb_that_is_small_in_each_place_is_not_repeated_in_a_message(tmp_path: Path) -> None:
    inner = "&a [" + "x," * 30_000 + "]"
    message = refused(
        tmp_path, YAML + f"synthesis: {{samples: {inner}, seed: *a}}\nconcepts: {{include: *a}}"
    )
    assert "synthesis -> samples: must be " in message


def test_many_faults_are_counted_and_not_all_listed(tmp_path: Path) -> None:
    message = refused(tmp_path, YAML + "".join(f"unknown{i}: 1\n" for i in range(5000)))
    assert "5000 faults, nothing was written." in message
    assert "unknown0, unknown1, unknown2 and 4997 more: is not an option" in message


@pytest.mark.parametrize("kind", ["yaml", "toml", "json"])
def test_a_byte_order_mark_does_no_harm(tmp_path: Path, kind: str) -> None:
    text = {"yaml": YAML, "toml": TOML, "json": "{" + JSON + "}"}[kind]
    file = tmp_path / f"run.{kind}"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_config(file).scorers[0].use == "hue"


def test_an_endless_device_is_not_a_config() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero here")
    with pytest.raises(UserError, match="cannot read /dev/zero: it is a device; a regular file is needed"):
        read_config(Path("/dev/zero"))


@pytest.mark.parametrize("path", ["a\0b.yaml", "x" * 5000, "y/" * 3000])
def test_a_path_that_no_system_takes(path: str) -> None:
    with pytest.raises(UserError, match=r"cannot read|no config file"):
        read_config(Path(path))


def test_a_long_but_sound_config_is_read_in_time(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        YAML + "concepts: {include: ['*', " + ",".join(f"'pattern {i} */*'" for i in range(20_000)) + "]}"
    )
    began = time.process_time()
    assert len(read_config(file).concepts.include) == 20_001
    assert time.process_time() - began < 20


def test_numbers_of_numpy_and_tuples_are_taken_from_python() -> None:
    data = {
        "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
        "scorers": ({"use": "hue"},),
        "boundary": {"use": "ridge"},
    }
    config = validate({**data, "synthesis": {"samples": np.int64(7), "mixing": np.float32(0.5)}}, "here")
    assert isinstance(config, RunConfig)
    assert (config.synthesis.samples, type(config.synthesis.samples), config.synthesis.mixing) == (
        7,
        int,
        0.5,
    )


@pytest.mark.parametrize("value", [datetime.date(2001, 1, 1), {1, 2}, b"x", object(), len, 1j, float("nan")])
def test_objects_of_python_are_refused_with_their_place(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        validate({"generator": {"use": "module", "with": {"arguments": {"deep": [value]}}}}, "here")
    assert ("generator", "with", "arguments", "deep", 0) in [fault.path for fault in caught.value.faults]


def test_data_that_hold_themselves_are_refused() -> None:
    data: dict = {"generator": {}}
    data["generator"]["with"] = data
    with pytest.raises(ConfigError, match=f"nested more than {DEPTH} deep"):
        validate(data, "here")


@pytest.mark.parametrize(("learner", "key"), [("linear_svm", "C"), ("logistic", "C"), ("ridge", "alpha")])
def test_penalties_beyond_what_solvers_bear_are_refused(learner: str, key: str) -> None:
    base = {
        "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms"}},
        "scorers": [{"use": "hue"}],
    }
    validate({**base, "boundary": {"use": learner, "with": {key: 1e12}}}, "here")
    with pytest.raises(ConfigError, match=f"boundary -> with -> {key}: must be less than or equal to"):
        validate({**base, "boundary": {"use": learner, "with": {key: 1e13}}}, "here")
