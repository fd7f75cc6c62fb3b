"""What a shell offers for the names of a project: its routes, its stages, its functions."""

import tomllib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from packager.errors import PackagerError


def prepare(command: click.Command) -> None:
    """Have the parameters of a command complete the names that they stand for."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            prepare(inner)
    for parameter in command.params:
        names = _KNOWN.get((command.name or "", parameter.name or "")) or _KNOWN.get(
            ("", parameter.name or "")
        )
        if names is not None:
            parameter.type = _Names(names)


class _Names(click.types.StringParamType):
    def __init__(self, names: Callable[[Path], Iterable[str]]) -> None:
        self._names = names

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        project = Path(str(ctx.params.get("project") or "."))
        # a project that cannot be read has no names to offer, and a shell no place for errors
        with suppress(PackagerError, OSError, ValueError, KeyError):
            return [CompletionItem(row) for row in self._names(project) if row.startswith(incomplete)]
        return []


def _routes(project: Path) -> list[str]:
    from packager.discover import discover  # noqa: PLC0415 - no other command line needs it this early
    from packager.project import load  # noqa: PLC0415

    tree, _ = discover(load(project))
    return [row.path for row in tree.routes]


def _stages(project: Path) -> list[str]:
    from packager.project import PYPROJECT  # noqa: PLC0415

    data = tomllib.loads((project / PYPROJECT).read_text(encoding="utf-8"))
    tables = data.get("tool", {}).get("packager", {}).get("stages", {})
    files = (path.name.removeprefix(".env.").removesuffix(".local") for path in project.glob(".env.*"))
    return sorted({*tables, *files} - {"default", "local"})


def _functions(project: Path) -> list[str]:
    from infra import manifest  # noqa: PLC0415
    from packager.staging import OUTPUT  # noqa: PLC0415

    return [row.name for row in manifest.read(project / OUTPUT).functions]


_KNOWN: dict[tuple[str, str], Callable[[Path], Iterable[str]]] = {
    ("", "stage"): _stages,
    ("", "route"): _routes,
    ("", "functions"): _functions,
    ("why", "name"): _routes,
}
"""By the command, if only one is meant, and the name of the parameter."""
