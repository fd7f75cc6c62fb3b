"""The diagnostics' pages: every rule of the code is there, its wrong example has that fault, its right one none."""

import ast
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from click.testing import CliRunner
from doc_blocks import blocks, write

from packager.build import build
from packager.cli import cli
from packager.errors import DiagnosticsError
from packager.examine import examine

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"[a-z]+(-[a-z]+)+")
PAGES = sorted(path for path in (ROOT / "docs/reference/rules").glob("*.md") if path.name != "index.md")
OF_IMPORTS = {"missing-file", "import-needs-variable", "import-failed", "invalid-annotation"}
OF_BUILDS = {"secret-file", "size-limit", *OF_IMPORTS}
OF_RESOLVING = {"no-wasm-wheel", "unresolved-dependency"}
MAKERS = {"Diagnostic", "_Cause", "_ConfigError"}
NEEDED = {"anyio": "1.0", "starlette": "1.10.0", "mangum": "0.22.0", "python-multipart": "0.0.30"}


def examples():
    found = defaultdict(lambda: defaultdict(list))
    for page in PAGES:
        for block in blocks(page):
            if block.file:
                found[block.section][block.label].append(block)
    return found


EXAMPLES = examples()


def rules_of_the_code():
    """What begins a diagnostic: an argument, literal or a constant of its module, or the verdict that is returned."""
    found = set()
    for path in (ROOT / "packager").rglob("*.py"):
        tree = ast.parse(path.read_text())
        named = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            given = []
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS:
                given = [*node.args[:2], *(item.value for item in node.keywords if item.arg == "rule")]
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                given = node.value.elts[:1]
            for value in given:
                literal = named.get(value.id) if isinstance(value, ast.Name) else value
                text = getattr(literal, "value", None)
                found |= {text} if isinstance(text, str) and RULE.fullmatch(text) else set()
    return found


RULES = rules_of_the_code()


def project(folder, parts):
    for block in parts:
        write(block, folder)
    return folder


def rules_in(folder):
    return {item.rule for item in examine(folder).diagnostics}


def test_every_rule_has_a_section_with_a_wrong_and_a_right_example():
    sections = {
        line.split("`")[1]
        for page in PAGES
        for line in page.read_text().splitlines()
        if line.startswith("## `")
    }
    assert not RULES - sections
    assert RULES >= OF_BUILDS | OF_RESOLVING
    for rule in RULES:
        assert {"Wrong", "Right"} <= set(EXAMPLES[rule]), rule


@pytest.mark.parametrize("rule", sorted(RULES - OF_BUILDS - OF_RESOLVING))
def test_a_wrong_example_has_the_fault_and_a_right_one_has_none(rule, tmp_path):
    assert rule in rules_in(project(tmp_path / "wrong", EXAMPLES[rule]["Wrong"]))
    for label in EXAMPLES[rule].keys() - {"Wrong"}:
        assert rules_in(project(tmp_path / label, EXAMPLES[rule][label])) == set()


def refused_by_the_build(folder):
    with pytest.raises(DiagnosticsError) as raised:
        build(folder, report=print)
    return {item.rule for item in raised.value.diagnostics}


def test_what_only_a_build_sees_is_seen_by_one(tmp_path):
    wrong = project(tmp_path / "wrong", [block for rule in OF_IMPORTS for block in EXAMPLES[rule]["Wrong"]])
    assert refused_by_the_build(wrong) == OF_IMPORTS
    right = project(tmp_path / "right", [block for rule in OF_IMPORTS for block in EXAMPLES[rule]["Right"]])
    project(right, EXAMPLES["secret-file"]["Wrong"])
    assert [item.rule for item in build(right, report=print).diagnostics] == ["secret-file"]
    project(right, EXAMPLES["secret-file"]["Right"])
    assert build(right, report=print).diagnostics == ()


def test_an_artifact_over_its_budget_is_told(tmp_path):
    assert refused_by_the_build(project(tmp_path, EXAMPLES["size-limit"]["Wrong"])) == {"size-limit"}
    assert build(project(tmp_path, EXAMPLES["size-limit"]["Right"]), report=print).diagnostics == ()


def test_what_cannot_be_resolved_is_told(tmp_path, wheelhouse):
    for name, version in NEEDED.items():
        wheelhouse.add(name, version)
    wheelhouse.add("uvloop", tag="cp313-cp313-manylinux_2_28_aarch64")
    for rule in sorted(OF_RESOLVING):
        for label, expected in (("Wrong", [rule]), ("Right", [])):
            root = project(tmp_path / rule / label, EXAMPLES[rule][label])
            said = CliRunner().invoke(cli, ["check", str(root), "--json"])
            assert [row["rule"] for row in json.loads(said.stdout)["diagnostics"]] == expected
