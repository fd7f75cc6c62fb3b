"""The Lambda handler: Mangum around the artifact's application, for HTTP APIs and Function URLs (payload 2.0).

Mangum's own reading of the event unquotes the path twice, fails on headers that are not UTF-8 and sends `+json` as
base64, and its lifespan starts and stops the application at every invocation; `HttpApi` goes by `lambda_events`, and
what has to run once in each process is run here.
"""

import os
from pathlib import Path
from typing import Any

from mangum import Mangum
from mangum.handlers.api_gateway import HTTPGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

from runtimes import lambda_events, restored, shutdown
from runtimes.app import load


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


def _start() -> None:
    """Begin to serve. With SnapStart the process is frozen first, and begins once for each time it is restored."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from runtimes import snap_start  # noqa: PLC0415 - only where Lambda freezes processes

        snap_start.register(restored.run)
    else:
        restored.run()
    shutdown.listen()


handler = Mangum(load(Path(os.environ["LAMBDA_TASK_ROOT"])), lifespan="off", custom_handlers=[HttpApi])
_start()
