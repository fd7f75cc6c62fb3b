"""What the guard in the worker is told: `runtimes.edge.guard`."""

import json
from collections.abc import Iterable

from packager.allowances import allows
from packager.edge_rules.banned import ban_on, run_time_bans
from packager.imports import Reach
from packager.model import Project
from packager.sources import Source, read


def run_time_rules(project: Project, found: Reach, files: Iterable[str]) -> str:
    """The file `guard.PATH` of an edge artifact, as JSON: `bans` and `project` as `guard.install` takes them.

    `files` are the project's files in the artifact, relative to the project; `found` is what its entries reach.
    """
    allowed: dict[str, set[str]] = {file: set() for file in files if file.endswith(".py")}
    for item in found.imports:
        banned = ban_on(item)
        source = read(project.root, item.file)
        if banned and isinstance(source, Source) and allows(source, item.line, "banned-import"):
            allowed.setdefault(item.file, set()).add(banned[0])
    rows = {file: sorted(names) for file, names in sorted(allowed.items())}
    return json.dumps({"bans": run_time_bans(), "project": rows}, sort_keys=True)
