"""A deployment from what was synthesized to the release, in three steps, with a question to a person between them.

`survey` and `recover.settle` see what is there; `prepare` uploads and plans; `carry_out` does what was shown. On a
first deployment everything is added, which the templates say; on later ones the change sets of all stacks are made
before. What a canary does first (`canary`) is not in the plan: a share of the requests is no lasting change.
"""

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra import names
from infra.stage import EDGE_REGION
from packager.deploy import (
    canary,
    destroy,
    fast,
    live_check,
    plan,
    recover,
    releases,
    staging,
    uploads,
    version_check,
)
from packager.deploy import live as lives
from packager.deploy.assembly import Assembly
from packager.deploy.aws import Aws
from packager.deploy.canary import Share
from packager.deploy.deployed import Deployed
from packager.deploy.destroy import Standing
from packager.deploy.execute import execute
from packager.deploy.fast import FastPlan
from packager.deploy.hold import Hold
from packager.deploy.live import Live, Move
from packager.deploy.parameters import ORIGIN_KEY
from packager.deploy.plan import DeployPlan
from packager.deploy.progress import Progress
from packager.deploy.releases import Ledger, Release
from packager.deploy.staging import Bucket
from packager.deploy.synthesis import Built, Synthesis
from packager.errors import ToolError

URL_OUTPUTS = ("Url", "ApiUrl")
"""What a stage is called at: the distribution, before the API."""

_BETWEEN = ("PublishOutput", "ExportsOutput")
"""What CDK calls outputs that it adds."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What is about to happen: `stacks` change, and the functions of `moves` go forward again after a rollback.

    `found` and `live` are the stage as it was when this was planned, `staged` the buckets with the files.
    """

    stacks: DeployPlan
    moves: tuple[Move, ...]
    found: dict[str, Deployed]
    live: Live
    staged: dict[str, Bucket]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return self.stacks.is_empty and not self.moves


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that is done. `outputs` are those of all stacks but secret ones."""

    release: Release
    outputs: dict[str, str]

    @property
    def url(self) -> str:
        """Where the stage answers."""
        return url(self.outputs)


def url(outputs: Mapping[str, str]) -> str:
    """Where a stage answers whose stacks give `outputs`. Raises `ToolError` if none of them is a URL."""
    for name in URL_OUTPUTS:
        if name in outputs:
            return outputs[name]
    raise ToolError(
        "the stacks give no URL", hint="Synthesize with this version of packager, and deploy again."
    )


def survey(aws: Aws, made: Synthesis) -> dict[str, Deployed]:
    """The stage's stacks that are there, also one that the assembly has no longer. Raises `ToolError`."""
    rows = {row.name: row.region for row in made.assembly.stacks}
    edge = names.stack_name(made.app, made.stage.name, "edge")
    return plan.survey(aws, {edge: EDGE_REGION, **rows}.items())


def prepare(
    aws: Aws, made: Synthesis, found: dict[str, Deployed], share: Share | None, progress: Progress
) -> Pending:
    """Upload all files and plan; `found` are the stacks of `survey`, each of which can be updated or is to be made.

    `share` is what a canary is asked to give. Raises `ToolError`; no change set is left then. One that is not
    carried out is given to `discard`.
    """
    live = lives.read(aws, made.app, made.stage.name) if found else Live(made.stage.region)
    if share:
        canary.check(aws, made.app, made.stage, live)
    if made.stage.termination_protection:
        needed = {row.name for row in made.assembly.stacks}
        gone = tuple(row for row in found.values() if row.name not in needed)
        destroy.check(Standing(gone), made.stage.name)
    staged = _upload(aws, made.assembly, progress)
    progress.step("asking CloudFormation what would change")
    stacks = plan.plan(aws, made.assembly, found, staged)
    return Pending(stacks, releases.behind(live), found, live, staged)


def discard(aws: Aws, pending: Pending) -> None:
    """Leave nothing of a plan that is not carried out."""
    plan.discard(aws, pending.stacks)


def carry_out(
    aws: Aws, made: Synthesis, pending: Pending, held: Hold, share: Share | None, progress: Progress
) -> Deployment:
    """Do what was planned, and record the release; the stage is `held`.

    With `share`, new versions of functions get only that of the requests at first. Raises `ToolError` with the first
    cause if CloudFormation fails, and for an alarm of the canary; change sets that are left are deleted.
    """
    held.check()
    stacks, found, staged = pending.stacks, pending.found, pending.staged
    with _discarded(aws, stacks):
        fast.settle(aws, made.assembly, staged, pending.live)
        shared = _first_some(aws, made, pending, share, held, progress) if share else None
    stacks, found = shared or (stacks, found)
    with _discarded(aws, stacks):
        now = execute(aws, stacks, made.assembly, found, staged, check=held.check, progress=progress)
    held.check()
    ledger = Ledger(staged[made.stage.region], made.app, made.stage.name)
    release = _released(aws, made, ledger, progress)
    return Deployment(release, _outputs(now))


def carry_out_fast(
    aws: Aws, made: Built, ledger: Ledger, live: Live, planned: FastPlan, progress: Progress
) -> Deployment:
    """Replace the code that was planned to be (`fast.plan`), and record that. Raises `ToolError`."""
    fast.carry_out(aws, ledger.bucket, live, planned, progress)
    progress.step("recording the release")
    live = lives.read(aws, made.app, made.stage.name)
    build = releases.build_of(made.built, made.project.root)
    release = releases.record(aws, ledger, kind="fast", build=build, live=live)
    places = (
        (names.stack_name(made.app, made.stage.name, "api"), made.stage.region),
        (names.stack_name(made.app, made.stage.name, "edge"), EDGE_REGION),
    )
    return Deployment(release, _outputs(plan.survey(aws, places)))


