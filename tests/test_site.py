"""The site: it is built of what stands in the tree, and no link in it leads nowhere."""

import json
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("material", reason="no MkDocs: pip install 'greetlab[site]'")
pytest.importorskip("mkdocstrings", reason="no mkdocstrings: pip install 'greetlab[site]'")


class Page(HTMLParser):
    """Where a page leads to, and what can be led to in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.ids, self.tags = [], [], set(), Counter()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.tags[tag] += 1
        self.ids |= {told[name] for name in ("id", "name") if told.get(name)}
        if target := told.get("href" if tag in ("a", "link") else "src"):
            self.links.append(target)
            if tag not in ("a", "link") or told.get("rel") == "stylesheet":
                self.loaded.append(target)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, ROOT / "docs" / "site" / "build.py", folder],
        capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_no_link_leads_nowhere(site):
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 10
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            # 404.html is shown anywhere, so its links are the host's.
            if parts.scheme or link.startswith(("//", "/")) or path.name == "play.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (
                target in pages and parts.fragment
                and not {parts.fragment, unquote(parts.fragment)} & pages[target].ids
            ):  # fmt: skip
                dead.append(f"{path.relative_to(site)}: {link}")
    assert not dead


def test_all_of_it_is_there(site):
    start = (site / "index.html").read_text()
    for page in ("play.html", "designs.html", "api.html", "glossary.html", "labs/index.html"):
        assert (site / page).exists(), page
        assert page in start
    assert "a watch, round_robin" in (site / "designs.html").read_text()  # of a run
    assert "Calls in the order in which they were started" in (site / "api.html").read_text()
    assert "chooses a subchannel for each call" in (site / "glossary.html").read_text()
    glossary = Page((site / "glossary.html").read_text())
    assert glossary.tags["dt"] == glossary.tags["dd"] > 20
    notebook = Page((site / "notebooks" / "gallery" / "02_sticky.html").read_text())
    assert notebook.tags["img"] > 5


def test_all_of_it_is_found_by_the_search(site):
    found = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    pages = {entry["location"].partition("#")[0] for entry in found}
    for page in site.rglob("*.html"):
        if page.name not in ("404.html", "play.html"):
            assert page.relative_to(site).as_posix() in pages


def test_it_loads_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        loaded = Page(path.read_text()).loaded
        assert not [link for link in loaded if link.startswith(("http", "//"))], path
