"""Test the reading of configs: three formats, --set, and all faults at once with their places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ganstrata
import pytest
from ganstrata.core.config.reading import read_config, validate
from ganstrata.core.errors import ConfigError, UserError

GOOD = """
generator: {use: stylegan2, with: {checkpoint: "bundled:rooms"}}
scorers: [{use: hue}]
boundary: {use: ridge}
"""


def written(folder: Path, text: str, name: str = "run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(text: str, folder: Path, *overrides: str) -> dict[str, str]:
    """Return a message by path; all other content of the folder must stay unchanged."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as caught:
        read_config(path, overrides)
    assert str(caught.value).startswith(f"{path}: ")
    assert [p.name for p in folder.iterdir()] == ["run.yaml"], "a wrong config writes nothing"
    messages = {" -> ".join(str(part) for part in fault.path): fault.message for fault in caught.value.faults}
    assert len(messages) == len(caught.value.faults), "one fault for one place"
    return messages


def test_yaml_toml_and_json_mean_the_same(tmp_path: Path) -> None:
    data = {
        "generator": {"use": "stylegan2", "with": {"checkpoint": "bundled:rooms", "truncation_psi": 0.5}},
        "scorers": [
            {"use": "hue", "as": "colour"},
            {"use": "layout", "with": {"checkpoint": "bundled:rooms"}},
        ],
        "boundary": {"use": "ridge"},
        "synthesis": {"samples": 50},
    }
    toml = """
        scorers = [{use = "hue", as = "colour"}, {use = "layout", with = {checkpoint = "bundled:rooms"}}]
        boundary = {use = "ridge"}
        [generator]
        use = "stylegan2"
        with = {checkpoint = "bundled:rooms", truncation_psi = 0.5}
        [synthesis]
        samples = 50
    """
    yaml = """
        generator: {use: stylegan2, with: {checkpoint: "bundled:rooms", truncation_psi: 0.5}}
        scorers:
          - {use: hue, as: colour}
          - {use: layout, with: &w {checkpoint: "bundled:rooms"}}
        boundary: {use: ridge}
        synthesis: {samples: 50}
    """
    read = [
        read_config(written(tmp_path, text, f"a.{end}"))
        for text, end in ((yaml, "yaml"), (toml, "toml"), (json.dumps(data), "json"))
    ]
    assert read[0] == read[1] == read[2] == validate(data, "here")
    assert [s.alias for s in read[0].scorers] == ["colour", "layout"]


def test_the_example_is_right() -> None:
    config = read_config(Path(__file__).parents[3] / "examples" / "rooms.yaml")
    assert config.generator.use == "stylegan2"


def test_every_fault_at_once(tmp_path: Path) -> None:
    faults = faults_of(
        """
generator: {use: stylgan2, with: {}}
scorers:
  - {use: hue, with: {sotf: true}}
  - {use: category}
boundary: {use: ridge, with: {alpha: -1}}
synthesis: {samples: 0, seeds: 3}
rescoring: {distance_unit: cm, layers: all}
precision: fp64
devise: cpu
""",
        tmp_path,
    )
    assert "No generator named 'stylgan2'. Did you mean 'stylegan2'?" in faults.pop("generator -> use")
    assert faults.pop("scorers -> 0 -> with -> sotf").startswith("is not an option of 'hue' (from ganstrata ")
    assert (
        faults.pop("scorers -> 1 -> with -> checkpoint")
        == "is missing (a Places365 network, another residual classifier, or bundled:rooms)"
    )
    assert "greater than or equal to 0 (got -1)" in faults.pop("boundary -> with -> alpha")
    assert "greater than 0 (got 0)" in faults.pop("synthesis -> samples")
    seeds = faults.pop("synthesis -> seeds")
    assert "Did you mean 'seed'?" in seeds
    assert "Allowed: samples, seed, batch_size, mixing" in seeds
    unit = faults.pop("rescoring -> distance_unit")
    assert "'sd' or 'raw'" in unit
    assert "(got 'cm')" in unit
    assert "list" in faults.pop("rescoring -> layers")
    assert "'fp16'" in faults.pop("precision")
    assert "Did you mean 'device'?" in faults.pop("devise")
    assert not faults


