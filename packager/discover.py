"""From folders to URLs: the route tree as Next.js reads it, and everything wrong with it.

A folder's name says what it is: `[id]`, `[...rest]` and `[[...rest]]` are parameters; `(group)` and `@slot` are
not part of the URL; what is below `_private` has none; `%5F` stands for `_`. Faults that Next.js lets
through its build and then crashes on are found here.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import cast

from infra.manifest import Param, ParamKind
from packager.diagnostics import Diagnostic, in_order
from packager.model import MiddlewareFile, Project, RouteFile, Tree

ROUTE = "route.py"
MIDDLEWARE = "middleware.py"

SKIPPED = frozenset(
    (".git", ".hg", ".svn", ".idea", ".vscode", ".venv", "__pycache__", "node_modules", ".packager")
)
"""Folders that are never part of a route tree."""
_DYNAMIC = re.compile(r"\[(?P<name>[^\[\]]*)\]|\[\[(?P<optional>[^\[\]]*)\]\]")
_PARAM_NAME = re.compile(r"[A-Za-z0-9_-]+")
# What clients escape in a path, or cut it at: https://url.spec.whatwg.org/#path-percent-encode-set
_UNREACHABLE = re.compile(r"[^!-~]|[\"#<>?^`{}\\]")


class _SegmentError(ValueError):
    """A folder's name is not a segment: the text says why, `hint` what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def discover(project: Project) -> tuple[Tree, tuple[Diagnostic, ...]]:
    """Find the routes and the middleware of a project, and what is wrong with their folders.

    Routes that have a URL are in the tree even if others claim the same URL; those without one are not.
    Middleware is sorted from the outermost inwards. Never raises for what it finds: folders that cannot be
    read and links that go in circles are diagnostics.
    """
    found: list[Diagnostic] = []
    routes: list[RouteFile] = []
    middleware: list[MiddlewareFile] = []
    for file in _files(project.root, project.tree, found):
        folders = PurePosixPath(file).relative_to(project.tree).parts[:-1]
        try:
            path = _url(folders)
            if file.endswith(f"/{ROUTE}"):
                routes.append(RouteFile(file, path, _params(path)))
            else:
                middleware.append(MiddlewareFile(file, path))
        except _SegmentError as error:
            found.append(Diagnostic("invalid-segment", file, 1, 1, str(error), error.hint))
    good = []
    for route in sorted(routes, key=lambda item: (item.path, item.file)):
        if fault := _fault(route):
            found.append(fault)
        else:
            good.append(route)
    found += _conflicts(good)
    outermost = f"{project.import_root}/{MIDDLEWARE}".lstrip("/")
    if (project.root / outermost).is_file():
        middleware.append(MiddlewareFile(outermost, "/"))
    elif (project.root / MIDDLEWARE).is_file():
        hint = f"Move it to {outermost}."
        message = f"the file guards nothing: middleware lies beside the route tree {project.tree}/"
        found.append(Diagnostic("invalid-config", MIDDLEWARE, 1, 1, message, hint, "warning"))
    middleware.sort(key=lambda item: (item.scope != "/", item.file.count("/"), item.file))
    return Tree(tuple(good), tuple(middleware)), in_order(found)


