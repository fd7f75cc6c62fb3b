"""`packager types`: what the routes take and answer, as an OpenAPI document and TypeScript."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from packager.openapi.generate import Generated


@click.command()
@options.project
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files go.  [default: `out` of [tool.packager.types], else types in PROJECT]",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 if the files there are not what would be written."
)
@click.option("--watch", is_flag=True, help="Write them again with every save, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written, or is stale, as JSON.")
@click.pass_context
def types(
    context: click.Context, project: Path, out: Path | None, check: bool, watch: bool, as_json: bool
) -> None:
    """Write an OpenAPI document of PROJECT's routes, and TypeScript with their types and a client.

    The files are openapi.json, schema.ts, which exports `paths`, and client.ts, whose createApi() is a client of
    openapi-fetch; install that in your front end: npm install openapi-fetch.
    """
    if watch and (check or as_json):
        raise click.UsageError("--watch goes on and on: give it without --check and --json")
    if watch:
        from packager.openapi import follow  # noqa: PLC0415 - `packager --help` needs none of it

        if follow.until_interrupted(project, out, report=output.note, failed=output.error) is signal.SIGINT:
            raise KeyboardInterrupt
        return
    from packager.openapi.generate import generate, stale, write  # noqa: PLC0415

    generated = generate(project, out, output.note)
    for route in generated.left_out:
        output.note(f"left out: OpenAPI 3.1 has no operation for {route}")
    if check:
        found = stale(generated)
        _show_stale(generated, as_json, [(item.name, item.missing, item.diff) for item in found])
        context.exit(1 if found else 0)
    changed = write(generated)
    if as_json:
        files = [str(generated.out / name) for name in generated.files]
        output.document({"files": files, "changed": list(changed), "left_out": list(generated.left_out)})
        return
    for name in generated.files:
        click.echo(f"{'wrote' if name in changed else 'current'} {output.path(generated.out / name)}")


def _show_stale(
    generated: "Generated", as_json: bool, found: list[tuple[str, bool, tuple[str, ...]]]
) -> None:
    if as_json:
        rows = [{"file": str(generated.out / name), "missing": missing} for name, missing, _ in found]
        output.document({"stale": rows})
        return
    for name, missing, diff in found:
        place = output.path(generated.out / name)
        output.note(f"{place} {'is missing' if missing else 'is not what the routes say'}")
        for line in diff:
            output.note(output.safe(f"    {line}"))
    if found:
        output.note("run `packager types` and commit what it writes")
    else:
        click.echo(f"current {output.path(generated.out)}")
