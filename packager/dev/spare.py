"""A nodejs process before it has seen the project: the script that `preview.child` runs in it.

    spare.py GATE HANDLER CLIENT MODULES INSPECT FOLDER…

It imports MODULES (comma-separated) as far as they are to be had from the FOLDERs, then waits at GATE, a port of
this machine, for one byte, and becomes HANDLER under awslambdaric: only the project's modules are still to be
imported. INSPECT is the port for a debugger, or 0. Of the tool itself nothing is imported.
"""

import contextlib
import importlib
import socket
import sys
import time
from collections.abc import Sequence

_OURS = (
    "awslambdaric.__main__",
    "mangum",
    "runtimes.app",
    "runtimes.development",
    "runtimes.lambda_events",
    "runtimes.origin_key",
    "runtimes.restored",
    "runtimes.shutdown",
)
_PORT_SECONDS = 5


def prepare(folders: Sequence[str], client: str, modules: Sequence[str]) -> None:
    """Make `sys.path` that of Lambda and import what is not the project's; what fails, fails again where it is used."""
    sys.path[:0] = folders
    sys.path.append(client)
    for name in (*_OURS, *modules):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def wait_at(gate: int) -> None:
    """Wait for the byte that lets this process go on; end with the tool."""
    with socket.create_connection(("127.0.0.1", gate)) as connection:
        if not connection.recv(1):
            sys.exit(0)


def listen_for_debugger(port: int) -> None:
    """Let a debugger attach at `port`, which the process before may still hold."""
    import debugpy  # noqa: PLC0415 - found only on the path that `prepare` sets

    until = time.monotonic() + _PORT_SECONDS
    while True:
        try:
            debugpy.listen(("127.0.0.1", port))
        except RuntimeError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def main(arguments: list[str]) -> None:
    """Read the command line described above."""
    gate, handler, client, modules, inspect, *folders = arguments
    prepare(folders, client, modules.split(",") if modules else ())
    wait_at(int(gate))
    if int(inspect):
        listen_for_debugger(int(inspect))
    sys.argv[:] = ["bootstrap", handler]
    from awslambdaric.__main__ import main as serve  # noqa: PLC0415 - found only on the path just set

    serve(sys.argv)


if __name__ == "__main__":
    main(sys.argv[1:])
