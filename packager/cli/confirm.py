"""Questions before what cannot be undone by running the command again."""

import sys

import click

from packager.errors import UsageError


def confirm(question: str, *, yes: bool, expected: str | None = None) -> bool:
    """Ask on stderr and tell whether the answer is yes, or `expected` word for word; `yes` answers by itself.

    Raises `UsageError` where nobody can answer, since standard input is no terminal.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "this has to be confirmed, and nobody is there to do it: standard input is no terminal",
            hint="Look at what would happen, and add --yes to do it.",
        )
    if expected is None:
        return click.confirm(question, err=True)
    answer = click.prompt(f"{question} Type {expected} to go on", default="", show_default=False, err=True)
    return bool(answer.strip() == expected)
