"""The last exchanges, whole as far as they are not large: for people to look at, and for requests to be made again."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from packager.preview.http import Headers
from packager.traffic.trace import Trace

MAX_EXCHANGES = 500
MAX_BYTES = 32 * 2**20
"""Bytes of bodies and headers that are kept in all."""
MAX_BODY = 64 * 1024
"""Bytes of one body that are kept."""

_OVERHEAD = 2048
"""Bytes that an exchange is taken to weigh beside its texts."""


@dataclass(slots=True)
class Body:
    """What was sent: `size` bytes, of which the first `MAX_BODY` are kept."""

    kept: bytearray = field(default_factory=bytearray)
    size: int = 0

    def add(self, data: bytes) -> None:
        """Note what was sent next."""
        self.size += len(data)
        if (room := MAX_BODY - len(self.kept)) > 0:
            self.kept += data[:room]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was cut off."""
        return self.size == len(self.kept)


@dataclass(slots=True)
class Exchange:
    """A request and its answer as they went over the wire; `duration_ms` is None while it is being served.

    `at` is in seconds since 1970. `target` is path and query as sent. `first_byte_ms` is when the answer began.
    `replay_of` is the number of the exchange whose request was made again.
    """

    number: int
    method: str
    target: bytes
    http_version: str
    request_headers: Headers
    trace: Trace
    replay_of: int | None = None
    at: float = field(default_factory=time.time)
    request_body: Body = field(default_factory=Body)
    status: int | None = None
    response_headers: Headers = ()
    response_body: Body = field(default_factory=Body)
    first_byte_ms: float | None = None
    duration_ms: float | None = None

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        headers = sum(
            len(name) + len(value) for name, value in (*self.request_headers, *self.response_headers)
        )
        bodies = len(self.request_body.kept) + len(self.response_body.kept)
        return _OVERHEAD + len(self.target) + headers + bodies + sum(map(len, self.trace.lines))


type Listener = Callable[[Exchange], None]


class History:
    """The last exchanges within bounds. Listeners hear of each when it begins and when it has ended."""

    def __init__(self, most: int = MAX_EXCHANGES, most_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._open: dict[int, Exchange] = {}
        self._kept: deque[tuple[Exchange, int]] = deque()
        self._bytes = 0
        self._count = 0
        self._listeners: set[Listener] = set()

    def number(self) -> int:
        """The number of the next exchange; they count from 1."""
        self._count += 1
        return self._count

    def begun(self, exchange: Exchange) -> None:
        """A request has come in."""
        self._open[exchange.number] = exchange
        self._tell(exchange)

    def ended(self, exchange: Exchange) -> None:
        """The exchange is over: keep it, and let go of the oldest for it."""
        self._open.pop(exchange.number, None)
        weight = exchange.weight
        self._kept.append((exchange, weight))
        self._bytes += weight
        while len(self._kept) > 1 and (len(self._kept) > self._most or self._bytes > self._most_bytes):
            self._bytes -= self._kept.popleft()[1]
        self._tell(exchange)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Those that are kept, in the order in which they ended, and then those that are being served."""
        return (*(exchange for exchange, _ in self._kept), *self._open.values())

    def find(self, number: int) -> Exchange | None:
        """The exchange of that number, if it is being served or still kept."""
        return next((exchange for exchange in self.exchanges() if exchange.number == number), None)

    def clear(self) -> None:
        """Forget every exchange that is over."""
        self._kept.clear()
        self._bytes = 0

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Let `listener` hear of every exchange from now on, until the function that is returned is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _tell(self, exchange: Exchange) -> None:
        for listener in tuple(self._listeners):
            listener(exchange)
