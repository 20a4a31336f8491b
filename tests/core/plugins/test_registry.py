"""Test how plugins are discovered, named and reported, with distributions in a folder."""

from __future__ import annotations

import pytest
from ganstrata.core.errors import PluginBroken, PluginNotFound
from ganstrata.core.plugins.entry_points import Listener
from ganstrata.core.plugins.plugin_info import PluginInfo
from ganstrata.core.plugins.registry import Registry, registry
from plugin_folder import SCORER, Folder, good


def test_built_ins_come_in_by_the_same_door() -> None:
    infos = {(info.kind, info.name): info for info in registry().infos()}
    assert {
        ("generator", "stylegan2"),
        ("scorer", "layout"),
        ("scorer", "category"),
        ("scorer", "attribute"),
        ("scorer", "hue"),
        ("scorer", "segmentation"),
        ("boundary", "linear_svm"),
        ("boundary", "ridge"),
    } <= set(infos)
    assert all(
        info.distribution.startswith("ganstrata ")
        for key, info in infos.items()
        if key == ("generator", "stylegan2")
    )
    assert not registry().broken


@pytest.mark.parametrize("info", registry().infos(), ids=lambda info: f"{info.kind}-{info.name}")
def test_every_built_in_loads_and_describes_its_options(info: PluginInfo) -> None:
    plugin = info.load()
    assert info.summary
    assert plugin.__doc__
    assert all(field.description for field in plugin.Config.model_fields.values())
    assert plugin.Config.model_config["extra"] == "forbid"


def test_a_plugin_of_a_third_party(folder: Folder) -> None:
    folder.install("their-scorer", "their_scorer", good("mine", "their_scorer") + SCORER)
    plugins = folder.registry()
    assert [(i.kind, i.name, i.distribution, i.summary) for i in plugins.infos()] == [
        ("scorer", "mine", "their-scorer 1.2", "one line")
    ]
    assert plugins.scorer("mine").__name__ == "Mine"
    assert plugins.infos("generator") == []


def test_a_command_has_no_class() -> None:
    info = PluginInfo("command", "dumps", "json:dumps", "write JSON", "theirs 1.2")
    with pytest.raises(PluginBroken, match=r"'dumps' from theirs 1\.2 is a command, which has no class"):
        info.load()


def test_a_broken_plugin_stops_only_those_who_ask_for_it(folder: Folder) -> None:
    file = folder.install("their-broken", "broken_thing", "import math\n\nimport no_such_module_here\n")
    folder.install("their-scorer", "their_scorer", good("mine", "their_scorer") + SCORER)
    plugins = folder.registry()
    assert plugins.scorer("mine").__name__ == "Mine"
    (broken,) = plugins.broken
    assert (broken.entry_point, broken.distribution, broken.target) == (
        "broken_thing",
        "their-broken 1.2",
        "broken_thing",
    )
    assert broken.reason.startswith("ModuleNotFoundError: No module named 'no_such_module_here'")
    assert f"{file}:3" in broken.reason
    with pytest.raises(PluginBroken, match=r"their-broken 1\.2, which does not load:\n  ModuleNotFoundError"):
        plugins.info("scorer", "broken_thing")
    with pytest.raises(PluginNotFound, match=r"Broken and not loaded: broken_thing from their-broken 1\.2"):
        plugins.info("scorer", "other")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("def f(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit('needs a licence server')", "SystemExit: needs a licence server"),
        (
            "from ganstrata import hookimpl\n@hookimpl\ndef ganstrata_register_generator(register): ...",
            "ganstrata_register_generator",
        ),
        (
            "from ganstrata import hookimpl\n@hookimpl\ndef ganstrata_register_scorers(registry): ...",
            "registry",
        ),
        (
            "from ganstrata import hookimpl\n@hookimpl\n"
            "def ganstrata_register_scorers(register): raise OSError('gone')",
            "OSError: gone",
        ),
        (
            "ganstrata_stage_finished = lambda stage, run: None",
            "its ganstrata_stage_finished has the name of a hook but lacks the decorator @ganstrata.hookimpl",
        ),
        (good("auto", "their_broken").replace("scorers", "generators"), "no generator can be called 'auto'"),
        (good("not a name", "their_broken"), "must be letters, digits and underscores"),
        (
            good("mine", "their_broken").replace("their_broken:Mine", "their_broken.Mine"),
            "must read 'package.module:Class'",
        ),
    ],
)
def test_whatever_is_wrong_is_listed(folder: Folder, source: str, reason: str) -> None:
    folder.install("their-broken", "their_broken", source)
    folder.install("their-scorer", "their_scorer", good("mine", "their_scorer") + SCORER)
    plugins = folder.registry()
    (broken,) = plugins.broken
    assert broken.distribution == "their-broken 1.2"
    assert reason in broken.reason
    assert "registry.py" not in broken.reason, "the place is the plugin's"
    assert [info.name for info in plugins.infos()] == ["mine"]


