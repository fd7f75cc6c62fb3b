"""The diagnostics' pages: every rule of the code is there, its wrong example has that fault, its right one none."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from doc_blocks import blocks, write

from packager.build import build
from packager.errors import DiagnosticsError
from packager.examine import examine

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"[a-z]+(-[a-z]+)+")
PAGES = sorted(path for path in (ROOT / "docs/reference/rules").glob("*.md") if path.name != "index.md")
OF_IMPORTS = {"missing-file", "import-needs-variable", "import-failed"}
OF_BUILDS = {"secret-file", *OF_IMPORTS}
# of the emulation and of deployments, which have a text of their own
ELSEWHERE = {"unchecked-hash", "unknown-region"}


def examples():
    found = defaultdict(lambda: defaultdict(list))
    for page in PAGES:
        for block in blocks(page):
            if block.file:
                found[block.section][block.label].append(block)
    return found


EXAMPLES = examples()


def rules_of_the_code():
    """The first argument of every `Diagnostic`, literal or a constant of its module."""
    found = set()
    for path in (ROOT / "packager").rglob("*.py"):
        tree = ast.parse(path.read_text())
        named = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Diagnostic":
                given = [*node.args[:1], *(item.value for item in node.keywords if item.arg == "rule")]
                for value in given:
                    rule = (
                        named.get(value.id) if isinstance(value, ast.Name) else getattr(value, "value", None)
                    )
                    found |= {rule} if isinstance(rule, str) and RULE.fullmatch(rule) else set()
    return found


def project(folder, parts):
    for block in parts:
        write(block, folder)
    return folder


def rules_in(folder):
    return {item.rule for item in examine(folder).diagnostics}


def test_every_rule_has_a_section():
    sections = {
        line.split("`")[1]
        for page in PAGES
        for line in page.read_text().splitlines()
        if line.startswith("## `")
    }
    assert rules_of_the_code() - ELSEWHERE <= sections
    assert sections >= OF_BUILDS


@pytest.mark.parametrize("rule", sorted(set(EXAMPLES) - OF_BUILDS - {"no-wasm-wheel"}))
def test_a_wrong_example_has_the_fault_and_a_right_one_has_none(rule, tmp_path):
    assert rule in rules_in(project(tmp_path / "wrong", EXAMPLES[rule]["Wrong"]))
    assert rules_in(project(tmp_path / "right", EXAMPLES[rule]["Right"])) == set()


def test_what_only_a_build_sees_is_seen_by_one(tmp_path):
    wrong = project(tmp_path / "wrong", [block for rule in OF_IMPORTS for block in EXAMPLES[rule]["Wrong"]])
    with pytest.raises(DiagnosticsError) as raised:
        build(wrong, report=print)
    assert {item.rule for item in raised.value.diagnostics} == OF_IMPORTS
    right = project(tmp_path / "right", [block for rule in OF_IMPORTS for block in EXAMPLES[rule]["Right"]])
    project(right, EXAMPLES["secret-file"]["Wrong"])
    assert [item.rule for item in build(right, report=print).diagnostics] == ["secret-file"]
    project(right, EXAMPLES["secret-file"]["Right"])
    assert build(right, report=print).diagnostics == ()


def test_a_distribution_without_a_wheel_for_edge_is_told(tmp_path, wheelhouse):
    needed = {"anyio": "1.0", "starlette": "1.10.0", "mangum": "0.22.0", "python-multipart": "0.0.30"}
    for name, version in needed.items():
        wheelhouse.add(name, version)
    wheelhouse.add("uvloop", tag="cp313-cp313-manylinux_2_28_aarch64")
    for kind, expected in (("Wrong", {"no-wasm-wheel"}), ("Right", set())):
        root = project(tmp_path / kind, EXAMPLES["no-wasm-wheel"][kind])
        assert {item.rule for item in examine(root, resolving="edge").diagnostics} == expected
