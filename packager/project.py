"""A folder with a route tree, and its settings: `[project]` and `[tool.packager]` of `pyproject.toml`."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args

from packager import sizes
from packager.errors import ProjectError, UsageError
from packager.model import (
    Architecture,
    Budget,
    EdgeSettings,
    LambdaSettings,
    Limits,
    Loader,
    Project,
    Settings,
)
from runtimes.site_rules import Site

PYPROJECT = "pyproject.toml"
PYTHONS = ("3.12", "3.13", "3.14")
"""The Python versions of Lambda's managed runtimes that the tool builds for."""

_TREES = (("app", ""), ("src/app", "src"))
_SECRET_STORES = ("ssm:", "secretsmanager:")
_ORIGIN = re.compile(r"https?://[^\s/?#@]+/?")
_TOML_PLACE = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")
_REQUESTED = re.compile(r"/[^\s#\[\]]*")
_SITE_KEYS = ("base_path", "trailing_slash", "headers", "redirects", "rewrites")
_SDK = {"boto3", "botocore", "s3transfer"}
"""The distributions of the AWS SDK, which fit each other in one version only."""

_BUDGET_KEYS = ("zip", "unpacked")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "tool.packager": (
        "include",
        "keep",
        "build_from_source",
        "public_url",
        "lambda",
        "edge",
        "environment",
        "limits",
        "stages",
        "deploy",
        "types",
        *_SITE_KEYS,
    ),
    "tool.packager.lambda": ("python", "architecture", "snap_start", "provided"),
    "tool.packager.edge": ("target", "loader"),
    "tool.packager.environment": ("variables", "secrets"),
    "tool.packager.limits": (*_BUDGET_KEYS, "functions"),
    "tool.packager.deploy": ("smoke",),
}


