"""What site-packages would hold on one platform, and which of it a function needs."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from packager.diagnostics import Diagnostic
from packager.model import Distribution

if TYPE_CHECKING:
    from packager.imports import Import


@dataclass(frozen=True, slots=True)
class Absent:
    """A distribution that is locked but has no wheel for the platform; `modules` are its import names."""

    name: str
    version: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SitePackages:
    """The distributions of one platform by normalised name. `platform` is its name in messages."""

    platform: str
    distributions: Mapping[str, Distribution]
    absent: Mapping[str, Absent]


def provided(site: SitePackages) -> dict[str, str]:
    """Top-level import names and the distribution that provides each; also of those without a wheel here."""
    return {module: name for name, row in _rows(site).items() for module in row.modules}


def kept(
    site: SitePackages,
    imports: Iterable["Import"],
    needs: Iterable[str],
    declared: Iterable[str],
    ours: Collection[Path] = (),
) -> tuple[Distribution, ...]:
    """The distributions that the imports and `needs` reach, with all they require, sorted by name.

    One that the project declares stays as well if the code of one that stays, or one of the files `ours`, names
    its module: drivers and plug-ins, such as SQLAlchemy's, are imported by a name that no project module
    spells out.
    """
    modules = {item.module.partition(".")[0] for item in imports}
    roots = {name for name, row in site.distributions.items() if modules.intersection(row.modules)}
    names = _closure(site, roots.union(needs))
    unreached = {name for name in declared if name in site.distributions} - names
    while found := {name for name in unreached if _is_named_by(site, name, names, ours)}:
        names |= _closure(site, found)
        unreached -= names
    return tuple(site.distributions[name] for name in sorted(names) if name in site.distributions)


def _is_named_by(site: SitePackages, name: str, names: Iterable[str], ours: Iterable[Path]) -> bool:
    modules = "|".join(map(re.escape, site.distributions[name].modules))
    pattern = re.compile(rf"""\b(?:import|from)\s+(?:{modules})\b|["'](?:{modules})["']""".encode())
    folders = (site.distributions[other].folder for other in names if other in site.distributions)
    theirs = (path for folder in folders for path in folder.rglob("*.py"))
    return any(pattern.search(path.read_bytes()) for path in chain(ours, theirs))


def without_wheel(site: SitePackages, imports: Iterable["Import"]) -> tuple[Diagnostic, ...]:
    """`no-wasm-wheel`: unguarded imports that need a distribution without a wheel for this platform."""
    found = []
    rows = _rows(site)
    for item in imports:
        top = item.module.partition(".")[0]
        roots = {name for name, row in rows.items() if top in row.modules}
        missing = sorted(_closure(site, roots).intersection(site.absent))
        if item.guarded or not missing:
            continue
        absent = site.absent[missing[0]]
        why = "" if absent.name in roots else f" (required by {min(roots)})"
        found.append(
            Diagnostic(
                rule="no-wasm-wheel",
                file=item.file,
                line=item.line,
                column=item.column,
                message=f"{absent.name} {absent.version}{why} has no wheel for {site.platform}",
                hint='Set runtime = "nodejs" in the route, or use a package that is pure Python.',
                chain=item.chain,
            )
        )
    return tuple(found)


def _rows(site: SitePackages) -> dict[str, Absent | Distribution]:
    return {**site.absent, **site.distributions}


def _closure(site: SitePackages, roots: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in site.distributions:
            waiting.extend(site.distributions[name].requires)
    return seen
