"""`ganstrata plugins`: lists for people and programs, and what a plugin's config allows."""

from __future__ import annotations

import json
import re
import shlex
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from ganstrata import Analysis, AnalysisResult, PluginConfig, Scorer
from ganstrata.cli.analysis import analysis
from ganstrata.cli.main import COMMANDS
from ganstrata.core.config.example import example_options, section_of
from ganstrata.core.config.reading import validate
from ganstrata.core.config.schema import AUTO
from ganstrata.core.plugins.plugin_info import CONFIGURED, RESERVED, PluginInfo
from ganstrata.core.plugins.registry import registry
from pydantic import Field


def test_the_list_names_kind_purpose_and_owner(invoke) -> None:
    result = invoke("plugins", "list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "Generators:",
        "Scorers:",
        "Boundary learners:",
        "Engines:",
        "Inverters:",
    ]
    (fake,) = [line for line in lines if line.startswith("  fake_layers ")]
    assert fake.endswith("eight layers with planted directions  [ganstrata-fakes 1.0]")
    assert {"stylegan2", "layout", "hue", "linear_svm", "ridge"} <= {
        line.split()[0] for line in lines if line.startswith("  ")
    }


def test_the_list_is_json_for_programs(invoke) -> None:
    content = json.loads(invoke("plugins", "list", "--json").stdout)
    assert set(content) == {"plugins", "listeners", "broken", "slow"}
    rows = {(row["kind"], row["name"]): row for row in content["plugins"]}
    assert rows["generator", "fake_flat"] == {
        "kind": "generator",
        "name": "fake_flat",
        "target": "ganstrata_fakes:Flat",
        "summary": "the same with one layer",
        "distribution": "ganstrata-fakes 1.0",
        "entry_point": "fakes",
    }
    assert rows["boundary", "ridge"]["distribution"].startswith("ganstrata ")


