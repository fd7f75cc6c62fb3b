import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = {
    "app/api/users/[id]/route.py": "def GET(): return {}\n",
    "app/api/hello/route.py": "def GET(): return {}\n",
    "pyproject.toml": "[tool.packager.stages.default]\n[tool.packager.stages.prod]\n",
    ".env.dev.local": "",
    ".env.local": "",
}


def offered(words: str, folder: Path | None = None) -> list[str]:
    """What the real command offers for the last of the words."""
    asked = {
        "_PACKAGER_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-m", "packager"]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_options_and_the_names_of_a_project(write):
    root = write(PROJECT)
    assert offered("packager de") == ["dev", "deploy", "destroy"]
    assert offered("packager init --temp") == ["--template"]
    assert offered("packager why . /api/u", root) == ["/api/users/[id]"]
    assert offered("packager deploy --stage ", root) == ["dev", "prod"]
    assert offered("packager env pull --stage p", root) == ["prod"]


def test_what_is_no_project_offers_nothing(tmp_path):
    assert offered("packager why . /", tmp_path) == []
    (tmp_path / "pyproject.toml").write_text("[")
    assert offered("packager deploy --stage ", tmp_path) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_that_its_shell_reads(packager, shell, tmp_path):
    ended = packager("completion", shell)
    assert (ended.status, ended.err) == (0, "")
    assert "_PACKAGER_COMPLETE" in ended.out
    assert f"# installed by: packager completion {shell} > " in ended.out
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(ended.out)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True)


def test_another_shell_is_wrong_usage(packager):
    assert packager("completion", "tcsh").status == 2
