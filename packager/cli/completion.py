"""`packager completion`: the script by which a shell completes commands, and names of a project."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_PACKAGER_COMPLETE"
"""What a shell sets when it asks for completions."""

_INSTALLED = {
    "bash": "packager completion bash > ~/.local/share/bash-completion/completions/packager",
    "zsh": 'packager completion zsh > "${fpath[1]}/_packager"',
    "fish": "packager completion fish > ~/.config/fish/completions/packager.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_INSTALLED)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, routes and stages in SHELL.

    It is installed by writing it where the shell looks for such scripts; a shell that starts then has it.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "packager", VARIABLE)
    # click's bash script is checked against the bash of the path, which need not be the one that it is for
    text = script.source_template % script.source_vars()
    click.echo(f"{text.strip()}\n# installed by: {_INSTALLED[shell]}")
