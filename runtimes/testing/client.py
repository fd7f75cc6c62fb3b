"""The client of a project's routes for its tests."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote

import httpx

from runtimes import hop, shutdown
from runtimes.requests import Geo
from runtimes.sockets import over_sockets
from runtimes.testing import isolation
from runtimes.testing.project import ProjectUnderTest, Runtime, found_above, read
from runtimes.testing.serving import Answered, Asked, Serving
from runtimes.transport import Headers, Incoming, Outgoing, Send, TransportError, joined

BASE_URL = "https://app.test"
"""Where requests go unless the project has a `public_url`: by TLS, so that `Secure` cookies are kept."""
IP = "127.0.0.1"

_INSIDE = "https://other-function.invalid"
_OF_CDN = b"cloudfront-"

type Outside = Callable[[httpx.Request], httpx.Response]
"""Answers the requests that the routes send to other hosts."""


class Options(TypedDict, total=False):
    """What a request may have, as in httpx; `geo` and `ip` are of the viewer, as the CDN tells them."""

    params: Any
    headers: Any
    cookies: Mapping[str, str]
    content: Any
    data: Any
    files: Any
    json: Any
    auth: Any
    follow_redirects: bool
    geo: Geo | None
    ip: str


class Client:
    """Asks a project's routes in this process, and keeps cookies as a browser does.

    `project` is its folder, or else the nearest one upwards that has a route tree. `runtime` has every route run there;
    None, each where it says. `env` are environment variables for the time of the client. An exception that no code of
    the project catches is raised here, unless `raise_errors` is off: then it is the 500 of production. `outside`
    answers what the routes fetch from other hosts, which is sent otherwise.

    To be used with `with`; it answers one request at a time, as a Lambda process does. Raises `ProjectFaultError` if
    the project cannot be served.
    """

    def __init__(  # noqa: PLR0913 - by name, and each is of use alone
        self,
        project: str | os.PathLike[str] | None = None,
        *,
        runtime: Runtime | None = None,
        env: Mapping[str, str] | None = None,
        geo: Geo | None = None,
        ip: str = IP,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        base_url: str | None = None,
        raise_errors: bool = True,
        follow_redirects: bool = False,
        outside: Outside | None = None,
    ) -> None:
        if runtime not in (None, "edge", "nodejs"):
            raise ValueError(f'runtime is "edge", "nodejs" or None, not {runtime!r}')
        root = found_above(Path.cwd()) if project is None else Path(project)
        self._project = read(root.resolve(), runtime)
        self._env = dict(env or {})
        self._geo = geo
        self._ip = ip
        self._raise_errors = raise_errors
        self._outside = outside
        self._servings = {name: Serving(self._project, name) for name in self._project.tables}
        self._open: ExitStack | None = None
        self._turn = Lock()
        self._http = httpx.Client(
            transport=_Transport(self._answer),
            base_url=base_url or _public_url(self._project) or BASE_URL,
            headers=headers,
            follow_redirects=follow_redirects,
        )
        host = self._http.base_url.host
        for name, value in (cookies or {}).items():
            # of the app's own host, so that the app can change and delete them
            self._http.cookies.set(name, value, domain=host if "." in host else f"{host}.local")

    def __enter__(self) -> Self:
        if self._open is not None:
            raise RuntimeError("the client is in use already")
        if self._http.is_closed:
            raise RuntimeError("the client has been used, and is closed: make another one")
        with ExitStack() as stack:
            values = {hop.ORIGIN_VARIABLE: _INSIDE, **self._env}
            stack.enter_context(isolation.variables(self._project.variables, values))
            [table, *_] = self._project.tables.values()
            stack.enter_context(isolation.modules(self._project.root, table.import_root))
            stack.callback(shutdown.run)
            for serving in self._servings.values():
                stack.callback(serving.close)
            stack.callback(self._http.close)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies that go with each request."""
        return self._http.cookies

    @property
    def headers(self) -> httpx.Headers:
        """The headers that go with each request."""
        return self._http.headers

    def get(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a GET request; see `request`."""
        __tracebackhide__ = True
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a HEAD request; see `request`."""
        __tracebackhide__ = True
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send an OPTIONS request; see `request`."""
        __tracebackhide__ = True
        return self.request("OPTIONS", url, **options)

    def post(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a POST request; see `request`."""
        __tracebackhide__ = True
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a PUT request; see `request`."""
        __tracebackhide__ = True
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a PATCH request; see `request`."""
        __tracebackhide__ = True
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a DELETE request; see `request`."""
        __tracebackhide__ = True
        return self.request("DELETE", url, **options)

    def request(self, method: str, url: str, **options: Unpack[Options]) -> httpx.Response:
        """Send a request and give the whole response, once what `after()` was given has run.

        Raises what a handler raised, and `ProjectFaultError` if its code may not run on edge.
        """
        __tracebackhide__ = True
        if self._open is None:
            raise RuntimeError("a client is used in a with block: with Client() as client: …")
        given: dict[str, Any] = dict(options)
        viewer = {"geo": given.pop("geo", self._geo), "ip": given.pop("ip", self._ip)}
        sending = {name: given.pop(name) for name in ("auth", "follow_redirects") if name in given}
        own = given.pop("cookies", {})
        request = self._http.build_request(method, url, **given, extensions=viewer)
        if own:
            kept = request.headers.get("cookie")
            rows = [*([kept] if kept else []), *(f"{name}={value}" for name, value in own.items())]
            request.headers["cookie"] = "; ".join(rows)
        return self._http.send(request, **sending)

    def _answer(self, request: httpx.Request) -> Answered:
        __tracebackhide__ = True
        asked = _asked(request)
        with self._turn:
            answered = self._serving(asked.path).run(asked, self._sender(asked))
        if answered.raised is not None and self._raise_errors:
            raise answered.raised
        return answered

    def _serving(self, path: bytes) -> Serving:
        """What the CDN and the API lead a path to."""
        *_, last = self._servings.values()
        edge = self._servings.get("edge", last)
        return edge if edge.app.owns(path) else last

    def _sender(self, first: Asked) -> Send:
        """What sends while a request is answered: to the app's other runtime, or outside."""

        async def send(outgoing: Outgoing) -> Incoming:
            if outgoing.to.origin == _INSIDE:
                asked = _forwarded(outgoing, first)
                answered = await self._serving(asked.path).answer(asked, send)
                return Incoming(answered.status, joined(answered.headers), answered.body)
            if self._outside is None:
                return await over_sockets(outgoing)
            return _incoming(self._outside, outgoing)

        return send


class _Transport(httpx.BaseTransport):
    """httpx's way into the process."""

    def __init__(self, answer: Callable[[httpx.Request], Answered]) -> None:
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response of the routes."""
        __tracebackhide__ = True
        answered = self._answer(request)
        return httpx.Response(answered.status, headers=answered.headers, content=answered.body)


def _public_url(project: ProjectUnderTest) -> str | None:
    return next((table.public_url for table in project.tables.values()), None)


def _asked(request: httpx.Request) -> Asked:
    """A request as it gets to the app; what claims to be of the CDN is replaced by what is."""
    path, _, query = request.url.raw_path.partition(b"?")
    viewer = request.extensions
    # what a server takes off a value (RFC 9110, §5.5)
    rows = [(name.lower(), value.strip(b" \t")) for name, value in request.headers.raw]
    rows = [row for row in rows if not row[0].startswith(_OF_CDN)]
    rows += _viewer(viewer["geo"])
    return Asked(request.method, request.url.scheme, path, query, rows, request.read(), viewer["ip"])


def _viewer(geo: Geo | None) -> Headers:
    """CloudFront's headers of the viewer's place."""
    if geo is None:
        return []
    names = {
        "country": geo.country,
        "country-region": geo.region,
        "city": geo.city,
        "latitude": geo.latitude,
        "longitude": geo.longitude,
    }
    return [
        (b"cloudfront-viewer-" + name.encode(), quote(value).encode())
        for name, value in names.items()
        if value
    ]


def _forwarded(outgoing: Outgoing, first: Asked) -> Asked:
    """A request that one runtime hands to the other, to the host and by the viewer of the first one."""
    path, _, query = outgoing.to.target.partition("?")
    rows = [(b"host", first.header(b"host").encode("latin-1")), *outgoing.headers]
    return Asked(outgoing.method, first.scheme, path.encode(), query.encode(), rows, outgoing.body, first.ip)


def _incoming(outside: Outside, outgoing: Outgoing) -> Incoming:
    request = httpx.Request(
        outgoing.method, outgoing.to.url, headers=outgoing.headers, content=outgoing.body or None
    )
    try:
        response = outside(request)
    except httpx.TimeoutException as error:
        raise TransportError(str(error), "timeout") from error
    except httpx.TransportError as error:
        raise TransportError(str(error), "connect") from error
    rows = [(name.lower(), value) for name, value in response.headers.raw]
    return Incoming(response.status_code, joined(rows), response.read())
