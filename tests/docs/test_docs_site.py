"""The site as it is published: built without a warning, its links lead somewhere, nothing comes from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.loaded = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag in LOADED and values.get(LOADED[tag]):
            self.loaded.append(values[LOADED[tag]])
        if tag == "link" and values.get("rel") in {"stylesheet", "preconnect", "icon", "preload"}:
            self.loaded.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_is_built_and_complete(site):
    pages = {path.relative_to(site).as_posix(): Page(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 20
    assert not list(site.rglob("*.py"))
    # what is generated has taken the place of its mark
    marks = re.compile(r"<!-- (settings|limits|constants|diagram) -->|::: mkdocs-click")
    assert [name for name in pages if marks.search((site / name).read_text())] == []
    for name, page in pages.items():
        for address in page.links:
            found = urlsplit(address)
            assert found.scheme in {"", "http", "https"}, (name, address)
            assert bool(found.netloc) == bool(found.scheme), (name, address)
        assert not [address for address in page.loaded if re.match(r"(https?:)?//", address)], name
    limits = (site / "reference/limits/index.html").read_text()
    assert "6 MB" in limits
    assert "<svg" in (site / "architecture/index.html").read_text()
    edge = (site / "reference/rules/edge/index.html").read_text()
    assert "app/api/x/route.py:" in edge
    commands = (site / "reference/commands/index.html").read_text()
    assert "packager deploy" in commands
