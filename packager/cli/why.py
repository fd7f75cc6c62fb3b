"""`packager why`: why a route runs where it does; what brings a package or file; what AWS has to allow."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager import sizes
from packager.cli import output
from packager.errors import UsageError
from packager.staging import OUTPUT

if TYPE_CHECKING:
    from packager.diagnostics import Diagnostic
    from packager.permissions import Statement, Suggestion
    from packager.why import Brought, Presence, RouteAnswer, ThingAnswer


@click.command()
@click.argument("project", type=click.Path(path_type=Path))
@click.argument("name", metavar="ROUTE-OR-PACKAGE", required=False)
@click.option("--all", "everything", is_flag=True, help="Show every finding, not only the decisive one.")
@click.option("--iam", is_flag=True, help="Suggest permissions, of one route or function or of all.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def why(project: Path, name: str | None, everything: bool, iam: bool, as_json: bool) -> None:
    """Tell why a route of PROJECT runs where it does, or what brings a package or a file into an artifact.

    ROUTE-OR-PACKAGE is a route (/api/users/[id]), a URL (/api/users/7), a file, a distribution or a module.

    With --iam it is a route or a function, or missing: what AWS has to allow, read from calls of boto3.
    """
    if iam:
        _iam(project, name, as_json)
        return
    if name is None:
        raise UsageError(
            "what is asked for is missing",
            hint="Name a route, a file or a package: packager why . /api/hello; or ask with --iam for all.",
        )
    from packager.build import is_current  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.examine import examine  # noqa: PLC0415
    from packager.why import RouteAnswer  # noqa: PLC0415
    from packager.why import why as answer_for  # noqa: PLC0415

    examined = examine(project, output.note, resolving="everything")
    if examined.failure and not examined.sites:
        output.note(f"warning: the distributions are not known: {examined.failure.message}")
    answer = answer_for(examined, name, project / OUTPUT if is_current(project) else None)
    if as_json:
        kind = {"kind": "route"} if isinstance(answer, RouteAnswer) else {}
        output.document({**kind, **asdict(answer)})
        return
    lines = _route(answer, everything) if isinstance(answer, RouteAnswer) else _thing(answer)
    click.echo(output.safe("\n".join(lines)))


def _iam(project: Path, name: str | None, as_json: bool) -> None:
    from packager.build import is_current  # noqa: PLC0415
    from packager.examine import examine  # noqa: PLC0415
    from packager.permissions import suggest  # noqa: PLC0415

    examined = examine(project)
    found = suggest(examined, name, project / OUTPUT if is_current(project) else None)
    if as_json:
        output.document({"functions": [asdict(row) for row in found]})
    else:
        click.echo(output.safe("\n".join(_suggestions(found))))


def _suggestions(found: Sequence["Suggestion"]) -> Iterable[str]:
    for row in found:
        yield f"{row.function} ({row.runtime})" + ("" if row.statements else ": no calls of boto3 were found")
        for statement in row.statements:
            resources = "* (narrow it down)" if statement.narrow else ", ".join(statement.resources)
            yield f"    {', '.join(statement.actions)} on {resources}"
            yield from (f"        {site.file}:{site.line} {site.call}" for site in statement.calls)
        for site in row.unknown:
            yield f"    unknown: {site.file}:{site.line} {site.call}: which service is not written literally"
    if any(row.statements for row in found):
        yield "\nA suggestion; nothing is allowed until it is in pyproject.toml:\n"
        yield "[tool.packager.stages.default]"
        yield "permissions = ["
        for row in found:
            yield from (f"    {_setting(row.function, statement)}" for statement in row.statements)
        yield "]"


def _setting(function: str, statement: "Statement") -> str:
    """A statement as a row of `permissions` in TOML, whose texts and lists are written as in JSON."""
    values = {"functions": [function], "actions": statement.actions, "resources": statement.resources}
    row = ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    return f"{{ {row} }}," + ("  # narrow the resources down" if statement.narrow else "")


def _route(answer: "RouteAnswer", everything: bool) -> Iterable[str]:
    declared = "" if answer.declared_runtime == answer.runtime else f" (declared {answer.declared_runtime})"
    yield f"{answer.path}  {answer.file}"
    yield f"runs on {answer.runtime}{declared}: {answer.because}"
    shown = answer.findings if everything else answer.findings[:1]
    for item in shown:
        yield from _finding(item)
    if len(shown) < len(answer.findings):
        yield f"    and {len(answer.findings) - len(shown)} more: --all shows them"
    others = f", with {', '.join(answer.shares_with)}" if answer.shares_with else ", alone"
    yield f"function {answer.function}{others}"
    yield f"    {answer.grouped}"
    if answer.middleware:
        yield f"middleware {', '.join(answer.middleware)}"
    if answer.distributions:
        yield "distributions that its imports bring"
    for row in answer.distributions:
        yield f"    {row.name} {row.version}  {_brought(row)}"


def _finding(item: "Diagnostic") -> Iterable[str]:
    yield f"    [{item.rule}] {item.file}:{item.line}:{item.column} {item.message}"
    yield from (f"        {step}" for step in item.chain)


def _brought(row: "Brought") -> str:
    return row.chain[-1] if row.chain else ""


def _thing(answer: "ThingAnswer") -> Iterable[str]:
    yield f"{answer.name}  {answer.kind}"
    for row in answer.artifacts:
        yield from _presence(row)


def _presence(row: "Presence") -> Iterable[str]:
    state = "in" if row.present else "not in"
    version = f" {row.version}" if row.version else ""
    reason = f": {row.reason}" if row.reason else ""
    weight = f", {sizes.shown(row.weight.zipped)} of its zip" if row.weight else ""
    weight += f", {sizes.shown(row.weight.unpacked)} unpacked" if row.weight else ""
    yield f"{state} {row.function} ({row.runtime}){version}{weight}{reason}"
    yield from (f"    {step}" for step in row.chain)
