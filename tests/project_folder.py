"""A project whose builds are watched: what they wrote, and what they reported."""

import hashlib
import json
from pathlib import Path

from packager.build import BuildResult, build

GET = "def GET():\n    return {}\n"
EDGE = f'runtime = "edge"\n{GET}'
PYPROJECT = """\
[project]
name = "x"
dependencies = [{dependencies}]
[tool.packager]
include = [{include}]
[tool.packager.edge]
loader = "stock"
[tool.packager.environment]
variables = {{ GREETING = "hi" }}
"""


class Folder:
    """A project with one nodejs route, `/api/a`; `lines` are what builds reported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lines: list[str] = []
        self.settings()
        self.write("app/api/a/route.py", GET)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def settings(self, *dependencies: str, include: str = "") -> None:
        self.write(
            "pyproject.toml", PYPROJECT.format(dependencies=json.dumps(dependencies)[1:-1], include=include)
        )

    def build(self, out: Path | None = None, *, check: bool = True) -> BuildResult:
        self.lines.clear()
        return build(self.root, out, check=check, report=self.lines.append)

    @property
    def out(self) -> Path:
        return self.root / ".packager"

    def state(self) -> dict[str, str]:
        """The hash of each file of the output, without its cache."""
        return {
            path.relative_to(self.out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.out.rglob("*")
            if path.is_file() and "cache" not in path.parts[len(self.out.parts) :]
        }
