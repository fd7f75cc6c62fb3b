"""The command line: names and one line of help for each command, whose module is loaded when it is called."""

import errno
import io
import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from packager.cli import output
from packager.errors import PackagerError

COMMANDS = {
    "init": "Make a new project.",
    "routes": "Show the route table.",
    "check": "Report everything that is wrong with a project.",
    "why": "Tell why a route runs where it does, or what brings a package.",
    "build": "Check a project and build its artifacts.",
    "analyze": "Show what is in every artifact and why.",
    "dev": "Serve the sources and reload what is saved.",
    "preview": "Serve the built artifacts as the cloud would.",
    "types": "Write an OpenAPI document and a typed TypeScript client.",
    "synth": "Write the stacks of a stage as a CDK cloud assembly.",
    "diff": "Show what a deploy would change.",
    "deploy": "Deploy a stage to AWS.",
    "releases": "List what was live when, and what is live.",
    "rollback": "Have an earlier release answer again.",
    "destroy": "Take a stage away from AWS.",
    "logs": "Show what the functions of a stage say, as one stream.",
    "env": "Bring the secrets of a stage here, or to AWS.",
    "doctor": "Tell what is installed, what is missing and how to get it.",
    "completion": "Print what completes commands and routes in a shell.",
}
"""Each is the click command of that name in the module `packager.cli.<name>`."""


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        if ctx.resilient_parsing:
            from packager.cli import completing  # noqa: PLC0415 - a shell asks for completions

            completing.prepare(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: Any) -> None:
    if wanted and not ctx.resilient_parsing:
        from packager.versions import versions  # noqa: PLC0415 - 30 ms that nothing else needs

        for name, version in versions().items():
            click.echo(f"{name} {version}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the versions that matter and exit.",
)
def cli(debug: bool) -> None:
    """Next.js route handlers for Python, deployed to AWS."""


def main() -> NoReturn:
    """Run the command line and leave with its exit status.

    0: done; 1: the project is at fault; 2: wrong usage; 3: a tool, the network, the disk or the cloud failed;
    130: interrupted; 141: the reader of the output went away.
    """
    debug = False
    if "_PACKAGER_COMPLETE" in os.environ:
        _complete(os.environ["_PACKAGER_COMPLETE"])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with cli.make_context("packager", sys.argv[1:]) as context:
            debug = context.params["debug"]
            context.color = False if output.is_plain() else None
            cli.invoke(context)
        status = 0
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        status = error.exit_code
    except BrokenPipeError:
        output.discard()
        status = 141
    except (KeyboardInterrupt, click.Abort):
        output.note("interrupted")
        status = 130
    except Exception as error:  # noqa: BLE001 - the last place where an error can become a message
        if debug:
            sys.excepthook(type(error), error, error.__traceback__)
        status = _explained(error)
    sys.exit(status)


def _complete(instruction: str) -> NoReturn:
    """Answer the script of `packager completion`."""
    from click.shell_completion import shell_complete  # noqa: PLC0415

    sys.exit(shell_complete(cli, {}, "packager", "_PACKAGER_COMPLETE", instruction))


def _explained(error: Exception) -> int:
    """Print what an error means; its exit status."""
    match error:
        case PackagerError():
            output.error(error)
            return error.exit_status
        case click.ClickException():
            error.show()
            return 2
        case OSError():
            output.error(_of_system(error))
            return 3
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    output.note(f"this is a bug in packager: {text}; run again with --debug: packager --debug …")
    return 3


def _of_system(error: OSError) -> PackagerError:
    hints = {
        errno.ENOSPC: "Free some space on the disk and run again.",
        errno.EDQUOT: "Free some of your quota and run again.",
        errno.EACCES: "Give yourself access to it and run again.",
        errno.EPERM: "Give yourself access to it and run again.",
        errno.EROFS: "Choose a place that can be written to.",
        errno.EMFILE: "Raise the limit of open files (ulimit -n) and run again.",
    }
    hint = hints.get(error.errno or 0, "Run again; with packager --debug it shows where this came from.")
    place = str(error.filename) if error.filename else None
    return PackagerError(error.strerror or str(error) or type(error).__name__, place=place, hint=hint)