def diff(aws: Aws, made: Synthesis, progress: Progress) -> Pending:
    """What a deployment would change; nothing is changed for it, and its change sets are gone afterwards.

    Of a stage that is not there yet everything is added; nothing at all is made in AWS to learn that. Raises
    `ToolError`, also for a stack that is being changed at this moment.
    """
    found = survey(aws, made)
    recover.check(found, made.stage.name)
    staged = _staged(aws, made.assembly) if found else None
    if staged is not None:
        progress.step("uploading templates")
        templates = [asset for row in made.assembly.stacks for asset in row.assets if asset.is_template]
        uploads.upload(aws, templates, staged, progress.sent)
    progress.step("asking CloudFormation what would change")
    live = lives.read(aws, made.app, made.stage.name) if found else Live(made.stage.region)
    stacks = plan.plan(aws, made.assembly, found, staged)
    plan.discard(aws, stacks)
    return Pending(stacks, releases.behind(live), found, live, staged or {})


def _outputs(stacks: Mapping[str, Deployed]) -> dict[str, str]:
    """All outputs but the origin key, which is secret, and those that CDK adds for other stacks to read."""
    found = {name: value for row in stacks.values() for name, value in row.outputs.items()}
    return {
        name: value for name, value in found.items() if name != ORIGIN_KEY and not name.startswith(_BETWEEN)
    }


def _upload(aws: Aws, assembly: Assembly, progress: Progress) -> dict[str, Bucket]:
    assets = [asset for row in assembly.stacks for asset in row.assets]
    progress.step(f"uploading what is new of {len(assets)} files")
    staged = staging.buckets(aws, assembly)
    uploads.upload(aws, assets, staged, progress.sent)
    return staged


def _staged(aws: Aws, assembly: Assembly) -> dict[str, Bucket] | None:
    """The buckets of all regions of the assembly; None if one is missing, which only a deployment makes."""
    regions = sorted({row.region for row in assembly.stacks})
    with ThreadPoolExecutor(len(regions)) as pool:
        found = [bucket for bucket in pool.map(lambda region: staging.find(aws, region), regions) if bucket]
    return {bucket.region: bucket for bucket in found} if len(found) == len(regions) else None


@contextmanager
def _discarded(aws: Aws, stacks: DeployPlan) -> Iterator[None]:
    """Leave no change sets if the block does not end well."""
    try:
        yield
    except BaseException:
        plan.discard(aws, stacks)
        raise


def _first_some(
    aws: Aws, made: Synthesis, pending: Pending, share: Share, held: Hold, progress: Progress
) -> tuple[DeployPlan, dict[str, Deployed]] | None:
    """Give new versions their share, and watch; the plan for the rest, and the stacks as they are then.

    None if no function that is live gets a new version.
    """
    app, stage, live = made.app, made.stage.name, pending.live
    with tempfile.TemporaryDirectory(prefix="packager-") as folder:
        pinned = canary.pinned(made.assembly, app, stage, live, share, Path(folder).resolve())
        if pinned is None:
            return None
        # Before the first step: nothing may fail between that and the watch over it.
        watched = canary.alarms(aws, app, stage)
        staged = _upload(aws, pinned, progress)
        own = {name: row for name, row in pending.found.items() if name == pinned.stacks[0].name}
        # CloudFormation deletes the stack's other change sets when it executes one; those of the others are old then.
        plan.discard(aws, pending.stacks)
        first = plan.plan(aws, pinned, own, staged)
        with _discarded(aws, first):
            now = execute(aws, first, pinned, own, staged, check=held.check, progress=progress)
    check = partial(_check_new, aws, made, progress)
    canary.watch(aws, live, watched, share, progress, check)
    held.check()
    found = {**pending.found, **now}
    return plan.plan(aws, made.assembly, found, pending.staged), found


def _check_new(aws: Aws, made: Synthesis, progress: Progress) -> None:
    """Have the new versions answer the routes that the project names, before they get all requests."""
    if not made.project.settings.smoke:
        return
    progress.step("requesting the named routes of the new versions")
    functions = lives.read(aws, made.app, made.stage.name).functions
    versions = {row.name: version for row in functions for version, _ in row.weights}
    rows = version_check.check(aws, made.built, made.stage.name, versions, made.project.settings.smoke)
    if fault := live_check.fault(rows):
        raise ToolError(
            f"the new versions are not fit, and the old ones go on: {fault}",
            hint="`packager logs` shows what the functions say. Mend it and deploy again.",
        )


def _released(aws: Aws, made: Synthesis, ledger: Ledger, progress: Progress) -> Release:
    """Have the newest versions answer, whatever a rollback left, and write down what does."""
    progress.step("recording the release")
    live = lives.read(aws, ledger.app, ledger.stage)
    if releases.reconcile(aws, live):
        live = lives.read(aws, ledger.app, ledger.stage)
    build = releases.build_of(made.built, made.project.root)
    release = releases.record(aws, ledger, kind="deploy", build=build, live=live)
    # Old versions cost nothing but room: the next deployment tries again.
    with suppress(ToolError):
        releases.prune(aws, ledger, live, keep=made.stage.keep_releases)
    return release
