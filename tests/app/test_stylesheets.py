"""Each stylesheet of the page has one concern, and all are loaded, in the order that they are written for."""

from __future__ import annotations

import re

from ganstrata.app.server.web import static_files

FIRST = ["base.css", "controls.css", "sliders.css", "shell.css", "devices.css", "stage.css"]
LINES = 400


def test_the_page_links_every_stylesheet_once_and_the_common_ones_first() -> None:
    files = static_files()
    page = files["index.html"][1].decode()
    linked = re.findall(r'<link rel="stylesheet" href="static/([^"]+)">', page)
    assert linked[: len(FIRST)] == FIRST
    assert sorted(linked) == sorted(name for name in files if name.endswith(".css"))


def test_no_file_of_the_page_is_long() -> None:
    long = {name for name, (_, content) in static_files().items() if content.count(b"\n") > LINES}
    assert long == set()


def test_a_selector_has_its_rule_in_one_place() -> None:
    """Rules may differ by window or system; where a view differs from others, its name comes first."""
    found: dict[str, list[str]] = {}
    for name, (_, content) in static_files().items():
        if not name.endswith(".css"):
            continue
        text = re.sub(r"/\*.*?\*/", "", content.decode(), flags=re.DOTALL)
        text = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", text)
        for selector in re.findall(r"^(\.[a-z-]+) \{", text, flags=re.MULTILINE):
            found.setdefault(selector, []).append(name)
    assert len(found) > 50
    assert {selector: names for selector, names in found.items() if len(set(names)) > 1} == {}
