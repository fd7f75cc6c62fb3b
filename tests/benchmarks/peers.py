"""The tools that packager is measured against, each in an environment of its own in the user's cache."""

import os
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from packager.cache import cache_dir

PINS = {"sam": ("aws-sam-cli==1.170.0",), "chalice": ("chalice==1.34.0", "pydantic==2.14.3")}
"""What each environment holds. Chalice imports the application that it packages, so it needs what that needs."""


def command(name: str) -> Path:
    """The program of a peer; its environment is made, with the Python that runs this, if there is none yet."""
    folder = cache_dir() / "benchmarks" / "_".join(PINS[name]).replace("==", "-")
    program = folder / "bin" / name
    if not program.exists():
        uv = find_uv_bin()
        subprocess.run(
            [uv, "venv", "-q", "--seed", "--clear", "--python", sys.executable, folder], check=True
        )
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", folder / "bin/python", *PINS[name]], check=True
        )
    return program


def environment(name: str) -> dict[str, str]:
    """What a peer runs with: its own Python first on the path, no account, nothing reported home."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(command(name).parent), os.environ["PATH"]]),
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
    }
