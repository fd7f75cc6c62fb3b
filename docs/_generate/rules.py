"""Puts under each wrong example of the diagnostics what `packager check` says about it."""

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import mkdocs_gen_files

sys.path.insert(0, str(Path(__file__).parents[1] / "_blocks"))

from doc_blocks import Block, blocks, write

from packager.diagnostics import Diagnostic
from packager.examine import examine

PAGES = Path(__file__).parents[1] / "reference" / "rules"


def found_in(examples: list[Block]) -> tuple[Diagnostic, ...]:
    """What is wrong with the project that the examples are."""
    with tempfile.TemporaryDirectory() as name:
        for block in examples:
            write(block, Path(name))
        return examine(Path(name)).diagnostics


def told(rule: str, examples: list[Block]) -> list[str]:
    """The lines that show a finding; none for what is only found once distributions are resolved."""
    for item in found_in(examples):
        if item.rule == rule:
            place = f"{item.file}:{item.line}:{item.column}"
            steps = [f"    {step}" for step in item.chain]
            text = [f"{place}: {item.severity} {item.rule}: {item.message}", *steps, f"    hint: {item.hint}"]
            return ["", "`packager check` says:", "", "```console", *text, "```", ""]
    return []


def page_of(page: Path) -> str:
    """The text of a page with what is said."""
    wrong: dict[str, list[Block]] = defaultdict(list)
    for block in blocks(page):
        if block.label == "Wrong" and block.file:
            wrong[block.section].append(block)
    lines = page.read_text(encoding="utf-8").splitlines()
    for rule, examples in sorted(wrong.items(), key=lambda row: row[1][-1].end, reverse=True):
        end = examples[-1].end
        lines[end:end] = told(rule, examples)
    return "\n".join(lines) + "\n"


for path in sorted(PAGES.glob("*.md")):
    with mkdocs_gen_files.open(f"reference/rules/{path.name}", "w") as stream:
        stream.write(page_of(path))