def test_the_nearest_option_of_a_plugin_is_named(tmp_path: Path) -> None:
    faults = faults_of(GOOD.replace('"bundled:rooms"', '"bundled:rooms", trunction_psi: 0.5'), tmp_path)
    assert "Did you mean 'truncation_psi'?" in faults["generator -> with -> trunction_psi"]


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("synthesis: {samples: many}", "synthesis -> samples", "integer"),
        ("synthesis: {samples: 1.5}", "synthesis -> samples", "integer"),
        ("synthesis: {batch_size: big}", "synthesis -> batch_size", "'auto'"),
        ("synthesis: {seed: -1}", "synthesis -> seed", "greater than or equal to 0"),
        ("synthesis: {mixing: .nan}", "synthesis -> mixing", "finite"),
        ("synthesis: 3", "synthesis", "must be a section with keys and values (got 3)"),
        ("rescoring: {distance: .inf}", "rescoring -> distance", "finite"),
        ("rescoring: {samples: 7}", "rescoring -> samples", "greater than or equal to 8"),
        ("rescoring: {groups: {all: 0-1}}", "rescoring -> groups", "'all' cannot name a group"),
        ("rescoring: {groups: {7up: 0-1}}", "rescoring -> groups", "'7up' cannot name a group"),
        ("rescoring: {false_discovery_rate: 1.0}", "rescoring -> false_discovery_rate", "less than 1"),
        ("editing: {start: 2, end: 1}", "editing", "end (1.0) must be greater than start (2.0)"),
        ("editing: {steps: 1}", "editing -> steps", "greater than or equal to 2"),
        ("concepts: {levels: [color]}", "concepts -> levels -> 0", "'colour'"),
        ("concepts: {include: []}", "concepts -> include", "at least 1"),
        ("conditions: [{edit: a/b, keep: []}]", "conditions -> 0 -> keep", "at least 1"),
        ("device: gpu", "device", "got 'gpu'"),
        ("device: 'cuda:x'", "device", "got 'cuda:x'"),
        ("engine: {workers: 0}", "engine -> workers", "must be greater than 0, or 'auto' (got 0)"),
        ("engine: {use: cluster}", "engine -> use", "No engine named 'cluster'.\n  Known: local"),
        ("engine: {kind: cluster}", "engine -> kind", "No engine named 'cluster'.\n  Known: local"),
        ("engine: {use: local, with: {nodes: 3}}", "engine -> with -> nodes", "is not an option of 'local'"),
        ("engine: {use: local, kind: local}", "engine -> kind", "is not an option"),
        ("1: 2", "1", "keys must be text, but this one is a number"),
    ],
)
def test_values_that_are_not_allowed(tmp_path: Path, line: str, place: str, message: str) -> None:
    faults = faults_of(GOOD + line, tmp_path)
    assert list(faults) == [place]
    assert message in faults[place]


@pytest.mark.parametrize("section", ["generator", "scorers"])
def test_sections_that_must_be_there(tmp_path: Path, section: str) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith(section))
    assert list(faults_of(text, tmp_path)) == [section]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (GOOD.replace("scorers: [{use: hue}]", "scorers: []"), "scorers", "at least 1"),
        (GOOD.replace("scorers: [{use: hue}]", "scorers: hue"), "scorers", "list"),
        (GOOD.replace("scorers: [{use: hue}]", "scorers: [hue]"), "scorers -> 0", "got 'hue'"),
        (
            GOOD.replace("scorers: [{use: hue}]", "scorers: [{use: hue, with: 3}]"),
            "scorers -> 0 -> with",
            "section",
        ),
        (
            GOOD.replace("scorers: [{use: hue}]", "scorers: [{use: 3}]"),
            "scorers -> 0 -> use",
            "must be text (got 3)",
        ),
        (
            GOOD.replace("scorers: [{use: hue}]", "scorers: [{use: hue}, {use: hue}]"),
            "scorers",
            "two scorers are called 'hue'",
        ),
        (
            GOOD.replace(
                "scorers: [{use: hue}]",
                "scorers: [{use: hue}, {use: layout, as: hue, with: {checkpoint: x}}]",
            ),
            "scorers",
            "called 'hue'",
        ),
        (
            GOOD.replace("scorers: [{use: hue}]", "scorers: [{use: hue, as: a/b}]"),
            "scorers -> 0 -> as",
            "got 'a/b'",
        ),
        (
            GOOD.replace("generator: {use: stylegan2", "generator: {use: hue"),
            "generator -> use",
            "No generator named 'hue'",
        ),
    ],
)
def test_plugins_named_wrongly(tmp_path: Path, text: str, place: str, message: str) -> None:
    faults = faults_of(text, tmp_path)
    assert place in faults
    assert message in faults[place]


def test_one_scorer_twice_under_two_names(tmp_path: Path) -> None:
    config = read_config(
        written(tmp_path, GOOD.replace("{use: hue}", "{use: hue}, {use: hue, as: soft, with: {soft: true}}"))
    )
    assert [s.alias for s in config.scorers] == ["hue", "soft"]


