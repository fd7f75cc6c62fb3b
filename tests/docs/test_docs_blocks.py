"""Every code block of the documentation and of the README is run, built or at least read by what reads it for real."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from doc_blocks import blocks, write
from front_end import WEB, packages, tsc

from packager.cli import cli
from packager.examine import examine
from packager.project import load

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("docs/**/*.md"), ROOT / "README.md"} - {*ROOT.glob("docs/reference/rules/*.md")})
PAGES.append(ROOT / "docs" / "reference" / "rules" / "index.md")
KNOWN = {"python", "toml", "yaml", "json", "ts", "html", "sh", "ini", "text", "console"}
RUN = {"init", "check", "routes", "types", "why"}
PROGRAMS = {"cd", "curl", "mkdir", "mkdocs", "packager", "pytest", "python", "python3", "uv"}


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def commands(text):
    """The command lines of a shell block, each as its words."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        for part in re.split(r"&&|\|", line):
            if words := shlex.split(part, comments=True):
                yield words


def checked_arguments(words):
    """The command exists and takes these options and arguments."""
    if not words or words[0].startswith("-"):
        return
    group, names = cli, list(words)
    while isinstance(group, click.Group):
        command = group.get_command(click.Context(group), names[0])
        assert command is not None, words
        group, names = command, names[1:]
    with group.make_context(words[0], names):
        pass


def checked_commands(text):
    for program, *arguments in commands(text):
        assert Path(program).name in PROGRAMS, program
        if program == "packager":
            checked_arguments(arguments)


class Session:
    """The shell in which a reader follows a page; `folder` is where it stands."""

    def __init__(self, folder, packager, monkeypatch):
        self.folder, self.packager, self.monkeypatch = folder, packager, monkeypatch

    def run(self, text):
        checked_commands(text)
        for program, *arguments in commands(text):
            if program == "cd" and (self.folder / arguments[0]).is_dir():
                self.folder /= arguments[0]
            elif program == "mkdir":
                (self.folder / arguments[-1]).mkdir(parents=True)
            elif program == "packager":
                if arguments and arguments[0] in RUN and "--watch" not in arguments:
                    self.monkeypatch.chdir(self.folder)
                    done = self.packager(*arguments)
                    assert done.status == 0, done
            elif program == "pytest":
                command = [sys.executable, "-m", "pytest", "-q", "-p", "runtimes.testing.plugin", *arguments]
                # the plugins of this repository's own tests would take longer than the page's tests
                environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
                done = subprocess.run(
                    command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def packager(monkeypatch, capsys):
    """Run the command line in this process."""
    from packager.cli import main  # noqa: PLC0415

    class Done:
        def __init__(self, status, captured):
            self.status, self.out, self.err = status, captured.out, captured.err

        def __repr__(self):
            return f"{self.status}\n{self.out}\n{self.err}"

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["packager", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), capsys.readouterr())

    return run


def read_toml(text, tmp_path):
    """A whole `pyproject.toml`, or tables of one."""
    if "packager" in tomllib.loads(text).get("tool", {}):
        folder = tmp_path / "settings"
        (folder / "app").mkdir(parents=True, exist_ok=True)
        (folder / "pyproject.toml").write_text(text)
        load(folder)


def read_workflow(text):
    """A workflow of GitHub Actions: every job runs somewhere and does something that exists."""
    document = yaml.safe_load(text)
    assert {"name", "jobs"} <= set(document)
    # YAML 1.1 reads the key `on` as true
    assert {"on", True} & set(document)
    for job in document["jobs"].values():
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            assert re.fullmatch(r"[\w./-]+@v\d+", step.get("uses", "a@v1"))
            run = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", "")).removeprefix("uv run ")
            checked_commands(run)


def read_yaml(block):
    if block.file and block.file.startswith(".github/workflows/"):
        read_workflow(block.text)
    else:
        # the tags of CloudFormation are nothing that a loader knows
        yaml.compose(block.text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_readers_blocks_work(page, tmp_path, packager, monkeypatch):
    session = Session(tmp_path / "work", packager, monkeypatch)
    session.folder.mkdir()
    readme = page.name == "README.md"
    readers = {
        "python": lambda block: compile(block.text, where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT),
        "toml": lambda block: read_toml(block.text, tmp_path),
        "json": lambda block: json.loads(block.text),
        "yaml": read_yaml,
        # what the README shows builds the repository itself
        "sh": lambda block: checked_commands(block.text) if readme else session.run(block.text),
    }
    for block in blocks(page):
        where = f"{name_of(page)}:{block.line}"
        assert block.language in KNOWN or readme, where
        readers.get(block.language, bool)(block)
        if block.file and not block.file.startswith(".github/"):
            write(block, session.folder)
    if any(session.folder.glob("app/**/route.py")):
        found = examine(session.folder).diagnostics
        assert [item for item in found if item.severity == "error"] == []


NEXT = """
declare module "next/server" {
  export class NextRequest extends Request {
    nextUrl: URL;
    cookies: { has(name: string): boolean };
  }
  export class NextResponse extends Response {
    static json(data: unknown, init?: ResponseInit): NextResponse;
    static next(): NextResponse;
  }
}
"""


def test_typescript_in_the_pages_has_no_wrong_type(tmp_path, packager):
    """One run of `tsc` for all pages: each is a project with its routes, and what `packager types` writes of them."""
    for page in PAGES:
        found = list(blocks(page))
        written = [block for block in found if block.language == "ts"]
        folder = tmp_path / name_of(page).replace("/", "-").removesuffix(".md")
        for number, block in enumerate(written):
            if block.file:
                write(block, folder)
            else:
                folder.mkdir(exist_ok=True)
                (folder / f"{number}.ts").write_text(block.text)
        if any(block.file for block in written):
            for block in found:
                if block.file and block.language != "ts":
                    write(block, folder)
            assert packager("types", str(folder)).status == 0
    (tmp_path / "next.d.ts").write_text(NEXT)
    settings = json.loads((WEB / "tsconfig.json").read_text())
    (tmp_path / "tsconfig.json").write_text(json.dumps({**settings, "include": ["next.d.ts", "docs-*/**/*"]}))
    packages(tmp_path)
    done = tsc(tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_page_is_not_too_long():
    for page in PAGES:
        most = 200 if page.name == "README.md" else 250
        assert len(page.read_text().splitlines()) <= most, name_of(page)
