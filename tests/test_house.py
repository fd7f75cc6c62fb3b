"""The rules of the house: who imports whom, how code is written, what never gets into the repository."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"runtimes": {"packager", "infra"}, "infra": {"packager"}}
# Pure Python, and only in projects that have it: itsdangerous for `runtimes.middleware.session`, httpx for itself.
EDGE_ALLOWED = {"starlette", "anyio", "runtimes", "pyodide", "httpx", "itsdangerous"}
LAMBDA_ONLY = {"aws_lambda.py", "dynamodb.py", "secrets.py", "snap_start.py"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_may(room):
    found = {path.name: set(imports(path)) & FORBIDDEN[room] for path in (ROOT / room).rglob("*.py")}
    assert {name: names for name, names in found.items() if names} == {}


def test_the_edge_half_imports_the_standard_library_and_starlette_only():
    allowed = sys.stdlib_module_names | EDGE_ALLOWED
    for path in (ROOT / "runtimes").rglob("*.py"):
        if path.name not in LAMBDA_ONLY:
            assert set(imports(path)) <= allowed, path.name


def tool(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing():
    tool("ruff", "check", "--quiet")
    tool("ruff", "format", "--check", "--quiet")


def test_mypy_finds_nothing():
    tool("mypy")


def test_mypy_reads_every_module_of_cdk_that_is_imported():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    [read] = [row["module"] for row in settings if row.get("follow_imports") == "normal"]
    found = {"aws_cdk"}
    for path in (ROOT / "infra").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "aws_cdk":
                found |= {f"aws_cdk.{alias.name}" for alias in node.names if alias.name.startswith("aws_")}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aws_cdk."):
                found.add(node.module)
    assert set(read) == found


def tracked_texts():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            yield name, path.read_bytes().decode("utf-8", "replace")


def test_no_registry_host_and_no_lock_with_addresses_is_committed():
    for name, text in tracked_texts():
        assert name != "uv.lock"
        if name.endswith("package-lock.json"):
            assert '"resolved"' not in text, name
        if name == "requirements/dev.txt":
            assert not re.search(r"https?://", text), name


def test_every_pinned_requirement_has_a_hash():
    text = (ROOT / "requirements" / "dev.txt").read_text()
    blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    assert all("--hash=sha256:" in block for block in blocks if block.strip())
