"""What is previewed: the cloud assembly of a stage, made anew if it is not that of the present build."""

from collections.abc import Callable
from pathlib import Path

from packager import synth_process
from packager.errors import PackagerError, ProjectError, ToolError
from packager.preview.deployed_topology import from_assembly
from packager.preview.topology import Topology

_WAY_OUT = "`packager preview --from manifest` serves the build without its stacks."

type Report = Callable[[str], None]
type Synthesize = Callable[[Path, str | None, Report], None]


def topology(
    folder: Path,
    stage: str | None,
    assembly: Path | None,
    *,
    report: Report,
    synthesize: Synthesize = synth_process.synthesize,
) -> Topology:
    """The topology of a given assembly, or of the stage of the project `folder`.

    A stage of None is that of this machine, which needs no settings. Builds and synthesizes by `synthesize` if what is
    there is not current. Raises what that raises; if the stacks cannot be made, with the way to do without them.
    """
    if assembly is not None:
        return from_assembly(assembly)
    from packager import build, project, stages, synth  # noqa: PLC0415 - a given assembly needs none of them

    loaded = project.load(folder)
    chosen = stages.local(loaded) if stage is None else stages.read(loaded, stage)
    if not synth.is_current(loaded, chosen):
        try:
            synthesize(loaded.root, stage, report)
        except (ProjectError, ToolError) as error:
            if not build.is_current(folder):
                raise
            raise _with_way_out(error) from error
    return from_assembly(synth.default_place(loaded, chosen))


def _with_way_out[E: PackagerError](error: E) -> E:
    error.hint = f"{error.hint} {_WAY_OUT}"
    return error
