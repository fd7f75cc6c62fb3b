"""`banned-import`: modules, and parts of modules, that edge has not or must not have."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packager.branches import EDGE, walk
from packager.diagnostics import Diagnostic
from packager.edge_rules.names import meaning, names_of
from packager.imports import Import, Reach
from packager.model import Project
from packager.sources import Source, column, read
from packager.stdlib import has_module

_DATA = Path(__file__).parents[1] / "data" / "edge_modules.toml"


@dataclass(frozen=True, slots=True)
class Ban:
    """Why a module or attribute cannot be used on edge; `absent` if it is not there at all.

    `leads_out`: it works, and leads out of the sandbox. `probe` is a statement that fails on edge.
    """

    reason: str
    instead: str = "To use it"
    absent: bool = False
    leads_out: bool = False
    probe: str = ""


def ban_of(name: str) -> tuple[str, Ban] | None:
    """Why a module cannot be used on edge, with the name that is banned: its own or that of a package around it."""
    modules, _ = table()
    while name:
        if name in modules:
            return name, modules[name]
        name = name.rpartition(".")[0]
    return None


def ban_on(item: Import) -> tuple[str, Ban] | None:
    """The banned name that an import needs, with why; None if it can do without it.

    It can if the import is guarded and fails, and if it stands in for another import, which works.
    """
    full = [f"{item.module}.{name}" for name in item.names]
    banned = ban_of(item.module) or next(filter(None, map(_module_or_attribute, full)), None)
    if banned is None or (banned[1].absent and item.guarded):
        return None
    works = (has_module(EDGE, name.partition(".")[0]) and not ban_of(name) for name in item.instead_of)
    return None if item.instead_of and all(works) else banned


def banned_imports(_project: Project, found: Reach) -> Iterator[Diagnostic]:
    """`banned-import`: modules, and names imported from modules, that edge has not or must not have."""
    for item in found.imports:
        banned = ban_on(item)
        if banned:
            yield _at(item, f"{banned[0]} does not work on edge: {banned[1].reason}", banned[1])
        elif _has_banned_attributes(item.module) and (item.dynamic or "*" in item.names):
            message = (
                f"{item.module} is imported in a way that hides which parts of it are used; edge lacks some"
            )
            yield _at(item, message, Ban("", f"Write `import {item.module}`; to use all of it"))


def banned_attributes(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """`banned-import`: uses such as `os.system` of what an allowed module has and edge has not."""
    for file in found.files:
        source = read(project.root, file)
        if isinstance(source, Source):
            for node, name, guarded in _attributes(source):
                ban = _attribute(name)
                if ban and not (ban.absent and guarded):
                    message = f"{name} does not work on edge: {ban.reason}"
                    place = (file, node.lineno, column(source, node))
                    yield Diagnostic("banned-import", *place, message, _hint(ban), chain=found.chains[file])


def _at(item: Import, message: str, ban: Ban) -> Diagnostic:
    return Diagnostic(
        "banned-import", item.file, item.line, item.column, message, _hint(ban), chain=item.chain
    )


def _hint(ban: Ban) -> str:
    return f'{ban.instead}, set runtime = "nodejs" in the route.'


def run_time_bans() -> dict[str, str]:
    """What the guard in the worker refuses, with the reason: modules (`http.client`), functions (`os:exec*`)."""
    modules, attributes = table()
    return {name: ban.reason for name, ban in modules.items() if not ban.absent} | {
        ":".join(name.rsplit(".", 1)): ban.reason for name, ban in attributes.items() if not ban.absent
    }


@lru_cache(maxsize=1)
def table() -> tuple[Mapping[str, Ban], Mapping[str, Ban]]:
    """The banned modules, and the banned attributes of others, by name."""
    document = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    modules, attributes = (
        {name: Ban(**row) for name, row in document[key].items()} for key in ("modules", "attributes")
    )
    return modules, attributes


def _module_or_attribute(name: str) -> tuple[str, Ban] | None:
    modules, _ = table()
    ban = modules.get(name) or _attribute(name)
    return (name, ban) if ban else None


def _attribute(name: str) -> Ban | None:
    # other modules of the standard library have it as an attribute of theirs: `shutil.os.system`
    first, _, rest = name.rpartition(".os.")
    if first and has_module(EDGE, first.partition(".")[0]):
        name = f"os.{rest}"
    elif name.startswith("posix."):
        name = f"os.{name.removeprefix('posix.')}"
    for pattern, ban in table()[1].items():
        if name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern:
            return ban
    return None


def _has_banned_attributes(module: str) -> bool:
    return any(pattern.rpartition(".")[0] == module for pattern in table()[1])


def _attributes(source: Source) -> Iterator[tuple[ast.expr, str, bool]]:
    """The uses `module.attribute` in a source, spelled out, and whether they are guarded.

    `getattr(module, "attribute")` is one too; guarded if it has a default.
    """
    names = names_of(source)
    for node, _, guarded, _ in walk(source.tree, EDGE):
        if isinstance(node, ast.Attribute | ast.Call | ast.Subscript) and (used := meaning(names, node)):
            yield node, used, guarded or (isinstance(node, ast.Call) and len(node.args) > 2)
