"""The page of the API below the console: `openapi.page` over HTTP."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from packager.console.guard import may_read
from packager.console.library import Library
from packager.errors import PackagerError
from packager.openapi import page
from packager.openapi.description import Description

_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"}


class ApiPage:
    """The ASGI app at `page.MOUNT`: the description is made, and Swagger UI got, when the page asks for them first."""

    def __init__(self, description: Description, report: Callable[[str], None]) -> None:
        self._description = description
        self._swagger = Library(partial(page.swagger, report))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only)."""
        request = Request(scope)
        name = scope["path"].removeprefix(page.MOUNT).removeprefix("/")
        if request.method not in {"GET", "HEAD"}:
            answer: Response = PlainTextResponse("Method Not Allowed", 405, {"allow": "GET, HEAD"})
        elif name == "openapi.json":
            answer = (
                await self._document() if may_read(request.headers) else PlainTextResponse("Forbidden", 403)
            )
        else:
            answer = await self._file(name)
        await answer(scope, receive, send)

    async def _document(self) -> Response:
        try:
            described = await self._description.now()
            # here and not by the file's own request: what the page shows is this answer
            await self._swagger.folder()
        except PackagerError as error:
            return Response(page.fault(error), 503, media_type="application/json")
        return Response(page.here(described), media_type="application/json")

    async def _file(self, name: str) -> Response:
        path = page.OWN.get(name)
        if path is None and name in page.SWAGGER:
            try:
                path = await self._swagger.folder() / name
            except PackagerError as error:
                return Response(page.fault(error), 503, media_type="application/json")
        if path is None:
            return JSONResponse({"error": "Not Found"}, 404)
        headers = {"content-security-policy": page.POLICY}
        return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)
