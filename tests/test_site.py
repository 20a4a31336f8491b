"""The documentation site builds without a warning, and every link within it leads somewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import ganstrata
import ganstrata.testing
import pytest

ROOT = Path(__file__).resolve().parents[1]


class Page(HTMLParser):
    """The names in a page that a link may lead to, and the links and pictures in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.names, self.targets = path, set(), []
        self.fetched: list[str] = []  # what a browser loads with the page
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        relations = (dict(attrs).get("rel") or "").split()
        loaded = {"stylesheet", "icon", "preload", "modulepreload", "manifest"} & set(relations)
        for key, value in attrs:
            if value and (key == "id" or (key == "name" and tag == "a")):
                self.names.add(value)
            if key in ("href", "src") and value:
                self.targets.append(value)
            if value and (key == "src" or (key == "href" and tag == "link" and loaded)):
                self.fetched.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "--quiet"]
    places = ["-d", str(folder / "doctrees"), "-c", "docs", ".", str(folder / "html")]
    # Standing in the checkout, `import core` would work by accident.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [*line, *places], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}


@pytest.mark.full
def test_every_page_of_the_documentation_is_on_the_site(site: Path) -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        assert (site / page.relative_to(ROOT).with_suffix(".html")).is_file()


@pytest.mark.full
def test_links_lead_to_files_and_headings_of_the_site(pages: dict[Path, Page]) -> None:
    wrong = []
    for path, page in pages.items():
        for target in page.targets:
            if target.startswith(("http:", "https:", "mailto:", "data:", "javascript:")):
                continue
            address, anchor = urldefrag(target)
            file = (path.parent / unquote(address.partition("?")[0])).resolve() if address else path
            if not file.is_file() or (anchor and file in pages and unquote(anchor) not in pages[file].names):
                wrong.append(f"{path.name}: {target}")
    assert not wrong
    assert sum(len(page.targets) for page in pages.values()) > 1000


@pytest.mark.full
def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page]) -> None:
    fetched = [address for page in pages.values() for address in page.fetched]
    assert any(address.partition("?")[0].endswith(".css") for address in fetched)
    assert not [address for address in fetched if address.startswith(("http:", "https:", "//"))]


def test_what_a_page_names_and_fetches_is_read_from_its_tags(tmp_path: Path) -> None:
    text = """<meta name="viewport"><h1 id="top"></h1><a name="old"></a><a href="https://x.org">x</a>
    <link href="//x.org/a.css" rel="stylesheet"><link rel="next" href="b.html"><script src='http://x.org/c.js'>"""
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = Page(tmp_path / "page.html")
    assert page.names == {"top", "old"}
    assert page.fetched == ["//x.org/a.css", "http://x.org/c.js"]


@pytest.mark.parametrize("module", [ganstrata, ganstrata.testing], ids=lambda module: module.__name__)
@pytest.mark.full
def test_every_public_name_is_in_the_reference(module, pages: dict[Path, Page], site: Path) -> None:
    described = pages[site / "docs/api.html"].names
    missing = [
        name
        for name in module.__all__
        if name not in ("__version__", "hookimpl") and f"{module.__name__}.{name}" not in described
    ]
    assert not missing, f"add them to docs/api.md: {missing}"
