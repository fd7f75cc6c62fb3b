import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, chromium

from packager.analysis import Analysis, Artifact, Node
from packager.analysis_page import page
from packager.weight import Weight

EVIL = "<script>alert(1)</script>\"&'{{script}}"
DRIVE = """(() => {
const press = (key) =>
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const at = () => document.activeElement.dataset.name;
const shown = () => document.querySelector(".shown").dataset.name;
const seen = [];
document.querySelector(".box").focus();
for (const key of KEYS) {
  press(key);
  seen.push([key, at(), shown()]);
}
const input = document.getElementById("find");
input.value = "one.PY";
input.dispatchEvent(new Event("input"));
const hits = [...document.querySelectorAll(".hit")].map((box) => box.dataset.name);
const told = [document.getElementById("found").value, document.querySelector(".info").textContent];
return { seen, hits, told };
})()"""


def leaf(name: str, size: int, *why: str) -> Node:
    return Node(name, "file", Weight(size, 2 * size), why=why)


def around(kind: Any, name: str, *children: Node, why: tuple[str, ...] = ()) -> Node:
    weight = Weight(sum(row.weight.zipped for row in children), sum(row.weight.unpacked for row in children))
    return Node(name, kind, weight, "1.0" if kind == "distribution" else None, why, children)


def analysis(*children: Node) -> Analysis:
    tree = around("artifact", "api", *children)
    row = Artifact("api", "nodejs", "functions/api.zip", ("/api/a",), tree.weight.zipped, 9, tree)
    return Analysis("shop", (row,))


SHOP = analysis(
    around(
        "distribution",
        "thing",
        leaf("one.py", 60_000),
        leaf("two.py", 30_000),
        why=("a import b", "b import thing"),
    ),
    around("project", "shop", leaf("route.py", 5_000, "it is a route")),
)


class Reader(HTMLParser):
    """The tags of a page, those that are open at its end, and the addresses it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "input", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    found = Reader(page(SHOP))
    assert found.open == []
    assert found.addresses == ["#api"]
    assert "link" not in found.seen


def test_its_policy_lets_only_its_own_script_run() -> None:
    text = page(SHOP)
    [script] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in text
    assert "default-src &#x27;none&#x27;" in text


def test_names_and_reasons_are_texts_and_nothing_else() -> None:
    text = page(analysis(around("project", EVIL, leaf(EVIL, 10, EVIL), why=(EVIL, EVIL))))
    found = Reader(text)
    assert found.open == []
    assert found.seen.count("script") == 1
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{script}}" in text


def test_every_part_is_in_the_table_with_its_reason() -> None:
    text = page(SHOP)
    assert "<li>a import b</li><li>b import thing</li>" in text
    assert "94.7%" in text
    assert "0.09 MB" in text


def test_files_that_nobody_could_see_are_one_box() -> None:
    small = [leaf(f"small{index}.txt", 1) for index in range(1000)]
    text = page(analysis(leaf("large.bin", 10**9), *small))
    assert "1000 smaller" in text
    assert "small7.txt" not in re.sub(r"<table>.*", "", text)


def test_the_same_analysis_gives_the_same_page() -> None:
    assert page(SHOP) == page(SHOP)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install chromium)")
def test_keys_lead_into_the_boxes_and_out_and_search_finds_files(tmp_path: Path) -> None:
    keys = ["ArrowDown", "ArrowRight", "ArrowLeft", "Enter", "ArrowDown", "ArrowRight", "ArrowUp", "Escape"]
    (tmp_path / "page.html").write_text(page(SHOP), encoding="utf-8")
    with chromium(tmp_path / "profile") as tab:
        tab.open((tmp_path / "page.html").as_uri())
        found = tab.run(DRIVE.replace("KEYS", json.dumps(keys)))
        assert tab.errors == []
    assert found["seen"] == [
        ["ArrowDown", "thing 1.0", "api"],
        ["ArrowRight", "shop", "api"],
        ["ArrowLeft", "thing 1.0", "api"],
        ["Enter", "thing 1.0", "thing 1.0"],
        ["ArrowDown", "one.py", "thing 1.0"],
        ["ArrowRight", "two.py", "thing 1.0"],
        ["ArrowUp", "thing 1.0", "thing 1.0"],
        ["Escape", "api", "api"],
    ]
    assert found["hits"] == ["one.py"]
    assert found["told"] == ["1 file, 60,000 bytes of the zips", "api 0.10 MB of the zip, 0.19 MB unpacked"]