def test_set_changes_one_value(tmp_path: Path) -> None:
    overrides = [
        "synthesis.samples=77",
        "generator.with.truncation_psi=0.5",
        "scorers.0.as=colour",
        "rescoring.layers=[all, 3, 0-1]",
        "device=cpu",
        "rescoring.groups.low=4",
        "synthesis.samples=78",
    ]
    config = read_config(written(tmp_path, GOOD), overrides)
    assert config.synthesis.samples == 78, "the last word counts"
    assert config.generator.options == {"checkpoint": "bundled:rooms", "truncation_psi": 0.5}
    assert config.scorers[0].alias == "colour"
    assert config.rescoring.layers == ["all", "3", "0-1"]
    assert config.rescoring.groups == {"low": "4"}
    assert config.device == "cpu"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("synthesis.samples", "write it as key=value"),
        ("=5", "write it as key=value"),
        ("scorers.3.as=x", "'scorers' is a list without an item '3'.*it has items 0 to 0"),
        ("scorers.one=x", "'scorers' is a list without an item 'one'"),
        ("generator.use.deeper=1", "is a value, not a section"),
        ("generator.use.deeper.still=1", "'generator.use' is a value, not a section"),
        ("device=[", "the value is not valid YAML"),
    ],
)
def test_overrides_that_cannot_be_applied(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_config(written(tmp_path, GOOD), [override])
    assert f"--set {override}" in str(caught.value)


def test_faults_of_overrides_are_faults_of_the_config(tmp_path: Path) -> None:
    faults = faults_of(GOOD, tmp_path, "synthesis.samples=no", "syntesis.samples=5")
    assert set(faults) == {"synthesis -> samples", "syntesis"}
    assert "Did you mean 'synthesis'?" in faults["syntesis"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "", "expected sections such as `generator:` and `scorers:`, got None"),
        ("a.yaml", "# nothing but words\n", "got None"),
        ("a.yaml", "- generator\n- scorers\n", "expected sections"),
        ("a.yaml", "stylegan2", "expected sections .*, got 'stylegan2'"),
        (
            "a.yaml",
            "generator:\n\tuse: stylegan2\n",
            "not well-formed.*(\n.*)*tab|not well-formed.*(\n.*)*\\\\t",
        ),
        ("a.yaml", "generator: {use: x", "not well-formed"),
        ("a.yaml", "generator: !!python/object/apply:os.getcwd []", "not well-formed"),
        ("a.yaml", GOOD + "boundary: {use: linear_svm}", "'boundary' is given twice(\n.*)*line 5"),
        ("a.yaml", GOOD.replace("hue}", "hue, use: layout}"), "'use' is given twice"),
        ("a.json", "", "not well-formed"),
        ("a.json", "[1]", r"got \[1\]"),
        ("a.json", '{"generator": {"use": "x", "use": "y"}}', "'use' is given twice"),
        ("a.json", "[" * 100_000, "not well-formed"),
        ("a.toml", "generator = {use = ", "not well-formed"),
        ("a.toml", "[engine]\nworkers = 1\nworkers = 2\n", "not well-formed"),
    ],
)
def test_files_that_are_not_configs_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_config(written(tmp_path, text, name))
    assert str(tmp_path / name) in str(caught.value)


def test_merged_keys_may_be_overridden(tmp_path: Path) -> None:
    """A YAML merge is not a repetition."""
    text = GOOD.replace("[{use: hue}]", "[&a {use: hue, as: one}, {<<: *a, as: two}]")
    assert [s.alias for s in read_config(written(tmp_path, text)).scorers] == ["one", "two"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config file .*absent\.yaml"):
        read_config(tmp_path / "absent.yaml")
    with pytest.raises(UserError, match="cannot read"):
        read_config(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"generator: caf\xe9")
    with pytest.raises(UserError, match="cannot read"):
        read_config(tmp_path / "latin.yaml")


def test_a_checked_config_survives_the_way_through_json(tmp_path: Path) -> None:
    config = read_config(
        written(tmp_path, GOOD), ["rescoring.groups={low: 0-1}", "conditions=[{edit: a/b, keep: [c/d]}]"]
    )
    again: Any = json.loads(json.dumps(config.model_dump(mode="json", by_alias=True)))
    assert validate(again, "run.json") == config


def test_a_broken_config_from_python_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="config: one fault, nothing was written"):
        ganstrata.run(
            {"generator": {"use": "stylegan2", "with": {"checkpoint": "x"}}, "scorers": [{"use": "hue"}]},
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()
