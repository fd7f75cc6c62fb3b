"""A converted app as the files of a project: routes, what they share, settings, and what is left to do."""

import ast
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from packager.errors import ProjectError, UsageError
from packager.scaffold.conversion import Conversion, Handler, Left
from packager.scaffold.imports import Import, imports_of, rendered
from packager.scaffold.shared import Shared, siblings
from packager.scaffold.source import Source, edited, names, span
from packager.scaffold.templates import template

_SERVERS = {
    *(
        "fastapi",
        "fastapi-cli",
        "uvicorn",
        "gunicorn",
        "hypercorn",
        "chalice",
        "mangum",
        "starlette",
        "uvloop",
    ),
    *("httptools", "python-multipart", "fastapi-cloud-cli"),
}
"""Distributions that the tool takes the place of, or brings."""

_MINIMUM = {"pydantic": "pydantic>=2.12", "pydantic_core": "pydantic>=2.12", "boto3": "boto3>=1.40"}
"""What Chalice's runtime and FastAPI bring, and a project has to name."""

_LINE = 88

_README = """\
# {name}

Made of `{file}` by `packager init --from-{framework}`.

```sh
packager dev          # what is saved is in the next answer
packager check        # every mistake, with file, line and fix
packager build        # the artifacts, in .packager/
```

`app/` are the routes, a folder for each part of a URL; `lib/` is what they share.
"""

_MIGRATION = """\
# What is different now

{notes}
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a conversion has made: `handlers`, the `shared` module and other `files`; `found` counts handlers."""

    name: str
    framework: str
    path: Path
    shared: Shared
    handlers: Sequence[Handler]
    left: Sequence[Left]
    files: Mapping[str, str]
    found: int
    notes: Sequence[str]


def require(path: Path, framework: str, count: int) -> None:
    """Raise `UsageError` if an app has no handlers at all."""
    if not count:
        raise UsageError(
            f"{path} has no {framework} routes at its top level",
            hint=f"Give the file that makes the {framework} app, and whose functions it decorates.",
        )


def assembled(parts: Parts) -> Conversion:
    """The project of the parts. Raises `ProjectError` if none of the handlers could be moved."""
    made, doubled = routes(parts.handlers, parts.shared)
    left = [*parts.left, *doubled]
    if not made:
        raise ProjectError(
            f"none of the {parts.found} handlers can be moved: {left[-1].what}: {left[-1].reason}",
            place=left[-1].place,
            hint="Begin with `packager init`, and move them by hand.",
        )
    files = {**parts.files, **made}
    if parts.shared.text:
        files[f"lib/{parts.path.name}"] = parts.shared.text
    text, odd = settings(parts.name, parts.path.parent, files.values())
    left += odd
    files["pyproject.toml"] = text
    files |= papers(parts.name, parts.path.name, parts.framework, left, parts.notes)
    moved = {row.place for row in parts.handlers} - {row.place for row in doubled}
    return Conversion(files, left, parts.found, len(moved))


def routes(handlers: Iterable[Handler], shared: Shared) -> tuple[dict[str, str], list[Left]]:
    """The route files by path, and the handlers whose URL and method are another's already."""
    left: list[Left] = []
    files: dict[str, list[Handler]] = {}
    for row in handlers:
        path = "/".join(("app", *row.segments, "route.py"))
        taken = {method for other in files.get(path, ()) for method in other.methods}
        if taken.intersection(row.methods):
            left.append(Left(row.place, row.what, "an earlier one has that URL and method"))
            continue
        files.setdefault(path, []).append(row)
    return {path: _route(rows, shared) for path, rows in files.items()}, left


def _route(handlers: Sequence[Handler], shared: Shared) -> str:
    blocks = list(dict.fromkeys(row.support for row in handlers if row.support))
    for row in handlers:
        blocks.append(row.text)
        blocks += [f"{method} = {row.methods[0]}" for method in row.methods[1:]]
    used = names(ast.parse("\n\n\n".join(blocks)).body)
    generated = {name: home for row in handlers for name, home in row.imports.items()}
    imports = {name: home for name, home in {**shared.imports, **generated}.items() if name in used}
    cors = _joined(row.cors for row in handlers)
    constants = [] if cors is None else [f"cors = {_literal(cors)}\n"]
    top = "\n".join(part for part in (rendered(imports, local=shared.beside), *constants) if part)
    return (f"{top}\n\n" if top else "") + "\n\n\n".join(blocks) + "\n"


