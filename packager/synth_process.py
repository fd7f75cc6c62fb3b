"""Synthesizing in a process of its own.

CDK, its JavaScript and what a build imports take as much memory as all the rest of a command that goes on for long, and
are gone when that process ends.
"""

import base64
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from packager.errors import PackagerError, ToolError

_LAST_LINES = 5

type Report = Callable[[str], None]


def synthesize(root: Path, name: str | None, report: Report) -> None:
    """Have build and default assembly of a stage made; without a name, of the stage of this machine.

    `report` gets a line for each long step. Raises what `packager.synth.synth` raises: errors of the other process are
    raised here as they were raised there.
    """
    packages = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH", "")]))
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603 - our own command line
            # -P: a file `json.py` in the working folder is not Python's
            [sys.executable, "-P", "-m", __name__, str(root), *([name] if name else [])],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        assert process.stdout
        try:
            for line in process.stdout:
                message = json.loads(line)
                if "error" in message:
                    raise _restored(message["error"])
                report(message["report"])
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        if status:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
            raise ToolError(
                f"synthesizing ended with status {status}: {' '.join(last) or 'it was ended from outside'}",
                hint="Run `packager synth` alone; if it was killed, free some memory first.",
            )


def _restored(text: str) -> Exception:
    # from our own child alone
    error: Exception = pickle.loads(base64.b64decode(text))  # noqa: S301
    return error


def main() -> None:
    """The other process: reports and errors go to standard output, a JSON document a line."""
    root, name = Path(sys.argv[1]), next(iter(sys.argv[2:]), None)
    from packager import stages, synth  # noqa: PLC0415 - the other process alone needs them
    from packager.project import load  # noqa: PLC0415

    # What CDK's JavaScript prints must not get between them.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as out:
        os.dup2(2, 1)

        def tell(**message: str) -> None:
            out.write(json.dumps(message) + "\n")

        try:
            stage = stages.local(load(root)) if name is None else name
            synth.synth(root, stage, report=lambda line: tell(report=line))
        except (PackagerError, OSError) as error:
            tell(error=base64.b64encode(pickle.dumps(error)).decode())


if __name__ == "__main__":
    main()
