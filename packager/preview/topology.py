"""What is deployed and how requests find their way through it, as plain values: a distribution, an HTTP API, functions.

Every value knows its place, the stack and logical id, so that what goes wrong can be told where it is written and the
whole can be drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from packager.preview.template import Place

if TYPE_CHECKING:
    from pathlib import Path

type Selection = Literal["none", "whitelist", "allExcept", "all"]
type FunctionKind = Literal["function", "web-function"]


@dataclass(frozen=True, slots=True)
class FunctionConfig:
    """A function as it is configured, and the zip of its code.

    `name` is the deployed one, `label` the manifest's where the template tells it. `timeout` in seconds, `memory` in
    MB; `environment` is all that the template gives it.
    """

    place: Place
    name: str
    label: str
    kind: FunctionKind
    code: "Path"
    runtime: str
    handler: str
    memory: int
    timeout: int
    environment: Mapping[str, str]
    architecture: str = "x86_64"
    snap_start: bool = False
    concurrency: int | None = None

    @property
    def is_python(self) -> bool:
        """Whether it runs in CPython; else in Node."""
        return self.runtime.startswith("python")


@dataclass(frozen=True, slots=True)
class RouteKey:
    """A route of the HTTP API and the place of the function that it leads to.

    `key` is API Gateway's spelling: `ANY /api/users/{id}`, `GET /api/{slug+}`, `$default`.
    """

    place: Place
    key: str
    function: Place


@dataclass(frozen=True, slots=True)
class HttpApi:
    """An HTTP API; `host` is the name of its own endpoint."""

    place: Place
    host: str
    routes: tuple[RouteKey, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which headers, cookies or parts of the query a policy takes; names in lower case for headers."""

    selection: Selection = "none"
    names: frozenset[str] = frozenset()

    def takes(self, name: str) -> bool:
        """Whether the policy takes what is called so."""
        match self.selection:
            case "all":
                return True
            case "whitelist":
                return name in self.names
            case "allExcept":
                return name not in self.names
        return False


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long answers are kept (seconds), and what of a request tells one kept answer from another."""

    min_ttl: int = 0
    default_ttl: int = 0
    max_ttl: int = 0
    headers: Chosen = field(default_factory=Chosen)
    cookies: Chosen = field(default_factory=Chosen)
    query: Chosen = field(default_factory=Chosen)
    encodings: tuple[str, ...] = ()

    @property
    def keeps(self) -> bool:
        """Whether anything is kept at all."""
        return self.max_ttl > 0


@dataclass(frozen=True, slots=True)
class OriginRequestPolicy:
    """What reaches the origin besides what the cache policy names.

    `added` are headers of CloudFront's own, in lower case, that go along.
    """

    headers: Chosen = field(default_factory=Chosen)
    cookies: Chosen = field(default_factory=Chosen)
    query: Chosen = field(default_factory=Chosen)
    added: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AddedHeader:
    """A header of answers; without `override`, the origin's own wins. Name in lower case."""

    name: str
    value: str
    override: bool


@dataclass(frozen=True, slots=True)
class ViewerFunction:
    """A CloudFront Function for viewer requests."""

    place: Place
    code: str


@dataclass(frozen=True, slots=True)
class OriginFunction:
    """A Lambda@Edge association for origin requests: the place of its function, and whether it gets the body."""

    function: Place
    include_body: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a distribution asks. `function` is the web function at that host, None: the HTTP API.

    `headers` are what CloudFront adds to each request, names in lower case. `timeout` is how long it waits, seconds.
    """

    id: str
    host: str
    headers: tuple[tuple[str, str], ...]
    timeout: int
    function: Place | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One cache behaviour. The default one has the pattern `*`."""

    pattern: str
    origin: str
    allowed: frozenset[str]
    cached: frozenset[str]
    cache: CachePolicy
    origin_request: OriginRequestPolicy
    answer_headers: tuple[AddedHeader, ...] = ()
    viewer_function: ViewerFunction | None = None
    origin_function: OriginFunction | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """A CloudFront distribution: behaviours by precedence, the default one last.

    `error_ttl` are the seconds that an error is kept at least, by status; CloudFront's default is 10.
    """

    place: Place
    host: str
    origins: tuple[Origin, ...]
    behaviours: tuple[Behaviour, ...]
    error_ttl: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that takes part in answering a request. Without a distribution, clients ask the API itself."""

    functions: tuple[FunctionConfig, ...]
    api: HttpApi | None
    distribution: Distribution | None