def _joined(given: Iterable[dict[str, Any] | None]) -> dict[str, Any] | None:
    """One file has one `cors`: that of its handlers, their lists joined."""
    joined: dict[str, Any] = {}
    for row in given:
        for key, value in (row or {}).items():
            known = joined.get(key)
            joined[key] = list(dict.fromkeys([*known, *value])) if isinstance(known, list) else value
    return joined or None


def _literal(value: dict[str, Any]) -> str:
    def text(item: Any) -> str:
        if isinstance(item, str):
            return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if isinstance(item, list):
            return "[" + ", ".join(map(text, item)) + "]"
        return repr(item)

    line = "cors = {" + ", ".join(f'"{key}": {text(item)}' for key, item in value.items()) + "}"
    if len(line) <= _LINE:
        return line.removeprefix("cors = ")
    rows = []
    for key, item in value.items():
        row = f'    "{key}": {text(item)},'
        if len(row) > _LINE and isinstance(item, list):
            row = "\n".join([f'    "{key}": [', *(f"        {text(inner)}," for inner in item), "    ],"])
        rows.append(row)
    return "\n".join(["{", *rows, "}"])


def settings(name: str, folder: Path, texts: Iterable[str]) -> tuple[str, list[Left]]:
    """`pyproject.toml` with the requirements beside the app, and those of what `texts` import beside them."""
    wanted, left = _requirements(folder)
    known = {canonicalize_name(Requirement(row).name) for row in wanted}
    whole = "\n".join(texts)
    for module, requirement in _MINIMUM.items():
        imported = re.search(rf"^\s*(?:from|import) {module}\b", whole, re.MULTILINE)
        if imported and canonicalize_name(Requirement(requirement).name) not in known:
            wanted.append(requirement)
    rows = "".join(f"    {_toml(row)},\n" for row in sorted(wanted, key=str.lower))
    text = template("minimal", name)["pyproject.toml"]
    return text.replace(
        "dependencies = []", f"dependencies = [\n{rows}]" if rows else "dependencies = []"
    ), left


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', "'") + '"'


def _requirements(folder: Path) -> tuple[list[str], list[Left]]:
    found: list[str] = []
    left: list[Left] = []
    for file, number, line in _lines(folder):
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            left.append(Left(f"{file}:{number}", line, "is no requirement of one distribution (PEP 508)"))
            continue
        if canonicalize_name(requirement.name) not in _SERVERS and line not in found:
            found.append(line)
    return found, left


def _lines(folder: Path) -> list[tuple[str, int, str]]:
    file = folder / "requirements.txt"
    if file.is_file():
        texts = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        rows = [
            (number, re.sub(r"(^|\s)#.*|\s--hash=\S+", "", line).strip())
            for number, line in enumerate(texts, 1)
        ]
        return [(file.name, number, line) for number, line in rows if line]
    file = folder / "pyproject.toml"
    if not file.is_file():
        return []
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []
    return [(file.name, 1, str(row)) for row in project.get("dependencies", ())]


def papers(
    name: str, file: str, framework: str, left: Sequence[Left], notes: Sequence[str]
) -> dict[str, str]:
    """README, .gitignore, and what is left to do."""
    rows = [f"- {note}" for note in notes]
    if left:
        rows += ["", "# Not moved", ""]
        rows += [f"- `{row.place}` {row.what}: {row.reason}" for row in left]
    return {
        "README.md": _README.format(name=name, file=file, framework=framework),
        "MIGRATION.md": _MIGRATION.format(notes="\n".join(rows)),
        ".gitignore": template("minimal", name)[".gitignore"],
    }


def beside(
    source: Source, folder: Path, translated: Mapping[str, Mapping[str, Import]]
) -> tuple[dict[str, str], list[Left]]:
    """The texts of the modules that the app imports from its own folder, the framework's imports replaced."""
    texts: dict[str, str] = {}
    left: list[Left] = []
    for file, sibling in siblings(source, folder).items():
        imports, lost = imports_of(sibling, translated)
        if lost:
            cause = min(lost)
            left.append(Left(file, cause, f"{lost[cause]}: the file was copied as it is"))
        edits = []
        for node in sibling.tree.body:
            module = getattr(node, "module", None) or ""
            if module.partition(".")[0] in translated:
                own = {row.asname or row.name for row in node.names}  # type: ignore[attr-defined]
                edits.append(
                    (*span(sibling, node), rendered({k: v for k, v in imports.items() if k in own}).rstrip())
                )
        texts[file] = edited(sibling, 0, len(sibling.data), edits)
    return texts, left