def _files(root: Path, tree: str, found: list[Diagnostic]) -> Iterator[str]:
    """The route and middleware files below the tree, relative to the project.

    A linked folder is read as if it were one, but no link inside it is followed: that ends every circle.
    """
    waiting = [(tree, False)]
    while waiting:
        folder, linked = waiting.pop()
        try:
            with os.scandir(root / folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            message = f"the folder cannot be read: {error.strerror}"
            found.append(
                Diagnostic("invalid-segment", folder, 1, 1, message, "Make it readable, or move it away.")
            )
            continue
        for entry in entries:
            file = f"{folder}/{entry.name}"
            if entry.name in (ROUTE, MIDDLEWARE) and _is(entry, "file"):
                yield file
            elif entry.name in SKIPPED or entry.name.startswith("_") or not _is(entry, "dir"):
                continue
            elif entry.is_symlink() and (linked or _leads_up(root, file)):
                message = "the link leads to a folder that it lies in, or lies in a linked folder itself"
                found.append(
                    Diagnostic("invalid-segment", file, 1, 1, message, "Replace the link by a real folder.")
                )
            else:
                waiting.append((file, linked or entry.is_symlink()))


def _is(entry: os.DirEntry[str], kind: str) -> bool:
    try:
        return entry.is_file() if kind == "file" else entry.is_dir()
    except OSError:
        return False


def _leads_up(root: Path, link: str) -> bool:
    return (root / link).parent.resolve().is_relative_to((root / link).resolve())


def _url(folders: tuple[str, ...]) -> str:
    """The URL of a folder below the tree, `/` for the tree itself. Raises `_SegmentError`."""
    return "/" + "/".join(
        _segment(name)
        for name in folders
        if not (name.startswith("(") and name.endswith(")")) and name[0] != "@"
    )


def _segment(folder: str) -> str:
    """A folder's name as a segment of a route's path. Raises `_SegmentError`."""
    if found := _UNREACHABLE.search(folder.replace("…", "...") if folder.startswith("[") else folder):
        raise _SegmentError(
            f"no URL has the folder name {folder!r}: clients escape {found[0]!r}",
            "Use ASCII letters, digits and the characters - . _ ~ in folder names.",
        )
    if "[" not in folder and "]" not in folder:
        return folder.replace("%5F", "_")
    return _dynamic(folder)


def _dynamic(folder: str) -> str:
    match = _DYNAMIC.fullmatch(folder)
    if match is None:
        raise _SegmentError(
            f"the brackets of {folder!r} are not those of a parameter",
            "Brackets enclose the whole name, once: [id], [...rest] or [[...rest]].",
        )
    inner = cast("str", match[match.lastgroup or "name"])
    if "…" in inner:
        raise _SegmentError(
            f"{folder!r} has the three-dot character", f"Write {folder.replace('…', '...')!r}."
        )
    name = inner.removeprefix("...")
    if match["optional"] is not None and name == inner:
        raise _SegmentError(
            f"{folder!r}: a single parameter cannot be optional",
            f"Write [{name}], or [[...{name}]] for any depth.",
        )
    if not name:
        raise _SegmentError(
            f"the parameter of {folder!r} has no name", "Write a name, such as [id] or [...rest]."
        )
    if not _PARAM_NAME.fullmatch(name):
        raise _SegmentError(
            f"{name!r} cannot be the name of a parameter",
            "Use letters, digits, - and _; the three periods of [...rest] stand first.",
        )
    return folder


def _params(path: str) -> tuple[Param, ...]:
    params = []
    for segment in _dynamic_segments(path):
        kind: ParamKind = "single"
        if segment.startswith("[["):
            kind = "optional-catch-all"
        elif segment.startswith("[..."):
            kind = "catch-all"
        params.append(Param(segment.strip("[.]"), kind))
    return tuple(params)


def _dynamic_segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment.startswith("[")]


def _fault(route: RouteFile) -> Diagnostic | None:
    """What is wrong with a route taken alone."""
    names: dict[str, str] = {}
    for param in route.params:
        word = re.sub(r"\W", "", param.name)
        if word in names:
            same = (
                "twice" if names[word] == param.name else f"and {names[word]!r}, which differ only by signs,"
            )
            return Diagnostic(
                "duplicate-param",
                route.file,
                1,
                1,
                f"{route.path} has the parameter {param.name!r} {same} on its way",
                "Rename one of the two folders.",
            )
        names[word] = param.name
    dynamic = _dynamic_segments(route.path)
    early = next((item for item in dynamic if "..." in item and not route.path.endswith(f"/{item}")), None)
    if early:
        return Diagnostic(
            "catch-all-not-last",
            route.file,
            1,
            1,
            f"{early} takes the rest of the URL, so nothing can follow it in {route.path}",
            f"Move the route up into {early}, or make {early} a single parameter.",
        )
    return None


def _conflicts(routes: list[RouteFile]) -> Iterator[Diagnostic]:
    """`ambiguous-route` for every route that some URL cannot tell from an earlier one.

    Routes come sorted by path, so that a folder's own route is seen before its optional catch-all.
    """
    claims: dict[tuple[str, str], tuple[str, str]] = {}
    for route in routes:
        reported: set[str] = set()
        for place, claim, reason in _claims(route.path):
            first, file = claims.setdefault(place, (claim, route.file))
            same = first == claim and place[1] != "end"
            if file != route.file and file not in reported and not same:
                reported.add(file)
                yield Diagnostic(
                    "ambiguous-route",
                    route.file,
                    1,
                    1,
                    f"{reason} {first} in {file}",
                    "Rename one of the folders so that both agree, or remove one of the routes.",
                )


def _claims(path: str) -> Iterator[tuple[tuple[str, str], str, str]]:
    """What a route needs for itself.

    Each is a place (the URL without the parameters' names, and a kind), the claim to it, and the beginning of
    the message if another claim was first.
    """
    prefix = ""
    for segment in path.split("/")[1:]:
        if not segment:
            continue
        if "..." in segment:
            yield (prefix, "rest"), segment, f"{segment} takes the same URLs as"
            if segment.startswith("[["):
                yield (prefix, "end"), path, f"{path} without its optional part is the same URL as"
            prefix += "/[...]"
        elif segment.startswith("["):
            yield (prefix, "single"), segment, f"{segment} names the same part of the URL as"
            prefix += "/[]"
        else:
            prefix += f"/{segment}"
    yield (prefix, "end"), path, f"{path} is the same URL as"
