"""Comments that allow what a rule finds: `# packager: allow[rule] reason`."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from packager.diagnostics import Diagnostic
from packager.model import Project
from packager.sources import Source, read

_COMMENT = re.compile(r"#\s*packager:\s*allow\[(?P<rules>[a-z, -]+)\](?P<reason>.*)")
_BLOCKS = (
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Match),
)


def not_allowed(project: Project, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings without those that a comment allows; a comment that fails to is explained in the hint."""
    for item in found:
        source = read(project.root, item.file)
        comments = list(_comments(source, item.line)) if isinstance(source, Source) else []
        reasons = [reason for rules, reason in comments if item.rule in rules]
        if not any(reasons):
            yield _explained(item, comments) if comments else item


def allows(source: Source, line: int, rule: str) -> bool:
    """Whether a comment, with a reason, allows what `rule` finds in a line.

    It stands in that line, or in the first or the last line of the statement around it.
    """
    return any(rule in rules and reason for rules, reason in _comments(source, line))


def permits(text: str, rule: str) -> bool:
    """Whether the comment in a line of a settings file allows, with a reason, what `rule` finds."""
    return any(rule in rules and reason for rules, reason in _comment(text))


def _comments(source: Source, line: int) -> Iterator[tuple[list[str], str]]:
    """The rules and the reason, which may be empty, of the comments that count for a line."""
    if any("packager:" in text for text in source.lines):
        first, last = _statement(source.tree, line)
        for number in sorted({first, line, last}):
            text = source.lines[number - 1] if number <= len(source.lines) else ""
            yield from _comment(text)


def _comment(text: str) -> Iterator[tuple[list[str], str]]:
    if match := _COMMENT.search(text):
        yield re.split(r"[ ,]+", match["rules"].strip()), match["reason"].strip(" :-–—")


def _statement(tree: ast.Module, line: int) -> tuple[int, int]:
    """The first and the last line of the innermost statement around a line; of a block its head alone."""
    body: list[ast.AST] = [tree]
    first = last = line
    while body:
        node = body.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                start, end = child.lineno, child.end_lineno or child.lineno
                if not start <= line <= end:
                    continue
                head = _end_of_head(child) if isinstance(child, _BLOCKS) else end
                first, last = (start, head) if line <= head else (line, line)
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                body.append(child)
    return first, last


def _end_of_head(node: ast.stmt) -> int:
    inner = [child.lineno for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return max(min(inner, default=node.lineno + 1) - 1, node.lineno)


def _explained(item: Diagnostic, comments: list[tuple[list[str], str]]) -> Diagnostic:
    if any(item.rule in rules for rules, _ in comments):
        return replace(
            item, hint=f"{item.hint} The comment allow[{item.rule}] only counts with a reason after it."
        )
    other = ", ".join(rule for rules, _ in comments for rule in rules)
    return replace(item, hint=f"{item.hint} The comment here allows {other}, not {item.rule}.")
