"""Options that several commands have, so that they are spelled and explained alike."""

from pathlib import Path

import click

WAIT_SECONDS = 120.0
"""Longer than the hold of a killed run lasts, so that the same command, run again, takes over."""

project = click.argument("project", type=click.Path(path_type=Path), default=".")
profile = click.option("--profile", metavar="NAME", help="The profile of ~/.aws to use.")
wait = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Wait for another deploy of the stage to end.",
)
