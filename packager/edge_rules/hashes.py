"""`banned-import` for hashes that only OpenSSL has: `hashlib.new("ripemd160")`."""

import ast
from collections.abc import Iterator

from packager.branches import EDGE, walk
from packager.diagnostics import Diagnostic
from packager.edge_rules.names import meaning, names_of
from packager.imports import Reach
from packager.model import Project
from packager.sources import Source, column, read

AVAILABLE = frozenset(
    (
        *(
            "md5",
            "sha1",
            "sha224",
            "sha256",
            "sha384",
            "sha512",
            "blake2b",
            "blake2s",
            "shake_128",
            "shake_256",
        ),
        *("sha3_224", "sha3_256", "sha3_384", "sha3_512"),
    )
)
"""`hashlib.algorithms_available` of Pyodide 314."""

_PLACES = {
    "hashlib.new": 0,
    "hashlib.pbkdf2_hmac": 0,
    "hashlib.file_digest": 1,
    "hmac.new": 2,
    "hmac.digest": 2,
}
"""The functions that take a hash by its name, and at which place."""

_NAMES = ("name", "hash_name", "digest", "digestmod")


def missing_hashes(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """Literal names of hashes that Pyodide, which has no OpenSSL, does not know."""
    for file in found.files:
        source = read(project.root, file)
        if isinstance(source, Source):
            for node, name in _named(source):
                yield Diagnostic(
                    "banned-import",
                    file,
                    node.lineno,
                    column(source, node),
                    f"edge has no hash {name}: Pyodide has no OpenSSL",
                    'Use a hash that is there, such as sha256 or blake2b, or set runtime = "nodejs" in the route.',
                    chain=found.chains[file],
                )


def _named(source: Source) -> Iterator[tuple[ast.Call, str]]:
    names = names_of(source)
    for node, _, _, _ in walk(source.tree, EDGE):
        if not isinstance(node, ast.Call) or (place := _PLACES.get(meaning(names, node.func) or "")) is None:
            continue
        given = [*node.args[place : place + 1], *(item.value for item in node.keywords if item.arg in _NAMES)]
        for value in given:
            if (
                isinstance(value, ast.Constant)
                and isinstance(value.value, str)
                and value.value.lower() not in AVAILABLE
            ):
                yield node, value.value
