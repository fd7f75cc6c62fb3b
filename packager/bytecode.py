"""Bytecode for nodejs artifacts, beside the sources, so that Lambda compiles nothing while a function starts.

The sources stay for tracebacks; to leave them out makes imports slower, not faster. A `.pyc` is of the kind that is
never compared with its source (PEP 552, unchecked hash), since zips carry no times. Its bytes depend on the source,
its path on Lambda and the interpreter alone, and are kept in the user's cache under these three. All but the
project's own modules are compiled without the columns of each instruction, a fifth of the bytecode: tracebacks
through them show the line without marks below it.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from packager.archive import Entry
from packager.cache import derived_dir
from packager.errors import ToolError

if TYPE_CHECKING:
    from packager.bundle import Part

TASK_ROOT = "/var/task"
"""Where Lambda unpacks an artifact."""

_RUNTIME = "runtimes/"
_COMPILER = Path(__file__).with_name("bytecode_compiler.py")
_TIMEOUT_SECONDS = 600
_PROBE_SECONDS = 30
_PROBE = (
    "import sys; v = sys.version_info; "
    "print(sys.implementation.name, f'{v.major}.{v.minor}', v.releaselevel, f'{sys.hexversion:x}', sys.executable)"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A released CPython on this machine. `python` is its minor version ("3.13"), `build` its exact one."""

    path: str
    python: str
    build: str


def compiler(python: str, report: Callable[[str], None]) -> Interpreter | None:
    """The interpreter to compile with for Python `python` ("3.13"); if there is none here `report` gets one line."""
    interpreter = find(python)
    if interpreter is None:
        report(
            f"warning: there is no Python {python} on this machine, so the artifacts carry no bytecode and start "
            f"slower; `uv python install {python}` mends it"
        )
    return interpreter


def with_bytecode(parts: Sequence["Part"], interpreter: Interpreter | None) -> list["Part"]:
    """The parts, those on nodejs with a `.pyc` of the interpreter, if there is one, beside each module.

    Raises `ToolError` if the interpreter fails.
    """
    if interpreter is None:
        return list(parts)
    nodejs = (part for part in parts if part.runtime == "nodejs")
    compiled = _compiled(interpreter, (entry for part in nodejs for entry in _early(part)))
    return [_extended(part, interpreter, compiled) if part.runtime == "nodejs" else part for part in parts]


def find(python: str) -> Interpreter | None:
    """CPython `python` ("3.13"): this one, that of the PATH, or one that uv has installed; nothing is downloaded."""
    version = sys.version_info
    own = sys.implementation.name, f"{version.major}.{version.minor}", version.releaselevel
    if own == ("cpython", python, "final"):
        return Interpreter(sys.executable, python, f"{sys.hexversion:x}")
    for path in _candidates(python):
        found = _probe(path, python)
        if found is not None:
            return found
    return None


def place(name: str, python: str) -> str:
    """Where the bytecode of the module file `name` stands (PEP 3147).

    >>> place("lib/x.py", "3.13")
    'lib/__pycache__/x.cpython-313.pyc'
    """
    path = PurePosixPath(name)
    return str(path.parent / "__pycache__" / f"{path.stem}.cpython-{python.replace('.', '')}.pyc")


def _candidates(python: str) -> Iterator[str]:
    on_path = shutil.which(f"python{python}")
    if on_path:
        yield on_path
    from packager.lock import uv, uv_environment  # noqa: PLC0415 - few machines get here

    try:
        words = [uv(), "python", "find", "--offline", "--no-project", "--managed-python", python]
    except ToolError:
        return
    yield from _output(words, uv_environment()).splitlines()[:1]


def _probe(path: str, python: str) -> Interpreter | None:
    words = _output([path, "-I", "-S", "-c", _PROBE], dict(os.environ)).split(maxsplit=4)
    if len(words) != 5 or words[:3] != ["cpython", python, "final"]:
        return None
    return Interpreter(words[4].strip(), python, words[3])


def _output(words: list[str], environment: dict[str, str]) -> str:
    """What a program prints; nothing if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - interpreters found on this machine
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _early(part: "Part") -> Iterator[Entry]:
    """The modules that are worth their bytecode: all of ours, and what is imported while the function starts."""
    for entry in part.contents.entries:
        if entry.name in part.contents.early or entry.name.startswith(_RUNTIME):
            yield entry


type _Compiled = dict[tuple[str, Path | bytes], Path]


def _compiled(interpreter: Interpreter, entries: Iterable[Entry]) -> _Compiled:
    """The file with the bytecode of each module; one run of the interpreter makes those that are missing."""
    folder = derived_dir() / "bytecode" / f"cpython-{interpreter.build}-{_compiler()}"
    files: _Compiled = {}
    jobs: dict[bool, dict[Path, tuple[str, str, str]]] = {True: {}, False: {}}
    for entry in entries:
        identity = entry.name, entry.source
        if not entry.name.endswith(".py") or identity in files:
            continue
        columns = isinstance(entry.source, bytes) and not entry.name.startswith(_RUNTIME)
        source = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
        key = hashlib.sha256(f"{entry.name}\0{columns}\0".encode() + source).hexdigest()
        file = files[identity] = folder / key[:2] / f"{key[2:]}.pyc"
        if file not in jobs[columns] and not file.exists():
            jobs[columns][file] = f"{TASK_ROOT}/{entry.name}", base64.b64encode(source).decode(), str(file)
    for columns, rows in jobs.items():
        for parent in {file.parent for file in rows}:
            parent.mkdir(parents=True, exist_ok=True)
        if rows:
            _run(interpreter, list(rows.values()), columns=columns)
    return files


def _run(interpreter: Interpreter, jobs: list[tuple[str, str, str]], *, columns: bool) -> None:
    # sets among the constants are written in the order of their hashes
    environment = {"PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8"}
    if "SYSTEMROOT" in os.environ:
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    flags = [] if columns else ["-X", "no_debug_ranges"]
    command = [interpreter.path, "-P", "-s", "-S", "-B", "-W", "ignore", *flags, str(_COMPILER)]
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            command,
            input=json.dumps(jobs),
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        reason = done.stderr.strip().splitlines()[-1:] if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = [str(error)]
    if reason is not None:
        raise ToolError(
            f"Python {interpreter.python} could not compile the modules: {' '.join(reason) or 'it gave no reason'}",
            place=interpreter.path,
            hint="Install that Python again; check that the disk is not full.",
        )


def _extended(part: "Part", interpreter: Interpreter, compiled: _Compiled) -> "Part":
    entries = list(part.contents.entries)
    for entry in _early(part):
        file = compiled.get((entry.name, entry.source))
        # an empty file stands for a source that cannot be compiled
        if file is not None and file.stat().st_size:
            entries.append(Entry(place(entry.name, interpreter.python), file))
    contents = replace(part.contents, entries=tuple(sorted(entries, key=lambda entry: entry.name)))
    key = hashlib.sha256(f"{part.key} bytecode {interpreter.build} {_compiler()}".encode()).hexdigest()
    return replace(part, contents=contents, key=key)


def _compiler() -> str:
    return hashlib.sha256(_COMPILER.read_bytes()).hexdigest()[:8]
