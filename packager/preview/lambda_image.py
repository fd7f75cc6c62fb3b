"""What the processes of a nodejs function are started from: the unpacked artifact, an interpreter, the real
runtime client, and Lambda's environment variables instead of the tool's."""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.manifest import Function
from packager.cache import cache_dir
from packager.errors import ToolError
from packager.preview.events import ACCOUNT
from packager.preview.http import Log

REGION = "us-east-1"
_CLIENT = "awslambdaric"
_STORAGE = 512
"""MB of `/tmp` that a function has unless it is given more (Lambda quotas)."""
_ALIAS, VERSION = "live", "1"
"""Requests come by an alias, which points to a published version."""
_UV_TIMEOUT = 120
"""Seconds for uv to find an interpreter or to fetch two small wheels."""


@dataclass(frozen=True, slots=True)
class Image:
    """Everything a process needs.

    `folders` go before the standard library on `sys.path`, `client` behind it; `root` is the unpacked artifact and
    the working folder. Seconds and MB, `storage` those of `/tmp`, in which it
    sees the `shared` folders of this machine. A `script` with its arguments takes the place of the
    runtime client, which it starts itself when it likes; it is for development: its processes are never frozen, share
    this machine's `/tmp`, and a start that fails is not tried again.
    """

    handler: str
    interpreter: str
    client: Path
    folders: tuple[Path, ...]
    root: Path
    environment: dict[str, str]
    arn: str
    max_duration: int
    memory: int
    storage: int = _STORAGE
    shared: tuple[str, ...] = ()
    script: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython; `version` is `"3.13"`."""

    path: str
    version: str


def prepare(
    function: Function, root: Path, overlay: Sequence[Path], values: Mapping[str, str], log: Log
) -> Image:
    """The image of `function`, whose artifact lies unpacked in `root`.

    `overlay` are folders with this machine's wheels in place of native ones; `values` the app's variables.
    Raises `ToolError` if the runtime client cannot be had.
    """
    interpreter, client = _interpreter_and_client(function.python, log)
    return Image(
        handler=function.handler,
        interpreter=interpreter.path,
        client=client,
        folders=(*overlay, root),
        root=root,
        environment=_environment(function, root, client, interpreter, values),
        arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}:{_ALIAS}",
        max_duration=function.max_duration,
        memory=function.memory,
    )


def command_of(image: Image, group: str) -> tuple[str, ...]:
    """The mode and arguments of `child` that start a process of the image, in a control group if one is given."""
    if image.script:
        return ("script", group, *image.script)
    folders = map(str, (image.client, *image.folders))
    shared = os.pathsep.join(image.shared)
    return ("lambda", group, str(image.storage), shared, image.handler, *folders)


def log_stream() -> str:
    """The name of the log stream of one more process, spelled as Lambda's."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{VERSION}]{uuid.uuid4().hex}"


def unpack_read_only(artifact: Path, folder: Path) -> None:
    """Unpack the zip into `folder` and take away every right to write there, as in Lambda's `/var/task`."""
    from packager.archive import unpack  # noqa: PLC0415 - only nodejs functions need it

    unpack(artifact, folder)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


def remove(folder: Path) -> None:
    """Remove a folder that may hold read-only ones."""
    for path, _, _ in folder.walk():
        path.chmod(0o700)
    shutil.rmtree(folder)


def _environment(
    function: Function, root: Path, client: Path, interpreter: Interpreter, values: Mapping[str, str]
) -> dict[str, str]:
    """What every process has beside its own `AWS_LAMBDA_LOG_STREAM_NAME` and `AWS_LAMBDA_RUNTIME_API`.

    Without the credentials of a role, which there is none here. Of LD_LIBRARY_PATH only what a function can fill.
    Source: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (defined runtime variables)
    """
    return {
        **values,
        **function.environment,
        "_HANDLER": function.handler,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{interpreter.version}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if function.snap_start else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_REGION": REGION,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
        "LAMBDA_RUNTIME_DIR": str(client),
        "LAMBDA_TASK_ROOT": str(root),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": f"{client}:{client}/lib:{root}:{root}/lib:/opt/lib",
        "PACKAGER_BEHIND_CDN": "1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(client),
        "TZ": ":UTC",
    }


def _interpreter_and_client(wanted: str | None, log: Log) -> tuple[Interpreter, Path]:
    this = Interpreter(sys.executable, f"{sys.version_info.major}.{sys.version_info.minor}")
    if wanted is None or wanted == this.version:
        return this, _client(this)
    try:
        found = Interpreter(_uv("python", "find", "--no-project", wanted).strip(), wanted)
        return found, _client(found)
    except (OSError, subprocess.SubprocessError):
        log(f"warning: no Python {wanted} with {_CLIENT} here; the functions run on Python {this.version}")
        return this, _client(this)


def _client(interpreter: Interpreter) -> Path:
    """A folder of the user's cache that holds awslambdaric, what it needs, and nothing else."""
    pins = {item.name: item.version for item in _requirement_closure(_CLIENT)}
    key = json.dumps([pins, interpreter.version, platform.python_implementation(), sysconfig.get_platform()])
    name = f"{_CLIENT}-{pins[_CLIENT]}-{interpreter.version}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    target = cache_dir() / "preview" / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=target.parent))
    try:
        _fill_client(building, interpreter, pins)
        building.chmod(0o755)
        building.rename(target)
    except OSError:
        # Another preview may have been faster.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _fill_client(folder: Path, interpreter: Interpreter, pins: Mapping[str, str]) -> None:
    if interpreter.path == sys.executable:
        for item in _requirement_closure(_CLIENT):
            _copy_distribution(item, folder)
    else:
        names = [f"{name}=={version}" for name, version in pins.items()]
        target = ("--target", str(folder), "--python", interpreter.path)
        _uv("pip", "install", "--no-deps", "--only-binary", ":all:", *target, *names)
    # Once for all the processes to come, none of which may write here; without it they only start slower.
    compile_all = ("-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", str(folder))
    command = (interpreter.path, "-I", "-S", *compile_all)
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, env={})  # noqa: S603 - our own command line


def _requirement_closure(name: str) -> tuple[importlib.metadata.Distribution, ...]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - slow to import

    found: dict[str, importlib.metadata.Distribution] = {}
    names = [name]
    while names:
        current = names.pop()
        if current in found:
            continue
        try:
            found[current] = importlib.metadata.distribution(current)
        except importlib.metadata.PackageNotFoundError as error:
            raise ToolError(
                f"{current} is not installed, without which nodejs functions cannot run here",
                hint="Install packager again, with its dependencies.",
            ) from error
        for text in found[current].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                names.append(requirement.name)
    return tuple(found[key] for key in sorted(found))


def _copy_distribution(distribution: importlib.metadata.Distribution, folder: Path) -> None:
    for file in distribution.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(str(distribution.locate_file(file))), target)


def _uv(*arguments: str) -> str:
    from uv import find_uv_bin  # noqa: PLC0415 - only for another Python than this one

    passed = ("HOME", "PATH", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in passed or name.startswith("UV_") or name.lower().endswith("_proxy")
    }
    done = subprocess.run(  # noqa: S603 - our own command line
        (find_uv_bin(), *arguments),
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=_UV_TIMEOUT,
        env={**environment, "UV_PYTHON_DOWNLOADS": "never"},
    )
    return done.stdout
