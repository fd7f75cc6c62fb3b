"""What site-packages would hold on one platform, and which of it a function needs."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packager.diagnostics import Diagnostic
from packager.mentions import mentioned, mentioned_in
from packager.model import Distribution

if TYPE_CHECKING:
    from packager.imports import Import


@dataclass(frozen=True, slots=True)
class Absent:
    """A distribution that is locked but has no wheel for the platform; `modules` are its import names.

    `wheels` are the file names of its locked version. `instead` is the version that the platform would get,
    if that is another than the other platform's.
    """

    name: str
    version: str
    modules: tuple[str, ...]
    wheels: tuple[str, ...] = ()
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class SitePackages:
    """The distributions of one platform by normalised name. `platform` is its name in messages."""

    platform: str
    distributions: Mapping[str, Distribution]
    absent: Mapping[str, Absent]


def provided(site: SitePackages) -> dict[str, str]:
    """Top-level import names and the distribution that provides each; also of those without a wheel here."""
    return {module: name for name, row in locked(site).items() for module in row.modules}


def kept(
    site: SitePackages,
    imports: Iterable["Import"],
    needs: Iterable[str],
    declared: Iterable[str],
    ours: Collection[Path] = (),
    provided: Collection[str] = (),
) -> tuple[Distribution, ...]:
    """The distributions that the imports and `needs` reach, with all they require, sorted by name.

    Those of `provided` are left out, and what only they require.

    One that the project declares stays as well if the code of one that stays, or one of the files `ours`, names
    its module: drivers and plug-ins, such as SQLAlchemy's, are imported by a name that no project module
    spells out.
    """
    modules = {item.module.partition(".")[0] for item in imports}
    roots = {name for name, row in site.distributions.items() if modules.intersection(row.modules)}
    # the standard library's `zoneinfo` imports it
    roots |= {"tzdata"}.intersection(declared, site.distributions)
    names = closure(site, roots.union(needs), provided)
    unreached = {name for name in declared if name in site.distributions} - names.union(provided)
    words = mentioned_in(ours) if unreached else frozenset()
    read: set[str] = set()
    while unreached:
        fresh = names.difference(read).intersection(site.distributions)
        words = words.union(*(mentioned(site.distributions[name].folder) for name in fresh))
        read |= fresh
        found = {name for name in unreached if words.intersection(site.distributions[name].modules)}
        if not found:
            break
        names |= closure(site, found, provided)
        unreached -= names
    return tuple(site.distributions[name] for name in sorted(names) if name in site.distributions)


def left_to_runtime(site: SitePackages, provided: Iterable[str]) -> tuple[Distribution, ...]:
    """The distributions `provided` and all that they require, sorted by name."""
    names = closure(site, set(provided).intersection(site.distributions))
    return tuple(site.distributions[name] for name in sorted(names) if name in site.distributions)


def without_wheel(
    site: SitePackages,
    imports: Iterable["Import"],
    elsewhere: Callable[[str], Sequence[str]] = lambda _name: (),
) -> tuple[Diagnostic, ...]:
    """`no-wasm-wheel`: unguarded imports that need a distribution without a wheel for this platform.

    `elsewhere` gives, for the name of a distribution, the versions that have one, oldest first.
    """
    found = []
    rows = locked(site)
    for item in imports:
        top = item.module.partition(".")[0]
        roots = {name for name, row in rows.items() if top in row.modules}
        missing = sorted(closure(site, roots).intersection(site.absent))
        if item.guarded or not missing:
            continue
        absent = site.absent[missing[0]]
        required_by = None if absent.name in roots else min(roots)
        found.append(
            Diagnostic(
                rule="no-wasm-wheel",
                file=item.file,
                line=item.line,
                column=item.column,
                message=why_absent(absent, site.platform, required_by),
                hint=_instead(absent, required_by, elsewhere(absent.name)),
                chain=item.chain,
            )
        )
    return tuple(found)


def why_absent(absent: Absent, platform: str, required_by: str | None = None) -> str:
    """Why a platform has no such distribution; `required_by` is another one that needs it."""
    name = f"{absent.name} {absent.version}" + (f" (required by {required_by})" if required_by else "")
    if absent.instead:
        return f"{name} is what nodejs gets, and {platform} would get {absent.instead}"
    if not absent.wheels:
        return f"{name} has no wheel for {platform}"
    platforms = sorted({_platform_of(file) for file in absent.wheels})
    return f"{name} has no wheel for {platform}, only for {', '.join(platforms)}"


_PLATFORMS = {
    "win": "Windows",
    "macosx": "macOS",
    "ios": "iOS",
    "android": "Android",
    "linux": "Linux",
    "manylinux": "Linux",
    "musllinux": "Linux (musl)",
}


def _platform_of(file: str) -> str:
    """What people call the platform of a wheel (PyPA platform compatibility tags)."""
    tag = file.removesuffix(".whl").rpartition("-")[2]
    family = re.match(r"[a-z]*", tag)
    name = family[0] if family else tag
    return "other versions of Python" if name == "any" else _PLATFORMS.get(name, name)


def _instead(absent: Absent, required_by: str | None, versions: Sequence[str]) -> str:
    move = 'set runtime = "nodejs" in the route, or use a package that is pure Python'
    nearest = _nearest(absent.version, versions)
    if not nearest:
        return f"{move[0].upper()}{move[1:]}."
    have = " and ".join(f"{absent.name} {version}" for version in nearest)
    verb = "have" if len(nearest) > 1 else "has"
    change = f"a version of {required_by} that takes it" if required_by else "that version"
    return f"{have} {verb} one: require {change} in [project] dependencies, {move}."


def _nearest(version: str, versions: Sequence[str]) -> list[str]:
    """The versions just below and just above, as far as there are any."""
    from packaging.version import Version  # noqa: PLC0415 - only an error needs it

    own = Version(version)
    below = [item for item in versions if Version(item) < own]
    above = [item for item in versions if Version(item) > own]
    return [*below[-1:], *above[:1]]


def locked(site: SitePackages) -> dict[str, Absent | Distribution]:
    """All that is locked for the platform by normalised name, with a wheel for it or without."""
    return {**site.absent, **site.distributions}


def closure(site: SitePackages, roots: Iterable[str], without: Collection[str] = ()) -> set[str]:
    """The distributions `roots` and all that they require, by name; not those of `without`."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in seen or name in without:
            continue
        seen.add(name)
        if name in site.distributions:
            waiting.extend(site.distributions[name].requires)
    return seen
