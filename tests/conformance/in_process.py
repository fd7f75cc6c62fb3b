"""Serve a project's routes from one process, by uvicorn: `python in_process.py PROJECT`, no build and no artifact.

Prints `ready http://127.0.0.1:N` when requests are taken; ends with SIGTERM.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

import uvicorn

from packager.bundle import route_table
from packager.examine import examine
from packager.functions import functions
from runtimes.app import App


def app_of(project: Path) -> App:
    """The application of all routes as one function; the project's modules can be imported afterwards."""
    examination = examine(project)
    assert not [item for item in examination.diagnostics if item.severity == "error"], examination.diagnostics
    app = examination.app
    names = {route.path: "all" for route in app.routes}
    [function] = functions(app, names)
    os.environ |= examination.environment.values
    sys.path[:0] = [str(project / app.project.import_root), str(project)]
    return App(route_table(app, function, names), project)


async def serve(app: App) -> None:
    config = uvicorn.Config(
        app, http="h11", proxy_headers=False, server_header=False, lifespan="off", log_level="warning"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # connections wait in the socket's queue until the server takes them
        print(f"ready http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await uvicorn.Server(config).serve([listening])


if __name__ == "__main__":
    asyncio.run(serve(app_of(Path(sys.argv[1]).resolve())))
