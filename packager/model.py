"""The values that travel through the pipeline, in the order in which the stages make them.

`discover` makes a `Tree`, `analyse` an `App`, `resolve` the distributions, `bundle` the manifest's functions.
Values are frozen and have no behaviour; each stage is a function of the one before.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from infra.manifest import DeclaredRuntime, Middleware, Param, Runtime
from runtimes.site_rules import Site
from runtimes.table import Cors

type Architecture = Literal["arm64", "x86_64"]


@dataclass(frozen=True, slots=True)
class LambdaSettings:
    """`[tool.packager.lambda]`: what nodejs functions run on.

    `provided` are the normalised names of distributions that are taken from the runtime or a layer, not from
    the artifact. With `snap_start` the functions start from memory that Lambda froze.
    """

    python: str = "3.13"
    architecture: Architecture = "arm64"
    snap_start: bool = False
    provided: tuple[str, ...] = ()


type Loader = Literal["snapshot", "stock"]
"""`snapshot`: the distilled runtime; `stock`: Pyodide as published. Both start from memory that the build froze."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """`[tool.packager.edge]`: which target the edge workers are built for, and how they start Python."""

    target: str = "lambda-edge"
    loader: Loader = "snapshot"


@dataclass(frozen=True, slots=True)
class Budget:
    """What an artifact may weigh at most, in bytes: as a zip and unpacked. None: as much as the target takes."""

    zip: int | None = None
    unpacked: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """`[tool.packager.limits]`: the budget of every artifact, and the own ones of functions by name."""

    default: Budget = field(default_factory=Budget)
    functions: dict[str, Budget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """`[tool.packager]`. `include` are globs, relative to the project, of data files for every artifact.

    `keep` are modules and packages of distributions that are carried though nothing seems to import them.
    `build_from_source` are the names of dependencies whose wheels may be built on this machine.
    `smoke` are the paths that are requested after a deployment, spelled as in the route table (`/api/users/7`).
    `site` is None without base path, trailing slashes, headers, redirects and rewrites.
    """

    include: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    build_from_source: tuple[str, ...] = ()
    public_url: str | None = None
    site: Site | None = None
    nodejs: LambdaSettings = field(default_factory=LambdaSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    limits: Limits = field(default_factory=Limits)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    smoke: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a route tree.

    `root` is absolute and resolved. `tree` is `app` or `src/app`; `import_root` is where imports start,
    relative to `root`: `""` or `"src"`. `dependencies` are `[project] dependencies`, as written.
    """

    root: Path
    name: str
    tree: str
    import_root: str
    dependencies: tuple[str, ...]
    settings: Settings


@dataclass(frozen=True, slots=True)
class RouteFile:
    """A `route.py` and its URL: `/api/users/[id]` (groups, slots and `%5F` already applied)."""

    file: str
    path: str
    params: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class MiddlewareFile:
    """A `middleware.py`; `scope` is `/` beside the tree, else the URL of its folder."""

    file: str
    scope: str


@dataclass(frozen=True, slots=True)
class Tree:
    """What `discover` found, sorted by path, then file."""

    routes: tuple[RouteFile, ...]
    middleware: tuple[MiddlewareFile, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A route file with what its source says.

    `methods` are sorted and include the automatic HEAD and OPTIONS. Seconds, MB, bytes. `runtime` is the one
    it runs on; `revalidate` is None if the constant is absent. `files` are globs of data files, from the project.
    """

    file: str
    path: str
    params: tuple[Param, ...]
    methods: tuple[str, ...]
    runtime: Runtime
    declared_runtime: DeclaredRuntime
    max_duration: int
    memory: int
    max_body_size: int
    revalidate: int | Literal[False] | None = None
    cors: Cors | None = None
    isolate: bool = False
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class App:
    """All that the sources say."""

    project: Project
    routes: tuple[Route, ...]
    middleware: tuple[Middleware, ...]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A locked wheel file. `url` is http(s) or file; `size` in bytes if the lock has it."""

    name: str
    version: str
    filename: str
    url: str
    sha256: str
    size: int | None = None
    native: bool = False


@dataclass(frozen=True, slots=True)
class Distribution:
    """A wheel unpacked in the store. `folder` is what would be in site-packages.

    `modules` are the top-level import names it provides; `requires` the normalised names of the
    distributions it needs itself on this target.
    """

    wheel: Wheel
    folder: Path
    modules: tuple[str, ...]
    requires: tuple[str, ...]
