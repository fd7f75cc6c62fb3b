"""The Lambda handler: Mangum around the artifact's application, for HTTP APIs and Function URLs (payload 2.0).

Mangum's own reading of the event unquotes the path twice, fails on headers that are not UTF-8 and sends `+json` as
base64, and its lifespan starts and stops the application at every invocation; `HttpApi` goes by `lambda_events`, and
what has to run once in each process is run here.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mangum import Mangum
from mangum.handlers.api_gateway import HTTPGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

from runtimes import lambda_events, origin_key, restored, shutdown
from runtimes.app import load

type Handler = Callable[[LambdaEvent, LambdaContext], dict[str, Any]]


class HttpApi(HTTPGateway):
    """An event of payload format 2.0."""

    @classmethod
    def infer(cls, event: LambdaEvent, _context: LambdaContext, _config: LambdaConfig) -> bool:
        return lambda_events.is_payload_2(event)

    @property
    def scope(self) -> Scope:
        return lambda_events.scope(self.event, self.context)

    @property
    def body(self) -> bytes:
        return lambda_events.body(self.event)

    def __call__(self, response: Response) -> dict[str, Any]:
        return lambda_events.result(response["status"], response["headers"], response["body"])


def _begin() -> None:
    """Begin to serve, with secrets that were fetched just now."""
    _load_secrets()
    restored.run()


def _load_secrets() -> None:
    if "PACKAGER_SECRETS" in os.environ:
        from runtimes import secrets  # noqa: PLC0415 - most functions have none

        secrets.load()


def _admitting(answer: Handler) -> Handler:
    """Answer 403 to requests without the CDN's key, before anything of the app runs."""
    key = origin_key.KEY
    if key is None:
        return answer

    def admitted(event: LambdaEvent, context: LambdaContext) -> dict[str, Any]:
        if lambda_events.is_payload_2(event) and not origin_key.admits(event, key):
            return origin_key.FORBIDDEN
        return answer(event, context)

    return admitted


def _started() -> Handler:
    """The handler of this process, whose routes are imported.

    With SnapStart the process is frozen first, and begins once for each time it is restored. A secret must not be
    frozen, so that no module finds one while it is imported; without SnapStart secrets are there before the imports.
    """
    frozen = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    if not frozen:
        _load_secrets()
    routes_file = os.environ.pop("PACKAGER_ROUTES", None)
    app = load(Path(os.environ["LAMBDA_TASK_ROOT"]), routes_file=Path(routes_file) if routes_file else None)
    mangum = Mangum(app, lifespan="off", custom_handlers=[HttpApi])
    if frozen:
        from runtimes import snap_start  # noqa: PLC0415 - only where Lambda freezes processes

        if "PACKAGER_SECRETS" in os.environ:
            from runtimes import secrets  # noqa: PLC0415

            secrets.prepare()
        snap_start.register(_begin)
    else:
        restored.run()
    shutdown.listen()
    return _admitting(mangum)


handler = _started()
