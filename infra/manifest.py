"""The build manifest: the only value that passes between building, stacks, emulation and deployment.

`packager` writes it, `infra` and the emulator read it. The types live here, with their reader, because
`infra` imports nothing of `packager`. Version 1 of the format: keys may be added, none removed.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

VERSION = 1
FILE_NAME = "manifest.json"

type Runtime = Literal["edge", "nodejs"]
type DeclaredRuntime = Literal["edge", "nodejs", "python", "auto"]
type ParamKind = Literal["single", "catch-all", "optional-catch-all"]


class ManifestError(ValueError):
    """The document is not a manifest of version 1; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Param:
    """One dynamic segment: `[id]` is single, `[...slug]` catch-all, `[[...slug]]` optional-catch-all."""

    name: str
    kind: ParamKind


@dataclass(frozen=True, slots=True)
class Route:
    """One URL of the app.

    `path` is spelled as the folders are (`/api/users/[id]`); `file` is relative to the project;
    `methods` are sorted and include the automatic HEAD and OPTIONS; `function` names the entry of
    `Manifest.functions` that serves it, `reason` says why that one. `max_duration` in seconds, `memory` in MB,
    `max_body_size` in bytes. `revalidate` is how long a CDN may keep answers, in seconds; None or False: not at all.
    `cors` tells whether answers depend on the request's `Origin`.
    """

    path: str
    file: str
    methods: tuple[str, ...]
    runtime: Runtime
    declared_runtime: DeclaredRuntime
    params: tuple[Param, ...]
    function: str
    max_duration: int
    memory: int
    max_body_size: int
    reason: str = ""
    revalidate: int | Literal[False] | None = None
    cors: bool = False


@dataclass(frozen=True, slots=True)
class Middleware:
    """One `middleware.py`. `scope` is the URL folder it guards; no `matchers` (None) means every path."""

    file: str
    scope: str
    matchers: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution inside an artifact. `native` is true if its wheel is bound to the target's platform."""

    name: str
    version: str
    native: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The memory snapshot of an edge artifact, the only part of it that two builds do not make alike.

    `files` are relative to the artifact's folder, `identity` is the hash of what the snapshot was made of. `late`
    has the reason, for people, why a route or middleware is not in it and imported when the worker starts.
    """

    files: tuple[str, ...]
    identity: str
    late: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """One artifact and what runs it.

    `artifact` and, for edge, `folder` are relative to the build output. `sha256` is the zip's. `target`
    names a module of `packager.targets`. `python` (`"3.13"`) and `architecture` (`"arm64"`, `"x86_64"`)
    are None on edge, `snapshot` elsewhere. `snap_start`: published versions are to start from a snapshot that Lambda
    takes. `environment` holds variables that the tool itself sets, never the user's. `middleware`
    are the files of all middleware that can run before its routes.
    """

    name: str
    runtime: Runtime
    target: str
    artifact: str
    sha256: str
    zip_bytes: int
    unpacked_bytes: int
    handler: str
    distributions: tuple[Distribution, ...]
    max_duration: int
    memory: int
    python: str | None = None
    architecture: str | None = None
    folder: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    snap_start: bool = False
    middleware: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """The app's environment variables.

    `variables` and `secrets` are names. `values` are those of the plain variables, from `.env` and
    `[tool.packager.environment]`; `references` say where each secret is kept (`ssm:…`, `secretsmanager:…`).
    """

    variables: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AppInfo:
    """`root` is the route tree relative to the project: `app` or `src/app`."""

    name: str
    root: str


@dataclass(frozen=True, slots=True)
class Site:
    """What holds for the whole site. `Route.path` is spelled without `base_path`, which may be empty.

    The rules are JSON objects with the fields of `runtimes.site_rules`, in order of execution.
    """

    base_path: str = ""
    trailing_slash: bool = False
    headers: tuple[dict[str, Any], ...] = ()
    redirects: tuple[dict[str, Any], ...] = ()
    before_files: tuple[dict[str, Any], ...] = ()
    after_files: tuple[dict[str, Any], ...] = ()
    fallback: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that later stages may know of a build."""

    app: AppInfo
    routes: tuple[Route, ...]
    middleware: tuple[Middleware, ...]
    functions: tuple[Function, ...]
    environment: Environment
    site: Site = field(default_factory=Site)
    version: int = VERSION


def to_json(manifest: Manifest) -> str:
    """The manifest as its file's text. Equal manifests give equal text."""
    return (
        json.dumps(
            {"version": manifest.version, **dataclasses.asdict(manifest)}, indent=1, ensure_ascii=False
        )
        + "\n"
    )


def from_json(text: str) -> Manifest:
    """Read what `to_json` wrote; unknown keys are ignored, since later versions of the tool may add some.

    Raises `ManifestError` if the text is not JSON, the version is not 1 or a key is missing.
    """
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise ManifestError(f"manifest version {document['version']} is not {VERSION}")
        return Manifest(
            app=_build(AppInfo, document["app"]),
            routes=tuple(_route(row) for row in document["routes"]),
            middleware=tuple(_middleware(row) for row in document["middleware"]),
            functions=tuple(_function(row) for row in document["functions"]),
            environment=_environment(document["environment"]),
            site=_site(document.get("site", {})),
        )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ManifestError(f"not a manifest of version {VERSION}: {error!r}") from error


def read(folder: Path) -> Manifest:
    """The manifest of the build output `folder`.

    Raises `FileNotFoundError` if nothing was built there, `ManifestError` if the file is not a manifest.
    """
    return from_json((folder / FILE_NAME).read_text(encoding="utf-8"))


def _build[T](kind: type[T], row: dict[str, Any], **changed: Any) -> T:
    names = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in {**row, **changed}.items() if key in names})


def _route(row: dict[str, Any]) -> Route:
    params = tuple(_build(Param, item) for item in row["params"])
    return _build(Route, row, methods=tuple(row["methods"]), params=params)


def _middleware(row: dict[str, Any]) -> Middleware:
    matchers = row["matchers"]
    return _build(Middleware, row, matchers=None if matchers is None else tuple(matchers))


def _function(row: dict[str, Any]) -> Function:
    distributions = tuple(_build(Distribution, item) for item in row["distributions"])
    given = row.get("snapshot")
    snapshot = None if given is None else _build(Snapshot, given, files=tuple(given["files"]))
    middleware = tuple(row.get("middleware", ()))
    return _build(Function, row, distributions=distributions, snapshot=snapshot, middleware=middleware)


def _site(row: dict[str, Any]) -> Site:
    return _build(
        Site, {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    )


def _environment(row: dict[str, Any]) -> Environment:
    return _build(Environment, row, variables=tuple(row["variables"]), secrets=tuple(row["secrets"]))