OPTIONS = {
    "fake_layers": [("gain", "number, above 0, below 1", 0.05, "amplitude of what is planted")],
    "linear_svm": [
        (
            "positives",
            "whole number or number, above 0",
            2000,
            "highest scores: a count, or a share up to 0.5",
        ),
        ("C", "number, above 0, at most 1e+12", 1.0, "weight of errors against the width of the margin"),
        (
            "loss",
            "squared_hinge or hinge",
            "squared_hinge",
            "hinge is the paper's, and the default with `exact`",
        ),
    ],
    "hue": [
        (
            "soft",
            "true or false",
            False,
            "triangular bins in place of boxes, which makes scores differentiable",
        )
    ],
    "fake_flat": [("gain", "number, above 0, below 1", 0.05, "amplitude of what is planted")],
    "fake_constant": [],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_show_has_the_options_as_a_table_and_as_json(name: str, invoke) -> None:
    result = invoke("plugins", "show", name)
    assert result.exit_code == 0
    lines = [re.split(r" {2,}", line.strip()) for line in result.stdout.splitlines()]
    assert lines[0][0].startswith(f"{name}: ")
    (record,) = json.loads(invoke("plugins", "show", name, "--json").stdout)
    rows = {row["option"]: row for row in record["options"]}
    for option, kind, default, meaning in OPTIONS[name]:
        assert [option, kind, json.dumps(default), meaning] in lines
        assert rows[option] == {
            "option": option,
            "type": kind,
            "required": False,
            "default": default,
            "meaning": meaning,
        }
    if not OPTIONS[name]:
        assert ["none"] in lines
        assert not rows


def test_the_example_of_every_built_in_plugin_validates(fakes) -> None:
    rest = {
        "generator": {"use": "fake_layers"},
        "scorers": [{"use": "fake_readings"}],
        "boundary": {"use": "ridge"},
    }
    for info in registry().infos():
        if info.distribution.startswith("ganstrata "):
            options = example_options(info)
            assert options is not None, info.name
            if info.kind not in CONFIGURED:
                assert info.imported().Config(**options)
                continue
            example = section_of(info.kind, info.name, options)
            validate({**rest, **example}, info.name)
            (use,) = example.values()
            assert (use[0] if isinstance(use, list) else use)["use"] == info.name


class Listing(Analysis):
    """An analysis with an option that must be given."""

    class Config(PluginConfig):
        title: str = Field(examples=["a b"])

    def analyse(self, run):
        return AnalysisResult(sentences=[self.config.title])


def test_the_example_of_an_analysis_is_the_command_that_calls_it(invoke, register) -> None:
    register("analysis", "listing", Listing)
    (record,) = json.loads(invoke("plugins", "show", "listing", "--json").stdout)
    assert record["example"] == """ganstrata analysis listing runs/rooms --set 'title="a b"'"""
    _, analysis, name, _, *options = shlex.split(record["example"])
    done = invoke(analysis, name, "no-such-run", *options)
    assert "title" not in done.stderr, "the option is understood"
    with pytest.raises(ValueError, match="no section for the kind 'analysis'"):
        section_of("analysis", "listing", {})


def test_an_example_is_printed_as_yaml(invoke) -> None:
    shown = invoke("plugins", "show", "category").stdout
    example = dedent(shown.partition("Example:\n")[2])
    assert yaml.safe_load(example) == {
        "scorers": [{"use": "category", "with": {"checkpoint": "bundled:rooms"}}]
    }


class Inner(PluginConfig):
    """A section."""

    size: int = Field(gt=0, description="a size")
    rest: list[Inner] = Field(default_factory=list)


class Deep(Scorer):
    """A scorer with sections, and with types of its own."""

    class Config(PluginConfig):
        """The options."""

        one: Inner = Field(Inner(size=2), description="a first section")
        several: list[Inner] = Field(default_factory=lambda: [Inner(size=3)])
        perhaps: Inner | None = None
        folder: Path = Path("here")
        day: date | None = None


def test_show_has_the_options_of_sections_as_rows_and_no_python(invoke, register) -> None:
    register("scorer", "deep", Deep)
    result = invoke("plugins", "show", "deep", "--json")
    assert result.exit_code == 0, result.stderr
    (record,) = json.loads(result.stdout)
    rows = {row["option"]: row for row in record["options"]}
    assert list(rows) == [
        *("one", "one.size", "one.rest", "several", "several[].size", "several[].rest"),
        *("perhaps", "perhaps.size", "perhaps.rest", "folder", "day"),
    ]
    assert rows["one"]["default"] == {"size": 2, "rest": []}
    assert rows["one"]["type"] == "section"
    assert rows["one.size"] == {
        "option": "one.size",
        "type": "whole number, above 0",
        "required": True,
        "default": None,
        "meaning": "a size",
    }
    assert rows["several"]["default"] == [{"size": 3, "rest": []}]
    assert (rows["several"]["type"], rows["several"]["meaning"]) == ("list of section", "A section.")
    assert (rows["folder"]["type"], rows["folder"]["default"]) == ("Path", "here")
    assert (rows["day"]["type"], rows["day"]["default"]) == ("date or none", None)
    lines = [
        re.split(r" {2,}", line.strip()) for line in invoke("plugins", "show", "deep").stdout.splitlines()
    ]
    assert ["one", "section", "a first section"] in lines
    assert ["one.size", "whole number, above 0", "required", "a size"] in lines


def test_a_section_of_a_built_in_plugin_can_be_configured_from_what_is_shown(invoke) -> None:
    shown = invoke("plugins", "show", "module").stdout
    assert re.search(r"^ +latent\.size +whole number, above 0", shown, re.MULTILINE)
    assert re.search(r'^ +call\.method +text +"forward" +method that', shown, re.MULTILINE)
    assert "method='" not in shown


def test_an_example_is_a_text_for_every_kind(invoke, register) -> None:
    registry().add(PluginInfo("command", "hue", "click:echo", "made by a test", "test 0"))
    records = json.loads(invoke("plugins", "show", "hue", "--json").stdout)
    assert [(row["kind"], row["example"]) for row in records] == [
        ("scorer", "scorers:\n- use: hue"),
        ("command", "ganstrata hue --help"),
    ]
    assert records[1]["class"] == "click.echo"
    assert records[1]["file"].endswith("__init__.py")
    assert set(records[0]) == set(records[1])


class Strange(Scorer):
    """A scorer whose option allows nothing that its type suggests."""

    class Config(PluginConfig):
        path: str = Field(pattern="^never$")


def test_an_option_that_needs_an_example_of_its_author_gives_none(invoke, register) -> None:
    register("scorer", "strange", Strange)
    result = invoke("plugins", "show", "strange")
    assert result.exit_code == 0
    assert "Example" not in result.stdout


def test_one_name_in_two_kinds_shows_both_or_the_one_that_is_asked_for(invoke, register) -> None:
    register("scorer", "ridge", Strange)
    both = json.loads(invoke("plugins", "show", "ridge", "--json").stdout)
    assert [row["kind"] for row in both] == ["scorer", "boundary"]
    (one,) = json.loads(invoke("plugins", "show", "ridge", "--kind", "scorer", "--json").stdout)
    assert one["class"].endswith("Strange")


def test_show_says_what_is_required_and_where_it_comes_from(invoke) -> None:
    shown = invoke("plugins", "show", "stylegan2").stdout
    assert re.search(r"^ +checkpoint +text +required ", shown, re.MULTILINE)
    assert "ganstrata.plugins.generators.stylegan2.generator.StyleGAN2" in shown
    assert (
        "from ganstrata-fakes 1.0, ganstrata_fakes.Layered" in invoke("plugins", "show", "fake_layers").stdout
    )


@pytest.mark.parametrize(
    ("typed", "hint"), [("linear_smv", "linear_svm"), ("huee", "hue"), ("stylgan2", "stylegan2")]
)
def test_show_of_a_misspelt_name_hints_at_plugins_of_any_kind(typed: str, hint: str, invoke) -> None:
    result = invoke("plugins", "show", typed)
    assert result.exit_code == 2
    assert f"named '{typed}'. Did you mean '{hint}'?" in result.stderr


def test_reserved_names_are_those_of_the_command_line() -> None:
    assert sorted(RESERVED["command"]) == sorted(COMMANDS)
    assert sorted(RESERVED["analysis"]) == sorted(analysis.commands)
    assert RESERVED["generator"] == (AUTO,)


def test_an_inverter_is_listed_shown_and_checked(invoke, tmp_path: Path) -> None:
    assert "Inverters:\n" in invoke("plugins", "list").stdout
    shown = invoke("plugins", "show", "w+", "--kind", "inverter").stdout
    assert "ganstrata invert picture.png --run runs/rooms --refine w+" in shown
    assert "spread" in shown
    config = tmp_path / "run.yaml"
    config.write_text("generator: {use: fake_layers}\n", encoding="utf-8")
    checked = invoke("plugins", "check", "mean", "--kind", "inverter", "--config", str(config))
    assert (checked.exit_code, "0 failed" in checked.stdout) == (0, True)
