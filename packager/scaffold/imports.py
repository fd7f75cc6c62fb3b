"""Import statements: where the names of a file come from, and the lines that bring them."""

import ast
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from packager.scaffold.source import Source

_LINE = 88


@dataclass(frozen=True, slots=True)
class Import:
    """A name's origin: `name` of `module`, or with an empty `name` the module itself."""

    module: str
    name: str = ""


def imports_of(
    source: Source, translated: Mapping[str, Mapping[str, Import]]
) -> tuple[dict[str, Import], dict[str, str]]:
    """The names that a file's top-level imports bind, and those that are not to be had with the reason.

    `translated` are the names of packages whose imports are replaced; they have no others.
    """
    found: dict[str, Import] = {}
    lost: dict[str, str] = {}
    for node in source.tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                top = alias.name.partition(".")[0]
                if top in translated:
                    lost[local] = f"{alias.name} is not used here: import its names one by one"
                else:
                    found[local] = Import(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                local = alias.asname or alias.name
                top = (node.module or "").partition(".")[0]
                if node.level:
                    lost[local] = f"{source.place(node)} is a relative import: convert that file too"
                elif top not in translated:
                    found[local] = Import(node.module or "", alias.name)
                elif alias.name in translated[top]:
                    found[local] = translated[top][alias.name]
                else:
                    lost[local] = f"{node.module}.{alias.name} has no counterpart"
    return found, lost


def rendered(imports: Mapping[str, Import], *, local: Collection[str] = (), future: bool = False) -> str:
    """The statements that bind the names, in the order of isort's defaults; `local` are modules of the project."""
    groups: dict[int, list[str]] = {}
    plain = sorted((row.module, name) for name, row in imports.items() if not row.name)
    for module, name in plain:
        as_name = "" if name == module.partition(".")[0] else f" as {name}"
        groups.setdefault(_group(module, local), []).append(f"import {module}{as_name}")
    modules: dict[str, list[str]] = {}
    for name, row in imports.items():
        if row.name:
            modules.setdefault(row.module, []).append(name if name == row.name else f"{row.name} as {name}")
    for module in sorted(modules):
        plain_names = sorted((name for name in modules[module] if " as " not in name), key=_order)
        renamed = sorted(name for name in modules[module] if " as " in name)
        rows = groups.setdefault(_group(module, local), [])
        rows += [_from(module, names) for names in (plain_names, *([name] for name in renamed)) if names]
    blocks = ["from __future__ import annotations"] if future and imports else []
    blocks += ["\n".join(groups[group]) for group in sorted(groups)]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _LINE:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def _order(name: str) -> tuple[int, str]:
    """Constants, classes, the rest."""
    bare = name.partition(" ")[0]
    return (0 if bare.isupper() and len(bare) > 1 else 1 if bare[:1].isupper() else 2), bare


def _group(module: str, local: Collection[str]) -> int:
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 1
    return 3 if top == "lib" or top in local else 2
