"""Which files of the distributions go into an artifact: all but those that nothing at run time can need.

Type stubs and `py.typed` are for type checkers, bytecode is made anew, and a package's own `tests` folder is for its
authors. A folder of tests or the stubs stay as soon as any code that is carried names them: some distributions
borrow from their tests (`numpy.testing`), or import lazily by their stubs (`lazy_loader.attach_stub`).
`METADATA`, `entry_points.txt` and licences stay; `importlib.metadata` reads the first two, and the law the last. Of
`METADATA` the description goes, which is the project's page on PyPI.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from packager.archive import Entry
from packager.model import Distribution

_TESTS = frozenset(("test", "tests"))
_NEVER = frozenset((".pyc", ".pyo"))
_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_RECORDS = re.compile(r"[^/]+\.dist-info/(?:sboms/|WHEEL$)")
# import statements, bracketed ones too, and texts without spaces that could be a dotted name or a path
_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+([^\n]*))", re.MULTILINE
)
_TEXT = re.compile(rb"""["']([\w./-]*\btests?\b[\w./-]*)["']""")
_WORD = re.compile(rb"\btests?\b")
_STUB_READER = re.compile(rb"""\battach_stub\b|\.pyi["']""")


@dataclass(frozen=True, slots=True)
class _Named:
    """What the code of one distribution, its tests aside, says of tests and of stubs.

    `own` is true if it imports a module called `tests` or has it in a text; `elsewhere` are the top-level names of
    other packages whose tests it imports.
    """

    own: bool
    elsewhere: frozenset[str]
    stubs: bool


def carried_files(
    distributions: Sequence[Distribution], ours: Iterable[bytes], left_out: Collection[str]
) -> Iterator[tuple[Distribution, Entry]]:
    """The entries of an artifact that come from `distributions`, without the modules `left_out`.

    `ours` are the sources of the project's modules.
    """
    listed = {row: _listed(row.folder) for row in distributions}
    borrowed: frozenset[str] = frozenset()
    if any(_in_tests(entry.name) for entries in listed.values() for entry in entries):
        borrowed = _borrowed(b"\n".join(ours)).union(*(_named(row.folder).elsewhere for row in distributions))
    for row, entries in listed.items():
        tests = any(_in_tests(entry.name) for entry in entries)
        stubs = any(entry.name.endswith(".pyi") for entry in entries)
        named = (
            _named(row.folder) if tests or stubs else _Named(own=False, elsewhere=frozenset(), stubs=False)
        )
        keeps_tests = named.own or not borrowed.isdisjoint(row.modules)
        for entry in entries:
            if _in_tests(entry.name) and not keeps_tests:
                continue
            if entry.name in left_out or (entry.name.endswith(".pyi") and not named.stubs):
                continue
            yield row, entry


@lru_cache(maxsize=1024)
def _listed(folder: Path) -> tuple[Entry, ...]:
    """The files of an unpacked wheel, without what no artifact has. The store never changes them."""
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.suffix in _NEVER or path.name == "py.typed" or _RECORDS.match(name) or not path.is_file():
            continue
        source = _without_description(path.read_bytes()) if _METADATA.fullmatch(name) else path
        found.append(Entry(name, source, bool(path.stat().st_mode & 0o100)))
    return tuple(found)


def _without_description(metadata: bytes) -> bytes:
    """The header fields; the description is the body (core metadata 2.1 and later)."""
    head, separator, _ = metadata.replace(b"\r\n", b"\n").partition(b"\n\n")
    return head + separator


def _in_tests(name: str) -> bool:
    """True for a file in a `tests` folder within a package; at the top it may be a package that is imported."""
    return not _TESTS.isdisjoint(PurePosixPath(name).parts[1:-1])


@lru_cache(maxsize=1024)
def _named(folder: Path) -> _Named:
    own = stubs = False
    elsewhere: set[str] = set()
    for path in (*folder.rglob("*.py"), *folder.glob("*.dist-info/entry_points.txt")):
        name = path.relative_to(folder).as_posix()
        if _in_tests(name):
            continue
        source = path.read_bytes()
        stubs = stubs or _STUB_READER.search(source) is not None
        if not _WORD.search(source):
            continue
        found = _borrowed(source)
        elsewhere |= found
        tops = {item.name.partition(".")[0] for item in folder.iterdir()}
        own = own or not found.isdisjoint({*tops, ""}) or _TEXT.search(source) is not None
        own = own or path.suffix == ".txt"
    return _Named(own, frozenset(elsewhere), stubs)


def _borrowed(source: bytes) -> frozenset[str]:
    """The top-level packages whose tests a source imports; "" for a relative import."""
    found: set[str] = set()
    for match in _IMPORT.finditer(source):
        module, names, plain = match.groups()
        if module is not None and (_WORD.search(module) or _WORD.search(names)):
            found.add(module.partition(b".")[0].decode("utf-8", "replace"))
        elif plain is not None:
            found.update(
                item.strip().partition(b".")[0].decode("utf-8", "replace")
                for item in plain.split(b",")
                if _WORD.search(item)
            )
    return frozenset(found)