def load(folder: Path) -> Project:
    """The project in `folder`; a missing `pyproject.toml` or `[project]` is allowed.

    Raises `UsageError` if there is no such folder or no route tree in it, `ProjectError` with file and line
    if `pyproject.toml` is not TOML or has settings that the tool does not know.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is {'not a folder' if folder.exists() else 'not there'}",
            hint="Give the folder of a project: the one that holds app/ and pyproject.toml.",
        )
    root = folder.resolve()
    tree, import_root = _tree(root)
    document = Document.read(root)
    project = document.table("project")
    return Project(
        root=root,
        name=document.text("project", project, "name") or root.name or "app",
        tree=tree,
        import_root=import_root,
        dependencies=document.texts("project", project, "dependencies"),
        settings=_settings(document),
    )


def _tree(root: Path) -> tuple[str, str]:
    for tree, import_root in _TREES:
        if (root / tree).is_dir():
            return tree, import_root
    raise UsageError(
        f"{root} has no route tree: neither app/ nor src/app/ is there",
        hint="Make a first route, app/api/hello/route.py, with: def GET(): return {'hello': 'world'}",
    )


@dataclass(frozen=True, slots=True)
class Document:
    """`pyproject.toml` as data, with its text for the lines of faults.

    The methods give the checked value of one setting; each raises `ProjectError` with the setting's line.
    """

    data: dict[str, Any]
    text_lines: tuple[str, ...]

    @classmethod
    def read(cls, root: Path) -> "Document":
        try:
            text = (root / PYPROJECT).read_text(encoding="utf-8")
            return cls(tomllib.loads(text), tuple(text.splitlines()))
        except FileNotFoundError:
            return cls({}, ())
        except tomllib.TOMLDecodeError as error:
            found = _TOML_PLACE.search(str(error))
            line = found[1] if found and found[1] else str(text.count("\n") + 1)
            reason = _TOML_PLACE.sub("", str(error))
            raise ProjectError(
                f"this is not TOML: {reason}",
                place=f"{PYPROJECT}:{line}",
                hint="Mend the line; see https://toml.io.",
            ) from error
        except UnicodeDecodeError as error:
            raise ProjectError(
                f"the file is not UTF-8: {error.reason}",
                place=PYPROJECT,
                hint="Save it as UTF-8, as TOML asks.",
            ) from error
        except OSError as error:
            raise ProjectError(
                f"the file cannot be read: {error.strerror}", place=PYPROJECT, hint="Make it a readable file."
            ) from error

    def table(self, name: str) -> dict[str, Any]:
        """The table of that dotted name, `{}` without one, its keys checked if it is one of ours."""
        value: Any = self.data
        for part in name.split("."):
            value = value.get(part, {})
            if not isinstance(value, dict):
                self.fail(
                    name.rpartition(".")[0], part, f"[{name}] must be a table", f"Write it as [{name}]."
                )
        if name in _KEYS:
            self.check_keys(name, value, _KEYS[name])
        return dict(value)

    def check_keys(self, table: str, values: Iterable[str], known: tuple[str, ...]) -> None:
        for key in values:
            if key not in known:
                self.fail(table, key, f"[{table}] has no setting {key!r}", _nearest(key, known))

    def text(self, table: str, values: Mapping[str, Any], key: str) -> str | None:
        value = values.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            self.fail(table, key, f"{key} must be a text, not {value!r}", f'Write it in quotes: {key} = "…"')
        return value

    def flag(self, table: str, values: Mapping[str, Any], key: str) -> bool | None:
        value = values.get(key)
        if value is not None and not isinstance(value, bool):
            self.fail(table, key, f"{key} must be true or false, not {value!r}", f"Write it as {key} = true")
        return value

    def texts(self, table: str, values: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(table, key, f"{key} must be a list of texts", f'Write it as {key} = ["…", "…"]')
        return tuple(value)

    def mapping(self, table: str, values: Mapping[str, Any], key: str) -> dict[str, str]:
        value = values.get(key, {})
        if not isinstance(value, dict):
            self.fail(
                table, key, f"{key} must be a table of texts", f'Write it as {key} = {{ NAME = "value" }}'
            )
        for name, item in value.items():
            if not isinstance(item, str):
                self.fail(
                    table,
                    name,
                    f"{name} must be a text, not {type(item).__name__}",
                    f'Write it in quotes: {name} = "…"',
                )
        return dict(value)

    def fail(self, table: str, key: str, message: str, hint: str) -> NoReturn:
        raise ProjectError(message, place=f"{PYPROJECT}:{line_of(self.text_lines, table, key)}", hint=hint)


def line_of(lines: tuple[str, ...], table: str, key: str) -> int:
    """The line, from 1, where `key` of `table` is written; the table's own line or 1 if it cannot be found."""
    header, best, elsewhere = "", 1, 0
    for number, line in enumerate(lines, 1):
        if found := re.match(r"\s*\[\[?([^\[\]]+)\]", line):
            header = re.sub(r"[\s\"']", "", found[1])
            best = number if header in (table, f"{table}.{key}") else best
        elif f"{table}.".startswith(f"{header}.") or header.startswith(f"{table}."):
            if re.search(rf"(?:^|[\s.{{,\"']){re.escape(key)}[\"']?\s*(?:=|\.)", line):
                if header == table:
                    return number
                elsewhere = elsewhere or number
        elif not header and re.match(rf"\s*{re.escape(table)}\b", line):
            best = number
    return elsewhere or best


def _nearest(key: str, known: tuple[str, ...]) -> str:
    import difflib  # noqa: PLC0415 - only a fault needs it

    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known settings: {', '.join(known)}."


def _settings(document: Document) -> Settings:
    name = "tool.packager"
    table = document.table(name)
    public_url = document.text(name, table, "public_url")
    if public_url is not None and not _ORIGIN.fullmatch(public_url):
        hint = 'Give scheme and host alone, such as "https://api.example.com".'
        document.fail(name, "public_url", f"public_url is not an origin: {public_url!r}", hint)
    environment = document.table(f"{name}.environment")
    if "stages" in table:
        from packager import stages  # noqa: PLC0415 - only a project with stages needs to check them

        stages.check(document)
    return Settings(
        include=document.texts(name, table, "include"),
        keep=document.texts(name, table, "keep"),
        build_from_source=document.texts(name, table, "build_from_source"),
        public_url=public_url.rstrip("/") if public_url else None,
        site=_site(document, table),
        nodejs=_lambda(document),
        edge=_edge(document),
        limits=_limits(document),
        variables=document.mapping(f"{name}.environment", environment, "variables"),
        secrets=_secrets(document, environment),
        smoke=_smoke(document),
    )


