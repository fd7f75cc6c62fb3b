"""`packager analyze`: what is in every artifact, how much it weighs and why it is there."""

from dataclasses import asdict
from pathlib import Path

import click

from packager.cli import output


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the page; default: .packager/analysis.html in PROJECT.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the analysis as JSON instead of writing the page."
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
def analyze(project: Path, out: Path | None, as_json: bool, show: bool) -> None:
    """Show what is in every artifact of PROJECT and why, as a page with a map of each; it is built if need be."""
    if as_json and (out or show):
        raise click.UsageError("--json writes no page: give it without --out and --open")
    from packager.analysis import analyse  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.build import build, is_current  # noqa: PLC0415
    from packager.examine import examine  # noqa: PLC0415
    from packager.staging import ANALYSIS, OUTPUT  # noqa: PLC0415

    if not is_current(project):
        output.diagnostics(build(project, report=output.note).diagnostics)
    built = project / OUTPUT
    analysis = analyse(examine(project, output.note, resolving="everything"), built)
    if as_json:
        output.document(asdict(analysis))
        return
    from packager.analysis_page import page  # noqa: PLC0415

    file = out or built / ANALYSIS
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(analysis), encoding="utf-8")
    click.echo(f"wrote {output.path(file)}")
    if show:
        click.launch(str(file))
