"""`packager doctor`: what is installed, what is missing, how to get it."""

from dataclasses import asdict

import click

from packager.cli import output

_COLOURS = {"ok": "green", "warning": "yellow", "missing": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Tell what is installed on this machine, what is missing, and how to get it."""
    from packager.doctor import examine  # noqa: PLC0415 - `packager --help` needs none of it

    findings = examine()
    if as_json:
        output.document({"findings": [asdict(row) for row in findings]})
    else:
        names = max(len(row.name) for row in findings)
        versions = max(len(row.version or "") for row in findings)
        for row in findings:
            state = click.style(f"{row.state:<7}", fg=_COLOURS[row.state])
            rest = f"{row.name:<{names}}  {row.version or '':<{versions}}  {row.detail}"
            click.echo(f"{state}  {output.safe(rest)}")
            if row.hint:
                click.echo(f"         {output.safe(row.hint)}")
    if any(row.state == "missing" for row in findings):
        context.exit(3)
