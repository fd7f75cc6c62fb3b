"""Ready-made middleware: `from runtimes.middleware import compose, rate_limit, request_log`.

A name is imported from its module when it is first asked for, so that an artifact needs only what it uses:
`session` needs itsdangerous, `DynamoDBStore` boto3, and the project that uses them declares them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtimes.middleware.composition import compose
    from runtimes.middleware.dynamodb import DynamoDBStore
    from runtimes.middleware.limits import MemoryStore, Store, rate_limit
    from runtimes.middleware.logs import request_log
    from runtimes.middleware.origins import cors
    from runtimes.middleware.sessions import session

__all__ = [
    "DynamoDBStore",
    "MemoryStore",
    "Store",
    "compose",
    "cors",
    "rate_limit",
    "request_log",
    "session",
]

# No module has the name of what it gives: importing it would put the module in the function's place.
HOMES = {
    "compose": "runtimes.middleware.composition",
    "cors": "runtimes.middleware.origins",
    "request_log": "runtimes.middleware.logs",
    "session": "runtimes.middleware.sessions",
    "DynamoDBStore": "runtimes.middleware.dynamodb",
    **dict.fromkeys(("MemoryStore", "Store", "rate_limit"), "runtimes.middleware.limits"),
}
"""The module of each public name."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(HOMES[name]), name)
    return value
