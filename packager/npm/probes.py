"""What a runtime has to do as Pyodide does it: one function each. Runs inside Pyodide."""

# ruff: noqa: PLC0415, N813, S314, PTH123, S108, UP031, BLE001

import asyncio
import contextvars
import ctypes
import datetime
import decimal
import hashlib
import json
import math
import re
import struct
import sys
import unicodedata
import zlib
from collections.abc import Callable, Generator

PROBES: dict[str, Callable[[], object]] = {}


def probe_of[F: Callable[[], object]](function: F) -> F:
    PROBES[function.__name__] = function
    return function


@probe_of
def arithmetic() -> object:
    return [
        0.1 + 0.2,
        7**77,
        divmod(-7, 2),
        math.lgamma(4.5),
        math.fsum([0.1] * 10),
        float("1e-320"),
        (-8) ** (1 / 3),
    ]


@probe_of
def numbers() -> object:
    return [
        str(decimal.Decimal(1) / 7),
        struct.pack("<dqH", 1.5, -3, 7).hex(),
        int("f" * 40, 16),
        round(2.675, 2),
    ]


@probe_of
def texts() -> object:
    return [
        "ß".upper(),
        unicodedata.normalize("NFKD", "ﬁé"),
        "%05.2f|%r" % (3.14159, "é"),
        f"{12345.678:,.1f}",
    ]


@probe_of
def patterns() -> object:
    return [
        re.findall(r"(?P<a>\w+)@(\w+)\.com", "x@y.com, zz@q.com"),
        re.sub(r"(a+)(?=b)", r"<\1>", "aab ab"),
    ]


@probe_of
def documents() -> object:
    return [json.dumps({"a": [1, 2.5, None, True, "é"]}), json.loads('{"b": [1e3, "\\u00e9"]}')]


@probe_of
def digests() -> object:
    names = ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s")
    return [hashlib.new(name, b"packager").hexdigest() for name in names] + [zlib.crc32(b"packager")]


@probe_of
def compression() -> object:
    return zlib.decompress(zlib.compress(b"abc" * 1000)).decode()[:9]


@probe_of
def dates() -> object:
    return [
        datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC).isoformat(),
        str(datetime.date(2024, 3, 1).isocalendar()),
    ]


@probe_of
def recursion() -> object:
    def deeper(depth: int) -> int:
        return deeper(depth + 1)

    try:
        deeper(0)
    except RecursionError:
        return "RecursionError"
    return None


@probe_of
def exceptions() -> object:
    empty: dict[str, int] = {}
    try:
        try:
            return empty["x"]
        except KeyError as error:
            raise ValueError("outer") from error
    except ValueError as error:
        return [repr(error), repr(error.__cause__), error.__traceback__ is not None]


@probe_of
def generators() -> object:
    def two() -> Generator[object, object]:
        got = yield 1
        yield got

    item = two()
    return [next(item), item.send("x"), [*zip("ab", range(2), strict=True)]]


@probe_of
def callbacks() -> object:
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    return kind(lambda value: value * 2)(21)


@probe_of
def late_imports() -> object:
    import csv
    import io
    import sqlite3
    import xml.etree.ElementTree as tree

    rows = sqlite3.connect(":memory:").execute("select 1 + 1, upper('x')").fetchall()
    return [next(csv.reader(io.StringIO("a,b"))), rows, tree.fromstring("<a><b>1</b></a>").findtext("b")]


@probe_of
def files() -> object:
    with open("/tmp/probe", "w", encoding="utf-8") as file:
        file.write("é")
    with open("/tmp/probe", "rb") as file:
        return file.read().hex()


@probe_of
def threads() -> object:
    import threading

    try:
        threading.Thread(target=print).start()
    except RuntimeError as error:
        return str(error)
    return None


@probe_of
def modules() -> object:
    return sorted(name for name in sys.builtin_module_names)


async def loop() -> object:
    variable = contextvars.ContextVar("variable", default=0)

    async def task(number: int) -> int:
        variable.set(number)
        await asyncio.sleep(0.001 * number)
        return variable.get()

    async def late() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(5)
        except TimeoutError:
            return "TimeoutError"
        return "too late"

    return [await asyncio.gather(*map(task, range(4))), await late(), variable.get()]


async def probe() -> str:
    """What every probe gives, or raises, as JSON."""
    found = {}
    for name, function in PROBES.items():
        try:
            found[name] = repr(function())
        except BaseException as error:
            found[name] = f"raises {error!r}"
    found["loop"] = repr(await loop())
    return json.dumps(found)
