"""Test names that two distributions register, and which plugins GANSTRATA_PLUGINS selects."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions

import pytest
from ganstrata.core.errors import PluginConflict, PluginNotFound
from ganstrata.core.plugins.plugin_info import KINDS
from ganstrata.core.plugins.registry import Registry
from plugin_folder import SCORER, Folder, good


def test_a_clash_names_both_distributions_and_spares_the_others(folder: Folder) -> None:
    folder.install(
        "first",
        "first",
        good("same", "first") + SCORER + good("lone", "first").replace("scorers", "generators"),
    )
    folder.install("second", "second", good("same", "second") + SCORER)
    plugins = folder.registry()
    with pytest.raises(PluginConflict) as caught:
        plugins.info("scorer", "same")
    message = str(caught.value)
    assert "first 1.2 (first:Mine)" in message
    assert "second 1.2 (second:Mine)" in message
    assert message.endswith(
        "Uninstall one, or leave one out: GANSTRATA_PLUGINS=-first or GANSTRATA_PLUGINS=-second."
    )
    assert [[info.distribution for info in clash] for clash in plugins.clashes()] == [
        ["first 1.2", "second 1.2"]
    ]
    assert plugins.info("generator", "lone").distribution == "first 1.2"
    assert len(plugins.infos("scorer")) == 2


@pytest.mark.parametrize(
    ("entry", "way_out"),
    [
        ("two = sibling\none", "Leave one out: GANSTRATA_PLUGINS=-one or GANSTRATA_PLUGINS=-two."),
        ("two = sibling\ntwins", "Leave one out: GANSTRATA_PLUGINS=-two."),
        ("one", "Only the author of twins can rename one: its entry points have one name."),
    ],
)
def test_a_clash_within_a_distribution_is_decided_by_entry_points(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, entry: str, way_out: str
) -> None:
    source = good("same", "twins") + SCORER
    if entry == "one":
        line = '    register("same", "twins:Mine", "one line")\n'
        assert line in source
        source = source.replace(line, 2 * line)
    (folder.path / "sibling.py").write_text(source)
    folder.install("twins", "twins", source, entry=entry)
    with pytest.raises(PluginConflict, match="Two scorers are called 'same'") as caught:
        folder.registry().info("scorer", "same")
    assert str(caught.value).endswith(way_out)
    setting = re.search(r"GANSTRATA_PLUGINS=([-\w]+)", way_out)
    if setting is not None:
        monkeypatch.setenv("GANSTRATA_PLUGINS", setting[1])
        assert folder.registry().info("scorer", "same").distribution == "twins 1.2"


def test_one_name_in_two_kinds_is_not_a_clash(folder: Folder) -> None:
    folder.install(
        "first", "first", good("same", "first") + good("same", "first").replace("scorers", "boundaries")
    )
    plugins = folder.registry()
    assert not plugins.clashes()
    assert plugins.info("scorer", "same").kind == "scorer"
    assert plugins.info("boundary", "same").kind == "boundary"


def test_a_clash_can_be_decided_with_ganstrata_plugins(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.install("first-dist", "first", good("same", "first") + SCORER)
    folder.install("second-dist", "second", good("same", "second") + SCORER)
    monkeypatch.setenv("GANSTRATA_PLUGINS", "first-dist")
    assert folder.registry().info("scorer", "same").distribution == "first-dist 1.2"
    monkeypatch.setenv("GANSTRATA_PLUGINS", "second, ")
    assert folder.registry().info("scorer", "same").distribution == "second-dist 1.2"
    monkeypatch.setenv("GANSTRATA_PLUGINS", "")
    assert folder.registry().infos() == []


def test_what_is_not_wanted_is_not_even_imported(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.install("first", "first", "raise SystemExit('imported')")
    folder.install("second", "second", "")
    monkeypatch.setenv("GANSTRATA_PLUGINS", "second")
    plugins = folder.registry()
    assert not plugins.broken
    assert "first" not in sys.modules


def test_an_unknown_name_in_ganstrata_plugins_is_an_error_with_the_nearest(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.install("first-dist", "first", good("mine", "first"))
    monkeypatch.setenv("GANSTRATA_PLUGINS", "first, first-dits")
    with pytest.raises(
        PluginNotFound, match=r"'first-dits'.* Did you mean 'first-dist'\? Installed: first, first-dist"
    ):
        folder.registry()
    monkeypatch.setenv("GANSTRATA_PLUGINS", "First_Dist")
    assert [info.name for info in folder.registry().infos()] == ["mine"], "as package indexes compare names"


@pytest.mark.parametrize("name", ["second_point", "second-point", "Second.Point", "second-dist"])
def test_a_name_selects_in_every_spelling_that_is_accepted(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder.install("first-dist", "first", good("one", "first"))
    folder.install("second-dist", "second", good("two", "second"), entry="second_point")
    monkeypatch.setenv("GANSTRATA_PLUGINS", name)
    assert [info.name for info in folder.registry().infos()] == ["two"]
    monkeypatch.setenv("GANSTRATA_PLUGINS", f"-{name}")
    assert [info.name for info in folder.registry().infos()] == ["one"]


def test_the_order_of_installation_does_not_matter(folder: Folder) -> None:
    for module in ("zeta", "alpha", "mid"):
        folder.install(module, module, good(f"p_{module}", module))
    points = [point for d in distributions(path=[str(folder.path)]) for point in d.entry_points]
    orders = [[i.name for i in Registry(order).infos()] for order in (points, points[::-1])]
    assert orders[0] == orders[1] == ["p_alpha", "p_mid", "p_zeta"]
    assert KINDS == ("generator", "scorer", "boundary")
