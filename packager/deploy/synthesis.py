"""The build and the assembly that a deployment is of: those that are there if they are current, else made anew.

They are made in a process of their own (`synth_process`); the way to AWS is prepared meanwhile.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra import manifest
from infra.manifest import Manifest
from infra.stage import Stage
from packager import build as builds
from packager import stages, synth, synth_process
from packager.deploy import assembly as assemblies
from packager.deploy.assembly import Assembly
from packager.deploy.aws import Aws, connect
from packager.model import Project
from packager.project import load
from packager.staging import OUTPUT

type Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A build and the stage of the project that it is deployed to; `name` is the stage's as it was given."""

    project: Project
    stage: Stage
    name: str
    built: Manifest

    @property
    def app(self) -> str:
        return self.built.app.name


@dataclass(frozen=True, slots=True)
class Synthesis(Built):
    """A build with the stacks that were made of it for the stage."""

    assembly: Assembly


type Make[T] = Callable[[Project, Stage, str, Report], T]


def begin[T](
    folder: Path, name: str | None, profile: str | None, report: Report, make: Make[T]
) -> tuple[Aws, T]:
    """What every deployment of a stage begins with: a caller of AWS who may deploy it, and what is deployed.

    Both are prepared at once; `make` is `synthesize` or `build`. `name` is the stage's, `profile` one of `~/.aws`.
    Raises `UsageError` without a stage, what `make` raises, and `ToolError` without credentials of the stage's account.
    """
    project = load(folder)
    stage = stages.named(project, name)
    with ThreadPoolExecutor(1) as meanwhile:
        caller = meanwhile.submit(_caller, stage, profile)
        made = make(project, stage, name or stage.name, report)
        return caller.result(), made


def synthesize(project: Project, stage: Stage, name: str, report: Report) -> Synthesis:
    """Have build and assembly of a stage current, whose `name` is written as in its `.env` file.

    `report` gets a line for each long step. Raises what `packager.synth.synth` and `assembly.read` raise.
    """
    if not synth.is_current(project, stage):
        synth_process.synthesize(project.root, name, report)
    folder = synth.default_place(project, stage)
    return Synthesis(
        project, stage, name, manifest.read(project.root / OUTPUT), assembly=assemblies.read(folder)
    )


def build(project: Project, stage: Stage, name: str, report: Report) -> Built:
    """Have the build current, without stacks. Raises what `packager.build.build` raises."""
    return Built(project, stage, name, builds.build(project.root, report=report).manifest)


def _caller(stage: Stage, profile: str | None) -> Aws:
    aws = connect(stage.region, profile=profile, account=stage.account)
    assert aws.account  # asks AWS, which is waited for here, and refuses another account than the stage's
    return aws