def test_the_place_of_a_mistake_that_ganstrata_finds_is_in_the_plugin(folder: Folder) -> None:
    wrong = 'from ganstrata import Concept\n\nx = Concept("c", "texture")\n'
    file = folder.install("hooks-and-all", "hooks_and_all", wrong)
    (broken,) = folder.registry().broken
    assert broken.reason.startswith("ValueError: concept 'c': level 'texture' is not one of ")
    assert broken.reason.endswith(f"({file}:3)")


def test_every_plugin_that_does_not_load_has_its_reason_where_a_name_is_unknown(folder: Folder) -> None:
    for i in range(7):
        folder.install(f"broken-{i}", f"broken_{i}", f"raise RuntimeError('reason {i}')")
    with pytest.raises(PluginNotFound) as caught:
        folder.registry().info("scorer", "mine")
    lines = str(caught.value).splitlines()
    for i in range(5):
        assert (
            f"  Broken and not loaded: broken_{i} from broken-{i} 1.2: RuntimeError: reason {i} "
            in "".join(line for line in lines if f"broken_{i} from" in line)
        )
    assert lines[-1] == "  and 2 more that do not load"


def test_what_is_left_out_is_named_where_a_name_is_unknown(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.install("left-out", "left_out", good("mine", "left_out") + SCORER)
    folder.install("kept", "kept", "")
    monkeypatch.setenv("GANSTRATA_PLUGINS", "-left_out")
    with pytest.raises(
        PluginNotFound, match=r"\n  Left out by GANSTRATA_PLUGINS=-left_out: left-out 1\.2\.$"
    ):
        folder.registry().info("scorer", "mine")
    monkeypatch.delenv("GANSTRATA_PLUGINS")
    with pytest.raises(PluginNotFound) as caught:
        folder.registry().info("scorer", "other")
    assert "Left out" not in str(caught.value)


def test_a_distribution_that_only_follows_runs_is_a_listener(folder: Folder) -> None:
    hook = "@hookimpl\ndef ganstrata_stage_{}(stage): ...\n"
    source = "from ganstrata import hookimpl\n" + hook.format("failed") + hook.format("started")
    folder.install("their-log", "their_log", source)
    folder.install("their-scorer", "their_scorer", good("mine", "their_scorer"))
    plugins = folder.registry()
    assert plugins.listeners == [Listener("their_log", "their-log 1.2", ("started", "failed"))]
    assert not plugins.broken


def test_an_entry_point_that_names_no_module(folder: Folder) -> None:
    folder.install("their-broken", "their_broken", "").unlink()
    (broken,) = folder.registry().broken
    assert "No module named 'their_broken'" in broken.reason


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("their_scorer:Absent", "has no attribute 'Absent'"),
        ("absent_module:Mine", "No module named 'absent_module'"),
        ("their_scorer:ganstrata", "is not a subclass of ganstrata.Scorer"),
        ("ganstrata.core.plugins.generator:Generator", "is not a subclass of ganstrata.Scorer"),
    ],
)
def test_a_registered_class_that_is_not_there_or_is_something_else(
    folder: Folder, target: str, message: str
) -> None:
    folder.install(
        "their-scorer",
        "their_scorer",
        good("mine", "their_scorer").replace("their_scorer:Mine", target) + SCORER,
    )
    plugins = folder.registry()
    assert not plugins.broken, "registration itself imports nothing"
    with pytest.raises(PluginBroken, match=message) as caught:
        plugins.scorer("mine")
    assert "their-scorer 1.2" in str(caught.value)


