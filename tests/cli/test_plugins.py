"""`ganstrata plugins`: lists for people and programs, and what a plugin's config allows."""

from __future__ import annotations

import json

import pytest


def test_the_list_names_kind_purpose_and_owner(invoke) -> None:
    result = invoke("plugins", "list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "Generators:",
        "Scorers:",
        "Boundary learners:",
    ]
    (fake,) = [line for line in lines if line.startswith("  fake_layers ")]
    assert fake.endswith("eight layers with planted directions  [ganstrata-fakes 1.0]")
    assert {"stylegan2", "layout", "hue", "linear_svm", "ridge"} <= {
        line.split()[0] for line in lines if line.startswith("  ")
    }


def test_the_list_is_json_for_programs(invoke) -> None:
    content = json.loads(invoke("plugins", "list", "--json").stdout)
    assert set(content) == {"plugins", "broken"}
    rows = {(row["kind"], row["name"]): row for row in content["plugins"]}
    assert rows["generator", "fake_flat"] == {
        "kind": "generator",
        "name": "fake_flat",
        "target": "ganstrata_fakes:Flat",
        "summary": "the same with one layer",
        "distribution": "ganstrata-fakes 1.0",
    }
    assert rows["boundary", "ridge"]["distribution"].startswith("ganstrata ")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("fake_layers", ["gain  (float, default 0.05)  amplitude of what is planted"]),
        (
            "linear_svm",
            [
                "positives  (int or float, default 2000)  highest scores: a count, or a share up to 0.5",
                "C  (float, default 1.0)  weight of errors against the width of the margin",
                'loss  (squared_hinge or hinge, default "squared_hinge")  '
                "hinge is the paper's, and the default with `exact`",
            ],
        ),
        (
            "hue",
            [
                "soft  (bool, default false)  triangular bins in place of boxes, which makes scores "
                "differentiable"
            ],
        ),
        ("fake_flat", ["gain  (float, default 0.05)  amplitude of what is planted"]),
        ("fake_constant", ["none"]),
    ],
)
def test_show_lists_the_fields_with_types_and_defaults(name: str, lines: list[str], invoke) -> None:
    result = invoke("plugins", "show", name)
    assert result.exit_code == 0
    shown = [line.strip() for line in result.stdout.splitlines()]
    assert shown[0].startswith(f"{name}: ")
    assert set(lines) <= set(shown)


def test_show_says_what_is_required_and_where_it_comes_from(invoke) -> None:
    shown = invoke("plugins", "show", "stylegan2").stdout
    assert "checkpoint  (" in shown
    assert ", required)" in shown
    assert "ganstrata.plugins.generators.stylegan2.generator.StyleGAN2" in shown
    assert (
        "from ganstrata-fakes 1.0, ganstrata_fakes.Layered in"
        in invoke("plugins", "show", "fake_layers").stdout
    )


@pytest.mark.parametrize(
    ("typed", "hint"), [("linear_smv", "linear_svm"), ("huee", "hue"), ("stylgan2", "stylegan2")]
)
def test_show_of_a_misspelt_name_hints_at_plugins_of_any_kind(typed: str, hint: str, invoke) -> None:
    result = invoke("plugins", "show", typed)
    assert result.exit_code == 2
    assert f"named '{typed}'. Did you mean '{hint}'?" in result.stderr
