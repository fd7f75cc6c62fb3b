"""Which modules of the distributions an artifact can come to import, and which of them while it starts.

The first is careful: a module is left out only if no import statement and no text of any code that is carried names
it, or if it imports what is not there. The second is a guess that costs nothing but time where it is wrong: it says
which modules are worth their bytecode.
"""

import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packager.model import Distribution
from packager.wheel_modules import Module, module_of, modules_of, name_of

# With what these write, a module is imported because data names it.
_UNPICKLERS = frozenset(("pickle", "shelve", "joblib", "cloudpickle", "dill"))
# In the runtimes of Lambda: docs.aws.amazon.com/lambda/latest/dg/lambda-python.html (runtime-included SDK), and the
# client of the runtime itself.
_ON_LAMBDA = frozenset(
    [
        "boto3",
        "botocore",
        "s3transfer",
        "jmespath",
        "dateutil",
        "urllib3",
        "six",
        "awslambdaric",
        "snapshot_restore_py",
    ]
)
_FOR_TESTS = "testing"
"""The part of our own package that is in no artifact."""
_OWN_PART = 128 * 1024
_OTHERS_PART = 64 * 1024
"""Bytes of sources that an import within a function may bring and still be worth their bytecode: of the distribution
that the function belongs to, and of another one, which it often needs for a rare case alone."""


@dataclass(frozen=True, slots=True)
class ModuleReach:
    """Files relative to the artifact: those of modules `left_out`, and of those imported `early`."""

    left_out: frozenset[str]
    early: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Graph:
    """The modules of all distributions by dotted name: what each says, its file, and the bytes of its source.

    `tops` are the top-level names of all modules that there are, `named` the modules by the last part of their names.
    """

    modules: Mapping[str, Module]
    files: Mapping[str, str]
    sizes: Mapping[str, int]
    tops: frozenset[str]
    named: Mapping[str, Sequence[str]]


def module_reach(
    distributions: Sequence[Distribution],
    runtime: Path,
    sources: Mapping[str, bytes],
    *,
    known: Collection[str] = (),
    keep: Collection[str] = (),
) -> ModuleReach:
    """Follow the imports of the project's modules, `sources` by file, and of the package `runtime`.

    `known` are the top-level names of modules that are not in `distributions` and yet there; the modules and packages
    `keep` may be imported though nothing says so.
    """
    graph = _graph(tuple(row.folder for row in distributions))
    names = frozenset(graph.named)
    own = [found for file, source in sources.items() if (found := module_of(file, source, names))]
    in_artifacts = modules_of(runtime, runtime.name).modules.items()
    ours = [
        *own,
        *(row for file, row in in_artifacts if not file.startswith(f"{runtime.name}/{_FOR_TESTS}/")),
    ]
    there = graph.tops.union(known)
    missing = {name for name, module in graph.modules.items() if not there.issuperset(module.needs)}
    if any(_UNPICKLERS.intersection(map(_top, (*row.eager, *row.lazy))) for row in own):
        possible = set(graph.modules)
    else:
        roots = {name for name in graph.modules if any(f"{name}.".startswith(f"{item}.") for item in keep)}
        possible = _possible(graph, distributions, ours, roots, missing)
    return ModuleReach(
        left_out=frozenset(graph.files[name] for name in graph.files.keys() - (possible - missing)),
        early=frozenset(graph.files[name] for name in _early(graph, ours) - missing),
    )


@lru_cache(maxsize=64)
def _graph(folders: tuple[Path, ...]) -> _Graph:
    modules: dict[str, Module] = {}
    files: dict[str, str] = {}
    sizes: dict[str, int] = {}
    tops = {*sys.stdlib_module_names, *_ON_LAMBDA, "runtimes"}
    for folder in folders:
        tops.update(path.name.partition(".")[0] for path in folder.iterdir())
        for file, module in modules_of(folder).modules.items():
            name = name_of(file)
            modules[name], files[name] = module, file
            sizes[name] = (folder / file).stat().st_size
    named: dict[str, list[str]] = defaultdict(list)
    for name in modules:
        named[name.rpartition(".")[2]].append(name)
    return _Graph(modules, files, sizes, frozenset(tops), named)


def _possible(
    graph: _Graph,
    distributions: Iterable[Distribution],
    ours: Iterable[Module],
    roots: Iterable[str],
    missing: Collection[str],
) -> set[str]:
    """Every module that something could import, by whatever way."""
    waiting = list(roots)
    waiting += (name for row in ours for name in (*row.eager, *row.lazy, *_meant(graph, row.texts, None)))
    for wheel in (modules_of(row.folder) for row in distributions):
        waiting += wheel.roots
        # A distribution is carried because something imports or requires it.
        waiting += (name for name in map(name_of, wheel.modules) if wheel.open or "." not in name)
    # A package may be run as a program.
    programs = {name for name in graph.modules if name.endswith(".__main__")}
    seen: set[str] = set()
    while waiting:
        for name in _with_parents(waiting.pop()):
            if name not in seen and name in graph.modules:
                seen.add(name)
                module = graph.modules[name]
                if name not in missing:
                    waiting += (*module.eager, *module.lazy, *_meant(graph, module.texts, _top(name)))
                if f"{name}.__main__" in programs:
                    waiting.append(f"{name}.__main__")
    return seen


def _meant(graph: _Graph, texts: Iterable[str], top: str | None) -> Iterable[str]:
    """The modules that texts may mean; one without a dot any of that last part, below `top` if that is given."""
    for text in texts:
        if "." not in text:
            yield from (name for name in graph.named[text] if top is None or _top(name) == top)
        elif text[-1] in "._":
            yield from (name for name in graph.modules if name.startswith(text))
        else:
            yield text


def _early(graph: _Graph, ours: Iterable[Module]) -> set[str]:
    """The modules that are imported with ours, and those that light imports within functions bring later."""
    ours = list(ours)
    seen = _imported(graph, (name for row in ours for name in row.eager), frozenset())
    # Each with the top-level package that imports it; ours imports what it is going to need.
    waiting = {(name, _top(name)) for row in ours for name in row.lazy}
    waiting.update((name, _top(item)) for item in seen for name in graph.modules[item].lazy)
    light = True
    while light:
        light = False
        for name, importer in sorted(waiting):
            brought = _imported(graph, [name], seen)
            limit = _OWN_PART if _top(name) == importer else _OTHERS_PART
            if sum(graph.sizes[item] for item in brought) <= limit:
                light = True
                waiting.remove((name, importer))
                seen |= brought
                waiting.update((later, _top(item)) for item in brought for later in graph.modules[item].lazy)
    return seen


def _imported(graph: _Graph, names: Iterable[str], seen: Collection[str]) -> set[str]:
    """What an import of `names` runs that is not among the `seen`."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        package, _, attribute = name.rpartition(".")
        if name not in graph.modules and package in graph.modules:
            waiting += graph.modules[package].attributes.get(attribute, ())
        for item in _with_parents(name):
            if item in graph.modules and item not in seen and item not in found:
                found.add(item)
                waiting += graph.modules[item].eager
    return found


def _with_parents(name: str) -> Iterable[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _top(name: str) -> str:
    return name.partition(".")[0]