def test_an_unknown_name_gets_the_nearest_the_known_and_how_to_install() -> None:
    with pytest.raises(PluginNotFound) as caught:
        registry().info("boundary", "linear_smv")
    message = str(caught.value)
    assert "No boundary learner named 'linear_smv'. Did you mean 'linear_svm'?" in message
    assert "linear_svm, " in message
    assert ", ridge" in message
    assert "pip install" in message
    assert "hue" not in message, "only names of that kind help"
    with pytest.raises(PluginNotFound, match="Known: none"):
        Registry([]).info("generator", "x")


def test_a_name_of_no_kind_is_looked_for_among_all() -> None:
    with pytest.raises(PluginNotFound, match=r"^No plugin named 'nosuch'\. For a third-party plugin"):
        registry().named("nosuch")
    with pytest.raises(PluginNotFound, match=r"No plugin named 'linear_smv'\. Did you mean 'linear_svm'"):
        registry().named("linear_smv")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "ranking",
            "The analysis 'ranking' is ganstrata's own and no plugin: `ganstrata analysis ranking --help`",
        ),
        ("run", "The command 'run' is ganstrata's own and no plugin: `ganstrata run --help`"),
    ],
)
def test_a_built_in_analysis_or_command_is_no_plugin_but_has_help(name: str, words: str) -> None:
    with pytest.raises(PluginNotFound) as caught:
        registry().named(name)
    assert str(caught.value).startswith(words)
    with pytest.raises(PluginNotFound, match=f"No scorer named '{name}'"):
        registry().info("scorer", name)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "from ganstrata import hookimpl\n@hookimpl\ndef ganstrata_stage_finishd(stage): ...",
            "Did you mean 'ganstrata_stage_finished'?",
        ),
        ("from ganstrata import hookimpl\n@hookimpl\ndef ganstrata_stage_finished(stagw): ...", "stagw"),
        ("def ganstrata_stage_started(stage): ...", "@ganstrata.hookimpl"),
    ],
)
def test_hooks_that_would_never_be_called_stop_every_run(folder: Folder, source: str, words: str) -> None:
    folder.install("their-listener", "their_listener", source)
    folder.install("gone", "gone", "import no_such_module_here")
    with pytest.raises(PluginBroken) as caught:
        folder.registry().require_sound_hooks()
    assert "their-listener 1.2 (entry point their_listener)" in str(caught.value)
    assert words in str(caught.value)
    assert "gone" not in str(caught.value), "what does not import stops only those who ask for it"


def test_output_of_a_plugin_on_import_goes_to_standard_error(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.install(
        "loud", "loud", "print('at import')\n" + good("mine", "loud") + "    print('in a hook')\n" + SCORER
    )
    folder.registry().scorer("mine")
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "at import\nin a hook\n"


def test_a_config_that_is_none(folder: Folder) -> None:
    for i, config in enumerate(("Config = None", "class Config: pass")):
        folder.install(f"odd{i}", f"odd{i}", good(f"mine{i}", f"odd{i}") + SCORER + f"\n    {config}\n")
        with pytest.raises(
            PluginBroken, match=rf"'mine{i}' from odd{i} 1\.2 has a Config that is not a subclass of"
        ):
            folder.registry().scorer(f"mine{i}")


def test_trace_prints_every_hook_call(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.install("first", "first", good("mine", "first"))
    folder.registry()
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GANSTRATA_TRACE", "1")
    plugins = folder.registry()
    assert "hook ganstrata_register_scorers(register=<scorers of first 1.2>)" in capsys.readouterr().err
    plugins.hooks.hook.ganstrata_stage_started(stage="learn", run=None)
    assert capsys.readouterr().err == "hook ganstrata_stage_started(stage='learn', run=None)\n"
