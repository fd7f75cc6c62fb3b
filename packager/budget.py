"""The budget that a project gives its artifacts, and what weighs most in those that exceed it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from infra import manifest
from packager import sizes
from packager.diagnostics import Diagnostic
from packager.errors import ProjectError
from packager.model import Budget, Distribution, Limits, Project
from packager.project import PYPROJECT, line_of
from packager.weight import Weight, by_distribution

type _Measure = Literal["zip", "unpacked"]

_TABLE = "tool.packager.limits"
_LISTED = 5


def judge(
    project: Project,
    out: Path,
    functions: Sequence[manifest.Function],
    carried: Mapping[str, Sequence[Distribution]],
) -> tuple[Diagnostic, ...]:
    """`size-limit` for each artifact of the build output `out` that weighs more than its budget.

    `carried` are the distributions of each function. Raises `ProjectError` if the budget names a function that
    the app does not have.
    """
    limits = project.settings.limits
    if limits == Limits():
        return ()
    lines = tuple((project.root / PYPROJECT).read_text(encoding="utf-8").splitlines())
    unknown = sorted(limits.functions.keys() - {row.name for row in functions})
    if unknown:
        raise ProjectError(
            f"the app has no function {unknown[0]!r}",
            place=f"{PYPROJECT}:{line_of(lines, f'{_TABLE}.functions', unknown[0])}",
            hint=f"Its functions are {', '.join(row.name for row in functions)}.",
        )
    found: list[Diagnostic] = []
    for row in functions:
        over = list(_over(limits, row))
        if over:
            heaviest = by_distribution(out / row.artifact, carried[row.name])
            found += (
                _diagnostic(row, measure, limit, line_of(lines, table, measure), heaviest)
                for measure, limit, table in over
            )
    return tuple(found)


def _over(limits: Limits, row: manifest.Function) -> Iterator[tuple[_Measure, int, str]]:
    """What is exceeded: the measure, its limit and the table that says so; a function's own comes first."""
    own = limits.functions.get(row.name, Budget())
    for measure in get_args(_Measure.__value__):
        limit, table = getattr(own, measure), f"{_TABLE}.functions.{row.name}"
        if limit is None:
            limit, table = getattr(limits.default, measure), _TABLE
        if limit is not None and _weight(row, measure) > limit:
            yield measure, limit, table


def _weight(row: manifest.Function, measure: _Measure) -> int:
    return row.zip_bytes if measure == "zip" else row.unpacked_bytes


def _diagnostic(
    row: manifest.Function, measure: _Measure, limit: int, line: int, weights: Mapping[str, Weight]
) -> Diagnostic:
    def weight(name: str) -> int:
        return weights[name].zipped if measure == "zip" else weights[name].unpacked

    heaviest = sorted(weights, key=lambda name: (-weight(name), name))
    listed = ", ".join(f"{name} {sizes.shown(weight(name))}" for name in islice(heaviest, _LISTED))
    kind = "zip" if measure == "zip" else "unpacked"
    return Diagnostic(
        rule="size-limit",
        file=PYPROJECT,
        line=line,
        column=1,
        message=f"{row.artifact} is {sizes.shown(_weight(row, measure))} ({kind}), over its budget of "
        f"{sizes.shown(limit)}" + (f"; the largest in it: {listed}" if listed else ""),
        hint="`packager analyze` shows what is in it and why; drop a dependency, give heavy routes "
        "`isolate = True`, or raise the limit.",
    )