def _site(document: Document, table: dict[str, Any]) -> Site | None:
    if not any(key in table for key in _SITE_KEYS):
        return None
    from packager import site_config  # noqa: PLC0415 - only a project with such rules needs to compile them

    return site_config.read(table, document.text_lines)


def _edge(document: Document) -> EdgeSettings:
    name = "tool.packager.edge"
    table = document.table(name)
    loader = document.text(name, table, "loader")
    known = get_args(Loader.__value__)
    if loader is not None and loader not in known:
        document.fail(
            name, "loader", f"loader = {loader!r} is not known", f"Choose one of {', '.join(known)}."
        )
    return EdgeSettings(**_given(target=document.text(name, table, "target"), loader=loader))


def _lambda(document: Document) -> LambdaSettings:
    name = "tool.packager.lambda"
    table = document.table(name)
    python = document.text(name, table, "python")
    architecture = document.text(name, table, "architecture")
    for key, value, known in (
        ("python", python, PYTHONS),
        ("architecture", architecture, get_args(Architecture.__value__)),
    ):
        if value is not None and value not in known:
            document.fail(name, key, f"{key} = {value!r} is not known", f"Choose one of {', '.join(known)}.")
    snap_start = document.flag(name, table, "snap_start")
    return LambdaSettings(
        **_given(python=python, architecture=architecture, snap_start=snap_start),
        provided=_provided(document.texts(name, table, "provided")),
    )


def _provided(names: tuple[str, ...]) -> tuple[str, ...]:
    """The normalised names, sorted (PyPA, "Names and normalization"). Of the AWS SDK's parts none goes alone."""
    found = {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    return tuple(sorted(found | (_SDK if "boto3" in found else set())))


def _secrets(document: Document, environment: dict[str, Any]) -> dict[str, str]:
    name = "tool.packager.environment"
    secrets = document.mapping(name, environment, "secrets")
    for key, reference in secrets.items():
        store = next((store for store in _SECRET_STORES if reference.startswith(store)), None)
        if store is None or reference == store:
            hint = 'Say where it is kept, "ssm:/path" or "secretsmanager:name#key"; never the value itself.'
            document.fail(name, key, f"the secret {key} is no reference to a store", hint)
    return secrets


def _smoke(document: Document) -> tuple[str, ...]:
    name = "tool.packager.deploy"
    paths = document.texts(name, document.table(name), "smoke")
    for path in paths:
        if not _REQUESTED.fullmatch(path) or path.startswith("//"):
            hint = 'Write paths as they are requested, with values for [parameters]: "/api/users/7".'
            document.fail(name, "smoke", f"smoke: {path!r} is no path of a URL", hint)
    return paths


def _limits(document: Document) -> Limits:
    name = "tool.packager.limits"
    table = document.table(name)
    own = document.table(f"{name}.functions")
    functions = {key: document.table(f"{name}.functions.{key}") for key in own}
    return Limits(
        default=_budget(document, name, {key: table[key] for key in _BUDGET_KEYS if key in table}),
        functions={
            key: _budget(document, f"{name}.functions.{key}", values) for key, values in functions.items()
        },
    )


def _budget(document: Document, name: str, values: dict[str, Any]) -> Budget:
    document.check_keys(name, values, _BUDGET_KEYS)
    return Budget(**{key: _size(document, name, key, value) for key, value in values.items()})


def _size(document: Document, name: str, key: str, value: object) -> int:
    size = sizes.parse(value) if isinstance(value, str) else value
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        document.fail(name, key, f"{key} = {value!r} is no size", f'Write bytes or a text: {key} = "10mb"')
    return size


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
